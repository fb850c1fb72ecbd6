// Pictures laid over one another, and networks that tell all of them: MultiMNIST.
#include "error_of.h"
#include "train_fixture.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <set>

using namespace fixture;

namespace {

/// Pairs of bars, each moved by up to a pixel.
Dataset pairs(std::int64_t count) {
  Dataset data = bars(count);
  data.labels_per_image = 2;
  data.max_move = 1;
  return data;
}

CapsNetConfig pair_config() {
  CapsNetConfig config = tiny_config();
  config.input.labels_per_image = 2;
  return config;
}

/// Everything a loader gave in what is left of the epoch.
struct Given {
  std::vector<std::int64_t> indices;
  std::vector<std::int32_t> labels;
  std::vector<real> images, targets;
  bool operator==(const Given&) const = default;
};

Given rest_of(Loader& loader) {
  Given all;
  const auto append = [](auto& to, const auto& from) {
    to.insert(to.end(), from.begin(), from.end());
  };
  for (Batch batch; loader.next(batch);) {
    append(all.indices, batch.indices);
    append(all.labels, batch.labels);
    append(all.images, batch.images.values());
    if (!batch.targets.empty())
      append(all.targets, batch.targets.values());
  }
  return all;
}

struct Trace {
  std::vector<double> losses;
  std::vector<real> parameters;
  bool operator==(const Trace&) const = default;
};

/// Which of the pictures, moved by up to a pixel, this is; -1 for none.
std::int64_t origin(const Dataset& data, std::span<const real> picture) {
  std::vector<real> moved(picture.size());
  for (std::int64_t i = 0; i < data.count; ++i)
    for (std::int64_t dy = -1; dy <= 1; ++dy)
      for (std::int64_t dx = -1; dx <= 1; ++dx) {
        data.copy_image(i, moved.data(), dy, dx);
        if (std::equal(moved.begin(), moved.end(), picture.begin()))
          return i;
      }
  return -1;
}

} // namespace

TEST_CASE("an image of two labels is two pictures of two classes, moved, one over the other") {
  const Dataset data = pairs(20);
  const std::vector<std::int64_t> chosen = {1, 3, 4, 8, 11, 12};
  Loader loader(data, chosen, {.batch = 4});
  const Given given = rest_of(loader);
  REQUIRE(given.indices.size() == 6);
  REQUIRE(given.labels.size() == 12);
  constexpr std::size_t pixels = 144;
  for (std::size_t i = 0; i < 6; ++i) {
    const std::span first(&given.targets[2 * i * pixels], pixels);
    const std::span second(&given.targets[(2 * i + 1) * pixels], pixels);
    CHECK(origin(data, first) == given.indices[i]);
    const std::int64_t other = origin(data, second);
    CHECK(std::ranges::count(chosen, other) == 1);
    CHECK(given.labels[2 * i] == data.labels[std::size_t(given.indices[i])]);
    CHECK(given.labels[2 * i + 1] == data.labels[std::size_t(other)]);
    CHECK(given.labels[2 * i] != given.labels[2 * i + 1]);
    for (std::size_t p = 0; p < pixels; ++p)
      CHECK(given.images[i * pixels + p] == std::min(real(1), first[p] + second[p]));
  }
}

TEST_CASE("pairs depend on seed, epoch and index alone; without chance they stay the same") {
  const Dataset data = pairs(20);
  const auto indices = all_indices(20);
  Loader a(data, indices, {.batch = 7, .shuffle = false});
  Loader b(data, indices, {.batch = 20, .shuffle = false, .prefetch = false});
  const Given first = rest_of(a);
  CHECK(first == rest_of(b));
  a.start_epoch(1);
  b.start_epoch(1);
  const Given second = rest_of(a);
  CHECK(second == rest_of(b));
  CHECK(second.labels != first.labels);
  Loader seeded(data, indices, {.batch = 7, .shuffle = false, .seed = 2});
  CHECK(rest_of(seeded).labels != first.labels);

  Loader fixed(data, indices, {.batch = 7, .shuffle = false, .augment = false});
  const Given once = rest_of(fixed);
  fixed.start_epoch(5);
  CHECK(rest_of(fixed) == once);
}

TEST_CASE("a single picture is moved too, by every distance up to the largest") {
  Dataset data = bars(30);
  data.max_move = 1;
  Loader loader(data, all_indices(30), {.batch = 30, .shuffle = false});
  std::set<std::pair<int, int>> seen;
  std::vector<real> moved(144);
  for (std::int64_t epoch = 0; epoch < 4; ++epoch) {
    loader.start_epoch(epoch);
    const Given given = rest_of(loader);
    CHECK(given.targets.empty());
    for (std::size_t i = 0; i < 30; ++i)
      for (int dy = -1; dy <= 1; ++dy)
        for (int dx = -1; dx <= 1; ++dx) {
          data.copy_image(std::int64_t(i), moved.data(), dy, dx);
          if (std::equal(moved.begin(), moved.end(), &given.images[144 * i]))
            seen.insert({dy, dx});
        }
  }
  CHECK(seen.size() == 9);
}

TEST_CASE("targets are shifted and cut as the image is") {
  Dataset data = pairs(12);
  data.max_move = 0;
  const LoaderOptions whole = {.batch = 12, .shuffle = false, .augment = false};
  LoaderOptions cut = whole;
  cut.view.crop = 8;
  Loader full(data, all_indices(12), whole), part(data, all_indices(12), cut);
  Batch all, middle;
  REQUIRE(full.next(all));
  REQUIRE(part.next(middle));
  CHECK(middle.targets.shape() == Shape{12, 2, 8, 8, 1});
  for (const auto& [large, small] :
       {std::pair{all.images, middle.images},
        {all.targets.reshape({24, 12, 12, 1}), middle.targets.reshape({24, 8, 8, 1})}}) {
    const Tensor want = apply_view(large, {.crop = 8});
    CHECK(std::ranges::equal(want.values(), small.values()));
  }
}

TEST_CASE("what makes no pairs is refused") {
  Dataset data = pairs(9);
  CHECK(error_of([&] { Loader(data, {0, 3, 6}, {}); }).find("fewer classes") != std::string::npos);
  CHECK(error_of([&] { Loader(data, {0, 3, 4}, {}); }).empty());
  CHECK(error_of([&] { Loader(data, {}, {}); }).empty());
  data.labels_per_image = 4;
  CHECK_THROWS_AS(data.check(), Error);
  data.labels_per_image = 0;
  CHECK_THROWS_AS(data.check(), Error);
  data.labels_per_image = 2;
  data.max_move = 13;
  CHECK_THROWS_AS(data.check(), Error);
  CapsNetConfig config = pair_config();
  config.input.labels_per_image = 4;
  CHECK_THROWS_AS(CapsNet(config, 1), Error);
  MatrixCapsNetConfig matrix;
  matrix.input.labels_per_image = 2;
  CHECK(error_of([&] { MatrixCapsNet(matrix, 1); }).find("loss=margin") != std::string::npos);
}

TEST_CASE(
    "several predictions are the largest scores in order; matching brings the right ones home") {
  const std::vector<real> values = {1, 3, 2, 2, 5, 5, 0, 5};
  const Tensor scores({2, 4}, values);
  Tape tape;
  std::vector<std::int32_t> found;
  predictions(tape.constant(scores), found, 3);
  CHECK(found == std::vector<std::int32_t>{1, 2, 3, 0, 1, 3});
  CHECK_THROWS_AS(predictions(tape.constant(scores), found, 5), Error);

  using Labels = std::vector<std::int32_t>;
  const auto matched = [](Labels predicted, const Labels& labels) {
    match_labels(predicted, labels, 2);
    return predicted;
  };
  CHECK(matched({7, 4}, {4, 7}) == Labels{4, 7});
  CHECK(matched({4, 7}, {4, 7}) == Labels{4, 7});
  CHECK(matched({7, 1}, {4, 7}) == Labels{1, 7});
  CHECK(matched({4, 1}, {7, 4}) == Labels{1, 4});
  CHECK(matched({2, 1}, {7, 4}) == Labels{2, 1});
  CHECK(count_wrong(Labels{4, 7, 1, 7, 2, 1}, Labels{4, 7, 4, 7, 7, 4}, 2) == 2);
  Labels three = {1, 2, 3};
  CHECK_THROWS_AS(match_labels(three, Labels{1, 2, 3}, 2), Error);
  CHECK_THROWS_AS(count_wrong(three, Labels{1, 2}, 1), Error);
}

TEST_CASE("the margin loss of two labels wants both capsules long") {
  const std::vector<real> values = {0.5f, 0.95f, 0.3f, 0.05f};
  const Tensor lengths({1, 4}, values);
  Tape tape;
  const auto loss = [&](const std::vector<std::int32_t>& labels) {
    return double(margin_loss(tape, tape.constant(lengths), labels, {}).item());
  };
  CHECK(loss({1, 0}) == doctest::Approx(0.4 * 0.4 + 0.5 * 0.2 * 0.2));
  CHECK(loss({0, 1}) == loss({1, 0}));
  CHECK(loss({3, 2}) == doctest::Approx(0.85 * 0.85 + 0.6 * 0.6 + 0.5 * (0.4 * 0.4 + 0.85 * 0.85)));
}

TEST_CASE("each label is reconstructed from its own capsule and compared with its own picture") {
  CapsNet network(pair_config(), 2);
  const Dataset data = pairs(6);
  Loader loader(data, all_indices(6), {.batch = 6, .prefetch = false});
  Batch batch;
  REQUIRE(loader.next(batch));
  Tape tape;
  const auto forward = [&](Mode mode, const Targets& targets) {
    tape.reset();
    return network.forward(tape, batch.images, batch.labels, mode, 1, targets);
  };
  const Outputs out = forward(Mode::training, {batch.targets});
  REQUIRE(out.reconstruction.shape() == Shape{12, 144});
  double error = 0;
  for (std::int64_t b = 0; b < 6; ++b)
    for (std::int64_t l = 0; l < 2; ++l) {
      const std::int64_t row = 2 * b + l;
      const std::vector<std::int32_t> which(6, batch.labels[std::size_t(row)]);
      const Variable alone = network.decode(tape, out.capsules, which, Mode::evaluation);
      for (std::int64_t p = 0; p < 144; ++p) {
        const real pixel = out.reconstruction.data()[row * 144 + p];
        CHECK(pixel == doctest::Approx(alone.data()[b * 144 + p]).epsilon(1e-5));
        error += std::pow(double(pixel - batch.targets.data()[row * 144 + p]), 2);
      }
    }
  CHECK(out.reconstruction_loss.item() == doctest::Approx(0.0005 * error / 6).epsilon(1e-4));

  const auto complaint = [&](const Targets& targets) {
    return error_of([&] { forward(Mode::training, targets); });
  };
  CHECK(complaint({}).find("(6, 2, 12, 12, 1)") != std::string::npos);
  CHECK(complaint({batch.images}).find("(6, 12, 12, 1)") != std::string::npos);
  batch.labels.pop_back();
  CHECK(complaint({batch.targets}).find("11 labels, 6 images of 2") != std::string::npos);
}

TEST_CASE("a right prediction is reconstructed in the place of its label") {
  CapsNet network(pair_config(), 2);
  const Dataset data = pairs(6);
  Loader loader(data, all_indices(6), {.batch = 6, .prefetch = false});
  Batch batch;
  REQUIRE(loader.next(batch));
  Tape tape;
  const Outputs told = network.forward(tape, batch.images, {}, Mode::evaluation);
  CHECK(told.reconstruction.shape() == Shape{12, 144});
  std::vector<std::int32_t> labels;
  predictions(told.scores, labels, 2);
  const Variable longest = told.reconstruction;
  for (std::size_t i = 0; i < labels.size(); i += 2)
    std::swap(labels[i], labels[i + 1]);
  const Outputs judged =
      network.forward(tape, batch.images, labels, Mode::evaluation, 1, {batch.targets});
  for (std::int64_t row = 0; row < 12; ++row)
    CHECK(std::equal(longest.data() + row * 144, longest.data() + (row + 1) * 144,
                     judged.reconstruction.data() + (row ^ 1) * 144));
}

TEST_CASE("a run on pairs learns, stops and goes on; what is judged is whether both are right") {
  const Scratch scratch;
  const Dataset data = pairs(90);
  const auto run = [&](const TrainOptions& options, std::int64_t stop = -1) {
    CapsNet model(pair_config(), 7);
    Recorder recorder;
    recorder.stop_after_step = stop;
    train(model, data, options, recorder);
    const auto values = model.parameters().values();
    return Trace{recorder.losses, {values.begin(), values.end()}};
  };
  TrainOptions options = tiny_options(scratch.path("whole"));
  options.epochs = 6;
  options.view = {};
  const Trace whole = run(options);
  CHECK(whole.losses.back() < 0.8 * whole.losses.front());
  options.directory = scratch.path("parts");
  Trace parts = run(options, 14);
  options.resume = true;
  const Trace rest = run(options);
  parts.losses.insert(parts.losses.end(), rest.losses.begin(), rest.losses.end());
  parts.parameters = rest.parameters;
  CHECK(parts == whole);
  const Image sheet = read_image(scratch.path("whole/reconstructions.png"), 1);
  CHECK(sheet.height / 12 == 3); // pictures, first labels, second labels

  const LoadedModel loaded = load_model(scratch.path("whole/last.safetensors"));
  CHECK(loaded.model->input().labels_per_image == 2);
  const Evaluation judged = evaluate(*loaded.model, data, {.batch = 16});
  CHECK(judged.count == 90);
  CHECK(judged.labels_per_image == 2);
  std::int64_t all = 0, found = 0;
  for (std::int64_t k = 0; k < 9; ++k) {
    all += judged.confusion[std::size_t(k)];
    found += k % 4 == 0 ? judged.confusion[std::size_t(k)] : 0;
  }
  CHECK(all == 180);
  // Of three classes, two that are told share one at least with the two that are there.
  CHECK(judged.wrong == 180 - found);
  const Evaluation again = evaluate(*loaded.model, data, {.batch = 90});
  CHECK(again.confusion == judged.confusion);
  CHECK_THROWS_WITH_AS(evaluate(*loaded.model, bars(9)), doctest::Contains("2 at a time"), Error);
}

TEST_CASE("multi-mnist: the digits of MNIST on 36x36, for pairs that are moved by up to 4") {
  const Scratch scratch;
  CHECK(error_of([&] {
          load_dataset("multi-mnist", Split::train, scratch.folder());
        }).find("tools/fetch.sh mnist") != std::string::npos);
  Dataset digits{.name = "digits",
                 .count = 4,
                 .height = 28,
                 .width = 28,
                 .channels = 1,
                 .classes = 10,
                 .pixels = std::vector<std::uint8_t>(4 * 784, 100),
                 .labels = {3, 8, 3, 1},
                 .class_names = {}};
  for (int k = 0; k < 10; ++k)
    digits.class_names.push_back(std::to_string(k));
  std::filesystem::create_directories(scratch.path("mnist"));
  write_idx(scratch.path("mnist/t10k-images-idx3-ubyte"),
            scratch.path("mnist/t10k-labels-idx1-ubyte"), digits);
  const Dataset data = load_dataset("multi-mnist", Split::test, scratch.folder());
  data.check();
  CHECK(data.height == 36);
  CHECK(data.width == 36);
  CHECK(data.labels_per_image == 2);
  CHECK(data.max_move == 4);
  CHECK(data.labels == digits.labels);
  for (std::int64_t p = 0; p < 4 * 36 * 36; ++p) {
    const std::int64_t y = p / 36 % 36, x = p % 36;
    const bool digit = y >= 4 && y < 32 && x >= 4 && x < 32;
    CHECK(data.pixels[std::size_t(p)] == (digit ? 100 : 0));
  }
}

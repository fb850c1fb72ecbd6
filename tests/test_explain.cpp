// What build/explain says about an image and a network.
#include "explain/evidence.h"
#include "explain/frames.h"
#include "explain/health.h"
#include "explain/perturbation.h"
#include "explain/report.h"
#include "train_fixture.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

using namespace mereo;

namespace {

/// A ring, bright on black, with what is left or right of the middle taken away.
Tensor ring(const InputShape& in, bool left, bool right) {
  Tensor image({1, in.height, in.width, 1});
  const double cy = double(in.height) / 2, cx = double(in.width) / 2;
  for (std::int64_t y = 0; y < in.height; ++y)
    for (std::int64_t x = 0; x < in.width; ++x) {
      const double dx = double(x) + 0.5 - cx;
      const double off = std::abs(std::hypot(double(y) + 0.5 - cy, dx) - 0.35 * double(in.height));
      if (off < 1.2 && (dx < 0 ? left : right))
        image.at({0, y, x, 0}) = 1;
    }
  return image;
}

/// The column that the heat balances on.
double middle_of(const Tensor& heat) {
  const std::int64_t W = heat.shape()[1];
  double sum = 0, moment = 0;
  for (std::int64_t n = 0; n < heat.elements(); ++n) {
    sum += double(heat.data()[n]);
    moment += double(heat.data()[n]) * (double(n % W) + 0.5);
  }
  return moment / sum;
}

CapsNetConfig small_capsnet() {
  CapsNetConfig config;
  config.input = {24, 24, 1, 3};
  config.kernel = 5, config.conv_filters = 8;
  config.primary_types = 4, config.primary_pose = 4, config.class_pose = 6;
  config.decoder_hidden1 = 12, config.decoder_hidden2 = 12;
  return config;
}

MatrixCapsNetConfig small_matrix_capsnet() {
  MatrixCapsNetConfig config;
  config.input = {24, 24, 1, 3};
  config.conv_filters = 6, config.primary_types = 3;
  config.capsules1 = {4, 3, 2}, config.capsules2 = {5, 3, 1};
  return config;
}

LoadedModel loaded(std::unique_ptr<Model> model, std::vector<std::string> names) {
  const InputShape in = model->input();
  CheckpointInfo info;
  info.model = model->name(), info.config = model->config();
  info.data = "bars", info.class_names = std::move(names);
  info.height = in.height, info.width = in.width;
  return {std::move(model), info};
}

} // namespace

TEST_CASE("a class' evidence is coupling times activation, and no layer below loses any") {
  CapsNet vectors(small_capsnet(), 1);
  MatrixCapsNet matrices(small_matrix_capsnet(), 1);
  for (Model* model : {static_cast<Model*>(&vectors), static_cast<Model*>(&matrices)}) {
    CAPTURE(model->name());
    Tape tape;
    const Tensor image = ring(model->input(), true, true);
    const Inspection seen = model->inspect(tape, image);
    const RoutedLayer& last = seen.layers.back();
    double all = 0;
    for (std::int64_t k = 0; k < 3; ++k)
      for (std::size_t t = 0; t < 3; ++t) {
        double want = 0;
        for (std::int64_t child = 0; child < last.child_activations.elements(); ++child)
          want += double(last.couplings[t].data()[child * 3 + k]) *
                  double(last.child_activations.data()[child]);
        const Tensor evidence = class_evidence(seen, k, t);
        CHECK(evidence.shape() == seen.layers.front().child_activations.shape());
        CHECK(total(evidence) == doctest::Approx(want));
        all += want;
      }
    CHECK(all == doctest::Approx(3 * total(last.child_activations)));
    CHECK_THROWS_AS(class_evidence(seen, 3, 0), Error);
    CHECK_THROWS_AS(class_evidence(seen, 0, 3), Error);
  }
}

TEST_CASE("equal evidence everywhere is equal heat wherever a capsule looks") {
  CapsNet network(small_capsnet(), 1);
  Tape tape;
  const Tensor image = ring(network.input(), true, true);
  const Inspection seen = network.inspect(tape, image);
  Tensor even(seen.layers[0].child_activations.shape());
  std::ranges::fill(even.values(), real(0.25));
  const Tensor heat = heat_map(seen, even, 24, 24);
  const std::int64_t end = seen.rows.stride * (even.shape()[0] - 1) + seen.rows.size();
  for (std::int64_t y = 0; y < 24; ++y)
    for (std::int64_t x = 0; x < 24; ++x)
      CHECK(heat.at({y, x}) == doctest::Approx(y < end && x < end ? 1.0 : 0.0)); // of four types
}

TEST_CASE("the heat of a digit that is hidden on one side moves to the other") {
  CapsNet network(small_capsnet(), 1);
  const auto middle = [&](bool left, bool right) {
    Tape tape;
    const Tensor image = ring(network.input(), left, right);
    const Inspection seen = network.inspect(tape, image);
    return middle_of(heat_map(seen, class_evidence(seen, 1, 2), 24, 24));
  };
  const double whole = middle(true, true);
  CHECK(middle(true, false) < whole - 1);
  CHECK(middle(false, true) > whole + 1);
}

TEST_CASE("so does the heat of a class that was learnt") {
  TrainOptions options = fixture::tiny_options();
  options.epochs = 24;
  CapsNet vectors(fixture::tiny_config(), 7);
  MatrixCapsNetConfig config;
  config.input = fixture::tiny_config().input;
  config.conv_kernel = 3, config.conv_stride = 1, config.conv_filters = 16;
  config.primary_types = 3;
  config.capsules1 = {4, 3, 2}, config.capsules2 = {4, 2, 1};
  MatrixCapsNet matrices(config, 7);
  const Dataset data = fixture::bars(120);
  for (Model* model : {static_cast<Model*>(&vectors), static_cast<Model*>(&matrices)}) {
    CAPTURE(model->name());
    fixture::Recorder recorder;
    train(*model, data, options, recorder);
    REQUIRE(recorder.epochs.back().training_error_percent < 10);
    // The column that the heat of lying bars balances on, with some of their columns hidden. It
    // moves less than a bar's middle, since a capsule sees most of so small a picture.
    const auto middle = [&](std::int64_t from, std::int64_t to) {
      double sum = 0;
      for (std::int64_t picture = 1; picture < 60; picture += 3) {
        Tensor image({1, 12, 12, 1});
        data.copy_image(picture, image.data());
        for (std::int64_t n = 0; n < image.elements(); ++n)
          if (n % 12 >= from && n % 12 < to)
            image.data()[n] = real(0.1); // as bright as the background
        Tape tape;
        const Inspection seen = model->inspect(tape, image);
        sum += middle_of(heat_map(seen, class_evidence(seen, 1, 2), 12, 12)) / 20;
      }
      return sum;
    };
    const double whole = middle(0, 0);
    CHECK(middle(6, 12) < whole - 0.1);
    CHECK(middle(0, 6) > whole + 0.1);
  }
}

TEST_CASE("the strongest types come first, each at its strongest place") {
  Tensor evidence({2, 3, 3});
  evidence.at({1, 2, 0}) = real(0.5);
  evidence.at({0, 0, 2}) = real(0.4);
  evidence.at({0, 1, 2}) = real(0.45);
  const auto types = strongest_types(evidence, 4);
  REQUIRE(types.size() == 2); // the other one has none
  CHECK(types[0].type == 2);
  CHECK(types[0].column == 1);
  CHECK(types[0].evidence == doctest::Approx(0.85));
  CHECK(types[1].row == 1);
  CHECK(types[1].column == 2);
  CHECK(strongest_types(evidence, 1).size() == 1);
}

TEST_CASE("perturbed frames are what the decoder makes of one dimension changed") {
  CapsNet network(small_capsnet(), 1);
  Tape tape;
  const Tensor image = ring(network.input(), true, true);
  const Tensor capsules = network.inspect(tape, image).outputs.capsules.value();
  const Tensor frames = perturbed_frames(network, tape, capsules, 2);
  REQUIRE(frames.shape() == Shape{6 * 11, 24, 24, 1});
  const std::int64_t size = 24 * 24;
  for (const std::int64_t n : {5, 16, 0, 65}) {
    Tensor changed = capsules.clone();
    changed.at({0, 2, n / 11}) += real(-0.25 + 0.05 * double(n % 11));
    const Tensor want = decoded(network, tape, changed, 2);
    for (std::int64_t p = 0; p < size; ++p)
      REQUIRE(frames.data()[n * size + p] == doctest::Approx(want.data()[p]).epsilon(1e-5));
  }
  const Tensor plain = decoded(network, tape, capsules, 2);
  CHECK_FALSE(std::equal(plain.data(), plain.data() + size, frames.data())); // -0.25
}

TEST_CASE("health: what is dead, what is decided, and what another iteration gains") {
  const Dataset data = fixture::bars(30);
  CapsNetConfig config = fixture::tiny_config();
  config.routing.iterations = 2;
  LoadedModel one = loaded(std::make_unique<CapsNet>(config, 3), data.class_names);
  Parameters& parameters = one.model->parameters();
  for (int n = 0; n < parameters.count(); ++n)
    if (parameters.name(n) == "primary.weight") { // type 1 of 4, of 4 channels each
      const Tensor w = parameters.value(n);
      for (std::int64_t i = 0; i < w.elements(); ++i)
        if (i % 16 / 4 == 1)
          w.data()[i] = 0;
    }
  const std::vector<std::int64_t> indices = all_indices(data.count);
  const Health health = examine(one, data, indices);
  CHECK(health.images == 30);
  REQUIRE(health.layers.size() == 1);
  const LayerHealth& layer = health.layers[0];
  CHECK(layer.types == 4);
  CHECK(std::ranges::find(layer.dead, 1) != layer.dead.end());
  CHECK(layer.sparsity >= 0.25);
  CHECK(layer.sparsity <= 1);
  REQUIRE(layer.entropy.size() == 2);
  CHECK(layer.entropy[0] == doctest::Approx(1)); // three classes, all the same
  CHECK(layer.entropy[1] < layer.entropy[0]);
  REQUIRE(health.classes.size() == 3);
  for (const ClassHealth& c : health.classes) {
    CHECK(c.images == 10);
    CHECK(std::ranges::is_sorted(c.present));
    CHECK(std::ranges::is_sorted(c.absent));
    CHECK(c.absent[4] < 1);
  }
  CHECK(health.iterations == 2);
  REQUIRE(health.error_percent.size() == 3);
  CHECK(health.error_percent[1] == doctest::Approx(evaluate(*one.model, data).error_percent()));
  const auto thrice = with_iterations(*one.model, 3);
  CHECK(health.error_percent[2] == doctest::Approx(evaluate(*thrice, data).error_percent()));
}

TEST_CASE("a report escapes names, needs nothing from outside, and has its pictures beside it") {
  const std::string evil = "<script>alert('x')</script>\"&.png";
  const std::vector<std::string> names = {"<b>zero", "\"one\"", "two & three"};
  for (const bool matrix : {false, true}) {
    CAPTURE(matrix);
    const LoadedModel network =
        matrix ? loaded(std::make_unique<MatrixCapsNet>(small_matrix_capsnet(), 1), names)
               : loaded(std::make_unique<CapsNet>(small_capsnet(), 1), names);
    const Scratch scratch;
    Report report(scratch.path("page/of"), network, "runs/<i>");
    const Tensor image = ring(network.model->input(), true, true);
    report.add({evil, image, {2}});
    report.add({"another", image, {}});
    report.add_no_health("none & never");
    const std::string page = got(report.write());
    const auto has = [&](std::string_view text) { return page.find(text) != std::string::npos; };
    CHECK(has("<!DOCTYPE html>"));
    CHECK(has("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&amp;.png"));
    CHECK(has("none &amp; never"));
    for (const char* raw : {"<script>alert", "<b>zero", "<i>", "http:", "https:", "\"//"})
      CHECK_FALSE(page.find(raw) < page.rfind("<script>")); // the page's own script is the last
    CHECK(has("Heat map of the evidence for"));
    CHECK(has("iteration 3: "));
    CHECK(has(matrix ? "Poses as frames" : "What each dimension of the pose of"));
    CHECK_FALSE(has("<img>"));
    std::size_t pictures = 0;
    for (const auto& entry : std::filesystem::directory_iterator(scratch.path("page/of"))) {
      const std::string path = entry.path().string();
      if (!path.ends_with(".png"))
        continue;
      ++pictures;
      CHECK(has(base64(got(path)))); // the very picture that the page shows
      CHECK(read_image(path, 3).pixels.size() > 0);
    }
    CHECK(pictures == 2 * (matrix ? 12 : 13));
  }
}

TEST_CASE("a report takes the place of an earlier one, and touches nothing else") {
  const LoadedModel network =
      loaded(std::make_unique<CapsNet>(small_capsnet(), 1), {"a", "b", "c"});
  const Tensor image = ring(network.model->input(), true, true);
  const Scratch scratch;
  const auto write = [&](int images) {
    Report report(scratch.folder(), network, "a run");
    for (int n = 0; n < images; ++n)
      report.add({"an image", image, {}});
    report.write();
  };
  const auto is_there = [&](const char* name) {
    return std::filesystem::exists(scratch.path(name));
  };
  write_file_atomically(scratch.path("001-input.png"), "of somebody");
  write(1);
  CHECK(is_there("001-input.png")); // there was no report
  write(3);
  CHECK(is_there("002-input.png"));
  write_file_atomically(scratch.path("002-mine.png"), "of somebody");
  write(2);
  CHECK(is_there("001-winner-types.png"));
  CHECK_FALSE(is_there("002-input.png"));
  CHECK_FALSE(is_there("002-winner-types.png"));
  CHECK(is_there("002-mine.png"));
}

TEST_CASE("of several labels each is shown, reconstructed and judged") {
  CapsNetConfig config = fixture::tiny_config();
  config.input.labels_per_image = 2;
  Dataset data = fixture::bars(12);
  data.labels_per_image = 2;
  const LoadedModel network = loaded(std::make_unique<CapsNet>(config, 3), data.class_names);
  const Health health = examine(network, data, all_indices(data.count));
  std::int64_t labels = 0;
  for (const ClassHealth& c : health.classes)
    labels += c.images;
  CHECK(labels == 24);
  CHECK(health.error_percent[2] == doctest::Approx(evaluate(*network.model, data).error_percent()));

  const Tensor image = ring(network.model->input(), true, true);
  Tape tape;
  std::vector<std::int32_t> predicted;
  predictions(network.model->forward(tape, image, {}, Mode::evaluation).scores, predicted, 2);
  const auto name = [&](std::int32_t k) { return data.class_names[std::size_t(k)]; };
  const Scratch scratch;
  Report report(scratch.folder(), network, "a run");
  report.add({"in another order", image, {predicted[1], predicted[0]}});
  report.add({"not these", image, {predicted[0], 3 - predicted[0] - predicted[1]}});
  const std::string page = got(report.write());
  const std::string both = name(predicted[0]) + " and " + name(predicted[1]);
  CHECK(page.find("read as " + both + ", right") != page.npos);
  CHECK(page.find("read as " + both + ", wrong: it is ") != page.npos);
  CHECK(page.find("2 images, 1 wrong") != page.npos);
  for (const char* file :
       {"000-reconstruction.png", "000-reconstruction-2.png", "000-overlaid.png"})
    CHECK(std::filesystem::exists(scratch.path(file)));
  for (const std::int32_t k : predicted)
    CHECK(std::filesystem::exists(scratch.path("000-dimensions-" + std::to_string(k) + ".png")));
}

// The interface for C, as far as C++ is needed to test it: threads, and memory that runs out. The
// rest is in tests/embed/api.c.
#include "allocations.h"
#include "train_fixture.h"

#include <mereo/c.h>

#include <doctest/doctest.h>

#include <cstring>
#include <thread>

using namespace fixture;

namespace {

struct Free {
  void operator()(mereo_network* network) const { mereo_free(network); }
};
using Network = std::unique_ptr<mereo_network, Free>;

std::string checkpoint(const std::string& folder, std::uint64_t seed, std::int64_t labels = 1) {
  TrainOptions options = tiny_options(folder);
  options.epochs = 1;
  CapsNetConfig config = tiny_config();
  config.input.labels_per_image = labels;
  Dataset data = bars(60);
  data.labels_per_image = labels;
  CapsNet model(config, seed);
  Recorder recorder;
  return train(model, data, options, recorder).last_checkpoint;
}

/// Scores, poses and the reconstruction of one picture of bars.
std::vector<float> all_of(mereo_network* network, std::int64_t picture) {
  const Dataset data = bars(8);
  const Tensor image(Shape{12, 12, 1});
  data.copy_image(picture, image.data());
  std::vector<float> pixels(image.values().begin(), image.values().end()), all(3 + 12 + 144);
  const int label = mereo_predict(network, pixels.data(), pixels.size());
  if (label < 0 || mereo_scores(network, all.data(), 3) != 0 ||
      mereo_poses(network, all.data() + 3, 12) != 0 ||
      mereo_reconstruct(network, std::size_t(label), all.data() + 15, 144) != 0)
    return {};
  return all;
}

} // namespace

TEST_CASE("C: a network gives what the same model gives in C++") {
  const Scratch scratch;
  const std::string path = checkpoint(scratch.path("run"), 7);
  const Network network(mereo_load(path.c_str()));
  REQUIRE(network);
  mereo_sizes sizes;
  REQUIRE(mereo_get_sizes(network.get(), &sizes) == 0);
  CHECK(sizes.height == 12);
  CHECK(sizes.channels == 1);
  CHECK(sizes.classes == 3);
  CHECK(sizes.labels == 1);
  CHECK(sizes.pose == 4);
  CHECK(sizes.seen_width == 12);
  CHECK(sizes.reconstructs == 1);
  CHECK(mereo_class_name(network.get(), 2) == std::string("slant"));

  LoadedModel loaded = load_model(path);
  loaded.model->freeze(1);
  const Tensor image(Shape{1, 12, 12, 1});
  bars(8).copy_image(5, image.data());
  Tape tape;
  const Outputs outputs = loaded.model->forward(tape, image, {}, Mode::evaluation);
  std::vector<float> wanted;
  for (const Variable& part : {outputs.scores, outputs.capsules, outputs.reconstruction})
    wanted.insert(wanted.end(), part.data(), part.data() + part.elements());
  CHECK(all_of(network.get(), 5) == wanted);
}

TEST_CASE("C: both of two overlapping pictures are told, each reconstructed from its own capsule") {
  const Scratch scratch;
  const std::string path = checkpoint(scratch.path("run"), 7, 2);
  const Network network(mereo_load(path.c_str()));
  REQUIRE(network);
  mereo_sizes sizes;
  REQUIRE(mereo_get_sizes(network.get(), &sizes) == 0);
  REQUIRE(sizes.labels == 2);
  LoadedModel loaded = load_model(path);
  loaded.model->freeze(1);
  const Tensor image(Shape{1, 12, 12, 1});
  bars(8).copy_image(5, image.data());
  Tape tape;
  const Outputs outputs = loaded.model->forward(tape, image, {}, Mode::evaluation);
  std::vector<std::int32_t> both;
  predictions(outputs.scores, both, 2);
  const float* wanted = outputs.reconstruction.data();
  std::vector<float> made(144);
  std::vector<int> told(2);
  CHECK(mereo_labels(network.get(), told.data(), 2) == -1);
  CHECK(std::string(mereo_last_error()).find("mereo_predict() first") != std::string::npos);
  REQUIRE(mereo_predict(network.get(), image.data(), 144) == both[0]);
  REQUIRE(mereo_labels(network.get(), told.data(), 2) == 0);
  CHECK(told == both);
  CHECK(mereo_labels(nullptr, told.data(), 2) == -1);
  CHECK(mereo_labels(network.get(), told.data(), 1) == -1);
  CHECK(std::string(mereo_last_error()).find("1 instead of 2") != std::string::npos);
  for (const std::int32_t k : both) {
    REQUIRE(mereo_reconstruct(network.get(), std::size_t(k), made.data(), 144) == 0);
    for (const float pixel : made)
      CHECK(pixel == doctest::Approx(*wanted++).epsilon(1e-5));
  }
}

TEST_CASE("C: networks in two threads do not disturb each other, errors neither") {
  const Scratch scratch;
  const std::string paths[] = {checkpoint(scratch.path("a"), 7), checkpoint(scratch.path("b"), 8)};
  std::vector<float> alone[2];
  for (int i = 0; i < 2; ++i)
    alone[i] = all_of(Network(mereo_load(paths[i].c_str())).get(), i);
  REQUIRE(alone[0] != alone[1]);
  bool same[2] = {true, true};
  std::string told[2];
  const auto work = [&](int i) {
    const Network network(mereo_load(paths[i].c_str()));
    for (int round = 0; round < 20; ++round)
      same[i] = same[i] && all_of(network.get(), i) == alone[i];
    mereo_load(i == 0 ? "missing-a" : "missing-b");
    told[i] = mereo_last_error();
  };
  std::thread other(work, 1);
  work(0);
  other.join();
  CHECK(same[0]);
  CHECK(same[1]);
  CHECK(told[0].starts_with("missing-a"));
  CHECK(told[1].starts_with("missing-b"));
}

TEST_CASE("C: memory runs out in loading and predicting, and nothing is lost" *
          doctest::skip(!allocations::counted)) {
  const Scratch scratch;
  const std::string path = checkpoint(scratch.path("run"), 7);
  const auto body = [&] {
    const Network network(mereo_load(path.c_str()));
    std::vector<float> all = network ? all_of(network.get(), 1) : std::vector<float>{};
    if (all.empty())
      throw std::bad_alloc();
    return all;
  };
  CHECK(allocations::fail_in_turn(allocations::Failing::one, body) > 40);
  allocations::fail_in_turn(allocations::Failing::one_and_all_after, body, 3);
}

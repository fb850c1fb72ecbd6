// Coordinate addition: reconstructions that are moved by two elements of a capsule.
#include "error_of.h"
#include "train_fixture.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <set>

using namespace fixture;

namespace {

/// A plus or an x, 3x3 pixels, anywhere within so many pixels of the middle of 12x12.
Dataset crosses(std::int64_t count, int away = 2) {
  Dataset data{.name = "crosses",
               .count = count,
               .height = 12,
               .width = 12,
               .channels = 1,
               .classes = 2,
               .pixels = {},
               .labels = {},
               .class_names = {"plus", "x"}};
  Random random(3);
  for (std::int64_t i = 0; i < count; ++i) {
    const auto place = [&] { return 5 - away + int(random.below(std::uint32_t(2 * away + 1))); };
    const int label = int(i % 2), left = place(), top = place();
    data.labels.push_back(label);
    for (int y = 0; y < 12; ++y)
      for (int x = 0; x < 12; ++x) {
        const int u = x - left, v = y - top;
        const bool inside = u >= 0 && u < 3 && v >= 0 && v < 3;
        const bool on = label == 0 ? u == 1 || v == 1 : (u + v) % 2 == 0;
        data.pixels.push_back(inside && on ? 250 : 0);
      }
  }
  return data;
}

CapsNetConfig cross_config(std::int64_t shift) {
  CapsNetConfig config = tiny_config();
  config.input.classes = 2;
  config.coordinate_shift = shift;
  config.coordinate_scale = 0.3;
  config.reconstruction_weight = 0.1;
  return config;
}

} // namespace

TEST_CASE("targets are the pictures, moved further by what is told; images are not") {
  Dataset data = crosses(20);
  SUBCASE("one label") {}
  SUBCASE("two labels, moved") {
    data.labels_per_image = 2;
    data.max_move = 1;
  }
  const std::int64_t L = data.labels_per_image;
  const LoaderOptions plain = {.batch = 7, .view = {.max_shift = 1}};
  LoaderOptions moving = plain;
  moving.target_shift = 2;
  Loader loader(data, all_indices(20), moving), unmoved(data, all_indices(20), plain);
  std::set<std::pair<int, int>> seen;
  for (std::int64_t epoch = 0; epoch < 5; ++epoch) {
    loader.start_epoch(epoch);
    unmoved.start_epoch(epoch);
    for (Batch batch, other; loader.next(batch);) {
      REQUIRE(unmoved.next(other));
      CHECK(std::ranges::equal(batch.images.values(), other.images.values()));
      const std::int64_t B = std::ssize(batch.indices);
      REQUIRE(batch.targets.shape() == Shape{B, L, 12, 12, 1});
      REQUIRE(batch.moves.shape() == Shape{B, L, 2});
      CHECK(other.moves.empty());
      const real* const still = L == 1 ? batch.images.data() : other.targets.data();
      for (std::int64_t r = 0; r < B * L; ++r) {
        const int dx = int(batch.moves.data()[2 * r]), dy = int(batch.moves.data()[2 * r + 1]);
        seen.insert({dx, dy});
        // All ink is 2 pixels or more from the border, or has left the field by the first moves.
        for (int y = 2; y < 10; ++y)
          for (int x = 2; x < 10; ++x)
            CHECK(batch.targets.data()[(r * 12 + y) * 12 + x] ==
                  still[(r * 12 + y - dy) * 12 + x - dx]);
      }
    }
  }
  CHECK(seen.size() == 25);
  moving.augment = false;
  Loader quiet(data, all_indices(20), moving);
  Batch batch;
  REQUIRE(quiet.next(batch));
  CHECK(batch.moves.empty());
  CHECK(batch.targets.empty() == (L == 1));
  moving.target_shift = 13;
  CHECK_THROWS_AS(Loader(data, {0, 1}, moving), Error);
  moving.target_shift = -1;
  CHECK_THROWS_AS(Loader(data, {0, 1}, moving), Error);
}

TEST_CASE("moves are added to the first two elements of the true capsule, times the scale") {
  CapsNetConfig config = cross_config(2);
  config.coordinate_scale = 0.25;
  CapsNet network(config, 4);
  CHECK(network.target_shift() == 2);
  const Dataset data = crosses(6);
  Loader loader(data, all_indices(6), {.batch = 6, .target_shift = 2});
  Batch batch;
  REQUIRE(loader.next(batch));
  Tape tape;
  const Outputs out = network.forward(tape, batch.images, batch.labels, Mode::training, 1,
                                      {batch.targets, batch.moves});
  const Tensor poses = out.capsules.value().clone();
  for (std::int64_t b = 0; b < 6; ++b)
    for (std::int64_t axis = 0; axis < 2; ++axis)
      poses.at({b, batch.labels[std::size_t(b)], axis}) +=
          real(0.25) * batch.moves.at({b, 0, axis});
  const Variable want = network.decode(tape, tape.constant(poses), batch.labels, Mode::training);
  CHECK(std::equal(want.data(), want.data() + want.elements(), out.reconstruction.data()));
  const Variable unmoved = network.decode(tape, out.capsules, batch.labels, Mode::training);
  CHECK_FALSE(
      std::equal(unmoved.data(), unmoved.data() + want.elements(), out.reconstruction.data()));
  CHECK(error_of([&] {
          network.forward(tape, batch.images, batch.labels, Mode::training, 1,
                          {batch.targets, Tensor({6, 1})});
        }).find("(6, 1) for 6 capsules") != std::string::npos);
}

TEST_CASE("coordinates need a decoder and two elements to be added to") {
  CapsNetConfig config = cross_config(2);
  config.decoder = false;
  CHECK(error_of([&] { CapsNet(config, 1); }).find("decoder=true") != std::string::npos);
  config = cross_config(2);
  config.class_pose = 1;
  CHECK(error_of([&] { CapsNet(config, 1); }).find("class_pose 1") != std::string::npos);
  CHECK_THROWS_AS(CapsNet(cross_config(-1), 1), Error);
  CHECK_THROWS_AS(CapsNet(cross_config(13), 1), Error);
  CHECK(CapsNet(cross_config(0), 1).target_shift() == 0);
}

TEST_CASE(
    "with coordinate addition two elements know where things are, and move them by 3 pixels") {
  const int before = threads();
  set_threads(1);                       // there is too little work for more
  const Dataset data = crosses(200, 1); // so that they may be moved by 3 pixels and still be seen
  const auto measured = [&](std::int64_t shift) {
    CapsNet model(cross_config(shift), 7);
    TrainOptions options = tiny_options();
    options.epochs = 200;
    options.view = {};
    options.schedule = {.kind = Schedule::Kind::cosine, .start = 1e-2};
    Recorder recorder;
    train(model, data, options, recorder);
    return measure_position(model, data, {.max_shift = 0, .pixels = 3});
  };
  const PositionReport with = measured(3), without = measured(0);
  CHECK(with.count == 200);
  for (int axis = 0; axis < 2; ++axis) {
    CAPTURE(axis);
    // Of five seeds the means are 2.91 to 3.06 pixels, and without it -0.34 to 0.33.
    CHECK(with.r_squared[axis] > 0.98);
    CHECK(with.r_squared[axis] > without.r_squared[axis] + 0.2);
    CHECK(std::abs(with.moved[axis] - 3) < 0.2);
    CHECK(with.deviation[axis] < 0.4);
    CHECK(std::abs(without.moved[axis]) < 0.7);
  }
  set_threads(before);
}

TEST_CASE("positions are measured of networks that reconstruct one whole") {
  const Dataset data = crosses(4);
  CapsNetConfig config = cross_config(0);
  config.decoder = false;
  CapsNet blind(config, 1);
  CHECK_THROWS_WITH_AS(measure_position(blind, data), doctest::Contains("decoder"), Error);
  CapsNet other(tiny_config(), 1);
  CHECK_THROWS_WITH_AS(measure_position(other, data), doctest::Contains("3 classes"), Error);
  CapsNet network(cross_config(0), 1);
  CHECK_THROWS_AS(measure_position(network, crosses(1)), Error);
  // Reconstructions that are all dark have no place, and so do not stay where they are.
  const Parameters& parameters = network.parameters();
  for (int i = 0; i < parameters.count(); ++i)
    if (parameters.name(i).starts_with("decoder.pixels"))
      std::ranges::fill(parameters.value(i).values(),
                        parameters.name(i).ends_with("bias") ? real(-10) : real(0));
  const PositionReport dark = measure_position(network, data);
  CHECK(dark.count == 4);
  for (int axis = 0; axis < 2; ++axis) {
    CHECK(std::isnan(dark.moved[axis]));
    CHECK(std::isnan(dark.deviation[axis]));
  }
}

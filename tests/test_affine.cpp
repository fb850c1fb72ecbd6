// Digits under affine transformations.
#include "error_of.h"
#include "scratch.h"

#include <mereo/data.h>

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <numbers>
#include <numeric>

using namespace mereo;

namespace {

/// Pictures of 28x28 that are all the same: a bright block, drawn by `on`.
template <class On> Dataset blocks(std::int64_t count, const On& on) {
  Dataset data{.name = "blocks",
               .count = count,
               .height = 28,
               .width = 28,
               .channels = 1,
               .classes = 10,
               .pixels = {},
               .labels = std::vector<std::int32_t>(std::size_t(count)),
               .class_names = {}};
  for (int k = 0; k < 10; ++k)
    data.class_names.push_back(std::to_string(k));
  for (std::int64_t p = 0; p < count * 784; ++p)
    data.pixels.push_back(on(p / 28 % 28, p % 28) ? 200 : 0);
  return data;
}

/// A lying bar, off the middle.
Dataset bars(std::int64_t count) {
  return blocks(
      count, [](std::int64_t y, std::int64_t x) { return y >= 8 && y < 12 && x >= 5 && x < 21; });
}

/// Mass and moments of a picture's brightness.
struct Moments {
  double mass = 0, x = 0, y = 0, xx = 0, xy = 0, yy = 0;

  Moments(const Dataset& data, std::int64_t i) {
    const auto over_pixels = [&](const auto& body) {
      for (std::int64_t p = 0; p < data.height * data.width; ++p)
        body(double(data.pixels[std::size_t(i * data.image_size() + p)]), double(p % data.width),
             double(p / data.width));
    };
    over_pixels([&](double m, double px, double py) { mass += m, x += m * px, y += m * py; });
    x /= mass;
    y /= mass;
    over_pixels([&](double m, double px, double py) {
      xx += m * (px - x) * (px - x) / mass;
      xy += m * (px - x) * (py - y) / mass;
      yy += m * (py - y) * (py - y) / mass;
    });
  }
};

struct Spread {
  double least = 1e9, most = -1e9;
  void add(double value) {
    least = std::min(least, value);
    most = std::max(most, value);
  }
};

constexpr std::int64_t many = 300;
const AffineRanges still = {.rotation = 0, .shear = 0, .least_scale = 1, .most_scale = 1};

} // namespace

TEST_CASE("a digit that is only moved keeps its ink, and comes to all of the field") {
  const Dataset made = transform_digits(bars(many), 40, still);
  made.check();
  CHECK(made.height == 40);
  CHECK(made.width == 40);
  const Moments before(bars(1), 0);
  Spread x, y;
  for (std::int64_t i = 0; i < many; ++i) {
    const Moments after(made, i);
    CHECK(after.mass == doctest::Approx(before.mass).epsilon(0.01));
    x.add(after.x);
    y.add(after.y);
  }
  // The bar is 16 wide and 4 high, and blurred by half a pixel.
  CHECK(x.least > 8);
  CHECK(x.least < 9.5);
  CHECK(x.most < 31);
  CHECK(x.most > 29.5);
  CHECK(y.least < 3.5);
  CHECK(y.most > 35.5);
}

TEST_CASE("rotation, shear and scale stay in their ranges and fill them") {
  const Moments before(bars(1), 0);
  AffineRanges ranges = still;
  Spread first, second;
  SUBCASE("rotation turns the bar and keeps its ink") {
    ranges.rotation = 20;
    const Dataset made = transform_digits(bars(many), 40, ranges);
    for (std::int64_t i = 0; i < many; ++i) {
      const Moments m(made, i);
      first.add(0.5 * std::atan2(2 * m.xy, m.xx - m.yy) * 180 / std::numbers::pi);
      CHECK(m.mass == doctest::Approx(before.mass).epsilon(0.01));
    }
    CHECK(first.least > -20.5);
    CHECK(first.least < -18.5);
    CHECK(first.most < 20.5);
    CHECK(first.most > 18.5);
  }
  SUBCASE("shear moves rows, and keeps columns' places on average") {
    ranges.shear = 0.2;
    const Dataset upright = blocks(
        many, [](std::int64_t y, std::int64_t x) { return y >= 5 && y < 21 && x >= 8 && x < 12; });
    const Dataset made = transform_digits(upright, 40, ranges);
    for (std::int64_t i = 0; i < many; ++i) {
      const Moments m(made, i);
      first.add(m.xy / m.yy);
      CHECK(m.yy == doctest::Approx(Moments(upright, 0).yy).epsilon(0.03));
    }
    CHECK(first.least > -0.21);
    CHECK(first.least < -0.18);
    CHECK(first.most < 0.21);
    CHECK(first.most > 0.18);
  }
  SUBCASE("each axis is scaled by itself") {
    ranges.least_scale = 0.8;
    ranges.most_scale = 1.2;
    const Dataset made = transform_digits(bars(many), 40, ranges);
    int apart = 0;
    for (std::int64_t i = 0; i < many; ++i) {
      const Moments m(made, i);
      const double along = std::sqrt(m.xx / before.xx);
      first.add(along);
      second.add(m.mass / before.mass);
      apart += std::abs(m.mass / before.mass - along * along) > 0.2;
    }
    CHECK(first.least > 0.79);
    CHECK(first.least < 0.83);
    CHECK(first.most < 1.22);
    CHECK(first.most > 1.17);
    CHECK(second.least > 0.62);
    CHECK(second.most < 1.46);
    CHECK(apart > 50);
  }
}

TEST_CASE("transformed digits are a function of the seed, whatever the number of threads") {
  const int before = threads();
  set_threads(1);
  const Dataset one = transform_digits(bars(40));
  set_threads(3);
  CHECK(transform_digits(bars(40)).pixels == one.pixels);
  CHECK(transform_digits(bars(20)).pixels ==
        std::vector(one.pixels.begin(), one.pixels.begin() + 20 * 1600));
  CHECK(transform_digits(bars(40), 40, {}, 2).pixels != one.pixels);
  set_threads(before);
}

TEST_CASE("pictures and ranges that lead nowhere are refused; black ones and large ones are not") {
  const auto refused = [](const AffineRanges& ranges, std::int64_t side = 40) {
    CHECK_THROWS_AS(transform_digits(bars(1), side, ranges), Error);
  };
  refused({.rotation = -1});
  refused({.rotation = NAN});
  refused({.shear = INFINITY});
  refused({.least_scale = 0});
  refused({.least_scale = 1.3});
  refused({}, 0);
  refused({}, std::int64_t{1} << 32); // whose square is no number of pixels
  Dataset coloured = bars(1);
  coloured.channels = 2;
  coloured.width = 14;
  CHECK_THROWS_AS(transform_digits(coloured), Error);
  const Dataset black =
      transform_digits(blocks(1, [](std::int64_t, std::int64_t) { return false; }));
  CHECK(std::ranges::count(black.pixels, 0) == 1600);
  // As large as the field: in the middle.
  const Dataset full = blocks(1, [](std::int64_t, std::int64_t) { return true; });
  CHECK(Moments(transform_digits(full, 20, still), 0).x == doctest::Approx(9.5));
}

TEST_CASE("affine-mnist and affnist: digits that are moved to train, transformed ones to test") {
  const Scratch scratch;
  const Dataset digits = bars(12);
  std::filesystem::create_directories(scratch.path("mnist"));
  for (const std::string part : {"train", "t10k"})
    write_idx(scratch.path("mnist/" + part + "-images-idx3-ubyte"),
              scratch.path("mnist/" + part + "-labels-idx1-ubyte"), digits);
  for (const std::string name : {"affine-mnist", "affnist"})
    for (const Split split : {Split::train, Split::familiar}) {
      const Dataset data = load_dataset(name, split, scratch.folder());
      CHECK(data.height == 40);
      CHECK(data.width == 40);
      CHECK(data.max_move == 6);
      CHECK(data.labels_per_image == 1);
      CHECK(Moments(data, 3).y == doctest::Approx(9.5 + 6));
      CHECK(Moments(data, 3).x == doctest::Approx(12.5 + 6));
    }
  const Dataset test = load_dataset("affine-mnist", Split::test, scratch.folder());
  CHECK(test.max_move == 0);
  CHECK(test.labels == digits.labels);
  CHECK(test.pixels == transform_digits(digits).pixels);
  CHECK_THROWS_WITH_AS(load_dataset("affnist", Split::test, scratch.folder()),
                       doctest::Contains("affNIST/32x/transformed/test.mat.zip"), Error);
  CHECK_THROWS_WITH_AS(load_dataset("multi-mnist", Split::familiar, scratch.folder()),
                       doctest::Contains("no familiar part"), Error);
}

// Digits under random affine transformations, in the manner of affNIST.
#include "core/parallel.h"
#include "data/streams.h"

#include <mereo/data.h>
#include <mereo/random.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace mereo {

namespace {

struct Point {
  double x, y;
};

/// x -> (a b; c d) x.
struct Matrix2 {
  double a, b, c, d;

  Point operator*(const Point& p) const { return {a * p.x + b * p.y, c * p.x + d * p.y}; }
  Matrix2 inverse() const {
    const double scale = 1 / (a * d - b * c);
    return {d * scale, -b * scale, -c * scale, a * scale};
  }
};

double between(double low, double high, Random& random) {
  return low + (high - low) * double(random.uniform());
}

/// Rotation times shear times scale.
Matrix2 draw_matrix(const AffineRanges& r, Random& random) {
  const double turn = between(-r.rotation, r.rotation, random) * std::numbers::pi / 180;
  const double shear = between(-r.shear, r.shear, random);
  const double sx = between(r.least_scale, r.most_scale, random);
  const double sy = between(r.least_scale, r.most_scale, random);
  const double cosine = std::cos(turn), sine = std::sin(turn);
  return {cosine * sx, (cosine * shear - sine) * sy, sine * sx, (sine * shear + cosine) * sy};
}

/// Grey levels of a picture, between its pixels too, in coordinates from its middle.
struct Sampler {
  const std::uint8_t* pixels;
  std::int64_t height, width;

  double level(std::int64_t y, std::int64_t x) const {
    return y < 0 || y >= height || x < 0 || x >= width ? 0 : double(pixels[y * width + x]);
  }
  double at(const Point& p) const {
    const double x = p.x + 0.5 * double(width - 1), y = p.y + 0.5 * double(height - 1);
    const double left = std::floor(x), top = std::floor(y), right = x - left, down = y - top;
    const auto row = std::int64_t(top), column = std::int64_t(left);
    const auto along = [&](std::int64_t r) {
      return (1 - right) * level(r, column) + right * level(r, column + 1);
    };
    return (1 - down) * along(row) + down * along(row + 1);
  }
};

/// What the ink of a transformed picture covers, from the middle of the picture.
struct Extent {
  double left = 0, right = 0, top = 0, bottom = 0;
};

Extent extent_of(const Sampler& picture, const Matrix2& matrix) {
  // A pixel is a tent that reaches a pixel far.
  const double x_reach = std::abs(matrix.a) + std::abs(matrix.b);
  const double y_reach = std::abs(matrix.c) + std::abs(matrix.d);
  Extent extent;
  bool first = true;
  for (std::int64_t y = 0; y < picture.height; ++y)
    for (std::int64_t x = 0; x < picture.width; ++x) {
      if (picture.level(y, x) == 0)
        continue;
      const Point p = matrix * Point{double(x) - 0.5 * double(picture.width - 1),
                                     double(y) - 0.5 * double(picture.height - 1)};
      const Extent one{p.x - x_reach, p.x + x_reach, p.y - y_reach, p.y + y_reach};
      extent = first ? one
                     : Extent{std::min(extent.left, one.left), std::max(extent.right, one.right),
                              std::min(extent.top, one.top), std::max(extent.bottom, one.bottom)};
      first = false;
    }
  return extent;
}

/// Where the middle goes so that [low, high] around it lies in [-half, half]; in the middle of what
/// there is where it does not fit.
double draw_place(double low, double high, double half, Random& random) {
  const double least = -half - low, most = half - high;
  const double share = double(random.uniform());
  return least <= most ? least + (most - least) * share : 0.5 * (least + most);
}

void transform(const Sampler& picture, std::int64_t side, const AffineRanges& ranges, Random random,
               std::uint8_t* out) {
  const Matrix2 matrix = draw_matrix(ranges, random), back = matrix.inverse();
  const Extent ink = extent_of(picture, matrix);
  const double half = 0.5 * double(side);
  const Point place{draw_place(ink.left, ink.right, half, random),
                    draw_place(ink.top, ink.bottom, half, random)};
  for (std::int64_t y = 0; y < side; ++y)
    for (std::int64_t x = 0; x < side; ++x) {
      const Point middle{double(x) + 0.5 - half - place.x, double(y) + 0.5 - half - place.y};
      if (middle.x < ink.left - 1 || middle.x > ink.right + 1 || middle.y < ink.top - 1 ||
          middle.y > ink.bottom + 1)
        continue;
      double sum = 0;
      for (const double down : {-0.25, 0.25})
        for (const double right : {-0.25, 0.25})
          sum += picture.at(back * Point{middle.x + right, middle.y + down});
      out[y * side + x] = std::uint8_t(std::clamp(0.25 * sum + 0.5, 0.0, 255.0));
    }
}

} // namespace

Dataset transform_digits(const Dataset& pictures, std::int64_t side, const AffineRanges& ranges,
                         std::uint64_t seed) {
  pictures.check();
  const double numbers[] = {ranges.rotation, ranges.shear, ranges.most_scale};
  if (pictures.channels != 1 || side < 1 || side > 1 << 14 || !(ranges.least_scale > 0) ||
      !(ranges.most_scale >= ranges.least_scale) ||
      !std::ranges::all_of(numbers, [](double x) { return x >= 0 && std::isfinite(x); }))
    throw Error("transform_digits", "the pictures or ranges are none that can be transformed",
                std::to_string(pictures.channels) + " channels, side " + std::to_string(side) +
                    ", rotation " + std::to_string(ranges.rotation) + ", shear " +
                    std::to_string(ranges.shear) + ", scale " + std::to_string(ranges.least_scale) +
                    " to " + std::to_string(ranges.most_scale));
  Dataset made = pictures;
  made.height = made.width = side;
  made.pixels.assign(std::size_t(made.count * side * side), 0);
  parallel_for(made.count, [&](std::int64_t i) {
    const Sampler picture{pictures.pixels.data() + i * pictures.image_size(), pictures.height,
                          pictures.width};
    transform(picture, side, ranges, Random(seed, stream_of(Purpose::transform, 0, i)),
              made.pixels.data() + i * side * side);
  });
  return made;
}

} // namespace mereo

#include "lab/statistics.h"

#include <mereo/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

namespace mereo::lab {

Summary summarise(std::span<const double> values) {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  double sum = 0, squares = 0;
  std::int64_t count = 0;
  for (const double x : values)
    if (std::isfinite(x)) {
      sum += x;
      ++count;
    }
  const double mean = count > 0 ? sum / double(count) : nan;
  for (const double x : values)
    if (std::isfinite(x))
      squares += (x - mean) * (x - mean);
  return {mean, count > 1 ? std::sqrt(squares / double(count - 1)) : nan, count};
}

double auroc(std::span<const double> positive, std::span<const double> negative) {
  if (positive.empty() || negative.empty())
    throw Error("auroc", "there must be scores of both kinds",
                std::to_string(positive.size()) + " positive, " + std::to_string(negative.size()) +
                    " negative");
  std::vector<double> sorted(negative.begin(), negative.end());
  const auto is_nan = [](double x) { return std::isnan(x); };
  if (std::ranges::any_of(positive, is_nan) || std::ranges::any_of(negative, is_nan))
    throw Error("auroc", "a score is not a number");
  std::sort(sorted.begin(), sorted.end());
  double below = 0;
  for (const double score : positive) {
    const auto [first, last] = std::equal_range(sorted.begin(), sorted.end(), score);
    below += double(first - sorted.begin()) + 0.5 * double(last - first);
  }
  return below / (double(positive.size()) * double(negative.size()));
}

double r_squared(const Matrix& y, const Matrix& told) {
  if (y.rows != told.rows || y.columns != told.columns || y.rows < 1)
    throw Error("r_squared", "the matrices have different sizes",
                std::to_string(y.rows) + " x " + std::to_string(y.columns) + " and " +
                    std::to_string(told.rows) + " x " + std::to_string(told.columns));
  const std::vector<double> mean = y.column_means();
  double residual = 0, variance = 0;
  for (std::int64_t c = 0; c < y.columns; ++c)
    for (std::int64_t r = 0; r < y.rows; ++r) {
      residual += std::pow(y.row(r)[c] - told.row(r)[c], 2);
      variance += std::pow(y.row(r)[c] - mean[std::size_t(c)], 2);
    }
  if (!(variance > 0))
    throw Error("r_squared", "there is no variance to be told");
  return 1 - residual / variance;
}

// Horn 1987, "Closed-form solution of absolute orientation using unit quaternions": the quaternion
// of the rotation is the eigenvector of the largest eigenvalue of a symmetric 4x4 matrix. Squaring
// that matrix, shifted so that no eigenvalue is negative, over and over leaves nothing else.
std::vector<double> nearest_rotation(std::span<const double> matrix) {
  const auto size = [](std::span<const double> m) {
    return std::sqrt(std::inner_product(m.begin(), m.end(), m.begin(), 0.0));
  };
  const double length = size(matrix);
  if (matrix.size() != 9 || !(length > 0 && std::isfinite(length)))
    throw Error("nearest_rotation", "not a 3x3 matrix of numbers, one of them not zero");
  const auto m = [&](std::size_t r, std::size_t c) { return matrix[3 * r + c] / length; };
  const double wx = m(2, 1) - m(1, 2), wy = m(0, 2) - m(2, 0), wz = m(1, 0) - m(0, 1);
  const double xy = m(0, 1) + m(1, 0), xz = m(0, 2) + m(2, 0), yz = m(1, 2) + m(2, 1);
  const double ww = m(0, 0) + m(1, 1) + m(2, 2), xx = 2 * m(0, 0) - ww, yy = 2 * m(1, 1) - ww,
               zz = 2 * m(2, 2) - ww;
  const double up = 2; // no eigenvalue of a matrix of length 1 is below -sqrt(3)
  std::array<double, 16> k = {ww + up, wx, wy,      wz, wx, xx + up, xy, xz,
                              wy,      xy, yy + up, yz, wz, xz,      yz, zz + up};
  for (int times = 0; times < 40; ++times) {
    std::array<double, 16> square{};
    for (std::size_t i = 0; i < 64; ++i)
      square[i / 16 * 4 + i % 4] += k[i / 16 * 4 + i / 4 % 4] * k[i / 4 % 4 * 4 + i % 4];
    const double scale = 1 / size(square);
    std::ranges::transform(square, k.begin(), [&](double x) { return x * scale; });
  }
  std::span<const double> q; // of the rows, all of one direction, the longest
  for (std::size_t r = 0; r < 4; ++r)
    if (const auto row = std::span<const double>(k).subspan(4 * r, 4);
        q.empty() || size(row) > size(q))
      q = row;
  const double n = 1 / size(q), w = n * q[0], x = n * q[1], y = n * q[2], z = n * q[3];
  return {1 - 2 * (y * y + z * z), 2 * (x * y - w * z),     2 * (x * z + w * y),
          2 * (x * y + w * z),     1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
          2 * (x * z - w * y),     2 * (y * z + w * x),     1 - 2 * (x * x + y * y)};
}

double angle_between(std::span<const double> a, std::span<const double> b) {
  if (a.size() != 9 || b.size() != 9)
    throw Error("angle_between", "rotations are 3x3 matrices",
                std::to_string(a.size()) + " and " + std::to_string(b.size()) + " numbers");
  // |A - B|^2 = 8 sin^2(angle / 2): exact also where the cosine is flat.
  double squares = 0;
  for (std::size_t k = 0; k < 9; ++k)
    squares += (a[k] - b[k]) * (a[k] - b[k]);
  return 2 * std::asin(std::min(1.0, std::sqrt(squares / 8))) * 180 / std::numbers::pi;
}

} // namespace mereo::lab

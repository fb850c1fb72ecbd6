// The statistics that experiments are told in.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace mereo::lab {

/// Of the numbers that are finite, count of them: their mean, and the deviation of the sample
/// (over count - 1). Not a number where there are too few.
struct Summary {
  double mean, deviation;
  std::int64_t count;
};
Summary summarise(std::span<const double> values);

/// Area under the receiver operating characteristic: how likely one of the positive scores is
/// higher than one of the negative ones, a tie counting one half (Mann and Whitney's U). Throws
/// Error when either is empty or a score is not a number.
double auroc(std::span<const double> positive, std::span<const double> negative);

/// Numbers in rows: one row a sample.
struct Matrix {
  std::int64_t rows = 0, columns = 0;
  std::vector<double> values = {};

  Matrix() = default;
  Matrix(std::int64_t rows, std::int64_t columns)
      : rows(rows), columns(columns), values(std::size_t(rows * columns)) {}
  double* row(std::int64_t r) { return values.data() + r * columns; }
  const double* row(std::int64_t r) const { return values.data() + r * columns; }
  /// The chosen rows, in that order.
  Matrix chosen(std::span<const std::int64_t> indices) const;
};

/// An affine map y = W x + b by least squares.
class LinearMap {
public:
  /// x (N, P), y (N, Q). Features are first brought to deviation 1 (constant ones to 0); `ridge`
  /// times the sum of squares of their weights is added to the mean squared error. Throws Error for
  /// matrices of other sizes, for numbers that are not finite, and where no ridge leaves the
  /// weights undetermined.
  LinearMap(const Matrix& x, const Matrix& y, double ridge);

  /// (M, P) -> (M, Q).
  Matrix apply(const Matrix& x) const;

private:
  std::vector<double> mean_, scale_, bias_; // scale: 1 / deviation, 0 for constant features
  Matrix weights_;                          // (P, Q), for features of deviation 1
};

/// The same with that of the ridges 1e-6, 1e-5, ..., 1 under which every fifth sample is told best
/// from the others; then fitted to all. Throws Error for fewer than 10 samples.
LinearMap fit_linear(const Matrix& x, const Matrix& y);

/// 1 - sum |y - told|^2 / sum |y - mean y|^2 over all columns together: the share of the variance
/// that is told. Negative where the mean would have been better. Throws Error for matrices of
/// different sizes and for a y without variance.
double r_squared(const Matrix& y, const Matrix& told);

/// The rotation nearest to a 3x3 matrix (row-major), in the sum of squared differences; one of them
/// where several are. Throws Error for a matrix of zeros.
std::vector<double> nearest_rotation(std::span<const double> matrix);

/// Degrees by which a rotation must be turned, around some axis, to be the other one (both 3x3).
double angle_between(std::span<const double> a, std::span<const double> b);

} // namespace mereo::lab

// Affine maps by least squares.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace mereo {

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
  std::vector<double> column_means() const;
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

} // namespace mereo

// Least squares by the normal equations of standardised features and Cholesky's factor of them.
#include "core/linear_map.h"

#include "core/parallel.h"

#include <mereo/core.h>

#include <algorithm>
#include <cmath>

namespace mereo {

namespace {

std::string sizes(const Matrix& m) {
  return std::to_string(m.rows) + " x " + std::to_string(m.columns);
}

void check(const Matrix& x, const Matrix& y, double ridge) {
  if (x.rows != y.rows || x.rows < 2 || x.columns < 1 || y.columns < 1)
    throw Error("LinearMap", "there must be two samples at least, with as many answers",
                sizes(x) + " and " + sizes(y));
  if (!(ridge >= 0 && std::isfinite(ridge)))
    throw Error("LinearMap", "the ridge must not be negative", std::to_string(ridge));
  for (const Matrix* m : {&x, &y})
    for (const double value : m->values)
      if (!std::isfinite(value))
        throw Error("LinearMap", "a number is not finite");
}

/// Cholesky's factor, in the lower triangle of a (P, P); false when a is not positive definite.
bool factorise(Matrix& a) {
  const std::int64_t P = a.rows;
  for (std::int64_t k = 0; k < P; ++k) {
    double* const pivot = a.row(k);
    for (std::int64_t j = 0; j < k; ++j)
      pivot[k] -= pivot[j] * pivot[j];
    // The features have square 1, so what is left of one is relative to that.
    if (!(pivot[k] > 1e-11))
      return false;
    pivot[k] = std::sqrt(pivot[k]);
    parallel_for(P - k - 1, [&](std::int64_t below) {
      double* const r = a.row(k + 1 + below);
      double sum = r[k];
      for (std::int64_t j = 0; j < k; ++j)
        sum -= r[j] * pivot[j];
      r[k] = sum / pivot[k];
    });
  }
  return true;
}

/// Solves L L^T w = b for every column of b, in place.
void solve(const Matrix& factor, Matrix& b) {
  const std::int64_t P = factor.rows, Q = b.columns;
  const auto subtract = [&](std::int64_t to, std::int64_t from, double times) {
    for (std::int64_t q = 0; q < Q; ++q)
      b.row(to)[q] -= times * b.row(from)[q];
  };
  const auto divide = [&](std::int64_t row, double by) {
    for (std::int64_t q = 0; q < Q; ++q)
      b.row(row)[q] /= by;
  };
  for (std::int64_t k = 0; k < P; ++k) {
    for (std::int64_t j = 0; j < k; ++j)
      subtract(k, j, factor.row(k)[j]);
    divide(k, factor.row(k)[k]);
  }
  for (std::int64_t k = P - 1; k >= 0; --k) {
    for (std::int64_t j = k + 1; j < P; ++j)
      subtract(k, j, factor.row(j)[k]);
    divide(k, factor.row(k)[k]);
  }
}

} // namespace

Matrix Matrix::chosen(std::span<const std::int64_t> indices) const {
  Matrix result(std::int64_t(indices.size()), columns);
  for (std::size_t i = 0; i < indices.size(); ++i)
    std::copy_n(row(indices[i]), columns, result.row(std::int64_t(i)));
  return result;
}

std::vector<double> Matrix::column_means() const {
  std::vector<double> means(static_cast<std::size_t>(columns));
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c)
      means[std::size_t(c)] += row(r)[c] / double(rows);
  return means;
}

LinearMap::LinearMap(const Matrix& x, const Matrix& y, double ridge) {
  check(x, y, ridge);
  const std::int64_t N = x.rows, P = x.columns, Q = y.columns;
  mean_ = x.column_means();
  bias_ = y.column_means();
  scale_.resize(std::size_t(P));
  Matrix features(P, N); // a feature a row, standardised
  for (std::int64_t p = 0; p < P; ++p) {
    double squares = 0, largest = 0;
    for (std::int64_t n = 0; n < N; ++n) {
      features.row(p)[n] = x.row(n)[p] - mean_[std::size_t(p)];
      squares += features.row(p)[n] * features.row(p)[n];
      largest = std::max(largest, std::abs(x.row(n)[p]));
    }
    const double deviation = std::sqrt(squares / double(N));
    scale_[std::size_t(p)] = deviation > 1e-12 * largest ? 1 / deviation : 0;
    for (std::int64_t n = 0; n < N; ++n)
      features.row(p)[n] *= scale_[std::size_t(p)];
  }
  Matrix covariance(P, P);
  weights_ = Matrix(P, Q);
  parallel_for(P, [&](std::int64_t p) {
    const double* const a = features.row(p);
    for (std::int64_t other = 0; other <= p; ++other) {
      const double* const b = features.row(other);
      double sum = 0;
      for (std::int64_t n = 0; n < N; ++n)
        sum += a[n] * b[n];
      covariance.row(p)[other] = sum / double(N);
    }
    // A constant feature has no weight, whatever stands here.
    covariance.row(p)[p] += scale_[std::size_t(p)] > 0 ? ridge : 1;
    for (std::int64_t n = 0; n < N; ++n)
      for (std::int64_t q = 0; q < Q; ++q)
        weights_.row(p)[q] += a[n] * (y.row(n)[q] - bias_[std::size_t(q)]) / double(N);
  });
  if (!factorise(covariance))
    throw Error("LinearMap", "the features leave the weights undetermined",
                std::to_string(P) + " features of " + std::to_string(N) + " samples",
                "give a ridge, such as 1e-6");
  solve(covariance, weights_);
}

Matrix LinearMap::apply(const Matrix& x) const {
  const std::int64_t P = weights_.rows, Q = weights_.columns;
  if (x.columns != P)
    throw Error("LinearMap::apply", "another number of features than it was fitted to",
                std::to_string(x.columns) + ", not " + std::to_string(P));
  Matrix y(x.rows, Q);
  for (std::int64_t r = 0; r < x.rows; ++r) {
    std::copy(bias_.begin(), bias_.end(), y.row(r));
    for (std::int64_t p = 0; p < P; ++p) {
      const double feature = (x.row(r)[p] - mean_[std::size_t(p)]) * scale_[std::size_t(p)];
      for (std::int64_t q = 0; q < Q; ++q)
        y.row(r)[q] += feature * weights_.row(p)[q];
    }
  }
  return y;
}

LinearMap fit_linear(const Matrix& x, const Matrix& y) {
  check(x, y, 0);
  if (x.rows < 10)
    throw Error("fit_linear", "there must be ten samples at least", std::to_string(x.rows));
  std::vector<std::int64_t> kept, held;
  for (std::int64_t n = 0; n < x.rows; ++n)
    (n % 5 == 4 ? held : kept).push_back(n);
  const Matrix x_kept = x.chosen(kept), y_kept = y.chosen(kept);
  const Matrix x_held = x.chosen(held), y_held = y.chosen(held);
  double best_ridge = 0, least = INFINITY;
  for (const double ridge : {1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0}) {
    const Matrix told = LinearMap(x_kept, y_kept, ridge).apply(x_held);
    double squares = 0;
    for (std::size_t i = 0; i < told.values.size(); ++i)
      squares += std::pow(told.values[i] - y_held.values[i], 2);
    if (squares < least) {
      least = squares;
      best_ridge = ridge;
    }
  }
  return LinearMap(x, y, best_ridge);
}

} // namespace mereo

#include "kernels/winograd_matrices.h"

#include <algorithm>
#include <cmath>

namespace mereo {

namespace {

constexpr std::int64_t most_points = winograd_limit - 1;

// The finite points for each number of frequencies. With independent inputs of unit variance the
// squared error of a result is proportional to sum_i |A_i|^2 |G_i|^2 |B_i|^2 / (m r) over the rows
// of the matrices, the same for the three passes; two axes square it. These points are where it is
// least (by random search, rounded to simple fractions, which costs 1 %): they come in pairs p,
// 1/p, for an even size with both signs. Against 0, 1, -1, 2, -2, 1/2, -1/2, 4, -1/4 errors are 0.4
// times as large for ten frequencies, 0.3 for nine, 0.7 for seven, and the same for eight.
constexpr double points[winograd_limit + 1][most_points] = {
    {},
    {},
    {0},
    {0, 1},
    {0, 1, -1},
    {0, -1, 3. / 5, 5. / 3},
    {0, 2. / 3, -2. / 3, 3. / 2, -3. / 2},
    {0, 1, -3. / 4, -4. / 3, 3. / 7, 7. / 3},
    {0, 1, -1, 1. / 2, -1. / 2, 2, -2},
    {0, -1, -3. / 5, -5. / 3, 1. / 3, 3, 4. / 5, 5. / 4},
    {0, 2. / 5, -2. / 5, 5. / 2, -5. / 2, 4. / 5, -4. / 5, 5. / 4, -5. / 4},
    {0, 1, -1. / 2, -2, -4. / 5, -5. / 4, 2. / 3, 3. / 2, 3. / 10, 10. / 3},
    {0, 1, -1, 3. / 8, -3. / 8, 8. / 3, -8. / 3, 2. / 3, -2. / 3, 3. / 2, -3. / 2},
};

/// Coefficients, lowest first, of the product of (x - roots[l]) over l < count, l != without.
void product_of_roots(const double* roots, std::int64_t count, std::int64_t without,
                      double* coefficients) {
  std::fill_n(coefficients, winograd_limit, 0.0);
  coefficients[0] = 1;
  for (std::int64_t l = 0; l < count; ++l) {
    if (l == without)
      continue;
    for (std::int64_t d = winograd_limit - 1; d >= 0; --d)
      coefficients[d] = (d ? coefficients[d - 1] : 0) - roots[l] * coefficients[d];
  }
}

/// The powers 0, 1 ... count - 1 of a point.
void powers(double point, std::int64_t count, double* values) {
  double power = 1;
  for (std::int64_t d = 0; d < count; ++d, power *= point)
    values[d] = power;
}

double largest(const double* values) {
  double most = 0;
  for (std::int64_t d = 0; d < winograd_limit; ++d)
    most = std::max(most, std::abs(values[d]));
  return most;
}

} // namespace

WinogradMatrices::WinogradMatrices(std::int64_t outputs, std::int64_t taps, std::int64_t left_out)
    : outputs(outputs), taps(taps), size(outputs + taps - 1), a{}, g{}, bt{}, at{}, gt{}, b{} {
  const std::int64_t finite = size - 1;
  const double* point = points[size + left_out];
  for (std::int64_t i = 0; i < size; ++i) {
    double row_a[winograd_limit] = {}, row_g[winograd_limit] = {}, row_b[winograd_limit];
    double share = 1; // 1 / prod (p_i - p_l), the denominator of Lagrange's polynomial
    const std::int64_t own = i - 1;
    if (own < 0) { // infinity comes first: the highest coefficient
      row_a[outputs - 1] = row_g[taps - 1] = 1;
    } else {
      powers(point[own], outputs, row_a);
      powers(point[own], taps, row_g);
      for (std::int64_t l = 0; l < finite; ++l)
        share /= l == own ? 1 : point[own] - point[l];
    }
    product_of_roots(point, finite, own, row_b);
    // A power of two moves between the rows of G and B^T until their largest elements match: no
    // rounding changes, but transformed images and weights stay of a size.
    const double ratio = largest(row_b) / (std::abs(share) * largest(row_g));
    const double balance = std::exp2(std::round(std::log2(ratio) / 2));
    for (std::int64_t d = 0; d < winograd_limit; ++d) {
      a[i][d] = at[d][i] = real(row_a[d]);
      g[i][d] = gt[d][i] = real(row_g[d] * share * balance);
      bt[i][d] = b[d][i] = real(row_b[d] / balance);
    }
  }
}

} // namespace mereo

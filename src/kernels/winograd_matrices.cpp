#include "kernels/winograd_matrices.h"

#include <algorithm>
#include <cmath>

namespace mereo {

namespace {

// Any first n of them serve n + 1 frequencies. Rounding errors grow with the powers of the points
// and shrink with the differences between them; this order gave the smallest for the first six and
// nine (five taps, three and six outputs): ten times smaller with 4 and -1/4 than with 3 and -3.
constexpr double points[winograd_limit - 1] = {0, 1, -1, 2, -2, 0.5, -0.5, 4, -0.25, -4, 0.25};

/// Coefficients, lowest first, of the product of (x - points[l]) over l < count, l != without.
void product_of_roots(std::int64_t count, std::int64_t without, double* coefficients) {
  std::fill_n(coefficients, winograd_limit, 0.0);
  coefficients[0] = 1;
  for (std::int64_t l = 0; l < count; ++l) {
    if (l == without)
      continue;
    for (std::int64_t d = winograd_limit - 1; d >= 0; --d)
      coefficients[d] = (d ? coefficients[d - 1] : 0) - points[l] * coefficients[d];
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

WinogradMatrices::WinogradMatrices(std::int64_t outputs, std::int64_t taps)
    : outputs(outputs), taps(taps), size(outputs + taps - 1), a{}, g{}, bt{}, at{}, gt{}, b{} {
  const std::int64_t finite = size - 1;
  for (std::int64_t i = 0; i < size; ++i) {
    double row_a[winograd_limit] = {}, row_g[winograd_limit] = {}, row_b[winograd_limit];
    double share = 1; // 1 / prod (p_i - p_l), the denominator of Lagrange's polynomial
    if (i < finite) {
      powers(points[i], outputs, row_a);
      powers(points[i], taps, row_g);
      for (std::int64_t l = 0; l < finite; ++l)
        share /= l == i ? 1 : points[i] - points[l];
    } else { // infinity: the highest coefficient
      row_a[outputs - 1] = row_g[taps - 1] = 1;
    }
    product_of_roots(finite, i, row_b);
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

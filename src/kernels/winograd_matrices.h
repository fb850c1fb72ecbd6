// The matrices of F(m, r), for any number of outputs and taps.
#pragma once

#include "kernels/table.h"

namespace mereo {

/// Cook and Toom: two polynomials of degrees m - 1 and r - 1 are multiplied by evaluating them at
/// size = m + r - 1 points (one of them infinity), multiplying the values, and interpolating. The
/// transpose of that in the first factor is the convolution y_i = sum_k g_k d_(i+k):
///   y = A^T [ (G g) . (B^T d) ].
/// With a tap less the last point is left out and A of the others is the same, so such sums can be
/// added before A^T.
struct WinogradMatrices {
  std::int64_t outputs, taps, size;
  /// A (size, m), G (size, r), and B^T (size, size), whose row i gives frequency i.
  real a[winograd_limit][winograd_limit], g[winograd_limit][winograd_limit],
      bt[winograd_limit][winograd_limit];
  /// Their transposes.
  real at[winograd_limit][winograd_limit], gt[winograd_limit][winograd_limit],
      b[winograd_limit][winograd_limit];

  /// 1 <= outputs, taps and outputs + taps - 1 <= winograd_limit; `left_out` points fewer, at most
  /// one, than those for so many taps more.
  WinogradMatrices(std::int64_t outputs, std::int64_t taps, std::int64_t left_out = 0);
};

} // namespace mereo

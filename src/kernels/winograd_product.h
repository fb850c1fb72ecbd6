// The matrix product of one frequency.
#pragma once

#include "kernels/table.h"

namespace mereo {

/// c (+)= a b. Element (r, d) of a is a[r * a_row + d * a_depth]; b lies in panels of tile_columns
/// columns, b_panel elements apart, and nothing is packed: the transforms have written both factors
/// as the register tile reads them.
struct WinogradProduct {
  std::int64_t rows, columns, depth;
  const real* a;
  std::int64_t a_row, a_depth;
  const real* b;
  std::int64_t b_panel;
  real* c;
  std::int64_t c_row;
  bool accumulate;
  /// Where b is in the cache already: the next product's a, of the same size, to be fetched while
  /// this one is computed. Else null.
  const real* next_a = nullptr;
};

/// Rows [begin, end) of it, on the calling thread.
void multiply(const GemmKernels& kernels, const WinogradProduct& product, std::int64_t begin,
              std::int64_t end);

} // namespace mereo

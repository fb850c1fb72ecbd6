// The matrix product of one frequency.
#pragma once

#include "kernels/winograd_plan.h"

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

/// Some rows of it, on the calling thread.
void multiply(const GemmKernels& kernels, const WinogradProduct& product, Range rows);

/// Along which dimension of it the channels of all phases lie.
enum class PhasesAlong { rows, columns, depth };

/// The same without the phases that do not have this frequency: what belongs to them is not read to
/// any effect, and undefined where it is written. Along columns it must not accumulate: the first
/// panel of a run may hold columns of the run before.
void multiply_phases(const GemmKernels& kernels, const WinogradPlan& plan, std::int64_t frequency,
                     PhasesAlong along, const WinogradProduct& product, Range rows);

} // namespace mereo

// The matrix product of one frequency.
#pragma once

#include "kernels/winograd_plan.h"

#include <utility>

namespace mereo {

/// c (+)= a b, for the first frequency. Element (r, d) of a is a[r * a_row + d * a_depth]; b lies
/// in panels of tile_columns columns, b_panel elements apart, and nothing is packed: the transforms
/// have written both factors as the register tile reads them.
struct WinogradProduct {
  std::int64_t rows, columns, depth;
  const real* a;
  std::int64_t a_row, a_depth;
  const real* b;
  std::int64_t b_panel;
  real* c;
  std::int64_t c_row;
  std::int64_t a_frequency, b_frequency, c_frequency; // elements from one frequency to the next
  bool accumulate = false;
  /// Where b is in the cache already: the next product's a, of the same size, to be fetched while
  /// this one is computed. Else null.
  const real* next_a = nullptr;

  WinogradProduct of(std::int64_t frequency) const {
    WinogradProduct product = *this;
    product.a += frequency * a_frequency;
    product.b += frequency * b_frequency;
    product.c += frequency * c_frequency;
    return product;
  }
};

/// a and c in rows, b in panels; the depth is a's columns.
template <class A, class B>
WinogradProduct winograd_product(std::int64_t rows, std::int64_t columns, std::int64_t depth,
                                 const Frequencies<A>& a, const Frequencies<B>& b,
                                 const Frequencies<real>& c) {
  return {rows,
          columns,
          depth,
          a.data,
          a.layout.stride,
          1,
          b.data,
          b.layout.panel,
          c.data,
          c.layout.stride,
          a.layout.frequency,
          b.layout.frequency,
          c.layout.frequency};
}
/// The same with a transposed: the depth is a's rows.
template <class A, class B>
WinogradProduct winograd_product_transposed(std::int64_t rows, std::int64_t columns,
                                            std::int64_t depth, const Frequencies<A>& a,
                                            const Frequencies<B>& b, const Frequencies<real>& c) {
  WinogradProduct product = winograd_product(rows, columns, depth, a, b, c);
  std::swap(product.a_row, product.a_depth);
  return product;
}

/// Some rows of it, on the calling thread.
void multiply(const GemmKernels& kernels, const WinogradProduct& product, Range rows);

/// Along which dimension of it the channels of all phases lie.
enum class PhasesAlong { rows, columns, depth };

/// Some rows of it without the phases that do not have this frequency: what belongs to them is not
/// read to any effect, and undefined where it is written. Along columns it must not accumulate: the
/// first panel of a run may hold columns of the run before.
void multiply_phases(const GemmKernels& kernels, const WinogradPlan& plan, std::int64_t frequency,
                     PhasesAlong along, const WinogradProduct& product, Range rows);

/// The products of all frequencies, given the first, on all threads.
void multiply_frequencies(const WinogradPlan& plan, const WinogradProduct& first,
                          PhasesAlong along);

} // namespace mereo

// Every elementwise kernel as a case: its arrays, how to run it, and the error it may make.
#pragma once

#include "kernel_sweep.h"

namespace mereo::sweep {

enum class Extent { whole, row, column }; // rows x size, rows, or size elements

/// What a case sees: the arrays as they were, and where the element to be bounded lies.
struct Before {
  std::int64_t rows, size;
  bool accumulate;
  const std::vector<Guarded>& arrays;

  /// Sum of |term(i)| over the elements of row r.
  template <class Term> double row_sum(std::int64_t r, const Term& term) const {
    double total = 0;
    for (std::int64_t i = r * size; i < (r + 1) * size; ++i)
      total += std::abs(term(i));
    return total;
  }
  double operator()(int array, std::int64_t i) const { return arrays[std::size_t(array)][i]; }
  /// |y| if y is added to.
  double kept(int array, std::int64_t i) const {
    return accumulate ? std::abs((*this)(array, i)) : 0;
  }
};

struct ElementwiseCase {
  const char* name;
  bool rows, accumulates; // works on rows; has an accumulate argument
  std::vector<Extent> arrays;
  void (*run)(const ElementwiseKernels& k, std::int64_t rows, std::int64_t size, bool accumulate,
              real* const* a);
  /// The largest error of element i of an array, in units of epsilon; `want` is the reference's
  /// value. Arrays from `first_output` on may differ by it; those before must not change.
  int first_output;
  double (*bound)(const Before& before, int array, std::int64_t i, double want);
};

/// One per entry of ElementwiseKernels.
const std::vector<ElementwiseCase>& elementwise_cases();

/// The step that the case "adam" makes.
AdamStep adam_step();

} // namespace mereo::sweep

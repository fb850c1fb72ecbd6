// Matrix product: packed, cache-blocked, register-tiled, parallel.
#pragma once

#include "kernels/table.h"

#include <mereo/memory.h>

namespace mereo {

/// c (M, N) = activation(scale * op(a) op(b) + bias), or c += scale * op(a) op(b).
/// op(a) is (M, K): a[m * lda + k], or a[k * lda + m] when a_transposed. op(b) is (K, N): b[k * ldb + n],
/// or b[n * ldb + k] when b_transposed. The bits of c depend neither on the number of threads nor on M.
struct Gemm {
  std::int64_t m, n, k;
  const real* a;
  std::int64_t lda;
  bool a_transposed;
  const real* b;
  std::int64_t ldb;
  bool b_transposed;
  real* c;
  std::int64_t ldc;
  real scale = 1;
  bool accumulate = false;
  /// (N), or null; only when not accumulating, as is the activation.
  const real* bias = nullptr;
  Activation activation = Activation::none;
};

/// scratch lends the memory for packing and has it back on return.
void gemm(const Gemm& product, Arena& scratch);

} // namespace mereo

// Matrix product: packed, cache-blocked, register-tiled, parallel.
#pragma once

#include "kernels/row_runs.h"
#include "kernels/table.h"

#include <mereo/memory.h>

namespace mereo {

/// c (M, N) = activation(scale * op(a) op(b) + bias), or c += scale * op(a) op(b).
/// op(a) is (M, K): a[m * lda + k], or a[k * lda + m] when a_transposed. op(b) is (K, N): b[k * ldb
/// + n], or b[n * ldb + k] when b_transposed. The bits of c do not depend on the number of threads,
/// and unless a_transposed neither on M: an image has the same result in any batch.
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
  /// Where not null, `a` is the batch of images of this convolution, and stands for its im2col
  /// matrix (B OH OW, KH KW C); lda is not used. The matrix is never formed: its windows are found
  /// when a tile is packed.
  const ConvolutionShape* windows = nullptr;
};

/// scratch lends the memory for packing and has it back on return.
void gemm(const Gemm& product, Arena& scratch);

/// How a product is cut: into pieces of the result, which are shared among the threads, and those
/// into blocks of the inner dimension. Where `inner` is less than k, so many inner elements at a
/// time are summed on their own, and the sums added up at the end.
struct GemmBlocks {
  std::int64_t rows, columns, inner, depth;
};

/// The longest block of the inner dimension.
inline constexpr std::int64_t gemm_depth = 512;

/// The choice of gemm(). Rows and columns do not matter to the bits of the result; inner and depth
/// do, and depend only on k, unless a_transposed.
GemmBlocks choose_gemm_blocks(const Gemm& product, const GemmKernels& kernels, int threads);

/// With a choice of one's own, for tests and measurements: 0 < columns <= gemm_depth, 0 < depth <=
/// gemm_depth; with inner < k neither bias nor activation.
void gemm(const Gemm& product, const GemmBlocks& blocks, Arena& scratch);

} // namespace mereo

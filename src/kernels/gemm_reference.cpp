// The specification of the product's kernels: plain loops, sums in double.
#include "kernels/table.h"

namespace mereo::reference {

extern const GemmKernels gemm_kernels;

namespace {

void tile(const GemmTile& tile) {
  for (std::int64_t r = 0; r < tile.rows; ++r)
    for (std::int64_t n = 0; n < tile.columns; ++n) {
      double sum = 0;
      for (std::int64_t d = 0; d < tile.depth; ++d)
        sum += double(tile.a[r * tile.row_stride + d * tile.depth_stride]) *
               double(tile.b[d * tile.b_stride + n]);
      real& c = tile.c[r][n];
      double value = tile.scale * sum + (tile.accumulate ? c : 0) + (tile.bias ? tile.bias[n] : 0);
      if (tile.activation == Activation::relu && value < 0)
        value = 0;
      c = real(value);
    }
}

void pack(std::int64_t count, std::int64_t begin, std::int64_t end, const real* const* source,
          std::int64_t offset, std::int64_t width, real* packed, std::int64_t panel) {
  for (std::int64_t i = 0; i < count; ++i)
    for (std::int64_t j = begin; j < end; ++j)
      packed[j / width * panel + i * width + j % width] = source[i][offset + j - begin];
}

void pack_transposed(std::int64_t rows, std::int64_t depth, const real* const* source,
                     std::int64_t width, real* packed, std::int64_t panel) {
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t d = 0; d < depth; ++d)
      packed[r / width * panel + d * width + r % width] = source[r][d];
}

real peak(std::int64_t steps) {
  double sum = 0;
  for (std::int64_t step = 0; step < steps; ++step)
    sum = sum * 0.5 + 1;
  return real(sum);
}

} // namespace

const GemmKernels gemm_kernels = {4, 8, 1, tile, pack, pack_transposed, peak, 2};

} // namespace mereo::reference

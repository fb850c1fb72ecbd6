// How a matrix product is shared among threads.
//
// The result is cut into pieces, and a thread takes one at a time (gemm_piece.h). Each thread packs
// for itself: nobody waits for anybody, and a block of b serves so many rows of a piece that
// packing it twice costs little. The inner dimension is cut by its length alone, and never because
// there are threads for it: hence the same bits whatever the pieces.
#include "kernels/gemm.h"

#include "core/parallel.h"
#include "kernels/gemm_piece.h"

#include <algorithm>

namespace mereo {
namespace {

constexpr std::int64_t columns_at_once = 256;    // of b: with gemm_depth, 512 KB
constexpr std::int64_t smallest_piece = 1 << 20; // multiplications: 20 us

/// In how many parts the inner dimension is summed. A small result that sums over a batch, as the
/// gradient of the first layer's weights, has little other work to share; fewer than a few parts
/// are less than that.
std::int64_t inner_parts(const Gemm& product) {
  constexpr std::int64_t small = 1 << 16, few = 4, most = 16, shortest = 3072;
  if (!product.a_transposed || product.m * product.n > small || product.bias ||
      product.activation != Activation::none)
    return 1;
  const std::int64_t parts = std::min(most, product.k / shortest);
  return parts < few ? 1 : parts;
}

/// c (+)= the sum of the parts (parts, M, N), in order.
void add_parts(const Gemm& product, const real* parts, std::int64_t count) {
  const ElementwiseKernels& table = kernels().elementwise;
  parallel_for(product.m, [&](std::int64_t m) {
    real* c = product.c + m * product.ldc;
    for (std::int64_t part = 0; part < count; ++part) {
      const real* sums = parts + (part * product.m + m) * product.n;
      if (part > 0 || product.accumulate)
        table.add(product.n, c, sums, c);
      else
        std::copy_n(sums, product.n, c);
    }
  });
}

} // namespace

GemmBlocks choose_gemm_blocks(const Gemm& product, const GemmKernels& kernels, int threads) {
  // Tries a few ways to cut and takes the one that should be done first. In units of the time to
  // multiply one row of a register tile by one element of b, once per inner element:
  constexpr double pack_left = 0.25, pack_right = 8, pack_right_transposed = 16;
  const double columns_cost = product.b_transposed ? pack_right_transposed : pack_right;
  const std::int64_t tile_rows = kernels.tile_rows, tile_columns = kernels.tile_columns;
  const std::int64_t work = product.m * product.n * std::max<std::int64_t>(product.k, 1);
  const std::int64_t parts = inner_parts(product);
  const std::int64_t useful =
      parts > 1 ? 1 : std::clamp<std::int64_t>(work / smallest_piece, 1, threads);
  const std::int64_t fewest = ceiling(product.n, columns_at_once);
  GemmBlocks best{};
  double best_time = 0;
  for (std::int64_t column_pieces = fewest; column_pieces <= std::max(fewest, useful);
       ++column_pieces)
    for (std::int64_t row_pieces = 1; row_pieces <= (useful == 1 ? 1 : 4 * useful); ++row_pieces) {
      GemmBlocks blocks;
      blocks.rows = round_up(ceiling(product.m, row_pieces), tile_rows);
      blocks.columns = round_up(ceiling(product.n, column_pieces), tile_columns);
      const double tiles = double(blocks.columns / tile_columns);
      const double piece = double(blocks.rows) * (tiles + pack_left) + tiles * columns_cost;
      const std::int64_t pieces =
          ceiling(product.m, blocks.rows) * ceiling(product.n, blocks.columns);
      // The last pieces do not end together: count a part of one more for that.
      const double time = piece * (double(ceiling(pieces, useful)) + (useful > 1 ? 0.1 : 0));
      if (best.rows == 0 || time < best_time)
        best = blocks, best_time = time;
    }
  best.inner = std::max<std::int64_t>(1, ceiling(product.k, parts));
  best.depth = round_up(ceiling(best.inner, ceiling(best.inner, gemm_depth)), 16);
  return best;
}

void gemm(const Gemm& product, const GemmBlocks& blocks, Arena& scratch) {
  if (product.m <= 0 || product.n <= 0)
    return;
  ArenaScope scope(scratch);
  const RowRuns left = product.windows        ? RowRuns(*product.windows)
                       : product.a_transposed ? RowRuns(product.k, product.m, product.lda)
                                              : RowRuns(product.m, product.k, product.lda);
  const RowRuns right = product.b_transposed ? RowRuns(product.n, product.k, product.ldb)
                                             : RowRuns(product.k, product.n, product.ldb);
  real* zeros = nullptr;
  if (product.windows) {
    zeros = scratch.allocate_array<real>(std::size_t(left.run));
    std::fill_n(zeros, left.run, real(0));
  }
  const GemmPlan plan{product, blocks, kernels().gemm, left, right, zeros};
  const std::int64_t left_size = plan.left_size(), size = left_size + plan.right_size();
  real* memory = scratch.allocate_array<real>(std::size_t(size * threads()));

  // Parts of the inner dimension are summed each in its own matrix, and then in order.
  const Chunks rows{product.m, blocks.rows}, columns{product.n, blocks.columns};
  const Chunks parts{product.k, blocks.inner};
  const std::int64_t part_size = product.m * product.n;
  real* sums = parts.count() > 1
                   ? scratch.allocate_array<real>(std::size_t(parts.count() * part_size))
                   : nullptr;
  const std::int64_t pieces = rows.count() * columns.count();
  parallel_for(pieces * std::max<std::int64_t>(1, parts.count()), [&](std::int64_t i) {
    const std::int64_t part = i / pieces;
    const std::int64_t row = i % pieces / columns.count(), column = i % columns.count();
    real* mine = memory + thread_index() * size;
    GemmPiece piece(plan, sums ? sums + part * part_size : product.c,
                    sums ? product.n : product.ldc, {rows.begin(row), rows.end(row)},
                    {columns.begin(column), columns.end(column)},
                    {parts.begin(part), parts.end(part)}, mine, mine + left_size);
    piece.compute(!sums && product.accumulate);
  });
  if (sums)
    add_parts(product, sums, parts.count());
}

void gemm(const Gemm& product, Arena& scratch) {
  gemm(product, choose_gemm_blocks(product, kernels().gemm, threads()), scratch);
}

} // namespace mereo

// The blocks of a matrix product (after Goto & van de Geijn 2008, and the BLIS papers).
//
// A thread takes a piece of the result at a time, and for every block of `depth` inner elements
//   packs that block of op(b) (depth x columns, 384 KB: it stays in the L2 cache),
//   and for a few tile rows at a time packs op(a) (the rows of one tile, 21 KB, stay in L1),
//   and runs the register tile over all columns.
// Each thread packs for itself: nobody waits for anybody, and a block of b serves all the rows of
// the piece, so that packing it twice costs little. The inner dimension is never shared among
// threads, and its blocks follow from its length alone: hence the same bits whatever the pieces.
#include "kernels/gemm.h"

#include "core/parallel.h"

#include <algorithm>

namespace mereo {
namespace {

std::int64_t ceiling(std::int64_t x, std::int64_t divisor) {
  return (x + divisor - 1) / divisor;
}

/// `size` cut into as few parts of at most `most` as possible, the length of one part, which is a
/// multiple of `unit`.
std::int64_t even_part(std::int64_t size, std::int64_t most, std::int64_t unit) {
  const std::int64_t parts = std::max<std::int64_t>(1, ceiling(size, most));
  return std::max(unit, ceiling(ceiling(size, parts), unit) * unit);
}

/// Half-open interval.
struct Range {
  std::int64_t begin, end;
  std::int64_t size() const { return end - begin; }
};

constexpr std::int64_t columns_at_once = 256; // of b: with gemm_depth, 384 KB
/// RowRuns of op(a) packed at once when they lie along the inner dimension (a transposed): more
/// than a tile's, so that whole cache lines are read.
constexpr std::int64_t transposed_tiles = 8;
/// With fewer rows than this op(b) is not packed: it would be read too few times to repay it.
constexpr std::int64_t rows_worth_packing = 48;

constexpr std::int64_t smallest_piece = 1 << 20; // multiplications: 20 us
constexpr std::int64_t pieces_per_thread = 4;

/// Everything that is the same for all pieces.
struct Plan {
  const Gemm& product;
  const GemmBlocks& blocks;
  const GemmKernels& kernels;
  RowRuns left, right; // the stored orientation: (M, K) or (K, M); (K, N) or (N, K)
  const real* zeros;   // a run of the left's, for windows in the padding

  /// Tile rows packed at once.
  std::int64_t tiles() const { return product.a_transposed ? transposed_tiles : 1; }
  std::int64_t left_size() const { return tiles() * kernels.tile_rows * gemm_depth; }
  std::int64_t right_size() const {
    return ceiling(blocks.columns, kernels.tile_columns) * kernels.tile_columns * blocks.depth;
  }
};

/// One piece of the result.
class Piece {
public:
  Piece(const Plan& plan, Range rows, Range columns, real* left, real* right)
      : plan_(plan), product_(plan.product), kernels_(plan.kernels), rows_(rows), columns_(columns),
        left_(left), right_(right),
        in_place_(!product_.b_transposed && rows.size() < rows_worth_packing &&
                  columns.size() % kernels_.lanes == 0) {}

  void compute() {
    Range depth{0, 0};
    do {
      depth = {depth.end, std::min(product_.k, depth.end + plan_.blocks.depth)};
      if (!in_place_)
        pack_right(depth);
      const std::int64_t step = plan_.tiles() * kernels_.tile_rows;
      for (std::int64_t m = rows_.begin; m < rows_.end; m += step) {
        const Range some{m, std::min(rows_.end, m + step)};
        pack_left(some, depth);
        multiply(some, depth);
      }
    } while (depth.end < product_.k);
  }

private:
  /// Packs columns `range` of rows [first, first + count) of a stored matrix.
  void pack(const RowRuns& rows, const real* source, std::int64_t first, std::int64_t count,
            Range range, std::int64_t width, real* packed, std::int64_t panel) const {
    const real* where[gemm_depth];
    for (std::int64_t j = range.begin; j < range.end;) {
      const std::int64_t run = j / rows.run, within = j % rows.run;
      const std::int64_t end = std::min(range.end, j - within + rows.run);
      rows.locate(source, plan_.zeros, first, count, run, where);
      for (std::int64_t i = 0; i < count; ++i)
        where[i] += within;
      kernels_.pack(count, j - range.begin, end - range.begin, where, width, packed, panel);
      j = end;
    }
  }

  void pack_left(Range rows, Range depth) {
    if (product_.a_transposed) {
      row_stride_ = 1, depth_stride_ = kernels_.tile_rows;
      panel_ = depth.size() * kernels_.tile_rows;
      pack(plan_.left, product_.a, depth.begin, depth.size(), rows, kernels_.tile_rows, left_,
           panel_);
    } else {
      row_stride_ = depth.size(), depth_stride_ = 1;
      panel_ = depth.size() * kernels_.tile_rows;
      pack(plan_.left, product_.a, rows.begin, rows.size(), depth, row_stride_, left_, 0);
    }
  }

  void pack_right(Range depth) {
    const std::int64_t width = kernels_.tile_columns, panel = depth.size() * width;
    const std::int64_t last = columns_.size() / width, rest = columns_.size() % width;
    if (rest)
      std::fill_n(right_ + last * panel, panel, real(0));
    if (!product_.b_transposed) {
      pack(plan_.right, product_.b, depth.begin, depth.size(), columns_, width, right_, panel);
      return;
    }
    const real* where[columns_at_once];
    plan_.right.locate(product_.b, plan_.zeros, columns_.begin, columns_.size(), 0, where);
    for (std::int64_t n = 0; n < columns_.size(); ++n)
      where[n] += depth.begin;
    kernels_.pack_transposed(columns_.size(), depth.size(), where, width, right_, panel);
  }

  void multiply(Range rows, Range depth) const {
    const bool last = depth.end == product_.k;
    real* c[max_tile_rows];
    GemmTile tile{};
    tile.depth = depth.size();
    tile.row_stride = row_stride_;
    tile.depth_stride = depth_stride_;
    tile.b_stride = in_place_ ? product_.ldb : kernels_.tile_columns;
    tile.c = c;
    tile.accumulate = product_.accumulate || depth.begin > 0;
    tile.scale = product_.scale;
    tile.activation = last ? product_.activation : Activation::none;
    for (std::int64_t m = rows.begin; m < rows.end; m += kernels_.tile_rows) {
      tile.rows = std::min(rows.end - m, kernels_.tile_rows);
      tile.a = left_ + (m - rows.begin) / kernels_.tile_rows * panel_;
      for (std::int64_t n = columns_.begin; n < columns_.end; n += kernels_.tile_columns) {
        tile.columns = std::min(columns_.end - n, kernels_.tile_columns);
        tile.b = in_place_ ? product_.b + depth.begin * product_.ldb + n
                           : right_ + (n - columns_.begin) * depth.size();
        tile.bias = last && product_.bias ? product_.bias + n : nullptr;
        for (std::int64_t r = 0; r < tile.rows; ++r)
          c[r] = product_.c + (m + r) * product_.ldc + n;
        kernels_.tile(tile);
      }
    }
  }

  const Plan& plan_;
  const Gemm& product_;
  const GemmKernels& kernels_;
  const Range rows_, columns_;
  real *left_, *right_;
  const bool in_place_; // op(b) is read where it lies
  std::int64_t row_stride_ = 0, depth_stride_ = 0, panel_ = 0;
};

} // namespace

GemmBlocks choose_gemm_blocks(const Gemm& product, const GemmKernels& kernels, int threads) {
  GemmBlocks blocks;
  blocks.depth = even_part(product.k, gemm_depth, 1);
  blocks.columns = even_part(product.n, columns_at_once, kernels.tile_columns);
  const std::int64_t column_pieces = ceiling(product.n, blocks.columns);
  // Pieces for all threads and some more, for balance, but none too small to be worth a thread's
  // while, and none with too few rows to repay the packing of b.
  const std::int64_t worthwhile =
      product.m * product.n * std::max<std::int64_t>(product.k, 1) / smallest_piece;
  const std::int64_t pieces = std::clamp<std::int64_t>(worthwhile, 1, pieces_per_thread * threads);
  const std::int64_t fewest = 16 * kernels.tile_rows, most = 128 * kernels.tile_rows;
  const std::int64_t rows = ceiling(product.m, ceiling(pieces, column_pieces));
  blocks.rows = even_part(product.m, std::clamp(rows, fewest, most), kernels.tile_rows);
  const std::int64_t row_pieces = ceiling(product.m, blocks.rows);
  if (row_pieces * column_pieces < std::min<std::int64_t>(pieces, threads))
    blocks.columns =
        even_part(product.n, ceiling(product.n * row_pieces, threads), kernels.tile_columns);
  return blocks;
}

void gemm(const Gemm& product, const GemmBlocks& blocks, Arena& scratch) {
  if (product.m <= 0 || product.n <= 0)
    return;
  ArenaScope scope(scratch);
  const GemmKernels& kernels = mereo::kernels().gemm;
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
  const Plan plan{product, blocks, kernels, left, right, zeros};
  const std::int64_t left_size = plan.left_size(), size = left_size + plan.right_size();
  real* memory = scratch.allocate_array<real>(std::size_t(size * threads()));

  const Chunks rows{product.m, blocks.rows}, columns{product.n, blocks.columns};
  parallel_for(rows.count() * columns.count(), [&](std::int64_t i) {
    const std::int64_t row = i / columns.count(), column = i % columns.count();
    real* mine = memory + thread_index() * size;
    Piece(plan, {rows.begin(row), rows.end(row)}, {columns.begin(column), columns.end(column)},
          mine, mine + left_size)
        .compute();
  });
}

void gemm(const Gemm& product, Arena& scratch) {
  gemm(product, choose_gemm_blocks(product, kernels().gemm, threads()), scratch);
}

} // namespace mereo

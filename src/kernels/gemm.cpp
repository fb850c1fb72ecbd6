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
#include "kernels/read_ahead.h"

#include <algorithm>

namespace mereo {
namespace {

std::int64_t ceiling(std::int64_t x, std::int64_t divisor) {
  return (x + divisor - 1) / divisor;
}

std::int64_t round_up(std::int64_t x, std::int64_t unit) {
  return ceiling(x, unit) * unit;
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
      for (Range rows = left_rows(rows_.begin); rows.size() > 0; rows = left_rows(rows.end)) {
        pack_left(rows, depth);
        announce_next(rows, depth);
        multiply(rows, depth);
      }
    } while (depth.end < product_.k);
  }

private:
  /// The rows of op(a) that are packed together, from `begin` on.
  Range left_rows(std::int64_t begin) const {
    return {begin, std::min(rows_.end, begin + plan_.tiles() * kernels_.tile_rows)};
  }

  /// Packs columns `range` of rows [first, first + count) of a stored matrix.
  void pack(const RowRuns& matrix, const real* source, std::int64_t first, std::int64_t count,
            Range range, std::int64_t width, real* packed, std::int64_t panel) {
    if (!matrix.padded())
      matrix.locate(source, plan_.zeros, first, count, 0, where_);
    for (std::int64_t j = range.begin; j < range.end;) {
      const std::int64_t index = j / matrix.run, within = j % matrix.run;
      const std::int64_t end = std::min(range.end, j - within + matrix.run);
      if (matrix.padded())
        matrix.locate(source, plan_.zeros, first, count, index, where_);
      const std::int64_t offset = within + (matrix.padded() ? 0 : matrix.offset(index));
      kernels_.pack(count, j - range.begin, end - range.begin, where_, offset, width, packed,
                    panel);
      j = end;
    }
  }

  void pack_left(Range rows, Range depth) {
    left_panel_ = depth.size() * kernels_.tile_rows;
    if (product_.a_transposed)
      pack(plan_.left, product_.a, depth.begin, depth.size(), rows, kernels_.tile_rows, left_,
           left_panel_);
    else // each row in one run, and so the rows of a tile in one panel
      pack(plan_.left, product_.a, rows.begin, rows.size(), depth, depth.size(), left_, 0);
  }

  void pack_right(Range depth) {
    const std::int64_t width = kernels_.tile_columns, panel = depth.size() * width;
    if (columns_.size() % width)
      std::fill_n(right_ + columns_.size() / width * panel, panel, real(0));
    if (product_.b_transposed) {
      for (std::int64_t n = 0; n < columns_.size(); ++n)
        where_[n] = product_.b + (columns_.begin + n) * product_.ldb + depth.begin;
      kernels_.pack_transposed(columns_.size(), depth.size(), where_, width, right_, panel);
    } else
      pack(plan_.right, product_.b, depth.begin, depth.size(), columns_, width, right_, panel);
  }

  /// Has the tiles of these rows read what will be packed after them: the next rows, or the next
  /// block of b.
  void announce_next(Range rows, Range depth) {
    const std::int64_t tiles =
        ceiling(rows.size(), kernels_.tile_rows) * ceiling(columns_.size(), kernels_.tile_columns);
    const Range next = left_rows(rows.end);
    if (depth.size() == 0)
      return;
    if (next.size() > 0)
      announce(plan_.left, product_.a, product_.a_transposed ? depth : next,
               product_.a_transposed ? next : depth, tiles);
    else if (depth.end < product_.k && !in_place_ && !product_.b_transposed)
      announce(plan_.right, product_.b, {depth.end, std::min(product_.k, depth.end + depth.size())},
               columns_, tiles);
  }

  void announce(const RowRuns& matrix, const real* source, Range rows, Range columns,
                std::int64_t tiles) {
    const std::int64_t index = columns.begin / matrix.run, within = columns.begin % matrix.run;
    matrix.locate(source, plan_.zeros, rows.begin, rows.size(), index, where_);
    ahead_.announce(where_, rows.size(), within, std::min(columns.size(), matrix.run - within),
                    tiles);
  }

  void multiply(Range rows, Range depth) {
    const bool last = depth.end == product_.k;
    real* c[max_tile_rows];
    GemmTile tile{};
    tile.depth = depth.size();
    tile.row_stride = product_.a_transposed ? 1 : depth.size();
    tile.depth_stride = product_.a_transposed ? kernels_.tile_rows : 1;
    tile.b_stride = in_place_ ? product_.ldb : kernels_.tile_columns;
    tile.c = c;
    tile.accumulate = product_.accumulate || depth.begin > 0;
    tile.scale = product_.scale;
    tile.activation = last ? product_.activation : Activation::none;
    for (std::int64_t m = rows.begin; m < rows.end; m += kernels_.tile_rows) {
      tile.rows = std::min(rows.end - m, kernels_.tile_rows);
      tile.a = left_ + (m - rows.begin) / kernels_.tile_rows * left_panel_;
      for (std::int64_t n = columns_.begin; n < columns_.end; n += kernels_.tile_columns) {
        tile.columns = std::min(columns_.end - n, kernels_.tile_columns);
        tile.b = in_place_ ? product_.b + depth.begin * product_.ldb + n
                           : right_ + (n - columns_.begin) * depth.size();
        tile.bias = last && product_.bias ? product_.bias + n : nullptr;
        for (std::int64_t r = 0; r < tile.rows; ++r)
          c[r] = product_.c + (m + r) * product_.ldc + n;
        ahead_.give(tile);
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
  std::int64_t left_panel_ = 0;
  const real* where_[gemm_depth]; // rows of what is being packed
  ReadAhead ahead_;
};

} // namespace

GemmBlocks choose_gemm_blocks(const Gemm& product, const GemmKernels& kernels, int threads) {
  // Tries a few ways to cut and takes the one that should be done first. In units of the time to
  // multiply one row of a register tile by one element of b, once per inner element:
  constexpr double pack_left = 0.25, pack_right = 8, pack_right_transposed = 16;
  const double columns_cost = product.b_transposed ? pack_right_transposed : pack_right;
  const std::int64_t tile_rows = kernels.tile_rows, tile_columns = kernels.tile_columns;
  const std::int64_t work = product.m * product.n * std::max<std::int64_t>(product.k, 1);
  const std::int64_t useful = std::clamp<std::int64_t>(work / smallest_piece, 1, threads);
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
  best.depth = ceiling(product.k, std::max<std::int64_t>(1, ceiling(product.k, gemm_depth)));
  best.depth = std::max<std::int64_t>(1, best.depth);
  return best;
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

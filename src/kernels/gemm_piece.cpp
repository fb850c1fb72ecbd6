// How a piece is computed (after Goto & van de Geijn 2008, and the BLIS papers). For every block of
// `depth` inner elements
//   pack that block of op(b): depth x columns, 512 KB, it stays in the L2 cache;
//   for the rows of one tile at a time pack op(a), 28 KB, it stays in L1,
//   and run the register tile over all columns.
// The left side is copied as it lies and not transposed: a tile takes it either way round.
//
// Measured on one core of a Sapphire Rapids processor, in cycles (the clock was timed by a chain of
// dependent multiplications between the tiles), as shares of two multiply-adds a cycle: the tile
// with both sides in the caches 97 %, reading ahead meanwhile 96 %; a product as large as the
// primary capsules' 88 %, with AVX2 89 %. In between lie packing (3 %), the lists of what to read
// ahead (2 %) and the tiles' ends (2 %). Blocks of 768 inner elements gain half of a percent in the
// tile and lose it in packing.
#include "kernels/gemm_piece.h"

#include <algorithm>

namespace mereo {
namespace {

/// Tile rows of op(a) packed at once when they lie along the inner dimension (a transposed): more
/// than one, so that whole cache lines are read.
constexpr std::int64_t transposed_tiles = 8;
/// From row to row of packed op(a): whole cache lines, an odd number of them, because rows 2 KB
/// apart would share a few sets of L1.
constexpr std::int64_t left_stride = gemm_depth + 16;
/// With fewer rows than this op(b) is not packed, only read ahead: its columns are then used too
/// few times to repay it (5 % at 128 rows, 25 % at 36).
constexpr std::int64_t rows_worth_packing = 200;

std::int64_t left_tiles(const Gemm& product) {
  return product.a_transposed ? transposed_tiles : 1;
}

} // namespace

std::int64_t GemmPlan::left_size() const {
  return left_tiles(product) * kernels.tile_rows * left_stride;
}
std::int64_t GemmPlan::right_size() const {
  return ceiling(blocks.columns, kernels.tile_columns) * kernels.tile_columns * blocks.depth;
}

GemmPiece::GemmPiece(const GemmPlan& plan, real* c, std::int64_t ldc, Range rows, Range columns,
                     Range inner, real* left, real* right)
    : plan_(plan), product_(plan.product), kernels_(plan.kernels), c_(c), ldc_(ldc), rows_(rows),
      columns_(columns), inner_(inner), left_(left), right_(right),
      left_tiles_(left_tiles(product_)),
      in_place_(!product_.b_transposed && rows.size() < rows_worth_packing &&
                columns.size() % kernels_.lanes == 0) {}

void GemmPiece::compute(bool accumulate) {
  Range depth{inner_.begin, inner_.begin};
  do {
    depth = {depth.end, std::min(inner_.end, depth.end + plan_.blocks.depth)};
    if (!in_place_)
      pack_right(depth);
    else
      announce_right(depth, rows_);
    for (Range rows = left_rows(rows_.begin); rows.size() > 0; rows = left_rows(rows.end)) {
      pack_left(rows, depth);
      if (!in_place_)
        announce_next(rows, depth);
      multiply(rows, depth, accumulate || depth.begin > inner_.begin);
    }
  } while (depth.end < inner_.end);
}

/// The rows of op(a) that are packed together, from `begin` on.
Range GemmPiece::left_rows(std::int64_t begin) const {
  return {begin, std::min(rows_.end, begin + left_tiles_ * kernels_.tile_rows)};
}

/// Packs columns `range` of rows [first, first + count) of a stored matrix.
void GemmPiece::pack(const RowRuns& matrix, const real* source, std::int64_t first,
                     std::int64_t count, Range range, std::int64_t width, real* packed,
                     std::int64_t panel) {
  if (range.size() == 0)
    return;
  if (!matrix.padded())
    matrix.locate(source, plan_.zeros, first, count, 0, where_);
  std::int64_t index = range.begin / matrix.run, within = range.begin % matrix.run;
  for (std::int64_t j = range.begin; j < range.end; ++index, within = 0) {
    const std::int64_t end = std::min(range.end, j - within + matrix.run);
    if (matrix.padded())
      matrix.locate(source, plan_.zeros, first, count, index, where_);
    const std::int64_t offset = within + (matrix.padded() ? 0 : matrix.offset(index));
    kernels_.pack(count, j - range.begin, end - range.begin, where_, offset, width, packed, panel);
    j = end;
  }
}

void GemmPiece::pack_left(Range rows, Range depth) {
  left_panel_ = left_stride * kernels_.tile_rows;
  if (product_.a_transposed)
    pack(plan_.left, product_.a, depth.begin, depth.size(), rows, kernels_.tile_rows, left_,
         left_panel_);
  else // each row in one run, and so the rows of a tile in one panel
    pack(plan_.left, product_.a, rows.begin, rows.size(), depth, left_stride, left_, 0);
}

void GemmPiece::pack_right(Range depth) {
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
void GemmPiece::announce_next(Range rows, Range depth) {
  const Range next = left_rows(rows.end);
  if (next.size() == 0)
    announce_right(depth, rows);
  else if (depth.size() > 0)
    announce(plan_.left, product_.a, product_.a_transposed ? depth : next,
             product_.a_transposed ? next : depth, tiles(rows));
}

/// Has the tiles of these rows read the next block of b.
void GemmPiece::announce_right(Range depth, Range rows) {
  if (depth.size() > 0 && depth.end < inner_.end && !product_.b_transposed)
    announce(plan_.right, product_.b, {depth.end, std::min(inner_.end, depth.end + depth.size())},
             columns_, tiles(rows));
}

/// Register tiles of some rows.
std::int64_t GemmPiece::tiles(Range rows) const {
  return ceiling(rows.size(), kernels_.tile_rows) * ceiling(columns_.size(), kernels_.tile_columns);
}

void GemmPiece::announce(const RowRuns& matrix, const real* source, Range rows, Range columns,
                         std::int64_t tiles) {
  const std::int64_t index = columns.begin / matrix.run, within = columns.begin % matrix.run;
  matrix.locate(source, plan_.zeros, rows.begin, rows.size(), index, where_);
  ahead_.announce(where_, rows.size(), within, std::min(columns.size(), matrix.run - within),
                  tiles);
}

void GemmPiece::multiply(Range rows, Range depth, bool accumulate) {
  const bool last = depth.end == inner_.end;
  real* c[max_tile_rows];
  GemmTile tile{};
  tile.depth = depth.size();
  tile.row_stride = product_.a_transposed ? 1 : left_stride;
  tile.depth_stride = product_.a_transposed ? kernels_.tile_rows : 1;
  tile.b_stride = in_place_ ? product_.ldb : kernels_.tile_columns;
  tile.c = c;
  tile.accumulate = accumulate;
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
        c[r] = c_ + (m + r) * ldc_ + n;
      ahead_.give(tile);
      kernels_.tile(tile);
    }
  }
}

} // namespace mereo

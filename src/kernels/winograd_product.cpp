#include "kernels/winograd_product.h"

#include "core/parallel.h"
#include "kernels/read_ahead.h"

#include <algorithm>

namespace mereo {

namespace {

/// Inner elements at a time: so many rows of a panel of b stay in L1 while it meets the tiles of a
/// block of rows.
constexpr std::int64_t most_depth = 256;
/// Rows of a product that are a task; b is read again for each.
constexpr std::int64_t task_rows = 512;
/// Register tiles in a block of rows, whose part of a and c stays in L2.
constexpr std::int64_t block_tiles = 4;

/// Walks through the register tiles. What is not in the cache comes from the last level or from
/// memory, so each tile fetches a share of what the next ones need: of b while it is new, in the
/// first block of rows, and else of the next rows of a; or of the next product's a.
class Walk {
public:
  Walk(const GemmKernels& kernels, const WinogradProduct& product, Range rows)
      : kernels_(kernels), product_(product), rows_(rows),
        blocks_(ceiling(rows.size(), block_tiles * kernels.tile_rows)),
        panels_(ceiling(product.columns, kernels.tile_columns)) {
    tile_.row_stride = product.a_row;
    tile_.depth_stride = product.a_depth;
    tile_.b_stride = kernels.tile_columns;
    tile_.c = c_;
    tile_.scale = 1;
    tile_.activation = Activation::none;
  }

  void run() {
    if (product_.next_a)
      announce_left(product_.next_a, {0, product_.depth}, rows_,
                    ceiling(rows_.size(), kernels_.tile_rows) * panels_);
    if (rows_.size() <= kernels_.tile_rows)
      return stream_right();
    for (std::int64_t block = 0; block < blocks_; ++block)
      for (std::int64_t d = 0; d < product_.depth; d += most_depth)
        for (std::int64_t panel = 0; panel < panels_; ++panel)
          multiply(block, depth_from(d), panel);
  }

private:
  /// For a single tile of rows nothing of b is used twice: read from end to end, it comes as fast
  /// as memory gives it. A panel after the other, which is 10 % faster than a depth after the other
  /// (9 rows, 31.7 MB of b, two threads); reading ahead of the hardware at any distance is slower.
  void stream_right() {
    for (std::int64_t panel = 0; panel < panels_; ++panel)
      for (std::int64_t d = 0; d < product_.depth; d += most_depth)
        multiply(0, depth_from(d), panel);
  }

  Range depth_from(std::int64_t d) const { return {d, std::min(product_.depth, d + most_depth)}; }

  void multiply(std::int64_t block, Range depth, std::int64_t panel) {
    const Range rows = rows_.part(block, blocks_);
    const std::int64_t tiles = ceiling(rows.size(), kernels_.tile_rows);
    if (!product_.next_a && tiles > 1)
      announce(block, depth, panel, tiles);

    tile_.depth = depth.size();
    tile_.b = product_.b + panel * product_.b_panel + depth.begin * kernels_.tile_columns;
    const std::int64_t column = panel * kernels_.tile_columns;
    tile_.columns = std::min(kernels_.tile_columns, product_.columns - column);
    tile_.accumulate = product_.accumulate || depth.begin > 0;
    for (std::int64_t i = 0; i < tiles; ++i) {
      const Range some = rows.part(i, tiles);
      tile_.a = left(product_.a, some.begin, depth.begin);
      tile_.rows = some.size();
      for (std::int64_t r = 0; r < tile_.rows; ++r)
        c_[r] = product_.c + (some.begin + r) * product_.c_row + column;
      ahead_.give(tile_);
      kernels_.tile(tile_);
    }
  }

  const real* left(const real* a, std::int64_t row, std::int64_t depth) const {
    return a + row * product_.a_row + depth * product_.a_depth;
  }

  void announce(std::int64_t block, Range depth, std::int64_t panel, std::int64_t tiles) {
    if (block == 0 && panel + 1 < panels_)
      announce_right(depth, panel + 1, tiles);
    else if (block + 1 < blocks_ && panel == (block == 0 ? panels_ - 1 : 0))
      announce_left(product_.a, depth, rows_.part(block + 1, blocks_),
                    tiles * (block == 0 ? 1 : panels_));
  }

  void announce_right(Range depth, std::int64_t panel, std::int64_t tiles) {
    const real* next = product_.b + panel * product_.b_panel + depth.begin * kernels_.tile_columns;
    ahead_.announce(&next, 1, 0, depth.size() * kernels_.tile_columns, tiles);
  }

  /// Along whichever direction a is contiguous.
  void announce_left(const real* a, Range depth, Range rows, std::int64_t tiles) {
    const real* lines[ReadAhead::limit];
    const bool by_rows = product_.a_depth == 1;
    const std::int64_t count = std::min(ReadAhead::limit, by_rows ? rows.size() : depth.size());
    for (std::int64_t i = 0; i < count; ++i)
      lines[i] =
          by_rows ? left(a, rows.begin + i, depth.begin) : left(a, rows.begin, depth.begin + i);
    ahead_.announce(lines, count, 0, by_rows ? depth.size() : rows.size(), tiles);
  }

  const GemmKernels& kernels_;
  const WinogradProduct& product_;
  const Range rows_;
  const std::int64_t blocks_, panels_;
  GemmTile tile_{};
  real* c_[max_tile_rows];
  ReadAhead ahead_;
};

} // namespace

void multiply(const GemmKernels& kernels, const WinogradProduct& product, Range rows) {
  if (rows.size() > 0)
    Walk(kernels, product, rows).run();
}

void multiply_phases(const GemmKernels& kernels, const WinogradPlan& plan, std::int64_t frequency,
                     PhasesAlong along, const WinogradProduct& all, Range rows) {
  const std::int64_t width = kernels.tile_columns;
  const WinogradPlan::Runs runs = plan.phases_with(frequency);
  for (std::int64_t i = 0; i < runs.count; ++i) {
    // In phases; and, of a dimension of so many elements, in elements.
    const std::int64_t first = i * plan.horizontal.phases, end = first + runs.length;
    const auto range = [&](std::int64_t size) {
      return Range{first * (size / plan.phases), end * (size / plan.phases)};
    };
    WinogradProduct product = all;
    Range some = rows;
    if (along == PhasesAlong::rows) {
      const Range mine = range(all.rows);
      some = {std::max(rows.begin, mine.begin), std::min(rows.end, mine.end)};
    } else if (along == PhasesAlong::columns) {
      const Range mine = range(all.columns);
      const std::int64_t panel = mine.begin / width; // which may begin with another phase
      product.columns = mine.end - panel * width;
      product.b += panel * all.b_panel;
      product.c += panel * width;
    } else {
      const Range mine = range(all.depth);
      product.depth = mine.size();
      product.a += mine.begin * all.a_depth;
      product.b += mine.begin * width;
      product.accumulate = all.accumulate || i > 0;
    }
    multiply(kernels, product, some);
  }
}

void multiply_frequencies(const WinogradPlan& plan, const WinogradProduct& first,
                          PhasesAlong along) {
  const GemmKernels& gemm = kernels().gemm;
  const std::int64_t parts = ceiling(first.rows, task_rows);
  const Chunks chunks{first.rows, ceiling(first.rows, parts)};
  parallel_for(plan.frequencies * chunks.count(), [&](std::int64_t i) {
    const std::int64_t frequency = i / chunks.count(), chunk = i % chunks.count();
    multiply_phases(gemm, plan, frequency, along, first.of(frequency),
                    {chunks.begin(chunk), chunks.end(chunk)});
  });
}

} // namespace mereo

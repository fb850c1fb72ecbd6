// The register tile of the matrix product and its packing, compiled once per instruction set.
#include "kernels/lanes.h"
#include "kernels/table.h"

#include <limits>
#include <utility>

namespace mereo::MEREO_ISA {

extern const GemmKernels gemm_kernels;

namespace {

// The sums of a tile stay in registers, two registers wide: each element of b that is loaded serves
// all rows, each of a both registers. 14 x 2 of 32 registers leave four for b and the broadcast.
#if defined(__AVX512F__)
constexpr int tile_rows = 14;
#elif defined(__x86_64__) || defined(__i386__)
constexpr int tile_rows = 6;
#else
constexpr int tile_rows = 12;
#endif
constexpr int tile_registers = 2;
/// Inner elements that one turn of the loop takes.
constexpr int unrolled = 4;

/// What follows the sums. Shared by all versions of the tile: the detour through memory costs
/// little, a copy of this in each of them would cost 200 KB of code.
void finish(const GemmTile& tile, const float* sums, std::int64_t stride) {
  const V scale = broadcast(tile.scale);
  // In this order of arguments max() keeps a NaN.
  const V least = broadcast(
      tile.activation == Activation::relu ? 0.f : -std::numeric_limits<float>::infinity());
  V bias[tile_registers];
  std::int64_t count[tile_registers]; // of columns in each register
  for (int i = 0; i < tile_registers; ++i) {
    const std::int64_t left = tile.columns - i * lanes;
    count[i] = left < 0 ? 0 : left < lanes ? left : lanes;
    bias[i] = tile.bias ? load_n(tile.bias + i * lanes, count[i]) : zero();
  }
  if (tile.columns == tile_registers * lanes)
    for (std::int64_t r = 0; r < tile.rows; ++r, sums += stride)
#pragma GCC unroll 2
      for (int i = 0; i < tile_registers; ++i) {
        float* c = tile.c[r] + i * lanes;
        const V before = tile.accumulate ? load(c) : zero();
        store(c, max(least, fma(load(sums + i * lanes), scale, before) + bias[i]));
      }
  else
    for (std::int64_t r = 0; r < tile.rows; ++r, sums += stride)
      for (int i = 0; i < tile_registers && count[i] > 0; ++i) {
        float* c = tile.c[r] + i * lanes;
        const V before = tile.accumulate ? load_n(c, count[i]) : zero();
        const V v = fma(load(sums + i * lanes), scale, before) + bias[i];
        store_n(c, max(least, v), count[i]);
      }
}

/// AlongRows: a row of a is contiguous (depth_stride 1), and else a column (row_stride 1). Which
/// one is known here, so that a turn of the loop moves its pointers once: integer additions would
/// take turns with the multiplications at the same ports.
template <int Rows, int Registers, bool AlongRows> void compute(const GemmTile& tile) {
  V sums[Rows][Registers];
#pragma GCC unroll 16
  for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 2
    for (int i = 0; i < Registers; ++i)
      sums[r][i] = zero();

  for (int r = 0; r < Rows; ++r) { // wanted at the end, and often not in cache
    __builtin_prefetch(tile.c[r], 1);
    if (Registers * lanes > 16)
      __builtin_prefetch(tile.c[r] + 16, 1);
  }

  // Three rows share a pointer: the x86 address modes add one or two strides to it for nothing.
  constexpr int pointers = AlongRows ? (Rows + 2) / 3 : 1;
  const std::int64_t row_stride = AlongRows ? tile.row_stride : 1;
  const std::int64_t depth_stride = AlongRows ? 1 : tile.depth_stride;
  const float* a[pointers];
#pragma GCC unroll 16
  for (int g = 0; g < pointers; ++g)
    a[g] = tile.a + 3 * g * row_stride;
  const float* b = tile.b;
  const auto step = [&]() __attribute__((always_inline)) {
    V right[Registers];
#pragma GCC unroll 2
    for (int i = 0; i < Registers; ++i)
      right[i] = load(b + i * lanes);
#pragma GCC unroll 16
    for (int r = 0; r < Rows; ++r) {
      const int g = AlongRows ? r / 3 : 0;
      const V left = broadcast(a[g][(r - 3 * g) * row_stride]);
#pragma GCC unroll 2
      for (int i = 0; i < Registers; ++i)
        sums[r][i] = fma(left, right[i], sums[r][i]);
    }
    b += tile.b_stride;
#pragma GCC unroll 16
    for (int g = 0; g < pointers; ++g)
      a[g] += depth_stride;
  };
  // A turn is one straight run of instructions, and what is to be read ahead is shared out evenly
  // from the first turn on: a burst of it would keep the loads of b waiting.
  const std::int64_t turns = tile.depth / unrolled, count = tile.ahead_count;
  const std::int64_t share = turns ? (count + turns - 1) / turns : 0;
  const float* const* ahead = tile.ahead;
  const float* const* const end = ahead + count;
  for (std::int64_t turn = 0; turn < turns; ++turn) {
    for (std::int64_t given = 0; given < share && ahead < end; ++given)
      __builtin_prefetch(*ahead++, 0, 2);
#pragma GCC unroll 4 // unrolled
    for (int d = 0; d < unrolled; ++d)
      step();
  }
  for (std::int64_t d = turns * unrolled; d < tile.depth; ++d)
    step();

  alignas(64) float finished[Rows * Registers * lanes];
#pragma GCC unroll 16
  for (int r = 0; r < Rows; ++r)
#pragma GCC unroll 2
    for (int i = 0; i < Registers; ++i)
      store(finished + (r * Registers + i) * lanes, sums[r][i]);
  finish(tile, finished, Registers * lanes);
}

// One version for every number of rows, so that short tiles cost no more than they must.
using Compute = void (*)(const GemmTile&);
template <int... Rows> void choose(const GemmTile& tile, std::integer_sequence<int, Rows...>) {
  static constexpr Compute versions[2][2][tile_rows] = {
      {{compute<Rows + 1, 1, false>...}, {compute<Rows + 1, 2, false>...}},
      {{compute<Rows + 1, 1, true>...}, {compute<Rows + 1, 2, true>...}}};
  versions[tile.depth_stride == 1][tile.columns > lanes][tile.rows - 1](tile);
}

void tile(const GemmTile& tile) {
  choose(tile, std::make_integer_sequence<int, tile_rows>());
}

/// Rows [first, last) of a piece of n columns that lies in one panel.
void copy_rows(std::int64_t first, std::int64_t last, std::int64_t n, const float* const* source,
               std::int64_t from, float* to, std::int64_t width) {
  const std::int64_t whole = n / lanes * lanes, rest = n - whole;
  for (std::int64_t i = first; i < last; ++i)
    for (std::int64_t e = 0; e < whole; e += lanes)
      store(to + i * width + e, load(source[i] + from + e));
  if (rest)
    for (std::int64_t i = first; i < last; ++i)
      store_n(to + i * width + whole, load_n(source[i] + from + whole, rest), rest);
}

void pack(std::int64_t count, std::int64_t begin, std::int64_t end, const float* const* source,
          std::int64_t offset, std::int64_t width, float* packed, std::int64_t panel) {
  // A few rows at a time, so that neighbouring panels read the same cache lines soon.
  constexpr std::int64_t at_once = 16;
  const std::int64_t column = begin % width;
  for (std::int64_t first = 0; first < count; first += at_once) {
    const std::int64_t last = first + at_once < count ? first + at_once : count;
    float* to = packed + begin / width * panel;
    std::int64_t at = column, from = offset, left = end - begin;
    while (left > 0) {
      const std::int64_t n = left < width - at ? left : width - at;
      copy_rows(first, last, n, source, from, to + at, width);
      to += panel;
      from += n;
      left -= n;
      at = 0;
    }
  }
}

void pack_transposed(std::int64_t rows, std::int64_t depth, const float* const* source,
                     std::int64_t width, float* packed, std::int64_t panel) {
  for (std::int64_t begin = 0; begin < rows;) {
    const std::int64_t column = begin % width, room = width - column;
    const std::int64_t left = rows - begin < room ? rows - begin : room;
    const std::int64_t count = left < lanes ? left : lanes;
    float* to = packed + begin / width * panel + column;
    for (std::int64_t d = 0; d < depth; d += lanes) {
      const std::int64_t deep = depth - d < lanes ? depth - d : lanes;
      V block[lanes];
#pragma GCC unroll 16
      for (int r = 0; r < lanes; ++r)
        block[r] = r < count ? load_n(source[begin + r] + d, deep) : zero();
      transpose(block);
#pragma GCC unroll 16
      for (int e = 0; e < lanes; ++e)
        if (e < deep)
          store_n(to + (d + e) * width, block[e], count);
    }
    begin += count;
  }
}

constexpr int chains = 12; // latency (4 cycles, 8 for SSE2's two instructions) times throughput

float peak(std::int64_t steps) {
  V sums[chains];
#pragma GCC unroll 16
  for (int i = 0; i < chains; ++i)
    sums[i] = broadcast(float(i)); // all different, or the compiler would keep only one
  const V factor = broadcast(0.5f), addend = broadcast(1.f);
  for (std::int64_t step = 0; step < steps; ++step)
#pragma GCC unroll 16
    for (int i = 0; i < chains; ++i)
      sums[i] = fma(sums[i], factor, addend);
  V total = zero();
#pragma GCC unroll 16
  for (int i = 0; i < chains; ++i)
    total = total + sums[i];
  return sum(total);
}

} // namespace

const GemmKernels gemm_kernels = {tile_rows, tile_registers* lanes, lanes, tile,
                                  pack,      pack_transposed,       peak,  2 * chains* lanes};

} // namespace mereo::MEREO_ISA

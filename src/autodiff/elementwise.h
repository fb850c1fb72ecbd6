// What operations that work element by element, or row by row, have in common.
#pragma once

#include "core/parallel.h"

#include <mereo/tape.h>

#include <cstdint>

namespace mereo {

/// Elements that one chunk of an elementwise loop handles: large enough to pay for waking a thread,
/// and a multiple of every register's width.
inline constexpr std::int64_t elementwise_grain = 1 << 15;

/// Rows of `size` elements for one chunk of a row-by-row loop.
inline std::int64_t row_grain(std::int64_t size) {
  return std::max<std::int64_t>(1, elementwise_grain / std::max<std::int64_t>(1, size));
}

/// Folds kernel(begin, end) over fixed chunks in order: the same bits for any thread count.
template <class Kernel> real chunked_sum(Arena& arena, std::int64_t n, const Kernel& kernel) {
  const Chunks chunks{n, elementwise_grain};
  ArenaScope scope(arena);
  double* partial = arena.allocate_array<double>(std::size_t(chunks.count()));
  parallel_for(chunks.count(), [&](std::int64_t c) {
    partial[c] = double(kernel(chunks.begin(c), chunks.end(c)));
  });
  double total = 0;
  for (std::int64_t c = 0; c < chunks.count(); ++c)
    total += partial[c];
  return real(total);
}

} // namespace mereo

// Scratch memory for the threads of a parallel loop.
#pragma once

#include "core/parallel.h"

#include <mereo/memory.h>

namespace mereo {

/// One buffer of `size` elements per thread.
class ThreadScratch {
public:
  ThreadScratch(Arena& arena, std::int64_t size)
      : size_(round_up(size, line)),
        memory_(arena.allocate_array<real>(std::size_t(size_ * threads()))) {}
  real* get() const { return memory_ + thread_index() * size_; }

private:
  static constexpr std::int64_t line = std::int64_t(alignment / sizeof(real));

  std::int64_t size_;
  real* memory_;
};

} // namespace mereo

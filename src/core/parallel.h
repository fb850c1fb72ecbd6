// Parallel loops whose results do not depend on the number of threads.
//
// Work is cut into chunks; which thread runs a chunk is left to OpenMP. A chunk writes only what it
// owns, so the result has the same bits on any number of threads. Reductions are cut by their size
// alone: they write one partial result per chunk, and the caller folds them in order.
#pragma once

#include "core/range.h"

#include <mereo/core.h>

#include <algorithm>
#include <cstdint>
#include <exception>

namespace mereo {

/// [0, size) cut into pieces of grain elements, the last one shorter.
struct Chunks {
  std::int64_t size, grain;

  std::int64_t count() const { return ceiling(size, grain); }
  std::int64_t begin(std::int64_t chunk) const { return chunk * grain; }
  std::int64_t end(std::int64_t chunk) const { return std::min(size, (chunk + 1) * grain); }
};

/// The index of the calling thread within a parallel loop, in [0, threads()); only for choosing
/// scratch memory, never for deciding what to compute.
int thread_index();

/// How many threads a loop of count iterations may use: 1 within another parallel loop.
int team_size(std::int64_t count);

/// While it lives, the calling thread has the index that OpenMP gave it.
struct WorkerScope {
  WorkerScope();
  ~WorkerScope();
  WorkerScope(const WorkerScope&) = delete;
  WorkerScope& operator=(const WorkerScope&) = delete;
};

/// Calls body(i) for every i in [0, count), on up to threads() threads, each i once. An exception
/// thrown by a body is rethrown here once all threads are done. Loops do not nest: an inner one
/// runs on the thread that reached it, and keeps its index.
template <class Body> void parallel_for(std::int64_t count, const Body& body) {
  const int team = team_size(count);
  if (team <= 1) {
    for (std::int64_t i = 0; i < count; ++i)
      body(i);
    return;
  }
  std::exception_ptr failure;
#pragma omp parallel num_threads(team)
  {
    const WorkerScope scope;
#pragma omp for schedule(dynamic)
    for (std::int64_t i = 0; i < count; ++i) {
      try {
        body(i);
      } catch (...) {
#pragma omp critical(mereo_parallel_failure)
        if (!failure)
          failure = std::current_exception();
      }
    }
  }
  if (failure)
    std::rethrow_exception(failure);
}

/// Calls body(begin, end) for every chunk of [0, size).
template <class Body>
void parallel_chunks(std::int64_t size, std::int64_t grain, const Body& body) {
  const Chunks chunks{size, grain};
  parallel_for(chunks.count(), [&](std::int64_t c) { body(chunks.begin(c), chunks.end(c)); });
}

} // namespace mereo

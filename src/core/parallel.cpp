#include "core/parallel.h"

#include <atomic>
#include <string>

#ifdef _OPENMP
#include <omp.h>
#endif

namespace mereo {

namespace {

constexpr int most_threads = 1024;
constexpr int outside = -1;

/// This thread's index in the parallel loop that it is running, or outside.
thread_local int worker = outside;

int threads_at_first() {
#ifdef _OPENMP
  return std::clamp(omp_get_max_threads(), 1, most_threads);
#else
  return 1;
#endif
}

std::atomic<int>& thread_count() {
  static std::atomic<int> count{threads_at_first()};
  return count;
}

} // namespace

int threads() {
  return thread_count();
}

void set_threads(int count) {
  if (count < 1 || count > most_threads)
    throw Error("set_threads", "the number of threads must be from 1 to 1024",
                std::to_string(count));
  thread_count() = count;
}

int thread_index() {
  return worker == outside ? 0 : worker;
}

int team_size(std::int64_t count) {
  return worker == outside ? int(std::min<std::int64_t>(count, threads())) : 1;
}

WorkerScope::WorkerScope() {
#ifdef _OPENMP
  worker = omp_get_thread_num();
#else
  worker = 0;
#endif
}

WorkerScope::~WorkerScope() {
  worker = outside;
}

} // namespace mereo

#include "limits.h"

#include "statistics.h"

#include "core/parallel.h"
#include "kernels/table.h"

#include <mereo/isa.h>
#include <mereo/tensor.h>

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdio>
#include <map>
#include <string>
#include <unistd.h>

namespace bench {

using namespace mereo;

namespace {

/// The best of some runs of so many steps.
double measure_peak(int runs, std::int64_t steps) {
  const GemmKernels& gemm = kernels().gemm;
  const double time = best_time(runs, [&] {
    parallel_for(threads(), [&](std::int64_t) { benchmark::DoNotOptimize(gemm.peak(steps)); });
  });
  return 1e-9 * double(steps * gemm.peak_operations * threads()) / time;
}

/// Bytes of an array such that two of them do not fit the last-level cache.
std::int64_t array_bytes() {
  std::int64_t cache = 0;
#ifdef _SC_LEVEL3_CACHE_SIZE
  cache = sysconf(_SC_LEVEL3_CACHE_SIZE);
#endif
  return std::max<std::int64_t>(std::int64_t(256) << 20, cache);
}

Bandwidth measure_bandwidth() {
  constexpr std::int64_t grain = 1 << 16;
  const std::int64_t bytes = array_bytes(), n = bytes / std::int64_t(sizeof(real));
  const Tensor x({n}), y({n});
  const ElementwiseKernels& table = kernels().elementwise;
  const double read = best_time(3, [&] {
    for (const real* array : {x.data(), y.data()})
      parallel_chunks(n, grain, [&](std::int64_t begin, std::int64_t end) {
        benchmark::DoNotOptimize(table.sum(end - begin, array + begin));
      });
  });
  const double update = best_time(3, [&] {
    parallel_chunks(n, grain, [&](std::int64_t begin, std::int64_t end) {
      table.scale(end - begin, 1, x.data() + begin, y.data() + begin, true);
    });
  });
  return {2e-9 * double(bytes) / read, 3e-9 * double(bytes) / update};
}

} // namespace

double best_time(int runs, const std::function<void()>& work) {
  using Clock = std::chrono::steady_clock;
  double best = 1e30;
  for (int run = 0; run < runs; ++run) {
    const Clock::time_point start = Clock::now();
    work();
    best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
  }
  return best;
}

double peak() {
  static std::map<std::pair<std::string, int>, double> known;
  double& value = known[{isa(), threads()}];
  if (value == 0)
    value = measure_peak(8, 1000000);
  return value;
}

bool PeakOfWork::due() const {
  return measured_.empty() || Clock::now() - last_ > std::chrono::milliseconds(50);
}

void PeakOfWork::measure() {
  measured_.push_back(measure_peak(2, 200000));
  last_ = Clock::now();
}

double PeakOfWork::median() const {
  return bench::median(measured_);
}

const Bandwidth& bandwidth() {
  static std::map<int, Bandwidth> known;
  const auto found = known.find(threads());
  return found != known.end() ? found->second
                              : known.emplace(threads(), measure_bandwidth()).first->second;
}

std::vector<int> thread_counts() {
  static const int all = threads(); // before anybody changes it
  return all == 1 ? std::vector<int>{1} : std::vector<int>{1, all};
}

void print_limits() {
  for (const std::string& name : available_isas()) {
    if (name == "reference")
      continue;
    set_isa(name);
    for (int count : thread_counts()) {
      set_threads(count);
      std::printf("FMA peak, %s, %d threads: %.1f GFLOP/s\n", name.c_str(), count, peak());
    }
  }
  set_isa(available_isas().front());
  for (int count : thread_counts()) {
    set_threads(count);
    std::printf("memory, %d threads: read %.1f GB/s, y += a x %.1f GB/s\n", count, bandwidth().read,
                bandwidth().update);
  }
  std::fflush(stdout);
}

} // namespace bench

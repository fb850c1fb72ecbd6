#include "cases.h"

#include "limits.h"
#include "memory_use.h"

#include <mereo/isa.h>

#include <benchmark/benchmark.h>

#include <chrono>

namespace bench {

using namespace mereo;

namespace {

/// What is ready to be timed: one at a time, so that its memory is gone before the next one's.
struct Prepared {
  std::string name;
  std::function<void()> work;
};

const std::function<void()>& prepared(const Case& what, const std::string& name) {
  static Prepared current;
  if (current.name != name) {
    current = {};
    forget_peak_memory();
    current = {name, what.prepare()};
    for (int round = 0; round < 2; ++round) // arenas grow, pages are touched
      current.work();
  }
  return current.work;
}

/// Plain counters, because google-benchmark writes "/s" after its rates, percentages included.
void report(benchmark::State& state, const Work& work, double seconds, double peak) {
  if (work.operations > 0) {
    state.counters["GFLOP/s"] = 1e-9 * work.operations / seconds;
    state.counters["%peak"] = 1e-7 * work.operations / seconds / peak;
  }
  if (work.direct > 0)
    state.counters["direct_GFLOP/s"] = 1e-9 * work.direct / seconds;
  if (work.bytes > 0)
    state.counters["GB/s"] = 1e-9 * work.bytes / seconds;
  if (work.images > 0)
    state.counters["images/s"] = work.images / seconds;
  if (work.images > 0 && peak_memory_mib() > 0)
    state.counters["peak_MiB"] = peak_memory_mib();
}

void run(benchmark::State& state, const Case& what, const std::string& name, const std::string& isa,
         int threads) {
  using Clock = std::chrono::steady_clock;
  set_isa(isa);
  set_threads(threads);
  const std::function<void()>& work = prepared(what, name);
  PeakOfWork peak;
  double seconds = 0;
  for (auto _ : state) {
    const Clock::time_point start = Clock::now();
    work();
    seconds += std::chrono::duration<double>(Clock::now() - start).count();
    if (peak.due()) {
      state.PauseTiming();
      peak.measure();
      state.ResumeTiming();
    }
  }
  report(state, what.work, seconds / double(state.iterations()), peak.median());
}

} // namespace

void register_cases() {
  std::vector<Case> cases;
  for (const auto& some : {kernel_cases(), em_cases(), elementwise_cases(), model_cases(),
                           matrix_cases(), cnn_cases()})
    cases.insert(cases.end(), some.begin(), some.end());
  for (const std::string& isa : available_isas()) {
    if (isa == "reference")
      continue;
    for (const Case& what : cases)
      for (int threads : thread_counts()) {
        const std::string name = what.name + "/" + isa + "/threads:" + std::to_string(threads);
        benchmark::RegisterBenchmark(
            name.c_str(), [=](benchmark::State& state) { run(state, what, name, isa, threads); })
            ->UseRealTime()
            ->Unit(benchmark::kMillisecond);
      }
  }
}

std::string batch_name(std::int64_t batch) {
  return "/batch:" + std::to_string(batch);
}

Tensor numbers(const Shape& shape) {
  const Tensor tensor(shape);
  std::uint32_t bits = 1;
  for (real& x : tensor.values()) {
    bits = bits * 1664525u + 1013904223u; // a linear congruential generator (Knuth)
    x = real(bits >> 8) / real(1 << 24) - real(0.5);
  }
  return tensor;
}

} // namespace bench

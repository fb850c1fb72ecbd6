// Times the kernels on every instruction set, beside the limits of the machine that it measures
// first: build/bench [--benchmark_filter=REGEX ...]. Run it on an idle machine.
#include "core/parallel.h"
#include "kernels/convolution.h"
#include "kernels/gemm.h"

#include <mereo/core.h>
#include <mereo/isa.h>
#include <mereo/memory.h>
#include <mereo/random.h>

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdio>
#include <functional>
#include <map>
#include <string>
#include <vector>

using namespace mereo;

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// The shortest of some runs, in seconds: what the machine can do, not what disturbed it.
double best_time(int runs, const std::function<void()>& work) {
  double best = 1e30;
  for (int run = 0; run < runs; ++run) {
    const Clock::time_point start = Clock::now();
    work();
    best = std::min(best, seconds_since(start));
  }
  return best;
}

// ---- The limits of the machine ------------------------------------------------------------------

/// FMA peak of the instruction set in use on threads() threads, GFLOP/s.
double measure_peak() {
  const GemmKernels& gemm = kernels().gemm;
  constexpr std::int64_t steps = 1000000;
  const double time = best_time(8, [&] {
    parallel_for(threads(), [&](std::int64_t) { benchmark::DoNotOptimize(gemm.peak(steps)); });
  });
  return 1e-9 * double(steps * gemm.peak_operations * threads()) / time;
}

/// By instruction set and number of threads, measured once each.
double peak() {
  static std::map<std::pair<std::string, int>, double> known;
  double& value = known[{isa(), threads()}];
  if (value == 0)
    value = measure_peak();
  return value;
}

/// Reading, and z = x + y counted as two reads and a write, of arrays far larger than any cache:
/// GB/s.
void print_bandwidth() {
  constexpr std::int64_t n = 1 << 26, grain = 1 << 16;
  std::vector<real> x(n, real(1)), y(n, real(2)), z(n);
  const ElementwiseKernels& table = kernels().elementwise;
  const double read = best_time(5, [&] {
    parallel_chunks(n, grain, [&](std::int64_t begin, std::int64_t end) {
      benchmark::DoNotOptimize(table.sum(end - begin, x.data() + begin));
    });
  });
  const double add = best_time(5, [&] {
    parallel_chunks(n, grain, [&](std::int64_t begin, std::int64_t end) {
      table.add(end - begin, x.data() + begin, y.data() + begin, z.data() + begin);
    });
  });
  const double gigabytes = 1e-9 * double(n * sizeof(real));
  std::printf("memory, %d threads: read %.1f GB/s, add %.1f GB/s\n", threads(), gigabytes / read,
              3 * gigabytes / add);
}

std::vector<int> thread_counts() {
  const int all = threads();
  return all == 1 ? std::vector<int>{1} : std::vector<int>{1, all};
}

void print_limits(const std::vector<int>& counts) {
  for (const std::string& name : available_isas()) {
    set_isa(name);
    for (int count : counts) {
      set_threads(count);
      std::printf("FMA peak, %s, %d threads: %.1f GFLOP/s\n", name.c_str(), count, peak());
    }
  }
  set_isa(available_isas().front());
  for (int count : counts) {
    set_threads(count);
    print_bandwidth();
  }
}

// ---- What is timed ------------------------------------------------------------------------------

constexpr std::int64_t parameters = 8215568; // of CapsNet

/// Memory for the operands, the same for all benchmarks, filled with numbers around zero.
struct Operands {
  static constexpr std::int64_t size = 128 * 20 * 20 * 256;
  AlignedBytes bytes[4];
  real *x, *y, *z, *w;
  std::vector<real> squares = std::vector<real>(parameters, real(1)); // Adam's second moments
  Arena arena;

  Operands() {
    real** const arrays[] = {&x, &y, &z, &w};
    Random random(1);
    for (int i = 0; i < 4; ++i) {
      bytes[i] = allocate_aligned(size * sizeof(real));
      *arrays[i] = reinterpret_cast<real*>(bytes[i].get());
      for (std::int64_t e = 0; e < size; ++e)
        (*arrays[i])[e] = real(random.uniform() - 0.5);
    }
  }
};

Operands& operands() {
  static Operands all;
  return all;
}

struct Benchmark {
  std::string name;
  double operations; // floating-point, per run; 0 where bytes are what counts
  double bytes;
  std::function<void()> work;
};

/// The dense layers' three products: y = x w, grad_x = grad_y w^T, grad_w += x^T grad_y.
void add_dense(std::vector<Benchmark>& all, std::int64_t batch, std::int64_t inputs,
               std::int64_t outputs) {
  Operands& o = operands();
  const double operations = 2.0 * double(batch * inputs * outputs);
  const std::string name = "dense/" + std::to_string(inputs) + "x" + std::to_string(outputs) +
                           "/batch:" + std::to_string(batch);
  const Gemm forward{batch, outputs, inputs, o.x, inputs, false, o.w, outputs, false, o.y, outputs};
  const Gemm input{batch, inputs, outputs, o.y, outputs, false, o.w, outputs, true, o.x, inputs};
  Gemm weight{inputs, outputs, batch, o.x, inputs, true, o.y, outputs, false, o.z, outputs};
  weight.accumulate = true;
  all.push_back({name + "/forward", operations, 0, [=, &o] { gemm(forward, o.arena); }});
  all.push_back({name + "/grad_input", operations, 0, [=, &o] { gemm(input, o.arena); }});
  all.push_back({name + "/grad_weight", operations, 0, [=, &o] { gemm(weight, o.arena); }});
}

void add_convolution(std::vector<Benchmark>& all, const std::string& name,
                     const ConvolutionShape& s, bool with_input_gradient) {
  Operands& o = operands();
  const double operations = 2.0 * double(s.batch * s.out_height * s.out_width * s.filters) *
                            double(s.kernel_height * s.kernel_width * s.channels);
  const std::string full = name + "/batch:" + std::to_string(s.batch);
  all.push_back({full + "/forward", operations, 0, [=, &o] {
                   convolution_forward(s, o.x, o.w, 1, o.w, Activation::relu, o.y, o.arena);
                 }});
  all.push_back({full + "/grad_weight", operations, 0,
                 [=, &o] { convolution_grad_weight(s, o.x, o.y, 1, o.z, false, o.arena); }});
  if (with_input_gradient)
    all.push_back({full + "/grad_input", operations, 0,
                   [=, &o] { convolution_grad_input(s, o.y, o.w, 1, o.z, false, o.arena); }});
}

void add_elementwise(std::vector<Benchmark>& all) {
  Operands& o = operands();
  constexpr std::int64_t grain = 1 << 14;
  all.push_back({"adam/8.2M", 0, 7.0 * parameters * sizeof(real), [&o] {
                   const AdamStep step{real(1e-3), real(0.9), real(0.999), real(1e-8), 1, 1, 1};
                   parallel_chunks(parameters, grain, [&](std::int64_t begin, std::int64_t end) {
                     kernels().elementwise.adam(end - begin, step, o.x + begin, o.y + begin,
                                                o.squares.data() + begin, o.z + begin);
                   });
                 }});
  constexpr std::int64_t capsules = 128 * 1152, pose = 8;
  all.push_back({"squash/128x1152x8", 0, 2.0 * capsules * pose * sizeof(real), [&o] {
                   parallel_chunks(capsules, grain, [&](std::int64_t begin, std::int64_t end) {
                     kernels().elementwise.squash(end - begin, pose, o.x + begin * pose,
                                                  o.y + begin * pose);
                   });
                 }});
}

std::vector<Benchmark> benchmarks() {
  std::vector<Benchmark> all;
  const Operands& o = operands();
  const Gemm square{2048, 2048, 2048, o.x, 2048, false, o.w, 2048, false, o.y, 2048};
  all.push_back(
      {"gemm/2048", 2.0 * 2048 * 2048 * 2048, 0, [square] { gemm(square, operands().arena); }});
  for (std::int64_t batch : {128, 16, 1}) {
    add_convolution(all, "conv1", {batch, 28, 28, 1, 9, 9, 256, 1, 0, 0, 20, 20}, false);
    add_convolution(all, "primary", {batch, 20, 20, 256, 9, 9, 256, 2, 0, 0, 6, 6}, true);
    add_dense(all, batch, 160, 512);
    add_dense(all, batch, 512, 1024);
    add_dense(all, batch, 1024, 784);
  }
  add_elementwise(all);
  return all;
}

void run(benchmark::State& state, const Benchmark& what, const std::string& isa, int threads) {
  set_isa(isa);
  set_threads(threads);
  what.work(); // the arena grows, pages are touched
  for (auto _ : state)
    what.work();
  using benchmark::Counter;
  const double runs = double(state.iterations());
  if (what.operations > 0) {
    state.counters["GFLOP/s"] = Counter(1e-9 * what.operations * runs, Counter::kIsRate);
    state.counters["%peak"] = Counter(1e-7 * what.operations * runs / peak(), Counter::kIsRate);
  } else {
    state.counters["GB/s"] = Counter(1e-9 * what.bytes * runs, Counter::kIsRate);
  }
}

} // namespace

int main(int count, char** arguments) {
  benchmark::Initialize(&count, arguments);
  if (benchmark::ReportUnrecognizedArguments(count, arguments))
    return 1;
  const std::vector<int> counts = thread_counts();
  print_limits(counts);
  for (const std::string& isa : available_isas()) {
    if (isa == "reference")
      continue;
    for (const Benchmark& what : benchmarks())
      for (int threads : counts) {
        const std::string name = what.name + "/" + isa + "/threads:" + std::to_string(threads);
        benchmark::RegisterBenchmark(
            name.c_str(), [=](benchmark::State& state) { run(state, what, isa, threads); })
            ->UseRealTime()
            ->Unit(benchmark::kMillisecond);
      }
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

// Which table of kernels the program uses: asked of the processor and the operating system once.
#include "kernels/table.h"

#include <mereo/isa.h>

#include <atomic>
#include <cstdlib>

// X(name, condition) for every instruction set built into this library, best first. The condition
// names single features because not every compiler knows the levels of x86-64; the test behind
// __builtin_cpu_supports also asks whether the operating system saves the wide registers.
#if defined(MEREO_DOUBLE)
#define MEREO_VECTOR_ISAS(X)
#elif defined(__x86_64__)
#define MEREO_VECTOR_ISAS(X)                                                                       \
  X(avx512, MEREO_HAS("avx512f") && MEREO_HAS("avx512cd") && MEREO_HAS("avx512bw") &&              \
                MEREO_HAS("avx512dq") && MEREO_HAS("avx512vl") && MEREO_HAS("fma"))                \
  X(avx2, MEREO_HAS("avx2") && MEREO_HAS("fma") && MEREO_HAS("bmi2"))                              \
  X(sse2, true)
#elif defined(__aarch64__)
#define MEREO_VECTOR_ISAS(X) X(neon, true)
#else
#define MEREO_VECTOR_ISAS(X)
#endif
#define MEREO_ISAS(X) MEREO_VECTOR_ISAS(X) X(reference, true)
#define MEREO_HAS(feature) __builtin_cpu_supports(feature)

namespace mereo {

#define MEREO_DECLARE(isa, condition)                                                              \
  namespace isa {                                                                                  \
  extern const ArithmeticKernels arithmetic_kernels;                                               \
  extern const RowKernels row_kernels;                                                             \
  extern const OptimiserKernels optimiser_kernels;                                                 \
  extern const GemmKernels gemm_kernels;                                                           \
  extern const RoutingKernels routing_kernels;                                                     \
  extern const WinogradKernels winograd_kernels;                                                   \
  extern const PoolingKernels pooling_kernels;                                                     \
  extern const EmKernels em_kernels;                                                               \
  }
MEREO_ISAS(MEREO_DECLARE)

namespace {

struct Candidate {
  bool runs_here;
  Kernels table;
};

const std::vector<Candidate>& candidates() {
#if defined(__x86_64__)
  __builtin_cpu_init();
#endif
#define MEREO_CANDIDATE(isa, condition)                                                            \
  {bool(condition),                                                                                \
   {#isa,                                                                                          \
    {isa::arithmetic_kernels, isa::row_kernels, isa::optimiser_kernels},                           \
    isa::gemm_kernels,                                                                             \
    isa::routing_kernels,                                                                          \
    isa::winograd_kernels,                                                                         \
    isa::pooling_kernels,                                                                          \
    isa::em_kernels}},
  static const std::vector<Candidate> all = {MEREO_ISAS(MEREO_CANDIDATE)};
  return all;
}

std::string available_names() {
  std::string names;
  for (const std::string& name : available_isas())
    names += (names.empty() ? "" : ", ") + name;
  return names;
}

const Kernels& find(const std::string& name, const char* where) {
  for (const Candidate& candidate : candidates()) {
    if (name != candidate.table.name)
      continue;
    if (candidate.runs_here)
      return candidate.table;
    throw Error(where, "this machine cannot run the instruction set", name,
                "it can run " + available_names());
  }
  throw Error(where, "unknown instruction set", name, "this machine can run " + available_names());
}

const Kernels& best() {
  for (const Candidate& candidate : candidates())
    if (candidate.runs_here)
      return candidate.table;
  return candidates().back().table;
}

const Kernels& first_choice() {
  const char* wanted = std::getenv("MEREO_ISA");
  return wanted && *wanted ? find(wanted, "MEREO_ISA") : best();
}

std::atomic<const Kernels*> current{nullptr};

} // namespace

const Kernels& kernels() {
  const Kernels* table = current.load(std::memory_order_acquire);
  if (table)
    return *table;
  const Kernels& choice = first_choice();
  // Where two threads get here together, or set_isa() came first, the table is the one that was
  // stored.
  if (current.compare_exchange_strong(table, &choice))
    return choice;
  return *table;
}

const Kernels& kernels(const char* isa) {
  return find(isa, "kernels");
}

std::string isa() {
  return kernels().name;
}

std::vector<std::string> available_isas() {
  std::vector<std::string> names;
  for (const Candidate& candidate : candidates())
    if (candidate.runs_here)
      names.emplace_back(candidate.table.name);
  return names;
}

void set_isa(const std::string& name) {
  current.store(&find(name, "set_isa"));
}

} // namespace mereo

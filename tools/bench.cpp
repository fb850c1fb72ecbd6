// Times kernels and networks beside the limits of the machine, compares two such runs, and tells
// where the time of a training step goes. Run it on an idle machine.
#include "bench/cases.h"
#include "bench/compare.h"
#include "bench/limits.h"
#include "bench/profile.h"
#include "cli.h"
#include "models/capsnet_config.h"

#include <mereo/isa.h>

#include <benchmark/benchmark.h>

namespace {

using namespace mereo;

const char* const more_help = R"(
Benchmarks are named family/what/batch:N/isa/threads:N, as in capsnet/train/batch:128/avx2/threads:2.
GFLOP/s counts what is executed, %peak is its share of the FMA peak measured between its
rounds, at the clock that it has; direct_GFLOP/s is what the plain sum (or votes formed once) would
have needed in that time. google-benchmark's options choose and
write:
  --benchmark_filter=REGEX          e.g. ^capsnet/train, primary-.*/batch:128/avx512/threads:2
  --benchmark_list_tests            their names
  --benchmark_min_time=SECONDS      time at least so long
  --benchmark_repetitions=N         times over, for medians and the spread of --compare
  --benchmark_out=FILE              also as JSON, for --compare
Its warning that the library was built as DEBUG is about google-benchmark itself, not about Mereo.

  bench --benchmark_filter=routing --benchmark_repetitions=5 --benchmark_out=before.json
  bench --compare before.json after.json
  bench --profile --batch 16 --conv-tile 3)";

struct Arguments {
  std::vector<std::string> compare;
  bool profile = false, no_limits = false;
  std::int64_t batch = 128;
  int conv_tile = 0, threads = 1;
  std::string conv, isa;
};

void declare(CLI::App& app, Arguments& a) {
  app.add_option("--compare", a.compare, "Two files of --benchmark_out=: times, ratios, their mean")
      ->type_name("A.json B.json")
      ->expected(2);
  app.add_flag("--profile", a.profile, "Where the time of CapsNet's training step goes");
  app.add_option("--batch", a.batch, "Pictures in that step")
      ->check(cli::whole(1))
      ->capture_default_str();
  app.add_option("--conv", a.conv, "How its convolutions are computed [auto]")
      ->check(cli::one_of({"auto", "direct", "winograd"}));
  app.add_option("--conv-tile", a.conv_tile, "Outputs of its Winograd tiles [as train]")
      ->check(cli::whole(1));
  app.add_option("--isa", a.isa, "Instruction set of that step [the best]");
  cli::add_threads(app, a.threads);
  app.add_flag("--no-limits", a.no_limits, "Do not measure and print the limits first");
  app.footer(more_help);
}

CapsNetConfig network(const Arguments& a) {
  Fields settings;
  if (!a.conv.empty())
    settings.emplace_back("convolution", a.conv);
  if (a.conv_tile > 0)
    settings.emplace_back("convolution_tile", std::int64_t(a.conv_tile));
  return parse_capsnet_config(to_json(settings));
}

int run_benchmarks(std::vector<char*>& arguments, bool limits) {
  for (const char* argument : arguments)
    limits = limits && !std::string_view(argument).starts_with("--benchmark_list_tests");
  int count = int(arguments.size());
  benchmark::Initialize(&count, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data()))
    return cli::usage_failure;
  bench::register_cases();
  if (limits)
    bench::print_limits();
  return benchmark::RunSpecifiedBenchmarks() > 0 ? 0 : cli::failure;
}

int run(int argc, char** argv) {
  std::vector<char*> ours = {argv[0]}, theirs = {argv[0]};
  for (int i = 1; i < argc; ++i)
    (std::string_view(argv[i]).starts_with("--benchmark_") ? theirs : ours).push_back(argv[i]);
  Arguments a;
  CLI::App app("Times kernels and networks on every instruction set, beside what the machine could "
               "do at most.");
  declare(app, a);
  if (const auto code = cli::parse(app, int(ours.size()), ours.data()))
    return *code;
  if (!a.compare.empty()) {
    bench::compare(a.compare[0], a.compare[1]);
    return 0;
  }
  set_threads(a.threads);
  if (!a.isa.empty())
    set_isa(a.isa);
  if (!a.profile)
    return run_benchmarks(theirs, !a.no_limits);
  bench::profile(network(a), a.batch);
  return 0;
}

} // namespace

int main(int argc, char** argv) {
  return cli::guarded(argv[0], [&] { return run(argc, argv); });
}

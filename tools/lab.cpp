// Runs the experiments that put what the papers claim to the test.
#include "cli.h"
#include "lab/experiments.h"
#include "progress.h"

namespace {

using namespace mereo;

const char* const more_help = R"(
What networks have learnt stays in OUT/BUDGET/DATA/NETWORK-SEED, run folders as train writes them: an
experiment that was interrupted goes on where it was, and one that is finished only reports again.
Of all experiments, those whose data is not there are left out, and named at the end.
Its results are in OUT/BUDGET: EXPERIMENT.md, .json (all numbers, by seed) and .png.

  lab --list
  lab viewpoint --seeds 3
  lab all --readme README.md
  lab ablation --epochs 1 --train-limit 500 --test-limit 200 --seeds 1 --out /tmp/look)";

struct Arguments {
  std::string experiment, budget = "small", readme;
  lab::LabOptions options;
  int threads = 1;
  bool list = false, quiet = false;
};

std::vector<std::string> names() {
  std::vector<std::string> names = {"all"};
  for (const lab::Experiment& experiment : lab::experiments())
    names.emplace_back(experiment.name);
  return names;
}

void describe(CLI::App& app, Arguments& a) {
  app.option_defaults()->take_last();
  const auto add = [&](const char* flag, auto& value, const std::string& text) {
    return app.add_option(flag, value, text)->capture_default_str();
  };
  app.add_option("EXPERIMENT", a.experiment,
                 "Which, or all, one after the other: " + cli::one_of(names()).get_description());
  app.add_flag("--list", a.list, "What they ask and how long they take, and nothing else");
  add("--seeds", a.options.seeds, "Networks of each kind, from seeds 1, 2, ...")
      ->check(cli::whole(1, 1000));
  add("--budget", a.budget,
      "small: smaller networks, shorter training; full: the papers' networks, all of the data")
      ->check(cli::one_of({"small", "full"}));
  add("--data-dir", a.options.data_dir, "Where data sets are");
  add("--out", a.options.folder, "Where networks and results go");
  app.add_option("--readme", a.readme,
                 "Put all results of this budget into this file, between its lines <!-- lab: begin "
                 "--> and <!-- lab: end -->");
  app.add_option("--epochs", a.options.epochs,
                 "For a quick look: so many instead of the budget's (in a folder of its own)")
      ->check(cli::whole(1));
  app.add_option("--train-limit", a.options.train_limit, "And so many pictures to train on")
      ->check(cli::whole(1));
  app.add_option("--test-limit", a.options.test_limit, "And so many of each test set")
      ->check(cli::whole(1));
  cli::add_threads(app, a.threads);
  app.add_flag("--quiet", a.quiet, "Say only what comes out");
  app.footer(more_help);
}

/// Progress with a line for each network, and without what train tells of its layers.
class LabProgress : public lab::LabListener {
public:
  explicit LabProgress(bool quiet) : progress_(quiet), quiet_(quiet) {}

  void network(const std::string& name, const std::string& data, std::uint64_t seed) override {
    progress_.clear();
    if (!quiet_)
      std::printf("%s on %s, seed %llu\n", name.c_str(), data.c_str(), (unsigned long long)(seed));
    std::fflush(stdout);
  }
  void stepped(const TrainProgress& p) override { progress_.stepped(p); }
  void evaluated(std::int64_t done, std::int64_t count) override {
    progress_.evaluated(done, count);
  }
  void epoch_finished(const EpochResult& epoch) override { progress_.epoch_finished(epoch); }
  bool stop() override { return progress_.stop(); }
  void clear() { progress_.clear(); }

private:
  cli::Progress progress_;
  bool quiet_;
};

/// The command that gives the same, without what does not change it.
std::string command(const Arguments& a, const char* experiment) {
  std::string text = std::string("build/lab ") + experiment + " --seeds " +
                     std::to_string(a.options.seeds) + " --budget " + a.budget;
  const auto add = [&](const char* flag, std::int64_t value) {
    if (value > 0)
      text += std::string(" ") + flag + " " + std::to_string(value);
  };
  add("--epochs", a.options.epochs);
  add("--train-limit", a.options.train_limit);
  add("--test-limit", a.options.test_limit);
  return text;
}

void run(const lab::Experiment& experiment, const Arguments& a, LabProgress& progress) {
  lab::Lab lab(a.options, progress);
  lab::Report report = experiment.run(lab);
  progress.clear();
  report.experiment = experiment.name;
  report.command = command(a, experiment.name);
  report.seeds = a.options.seeds;
  report.seconds = lab.seconds();
  const std::string path = a.options.folder + "/" + a.budget + "/" + experiment.name;
  write_file_atomically(path + ".json", lab::json(report));
  write_file_atomically(path + ".md", lab::markdown(report));
  write_png(path + ".png", lab::figure(report));
  std::printf("\n%s\n%s\n", experiment.question, lab::markdown(report).c_str());
  std::fflush(stdout);
}

/// Runs what was asked for; of all experiments those that can be run, and tells which cannot, with
/// what keeps them from it, such as data that is missing: "NAME: why", a line each.
std::vector<std::string> run_asked(const Arguments& a, LabProgress& progress) {
  std::vector<std::string> left_out;
  for (const lab::Experiment& experiment : lab::experiments()) {
    if (a.experiment != "all" && a.experiment != experiment.name)
      continue;
    try {
      run(experiment, a, progress);
    } catch (const Error& error) {
      if (a.experiment != "all")
        throw;
      progress.clear();
      left_out.push_back(std::string(experiment.name) + ": " + error.what());
      std::printf("\nleft out: %s\n", left_out.back().c_str());
      std::fflush(stdout);
    }
  }
  return left_out;
}

/// All results of this budget that are there, in the order of the experiments.
void write_readme(const Arguments& a) {
  std::string results;
  for (const lab::Experiment& experiment : lab::experiments()) {
    const std::string path = a.options.folder + "/" + a.budget + "/" + experiment.name + ".md";
    if (std::filesystem::exists(path))
      results += std::string("\n**") + experiment.question + "** " + read_file(path);
  }
  write_file_atomically(a.readme, lab::replace_results(read_file(a.readme), results + "\n"));
}

int run(int argc, char** argv) {
  Arguments a;
  CLI::App app(
      "Puts what the papers claim of capsules to the test: trains networks, measures them, "
      "and tells mean and deviation over seeds. Ctrl-C saves and leaves; the same command "
      "goes on.");
  describe(app, a);
  if (const auto code = cli::parse(app, argc, argv))
    return *code;
  if (a.list) {
    for (const lab::Experiment& e : lab::experiments())
      std::printf("%-10s %s\n%-10s small: %s, full: about %s\n", e.name, e.question, "",
                  e.small_time, e.full_time);
    return 0;
  }
  if (a.experiment.empty())
    throw cli::UsageError("which experiment? " + cli::one_of(names()).get_description());
  // Not while parsing, where it would come before a complaint of an unknown flag.
  if (const std::string problem = cli::one_of(names())(a.experiment); !problem.empty())
    throw cli::UsageError("EXPERIMENT: " + problem);
  a.options.budget = a.budget == "small" ? lab::Budget::small : lab::Budget::full;
  if (!a.readme.empty())
    lab::replace_results(read_file(a.readme), ""); // complains before hours have passed
  set_threads(a.threads);
  cli::catch_stop_signals();
  LabProgress progress(a.quiet);
  std::vector<std::string> left_out;
  try {
    left_out = run_asked(a, progress);
  } catch (const lab::Stopped&) {
    progress.clear();
    std::printf("stopped and saved; the same command goes on from here\n");
    return 128 + cli::stop_signal;
  }
  if (!a.readme.empty())
    write_readme(a);
  if (left_out.empty())
    return 0;
  std::printf("left out:\n");
  for (const std::string& line : left_out)
    std::printf("  %s\n", line.c_str());
  std::fflush(stdout);
  throw Error("lab all", std::to_string(left_out.size()) + " of " +
                             std::to_string(lab::experiments().size()) +
                             " experiments were left out");
}

} // namespace

int main(int argc, char** argv) {
  return cli::guarded(argv[0], [&] { return run(argc, argv); });
}

// Trains a network on labelled pictures and, at the end, tells its error on the test set.
#include "data/norb.h"
#include "maker.h"
#include "progress.h"
#include "train/run_report.h"
#include "train_model.h"

#include <sys/resource.h>

namespace {

using namespace mereo;

/// Makes those parts of toys that are not there; false when stopped.
bool make_toys_if_missing(const cli::TrainArguments& a) {
  const std::string folder = a.data_dir + "/toys";
  for (const Split split : {Split::train, Split::test}) {
    const NorbPaths paths = norb_paths("toys", split, folder);
    if (cli::is_there(paths.dat) && cli::is_there(paths.cat) && cli::is_there(paths.info))
      continue;
    if (!cli::make_toys_part(folder, split, {}, a.quiet))
      return false;
  }
  return true;
}

/// What the run will do, as far as it is not said by the run itself.
void show_configuration(const cli::TrainArguments& a, Model& model) {
  const TrainOptions& o = a.options;
  std::printf("%s on %s, run folder %s\n ", a.model.c_str(), a.data.c_str(), a.out.c_str());
  for (const auto& [key, value] : parse_json_object(model.config()))
    std::printf(" %s=%s", key.c_str(), value_text(value).c_str());
  std::printf("\nepochs %lld, batch %lld, %s, learning rate %g, %s", (long long)(o.epochs),
              (long long)(o.batch), o.optimizer.c_str(), o.schedule.start, a.schedule.c_str());
  if (o.schedule.kind == Schedule::Kind::exponential || o.schedule.kind == Schedule::Kind::step)
    std::printf(" %g every %g steps", o.schedule.decay, o.schedule.period);
  if (o.schedule.warmup > 0)
    std::printf(" after %g steps of warm-up", o.schedule.warmup);
  std::printf(", shift %d, clip %g, seed %llu\n", o.view.max_shift, o.clip,
              (unsigned long long)(o.seed));
  if (o.view.crop > 0 || !o.view.keeps_range())
    std::printf("pictures: brightness +-%g, contrast 1 +- %g, crop %lld, %s\n", o.view.brightness,
                o.view.contrast, (long long)(o.view.crop),
                o.view.standardize ? "standardised" : "not standardised");
  std::fflush(stdout);
}

double test_error(const std::string& checkpoint, const Dataset& test, const cli::TrainArguments& a,
                  cli::Progress& progress) {
  const LoadedModel loaded = load_model(checkpoint);
  const Evaluation judged =
      evaluate(*loaded.model, test,
               {.batch = a.options.batch, .view = loaded.info.view, .listener = &progress});
  progress.clear();
  return judged.error_percent();
}

/// Judges the finished run by the test set, which nothing before this has looked at.
void report_test(const TrainResult& result, const Dataset& test, const cli::TrainArguments& a,
                 cli::Progress& progress) {
  const bool validated = result.best_epoch > 0, same = result.best_epoch == result.epochs;
  Fields report = {{"pictures", test.count}, {"epochs", result.epochs}};
  if (validated) {
    const double error = test_error(result.best_checkpoint, test, a, progress);
    if (cli::stop_signal)
      return;
    std::printf("test error %.2f %% (%lld pictures), epoch %lld, the best by validation%s\n", error,
                (long long)(test.count), (long long)(result.best_epoch),
                same ? ", which is the last" : "");
    report.emplace_back("best_epoch", result.best_epoch);
    report.emplace_back("best_validation_error_percent", result.best_error_percent);
    report.emplace_back("best_test_error_percent", error);
  }
  if (!validated || !same) {
    const double error = test_error(result.last_checkpoint, test, a, progress);
    if (cli::stop_signal)
      return;
    std::printf("test error %.2f %% (%lld pictures), epoch %lld, the last\n", error,
                (long long)(test.count), (long long)(result.epochs));
    report.emplace_back("last_test_error_percent", error);
  }
  write_file_atomically(a.out + "/test.json", to_json(report) + "\n");
  write_run_report(a.out);
}

/// Most memory this process had at any time, in MiB.
double peak_memory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
#ifdef __APPLE__
  return double(usage.ru_maxrss) / (1 << 20);
#else
  return double(usage.ru_maxrss) / (1 << 10);
#endif
}

/// The test set, or nothing for a folder that has none.
std::optional<Dataset> load_test(const cli::TrainArguments& a, const PictureOptions& form) {
  if (a.data.starts_with("folder:") && !std::filesystem::exists(a.data.substr(7) + "/test"))
    return {};
  return load_dataset(a.data, Split::test, a.data_dir, form);
}

int run(int argc, char** argv) {
  cli::TrainArguments a;
  CLI::App app("Trains a capsule network and tells its error on the test set. Ctrl-C saves and "
               "leaves; --resume continues.");
  cli::describe(app, a);
  if (const auto code = cli::parse(app, argc, argv))
    return *code;
  const Fields file = cli::settle(app, a);
  set_threads(a.threads);
  cli::catch_stop_signals();
  if (a.instead) {
    std::fprintf(stderr,
                 "note: MNIST is not in %s/mnist (tools/fetch.sh mnist fetches it): training on "
                 "toys instead\n",
                 a.data_dir.c_str());
    if (!make_toys_if_missing(a))
      return cli::stopped_making();
  }
  const PictureOptions form{a.channels, a.image_size, a.image_size};
  const Dataset training = load_dataset(a.data, Split::train, a.data_dir, form);
  const std::optional<Dataset> test = load_test(a, form);
  const std::unique_ptr<Model> model = cli::build(a, training, file);
  if (test)
    check_fits(model->input(), *test, a.options.view);
  if (!a.quiet)
    show_configuration(a, *model);

  cli::Progress progress(a.quiet);
  const TrainResult result = train(*model, training, a.options, progress);
  progress.clear();
  if (!result.stopped && test)
    report_test(result, *test, a, progress);
  if (cli::stop_signal) {
    std::printf("stopped after step %lld and saved; continue with: %s --resume --out %s\n",
                (long long)(result.steps), argv[0], a.out.c_str());
    return 128 + cli::stop_signal;
  }
  std::printf("%lld epochs in %s, peak memory %.0f MiB; checkpoints, history and pictures in %s\n",
              (long long)(result.epochs), cli::duration(result.seconds).c_str(), peak_memory(),
              a.out.c_str());
  return 0;
}

} // namespace

int main(int argc, char** argv) {
  return cli::guarded(argv[0], [&] { return run(argc, argv); });
}

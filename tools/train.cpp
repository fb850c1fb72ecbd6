// Trains a network on labelled pictures and, at the end, tells its error on the test set.
#include "cli.h"
#include "models/capsnet_config.h"
#include "models/cnn_config.h"
#include "models/matrix_capsnet_config.h"
#include "progress.h"
#include "train/fields.h"
#include "train/run_report.h"

#include <sys/resource.h>

namespace {

using namespace mereo;

struct Arguments {
  std::string data = "mnist", data_dir = "data", model = "capsnet", recipe, preset, convolution,
              out, config;
  std::vector<std::string> model_config;
  int channels = 0, routing_iterations = 0, convolution_tile = 0, threads = 1;
  std::int64_t image_size = 0;
  TrainOptions options;
  std::string schedule = schedule_name(options.schedule.kind);
  bool quiet = false;
};

void describe(CLI::App& app, Arguments& a) {
  TrainOptions& o = a.options;
  app.option_defaults()->take_last();
  const auto add = [&](const char* flag, auto& value, const std::string& text) {
    return app.add_option(flag, value, text)->capture_default_str();
  };
  add("--data", a.data, "Data set: " + cli::data_names())->check(cli::data_name());
  add("--data-dir", a.data_dir, "Where data sets are");
  add("--image-size", a.image_size,
      "Resize pictures of a folder or NORB set to this height and width; 0: as they are, NORB to "
      "48")
      ->check(cli::whole(0));
  add("--channels", a.channels,
      "Channels of pictures of a folder or NORB set: 1 grey or the left one of each pair, 2 the "
      "pair, "
      "3 colour; 0: as they are")
      ->check(cli::whole(0));
  add("--model", a.model, "Network")->check(cli::one_of(model_names()));
  app.add_option("--recipe", a.recipe,
                 "Of capsnet: what to do where the paper and its authors' code differ [paper]")
      ->check(cli::one_of({"paper", "authors"}));
  app.add_option("--preset", a.preset,
                 "The size. Of matrix-capsnet: paper or small, 310 or 68 thousand parameters "
                 "[paper]. Of cnn: mnist, multimnist or norb as in the papers, parameters or "
                 "compute for about as many as CapsNet has, small for about those of the small "
                 "matrix-capsnet; how many they are depends on the size of the pictures [norb]")
      ->check(
          cli::one_of({"paper", "small", "mnist", "multimnist", "norb", "parameters", "compute"}));
  app.add_option("--routing-iterations", a.routing_iterations, "Iterations of routing [3]")
      ->check(cli::whole(1));
  app.add_option("--conv", a.convolution, "How convolutions are computed [auto]")
      ->check(cli::one_of({"auto", "direct", "winograd"}));
  app.add_option("--conv-tile", a.convolution_tile,
                 "Outputs of a Winograd tile along each axis: 3 is more exact, 6 faster [6]")
      ->check(cli::whole(1));
  app.add_option("--model-config", a.model_config,
                 "More of the network: key=value, with the keys that config.json has as model.KEY")
      ->allow_extra_args(false)
      ->take_all();
  add("--epochs", o.epochs, "Times to go through the data")->check(cli::whole(1));
  add("--batch", o.batch, "Pictures per step")->check(cli::whole(1));
  add("--optimizer", o.optimizer, "How to step")->check(cli::one_of({"adam", "sgd"}));
  add("--lr", o.schedule.start, "Learning rate at the start")->check(cli::number(0, true));
  add("--lr-floor", o.schedule.floor, "Learning rate at the end of a decay")
      ->check(cli::number(0, false));
  add("--warmup", o.schedule.warmup,
      "Steps over which the learning rate rises to its start; 0: none")
      ->check(cli::number(0, false));
  add("--schedule", a.schedule, "How the learning rate falls")
      ->check(cli::one_of({"constant", "exponential", "step", "cosine"}));
  add("--decay", o.schedule.decay, "Its factor, exponential and step")
      ->check(cli::number(0, true, 1));
  add("--decay-steps", o.schedule.period, "Steps for one such factor")->check(cli::number(0, true));
  add("--clip", o.clip, "Longest gradient; 0: no limit")->check(cli::number(0, false));
  app.add_option("--weight-decay", o.weight_decay,
                 "Minimise half the sum of squares of the weights too, with this factor [2e-7 for "
                 "matrix-capsnet, 0 for others]")
      ->check(cli::number(0, false));
  add("--margin-steps", o.margin_steps,
      "Steps in which the margin of a spread loss rises; 0: all of the run")
      ->check(cli::number(0, false));
  app.add_option("--shift", o.view.max_shift,
                 "Shift pictures at random by up to so many pixels [2, NORB sets 0]")
      ->check(cli::whole(0));
  app.add_option(
         "--brightness", o.view.brightness,
         "Add a random number to a picture's pixels, up to so far from 0; white is 1 [0, NORB "
         "sets 63/255]")
      ->check(cli::number(0, false, 1));
  app.add_option("--contrast", o.view.contrast,
                 "Multiply its contrast by a random number up to so far from 1 [0, NORB sets 0.8]")
      ->check(cli::number(0, false, 1));
  app.add_option("--crop", o.view.crop,
                 "Show the network so many pixels a side, at random to train, otherwise in the "
                 "middle; 0: the whole picture [0, NORB sets 32]")
      ->check(cli::whole(0));
  app.add_option("--standardize", o.view.standardize,
                 "1: bring each picture to mean 0 and deviation 1 [0, NORB sets 1]")
      ->check(cli::one_of({"0", "1"}));
  add("--validation", o.validation,
      "Pictures kept out of training to choose the best epoch by; -1: one in twelve")
      ->check(cli::whole(-1));
  add("--seed", o.seed, "Of everything random")->check(cli::whole(0));
  app.add_option("--out", a.out, "Run folder [runs/DATA]");
  app.add_flag("--resume", o.resume, "Continue the run in that folder, as it was started");
  add("--save-seconds", o.save_seconds, "Seconds between checkpoints within an epoch; 0: none")
      ->check(cli::number(0, false));
  add("--history-steps", o.history_steps, "Steps between lines of history within an epoch; 0: none")
      ->check(cli::whole(0));
  app.add_flag("--tensorboard", o.tensorboard,
               "Write the history to an event file, too, which TensorBoard reads");
  app.add_option("--config", a.config,
                 "Options from a file such as a run's config.json; those on "
                 "the command line count more");
  cli::add_threads(app, a.threads);
  app.add_flag("--quiet", a.quiet, "Say only how it ended");
}

std::string default_folder(const std::string& data) {
  std::string name = data;
  while (!name.empty() && name.back() == '/')
    name.pop_back();
  return "runs/" + name.substr(name.find_last_of("/:") + 1);
}

/// Fills in options from the run to be resumed, or from a configuration file. Returns that file's
/// fields.
Fields settle(CLI::App& app, Arguments& a) {
  // Facts in a config.json that are no options.
  const std::vector<std::string> facts = {"mereo", "isa", "pictures", "schedule_total",
                                          "margin_total"};
  if (a.out.empty())
    a.out = default_folder(a.data);
  const bool run = std::filesystem::exists(a.out + "/last.safetensors");
  if (a.options.resume && !run)
    throw Error(a.out, "there is no run to resume here", "", "name its folder with --out");
  if (a.options.resume && !a.config.empty())
    throw cli::UsageError("--config: a resumed run has its own configuration");
  if (!a.options.resume && run)
    throw Error(a.out, "there is a run in this folder already", "",
                "continue it with --resume, or choose another folder with --out");
  const std::string source = a.options.resume ? a.out + "/config.json" : a.config;
  Fields fields;
  if (!source.empty()) {
    try {
      fields = parse_json_object(read_file(source));
    } catch (const Error& error) {
      throw Error(source, error.problem, error.values);
    }
    cli::apply(app, fields, source, facts);
  }
  const View usual = usual_view(a.data);
  View& view = a.options.view;
  const auto choose = [&](const char* flag, auto& value, auto otherwise) {
    if (app.get_option(flag)->count() == 0)
      value = otherwise;
  };
  choose("--shift", view.max_shift, usual.max_shift);
  choose("--brightness", view.brightness, usual.brightness);
  choose("--contrast", view.contrast, usual.contrast);
  choose("--crop", view.crop, usual.crop);
  choose("--standardize", view.standardize, usual.standardize);
  if (!a.recipe.empty() && a.model != "capsnet")
    throw cli::UsageError("--recipe: is of capsnet, not " + a.model);
  if (!a.preset.empty() && a.model != "matrix-capsnet" && a.model != "cnn")
    throw cli::UsageError("--preset: is of matrix-capsnet and cnn, not " + a.model);
  if (app.get_option("--weight-decay")->count() == 0 && a.model == "matrix-capsnet")
    a.options.weight_decay = 2e-7; // the authors'
  a.options.schedule.kind = schedule_kind(a.schedule);
  a.options.directory = a.out;
  a.options.notes = {{"data_dir", a.data_dir},
                     {"image_size", a.image_size},
                     {"margin_steps", a.options.margin_steps},
                     {"channels", std::int64_t(a.channels)},
                     {"save_seconds", a.options.save_seconds},
                     {"history_steps", a.options.history_steps},
                     {"tensorboard", std::int64_t(a.options.tensorboard)}};
  return fields;
}

/// key=value, the value being a number, true, false or text.
std::pair<std::string, FieldValue> parse_setting(const std::string& text) {
  const auto equals = text.find('=');
  if (equals == 0 || equals == text.npos)
    throw cli::UsageError("--model-config: must be key=value, not \"" + text + "\"");
  const std::string key = text.substr(0, equals), value = text.substr(equals + 1);
  try {
    return {key, parse_json_object("{\"value\": " + value + "}").at(0).second};
  } catch (const Error&) {
    return {key, value};
  }
}

void set(Fields& fields, const std::string& key, const FieldValue& value) {
  std::erase_if(fields, [&](const auto& field) { return field.first == key; });
  fields.emplace_back(key, value);
}

/// What single options and --model-config ask of the network.
Fields single_settings(const Arguments& a) {
  Fields settings;
  if (a.routing_iterations > 0)
    set(settings, "routing_iterations", std::int64_t(a.routing_iterations));
  if (!a.convolution.empty())
    set(settings, "convolution", a.convolution);
  if (a.convolution_tile > 0)
    set(settings, "convolution_tile", std::int64_t(a.convolution_tile));
  for (const std::string& text : a.model_config) {
    const auto [key, value] = parse_setting(text);
    set(settings, key, value);
  }
  return settings;
}

/// The network that the options ask for, of the data's shape; `file` may bring "model." fields.
std::unique_ptr<Model> build(const Arguments& a, const Dataset& data, const Fields& file) {
  Fields wanted;
  for (const auto& [name, value] : file)
    if (name.starts_with("model."))
      set(wanted, name.substr(6), value);
  set(wanted, "height", a.options.view.seen(data.height));
  set(wanted, "width", a.options.view.seen(data.width));
  set(wanted, "channels", data.channels);
  set(wanted, "classes", data.classes);
  std::erase_if(wanted, [](const auto& field) { return field.first == "labels_per_image"; });
  if (data.labels_per_image > 1) // networks that know of one alone have no such key
    set(wanted, "labels_per_image", data.labels_per_image);
  const Fields settings = single_settings(a);
  if (!a.preset.empty())
    for (const auto& [key, value] :
         a.model == "cnn" ? cnn_preset(a.preset) : matrix_capsnet_preset(a.preset))
      set(wanted, key, value);
  if (a.recipe == "paper") // whatever a file says
    std::erase_if(wanted, [](const auto& field) {
      return field.first == "reconstruction_weight" || field.first == "primary_scale" ||
             field.first == "class_bias" || field.first == "authors_start";
    });
  for (const auto& [key, value] : settings)
    set(wanted, key, value);
  if (a.recipe == "authors") {
    // The recipe depends on the number of types, and single settings count more than it does.
    CapsNetConfig config = parse_capsnet_config(to_json(wanted));
    wanted = parse_json_object(capsnet_config_text(config.authors_recipe()));
    for (const auto& [key, value] : settings)
      set(wanted, key, value);
  }
  return make_model(a.model, to_json(wanted), a.options.seed);
}

/// What the run will do, as far as it is not said by the run itself.
void show_configuration(const Arguments& a, Model& model) {
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

double test_error(const std::string& checkpoint, const Dataset& test, const Arguments& a,
                  cli::Progress& progress) {
  const LoadedModel loaded = load_model(checkpoint);
  const Evaluation judged =
      evaluate(*loaded.model, test,
               {.batch = a.options.batch, .view = loaded.info.view, .listener = &progress});
  progress.clear();
  return judged.error_percent();
}

/// Judges the finished run by the test set, which nothing before this has looked at.
void report_test(const TrainResult& result, const Dataset& test, const Arguments& a,
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
std::optional<Dataset> load_test(const Arguments& a, const PictureOptions& form) {
  if (a.data.starts_with("folder:") && !std::filesystem::exists(a.data.substr(7) + "/test"))
    return {};
  return load_dataset(a.data, Split::test, a.data_dir, form);
}

int run(int argc, char** argv) {
  Arguments a;
  CLI::App app("Trains a capsule network and tells its error on the test set. Ctrl-C saves and "
               "leaves; --resume continues.");
  describe(app, a);
  if (const auto code = cli::parse(app, argc, argv))
    return *code;
  const Fields file = settle(app, a);
  set_threads(a.threads);
  const PictureOptions form{a.channels, a.image_size, a.image_size};
  const Dataset training = load_dataset(a.data, Split::train, a.data_dir, form);
  const std::optional<Dataset> test = load_test(a, form);
  const std::unique_ptr<Model> model = build(a, training, file);
  if (test)
    check_fits(model->input(), *test, a.options.view);
  if (!a.quiet)
    show_configuration(a, *model);

  cli::catch_stop_signals();
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

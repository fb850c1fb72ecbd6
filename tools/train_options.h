// The command line of build/train: what it takes, and what holds where it says nothing.
#pragma once

#include "cli.h"

#include <mereo/data.h>

namespace cli {

using namespace mereo;

/// All that one may ask of a run.
struct TrainArguments {
  std::string data = "mnist", data_dir = "data", model = "capsnet", recipe, preset, convolution,
              out, config;
  std::vector<std::string> model_config;
  int channels = 0, routing_iterations = 0, convolution_tile = 0, threads = 1;
  std::int64_t image_size = 0;
  TrainOptions options;
  std::string schedule = schedule_name(options.schedule.kind);
  bool quiet = false;
  bool instead = false; // toys, since MNIST is not there
};

/// The options of the program, which fill in the arguments.
inline void describe(CLI::App& app, TrainArguments& a) {
  TrainOptions& o = a.options;
  app.option_defaults()->take_last();
  const auto add = [&](const char* flag, auto& value, const std::string& text) {
    return app.add_option(flag, value, text)->capture_default_str();
  };
  add("--data", a.data, "Data set: " + data_names())->check(data_name());
  add("--data-dir", a.data_dir, "Where data sets are");
  add("--image-size", a.image_size,
      "Resize pictures of a folder or NORB set to this height and width; 0: as they are, NORB to "
      "48")
      ->check(whole(0));
  add("--channels", a.channels,
      "Channels of pictures of a folder or NORB set: 1 grey or the left one of each pair, 2 the "
      "pair, "
      "3 colour; 0: as they are")
      ->check(whole(0));
  add("--model", a.model, "Network")->check(one_of(model_names()));
  app.add_option("--recipe", a.recipe,
                 "Of capsnet: what to do where the paper and its authors' code differ [paper]")
      ->check(one_of({"paper", "authors"}));
  app.add_option("--preset", a.preset,
                 "The size. Of matrix-capsnet: paper or small, 310 or 68 thousand parameters "
                 "[paper]. Of cnn: mnist, multimnist or norb as in the papers, parameters or "
                 "compute for about as many as CapsNet has, small for about those of the small "
                 "matrix-capsnet; how many they are depends on the size of the pictures [norb]")
      ->check(one_of({"paper", "small", "mnist", "multimnist", "norb", "parameters", "compute"}));
  app.add_option("--routing-iterations", a.routing_iterations, "Iterations of routing [3]")
      ->check(whole(1));
  app.add_option("--conv", a.convolution, "How convolutions are computed [auto]")
      ->check(one_of({"auto", "direct", "winograd"}));
  app.add_option("--conv-tile", a.convolution_tile,
                 "Outputs of a Winograd tile along each axis: 3 is more exact, 6 faster [6]")
      ->check(whole(1));
  app.add_option("--model-config", a.model_config,
                 "More of the network: key=value, with the keys that config.json has as model.KEY")
      ->take_all();
  add("--epochs", o.epochs, "Times to go through the data")->check(whole(1));
  add("--batch", o.batch, "Pictures per step")->check(whole(1));
  add("--optimizer", o.optimizer, "How to step")->check(one_of({"adam", "sgd"}));
  add("--lr", o.schedule.start, "Learning rate at the start")->check(number(0, true));
  add("--lr-floor", o.schedule.floor, "Learning rate at the end of a decay")
      ->check(number(0, false));
  add("--warmup", o.schedule.warmup,
      "Steps over which the learning rate rises to its start; 0: none")
      ->check(number(0, false));
  add("--schedule", a.schedule, "How the learning rate falls")
      ->check(one_of({"constant", "exponential", "step", "cosine"}));
  add("--decay", o.schedule.decay, "Its factor, exponential and step")->check(number(0, true, 1));
  add("--decay-steps", o.schedule.period, "Steps for one such factor")->check(number(0, true));
  add("--clip", o.clip, "Longest gradient; 0: no limit")->check(number(0, false));
  app.add_option("--weight-decay", o.weight_decay,
                 "Minimise half the sum of squares of the weights too, with this factor [2e-7 for "
                 "matrix-capsnet, 0 for others]")
      ->check(number(0, false));
  add("--margin-steps", o.margin_steps,
      "Steps in which the margin of a spread loss rises; 0: all of the run")
      ->check(number(0, false));
  app.add_option("--shift", o.view.max_shift,
                 "Shift pictures at random by up to so many pixels [2, NORB sets 0]")
      ->check(whole(0));
  app.add_option(
         "--brightness", o.view.brightness,
         "Add a random number to a picture's pixels, up to so far from 0; white is 1 [0, NORB "
         "sets 63/255]")
      ->check(number(0, false, 1));
  app.add_option("--contrast", o.view.contrast,
                 "Multiply its contrast by a random number up to so far from 1 [0, NORB sets 0.8]")
      ->check(number(0, false, 1));
  app.add_option("--crop", o.view.crop,
                 "Show the network so many pixels a side, at random to train, otherwise in the "
                 "middle; 0: the whole picture [0, NORB sets 32]")
      ->check(whole(0));
  app.add_option("--standardize", o.view.standardize,
                 "1: bring each picture to mean 0 and deviation 1 [0, NORB sets 1]")
      ->check(one_of({"0", "1"}));
  add("--validation", o.validation,
      "Pictures kept out of training to choose the best epoch by; -1: one in twelve")
      ->check(whole(-1));
  add("--seed", o.seed, "Of everything random")->check(whole(0));
  app.add_option("--out", a.out, "Run folder [runs/DATA]");
  app.add_flag("--resume", o.resume, "Continue the run in that folder, as it was started");
  add("--save-seconds", o.save_seconds, "Seconds between checkpoints within an epoch; 0: none")
      ->check(number(0, false));
  add("--history-steps", o.history_steps, "Steps between lines of history within an epoch; 0: none")
      ->check(whole(0));
  app.add_flag("--tensorboard", o.tensorboard,
               "Write the history to an event file, too, which TensorBoard reads");
  app.add_option("--config", a.config,
                 "Options from a file such as a run's config.json; those on "
                 "the command line count more");
  add_threads(app, a.threads);
  app.add_flag("--quiet", a.quiet, "Say only how it ended");
}

/// Where a run goes that is not told where.
inline std::string default_folder(const std::string& data) {
  std::string name = data;
  while (!name.empty() && name.back() == '/')
    name.pop_back();
  return "runs/" + name.substr(name.find_last_of("/:") + 1);
}

/// As it is or compressed.
inline bool is_there(const std::string& path) {
  return std::filesystem::exists(path) || std::filesystem::exists(path + ".gz");
}

inline bool mnist_is_there(const std::string& data_dir) {
  for (const char* part :
       {"train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"})
    if (!is_there(data_dir + "/mnist/" + part + "-ubyte"))
      return false;
  return true;
}

/// Fills in options from the run to be resumed, or from a configuration file. Returns that file's
/// fields.
inline Fields settle(CLI::App& app, TrainArguments& a) {
  // Facts in a config.json that are no options.
  const std::vector<std::string> facts = {"mereo", "isa", "pictures", "schedule_total",
                                          "margin_total"};
  // Where nobody says what to train on, it is MNIST if it is to be had.
  a.instead = app.get_option("--data")->count() == 0 && a.config.empty() &&
              !(a.options.resume && !a.out.empty()) && !mnist_is_there(a.data_dir);
  if (a.instead)
    a.data = "toys";
  if (a.out.empty())
    a.out = default_folder(a.data);
  const bool run = std::filesystem::exists(a.out + "/last.safetensors");
  if (a.options.resume && !run)
    throw Error(a.out, "there is no run to resume here", "", "name its folder with --out");
  if (a.options.resume && !a.config.empty())
    throw UsageError("--config: a resumed run has its own configuration");
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
    apply(app, fields, source, facts);
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
    throw UsageError("--recipe: is of capsnet, not " + a.model);
  if (!a.preset.empty() && a.model != "matrix-capsnet" && a.model != "cnn")
    throw UsageError("--preset: is of matrix-capsnet and cnn, not " + a.model);
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

} // namespace cli

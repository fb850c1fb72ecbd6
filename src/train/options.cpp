#include "train/options.h"

#include "train/fields.h"

#include <cmath>

namespace mereo {

namespace {

void check_options(const TrainOptions& options) {
  const auto demand = [](bool holds, const char* problem, auto value) {
    if (!holds)
      throw Error("train", problem, std::to_string(value));
  };
  constexpr std::int64_t most_epochs = 1 << 20, most_pictures = 1 << 20;
  demand(options.epochs >= 1 && options.epochs <= most_epochs,
         "the number of epochs must be 1 to 1048576", options.epochs);
  demand(options.batch >= 1 && options.batch <= most_pictures,
         "the batch must have 1 to 1048576 pictures", options.batch);
  demand(options.clip >= 0, "the longest gradient must not be negative", options.clip);
  demand(options.weight_decay >= 0 && std::isfinite(options.weight_decay),
         "the weight decay must not be negative", options.weight_decay);
  demand(options.margin_steps >= 0 && std::isfinite(options.margin_steps),
         "the steps in which the margin rises must not be negative", options.margin_steps);
  demand(options.validation >= -1, "the number of validation pictures must not be negative",
         options.validation);
  demand(options.save_seconds >= 0, "the time between saves must not be negative",
         options.save_seconds);
  demand(options.save_steps >= 0, "the steps between saves must not be negative",
         options.save_steps);
  demand(options.history_steps >= 0, "the steps between lines of history must not be negative",
         options.history_steps);
  options.schedule.check();
}

} // namespace

TrainOptions settle(TrainOptions options, const Dataset& training, const Model& model) {
  check_options(options);
  options.view.check(training.height, training.width);
  if (options.validation < 0)
    options.validation = training.count / 12;
  if (options.validation >= training.count)
    throw Error("train", "no pictures are left to train on",
                std::to_string(options.validation) + " of " + std::to_string(training.count) +
                    " kept for validation");
  const std::int64_t pictures = training.count - options.validation;
  const double steps = double(options.epochs * ((pictures + options.batch - 1) / options.batch));
  if (options.schedule.kind == Schedule::Kind::cosine && options.schedule.total <= 0)
    options.schedule.total = steps;
  if (!model.changes_with_progress())
    options.margin_steps = 0;
  else if (options.margin_steps == 0)
    options.margin_steps = steps;
  return options;
}

Fields recipe_fields(Model& model, const Dataset& training, const TrainOptions& options) {
  const Schedule& schedule = options.schedule;
  Fields fields = {{"data", training.name},
                   {"pictures", training.count},
                   {"batch", options.batch},
                   {"seed", std::int64_t(options.seed)},
                   {"optimizer", options.optimizer},
                   {"schedule", schedule_name(schedule.kind)},
                   {"lr", schedule.start},
                   {"lr_floor", schedule.floor},
                   {"warmup", schedule.warmup},
                   {"decay", schedule.decay},
                   {"decay_steps", schedule.period},
                   {"schedule_total", schedule.total},
                   {"clip", options.clip},
                   {"weight_decay", options.weight_decay},
                   {"margin_total", options.margin_steps},
                   {"shift", std::int64_t(options.view.max_shift)},
                   {"brightness", options.view.brightness},
                   {"contrast", options.view.contrast},
                   {"crop", options.view.crop},
                   {"standardize", std::int64_t(options.view.standardize)},
                   {"validation", options.validation},
                   {"model", model.name()}};
  for (const auto& [key, value] : parse_json_object(model.config()))
    fields.emplace_back("model." + key, value);
  return fields;
}

void check_same_recipe(const std::string& path, const Fields& before, const Fields& now) {
  // What runs did before these were options.
  const Fields once = {{"weight_decay", 0.0},
                       {"margin_total", 0.0},
                       {"brightness", 0.0},
                       {"contrast", 0.0},
                       {"crop", 0},
                       {"standardize", 0},
                       {"model.labels_per_image", 1},
                       {"model.coordinate_shift", 0},
                       {"model.coordinate_scale", 0.1}};
  for (const auto& [name, value] : now) {
    const FieldValue* old = find(before, name) ? find(before, name) : find(once, name);
    if (!old || value_text(*old) != value_text(value))
      throw Error(path, "the run was started with another " + name,
                  (old ? value_text(*old) : "none") + " then, " + value_text(value) + " now",
                  name == "schedule_total" || name == "margin_total"
                      ? "it ends with the last epoch: keep the number of epochs"
                      : "resume with what it was started with, or start a new run");
  }
}

} // namespace mereo

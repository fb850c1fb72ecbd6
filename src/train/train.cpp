#include "train/memory_need.h"
#include "train/run_folder.h"

#include <mereo/isa.h>

#include <algorithm>
#include <chrono>
#include <cmath>

namespace mereo {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void check_options(const TrainOptions& options) {
  const auto demand = [](bool holds, const char* problem, auto value) {
    if (!holds)
      throw Error("train", problem, std::to_string(value));
  };
  demand(options.epochs >= 1, "the number of epochs must be at least 1", options.epochs);
  demand(options.batch >= 1, "the batch must have at least one picture", options.batch);
  demand(options.clip >= 0, "the longest gradient must not be negative", options.clip);
  demand(options.max_shift >= 0, "the shift must not be negative", options.max_shift);
  demand(options.validation >= -1, "the number of validation pictures must not be negative",
         options.validation);
  demand(options.save_seconds >= 0 && options.save_steps >= 0 && options.history_steps >= 0,
         "the time between saves and lines of history must not be negative", options.save_steps);
  options.schedule.check();
}

/// Options with everything filled in that was left to choose.
TrainOptions settle(TrainOptions options, const Dataset& training) {
  check_options(options);
  if (options.validation < 0)
    options.validation = training.count / 12;
  if (options.validation >= training.count)
    throw Error("train", "no pictures are left to train on",
                std::to_string(options.validation) + " of " + std::to_string(training.count) +
                    " kept for validation");
  if (options.schedule.kind == Schedule::Kind::cosine && options.schedule.total <= 0) {
    const std::int64_t pictures = training.count - options.validation;
    options.schedule.total =
        double(options.epochs * ((pictures + options.batch - 1) / options.batch));
  }
  return options;
}

/// Mean brightness of the outermost pixels of the first pictures.
double border_brightness(const Dataset& data) {
  double sum = 0, pixels = 0;
  const std::int64_t H = data.height, W = data.width, C = data.channels;
  for (std::int64_t i = 0; i < std::min<std::int64_t>(data.count, 1000); ++i)
    for (std::int64_t y = 0; y < H; ++y)
      for (std::int64_t x = 0; x < W; ++x) {
        if (y > 0 && y < H - 1 && x > 0 && x < W - 1)
          continue;
        for (std::int64_t c = 0; c < C; ++c, ++pixels)
          sum += data.pixels[std::size_t(((i * H + y) * W + x) * C + c)] / 255.0;
      }
  return pixels > 0 ? sum / pixels : 0;
}

class Run {
public:
  Run(Model& model, const Dataset& data, const TrainOptions& options, TrainListener& listener)
      : model_(model), data_(data), options_(options), listener_(listener),
        split_(carve_validation(data.labels, options.validation, options.seed)),
        loader_(data, split_.train,
                {.batch = options.batch, .max_shift = options.max_shift, .seed = options.seed}),
        optimizer_(
            make_optimizer(options.optimizer, std::int64_t(model.parameters().values().size()))) {
    recipe_ = recipe_fields(model, data, options);
    info_.model = model.name();
    info_.config = model.config();
    info_.data = data.name;
    info_.class_names = data.class_names;
    info_.background = border_brightness(data);
  }

  TrainResult run();

private:
  void begin();
  void announce();
  bool run_epoch();
  void step();
  void report_step();
  bool finish_epoch();
  void save_sometimes();
  void save(const std::string& path);
  [[noreturn]] void fail_loss(double loss) const;
  [[noreturn]] void fail_gradient(double norm) const;
  Error not_finite(const std::string& what, const std::string& where) const;
  TrainResult result(bool stopped) const;

  Model& model_;
  const Dataset& data_;
  const TrainOptions& options_;
  TrainListener& listener_;
  TrainValidation split_;
  Loader loader_;
  std::unique_ptr<Optimizer> optimizer_;
  Fields recipe_;
  CheckpointInfo info_;
  RunFolder folder_;

  Tape tape_;
  Batch batch_;
  std::vector<std::int32_t> predicted_;
  TrainState state_;
  TrainProgress progress_{};
  Clock::time_point saved_;
  /// Pictures and seconds of the steps of this process, and of this epoch in it.
  std::int64_t pictures_ = 0, epoch_pictures_ = 0;
  double seconds_ = 0, epoch_seconds_ = 0;
};

TrainResult Run::run() {
  begin();
  announce();
  saved_ = Clock::now();
  if (folder_.writes() && !options_.resume)
    save(folder_.last());
  while (state_.position.epoch < options_.epochs)
    if (!run_epoch() || !finish_epoch()) {
      save(folder_.last());
      return result(true);
    }
  return result(false);
}

/// Makes the run folder, or takes everything over from it.
void Run::begin() {
  if (!options_.resume) {
    Fields config = options_.notes;
    config.insert(config.begin(), {"mereo", std::string(version)});
    config.emplace_back("epochs", options_.epochs);
    config.insert(config.end(), recipe_.begin(), recipe_.end());
    folder_ = RunFolder::create(options_.directory, config);
    return;
  }
  folder_ = RunFolder::open(options_.directory);
  const CheckpointFile file = read_checkpoint(folder_.last());
  check_same_recipe(file.path, file.about.recipe, recipe_);
  restore(file, model_, optimizer_.get());
  state_ = file.about.state;
  state_.history_lines = folder_.keep_history(state_.history_lines);
}

void Run::announce() {
  TrainStart start{isa(),
                   threads(),
                   layer_sizes(model_.parameters()),
                   measure_memory(model_, *optimizer_, data_, options_.batch),
                   std::int64_t(split_.train.size()),
                   std::int64_t(split_.validation.size()),
                   loader_.batches(),
                   options_.epochs,
                   state_.position.epoch,
                   state_.step};
  listener_.started(start);
}

/// The rest of the current epoch; false when stopped in it.
bool Run::run_epoch() {
  loader_.restore(state_.position);
  auto start = Clock::now();
  while (loader_.next(batch_)) {
    step();
    state_.position = loader_.position();
    const double seconds = seconds_since(start);
    seconds_ += seconds;
    epoch_seconds_ += seconds;
    state_.seconds += seconds;
    report_step();
    if (listener_.stop())
      return false;
    save_sometimes();
    start = Clock::now();
  }
  return true;
}

void Run::step() {
  tape_.reset();
  const Outputs outputs = model_.forward(tape_, batch_.images, batch_.labels, Mode::training);
  const double loss = outputs.loss.item();
  if (!std::isfinite(loss))
    fail_loss(loss);
  tape_.backward(outputs.loss);
  Parameters& parameters = model_.parameters();
  const double norm = gradient_norm(parameters.gradients());
  if (!std::isfinite(norm))
    fail_gradient(norm);
  const double rate = options_.schedule.at(state_.step);
  optimizer_->step(parameters.values(), parameters.gradients(), rate,
                   clip_scale(norm, options_.clip));
  ++state_.step;

  const auto item = [](const Variable& part) { return part.empty() ? 0.0 : double(part.item()); };
  progress_.loss = loss;
  progress_.margin = item(outputs.classification_loss);
  progress_.reconstruction = item(outputs.reconstruction_loss);
  progress_.learning_rate = rate;
  progress_.gradient_norm = norm;
  predictions(outputs.scores, predicted_);
  const std::int64_t pictures = std::int64_t(predicted_.size());
  for (std::size_t i = 0; i < predicted_.size(); ++i)
    state_.sums.wrong += predicted_[i] != batch_.labels[i];
  state_.sums.loss += loss * double(pictures);
  state_.sums.margin += progress_.margin * double(pictures);
  state_.sums.reconstruction += progress_.reconstruction * double(pictures);
  state_.sums.pictures += pictures;
  pictures_ += pictures;
  epoch_pictures_ += pictures;
}

void Run::report_step() {
  const EpochSums& sums = state_.sums;
  progress_.epoch = state_.position.epoch;
  progress_.epochs = options_.epochs;
  progress_.batch = state_.position.batch;
  progress_.batches = loader_.batches();
  progress_.step = state_.step;
  progress_.mean_loss = sums.loss / double(sums.pictures);
  progress_.mean_error_percent = 100.0 * double(sums.wrong) / double(sums.pictures);
  progress_.images_per_second = double(pictures_) / seconds_;
  const std::int64_t left = loader_.samples() * (options_.epochs - progress_.epoch) - sums.pictures;
  progress_.seconds_left = double(left) / progress_.images_per_second;
  listener_.stepped(progress_);
  if (options_.history_steps == 0 || state_.step % options_.history_steps != 0)
    return;
  folder_.append_history({{"event", "step"},
                          {"epoch", progress_.epoch + 1},
                          {"step", progress_.step},
                          {"loss", progress_.loss},
                          {"margin", progress_.margin},
                          {"reconstruction", progress_.reconstruction},
                          {"learning_rate", progress_.learning_rate},
                          {"gradient_norm", progress_.gradient_norm}});
  ++state_.history_lines;
}

/// Judges the epoch, writes it down and saves; false when stopped before it was judged.
bool Run::finish_epoch() {
  const auto start = Clock::now();
  Evaluation judged;
  const bool judge = !split_.validation.empty();
  if (judge) {
    judged = evaluate(model_, data_,
                      {.batch = options_.batch,
                       .indices = split_.validation,
                       .listener = &listener_,
                       .tape = &tape_});
    if (judged.count < std::int64_t(split_.validation.size()))
      return false;
  }
  write_reconstructions(folder_.pictures(), model_, data_, judge ? split_.validation : split_.train,
                        tape_);
  state_.seconds += seconds_since(start);

  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double count = double(state_.sums.pictures), error = judge ? judged.error_percent() : nan;
  const EpochResult epoch{
      .epoch = state_.position.epoch + 1,
      .epochs = options_.epochs,
      .step = state_.step,
      .loss = state_.sums.loss / count,
      .margin = state_.sums.margin / count,
      .reconstruction = state_.sums.reconstruction / count,
      .training_error_percent = 100.0 * double(state_.sums.wrong) / count,
      .validation_error_percent = error,
      .validation_loss = judge ? judged.loss : nan,
      .best = judge && (state_.best_epoch == 0 || error < state_.best_error_percent ||
                        (error == state_.best_error_percent && judged.loss < state_.best_loss)),
      .learning_rate = options_.schedule.at(state_.step - 1),
      .images_per_second = double(epoch_pictures_) / epoch_seconds_,
      .seconds = state_.seconds};
  folder_.append_history({{"event", "epoch"},
                          {"epoch", epoch.epoch},
                          {"step", epoch.step},
                          {"loss", epoch.loss},
                          {"margin", epoch.margin},
                          {"reconstruction", epoch.reconstruction},
                          {"training_error_percent", epoch.training_error_percent},
                          {"validation_error_percent", epoch.validation_error_percent},
                          {"validation_loss", epoch.validation_loss},
                          {"learning_rate", epoch.learning_rate},
                          {"images_per_second", epoch.images_per_second},
                          {"seconds", epoch.seconds}});
  ++state_.history_lines;
  listener_.epoch_finished(epoch);

  state_.position = {epoch.epoch, 0};
  state_.sums = {};
  state_.validation_error_percent = error;
  epoch_pictures_ = 0;
  epoch_seconds_ = 0;
  if (epoch.best) {
    state_.best_epoch = epoch.epoch;
    state_.best_error_percent = error;
    state_.best_loss = judged.loss;
    // Before the last one: a run that dies in between judges this epoch again.
    save(folder_.best());
  }
  save(folder_.last());
  return true;
}

void Run::save_sometimes() {
  const bool steps = options_.save_steps > 0 && state_.step % options_.save_steps == 0;
  const bool time = options_.save_seconds > 0 && seconds_since(saved_) >= options_.save_seconds;
  if (steps || time)
    save(folder_.last());
}

void Run::save(const std::string& path) {
  if (!folder_.writes())
    return;
  write_checkpoint(path, {info_, recipe_, state_}, model_, *optimizer_);
  saved_ = Clock::now();
  listener_.checkpoint_saved(path);
}

Error Run::not_finite(const std::string& what, const std::string& where) const {
  return Error("train", what + " is not finite in step " + std::to_string(state_.step + 1), where,
               std::string("lower the learning rate or limit the gradient") +
                   (folder_.writes() ? "; the last good checkpoint is " + folder_.last() : ""));
}

void Run::fail_loss(double loss) const {
  const std::string origin = tape_.first_nonfinite();
  throw not_finite("the loss",
                   origin.empty() ? "loss " + std::to_string(loss) : "first in " + origin);
}

/// Gradients flow from the last layer to the first, so the last parameter is the first to break.
void Run::fail_gradient(double norm) const {
  const Parameters& parameters = model_.parameters();
  for (int i = parameters.count() - 1; i >= 0; --i)
    for (const real x : parameters.gradient(i).values())
      if (!std::isfinite(x))
        throw not_finite("a gradient", "first that of " + parameters.name(i));
  throw not_finite("the length of the gradient", std::to_string(norm));
}

TrainResult Run::result(bool stopped) const {
  TrainResult result;
  result.stopped = stopped;
  result.epochs = state_.position.epoch;
  result.steps = state_.step;
  result.best_epoch = state_.best_epoch;
  if (state_.best_epoch > 0)
    result.best_error_percent = state_.best_error_percent;
  result.seconds = state_.seconds;
  result.last_checkpoint = folder_.last();
  if (state_.best_epoch > 0)
    result.best_checkpoint = folder_.best();
  return result;
}

} // namespace

TrainResult train(Model& model, const Dataset& training, const TrainOptions& options,
                  TrainListener& listener) {
  check_fits(model.input(), training);
  const TrainOptions settled = settle(options, training);
  return Run(model, training, settled, listener).run();
}

} // namespace mereo

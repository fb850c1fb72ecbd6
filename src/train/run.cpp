// The loop: steps, epochs, checkpoints.
#include "train/run.h"

#include "train/memory_need.h"
#include "train/options.h"

#include <mereo/isa.h>

#include <algorithm>
#include <cmath>

namespace mereo {

namespace {

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

} // namespace

Run::Run(Model& model, const Dataset& data, const TrainOptions& options, TrainListener& listener)
    : model_(model), data_(data), options_(options), listener_(listener),
      split_(carve_validation(data.labels, options.validation, options.seed)),
      loader_(data, split_.train,
              {.batch = options.batch,
               .view = options.view,
               .target_shift = model.target_shift(),
               .seed = options.seed}),
      optimizer_(
          make_optimizer(options.optimizer, std::int64_t(model.parameters().values().size()))) {
  recipe_ = recipe_fields(model, data, options);
  info_.model = model.name();
  info_.config = model.config();
  info_.data = data.name;
  info_.class_names = data.class_names;
  info_.height = data.height;
  info_.width = data.width;
  info_.view = options.view.still();
  info_.background = border_brightness(data);
}

TrainResult Run::run() {
  begin();
  announce();
  saved_ = Clock::now();
  if (folder_.writes() && !options_.resume)
    save(folder_.last());
  while (state_.position.epoch < options_.epochs)
    if (!run_epoch() || !finish_epoch()) {
      save(folder_.last());
      folder_.write_report();
      return result(true);
    }
  return result(false);
}

void Run::begin() {
  Fields config = {
      {"mereo", std::string(version)}, {"isa", std::string(isa())}, {"epochs", options_.epochs}};
  config.insert(config.end(), recipe_.begin(), recipe_.end());
  config.insert(config.end(), options_.notes.begin(), options_.notes.end());
  if (!options_.resume) {
    folder_ = RunFolder::create(options_.directory);
    folder_.write_config(config);
    folder_.write_report();
    if (options_.tensorboard)
      folder_.start_events(0);
    return;
  }
  folder_ = RunFolder::open(options_.directory);
  const CheckpointFile file = read_checkpoint(folder_.last());
  check_same_recipe(file.path, file.about.recipe, recipe_);
  restore(file, model_, optimizer_.get());
  state_ = file.about.state;
  state_.history_lines = folder_.keep_history(state_.history_lines);
  folder_.write_config(config);
  folder_.write_report(); // of the history that is kept
  if (options_.tensorboard)
    folder_.start_events(state_.step);
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
  check_memory(start.memory, physical_memory());
}

bool Run::run_epoch() {
  loader_.restore(state_.position);
  auto start = Clock::now();
  while (loader_.next(batch_)) {
    step();
    state_.position = loader_.position();
    const double seconds = seconds_since(start);
    constexpr double memory = 20;
    const double kept = std::exp(-seconds / memory);
    recent_seconds_ = kept * recent_seconds_ + seconds;
    recent_pictures_ = kept * recent_pictures_ + double(batch_.indices.size());
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
  const double margin_steps = options_.margin_steps;
  const double progress = margin_steps > 0 ? std::min(1.0, double(state_.step) / margin_steps) : 1;
  const Outputs outputs =
      model_.forward(tape_, batch_.images, batch_.labels, Mode::training, progress,
                     {batch_.targets, batch_.moves}, {options_.seed, state_.step});
  const double loss = outputs.loss.item();
  if (!std::isfinite(loss))
    fail_loss(loss);
  tape_.backward(outputs.loss);
  Parameters& parameters = model_.parameters();
  parameters.add_weight_decay(options_.weight_decay);
  const double norm = gradient_norm(parameters.gradients());
  if (!std::isfinite(norm))
    fail_gradient(norm);
  const double rate = options_.schedule.at(state_.step);
  optimizer_->step(parameters.values(), parameters.gradients(), rate,
                   clip_scale(norm, options_.clip));
  parameters.step_averages();
  ++state_.step;
  progress_.loss = loss;
  progress_.learning_rate = rate;
  progress_.gradient_norm = norm;
  account(outputs);
}

void Run::account(const Outputs& outputs) {
  const auto item = [](const Variable& part) { return part.empty() ? 0.0 : double(part.item()); };
  progress_.margin = item(outputs.classification_loss);
  progress_.reconstruction = item(outputs.reconstruction_loss);
  const std::int64_t pictures = std::ssize(batch_.indices), each = data_.labels_per_image;
  predictions(outputs.scores, predicted_, each);
  match_labels(predicted_, batch_.labels, each);
  EpochSums& sums = state_.sums;
  sums.wrong += count_wrong(predicted_, batch_.labels, each);
  sums.loss += progress_.loss * double(pictures);
  sums.margin += progress_.margin * double(pictures);
  sums.reconstruction += progress_.reconstruction * double(pictures);
  sums.pictures += pictures;
  epoch_pictures_ += pictures;
}

bool Run::finish_epoch() {
  const auto start = Clock::now();
  const bool judge = !split_.validation.empty();
  Evaluation judged;
  if (judge) {
    judged = evaluate(model_, data_,
                      {.batch = options_.batch,
                       .view = info_.view,
                       .indices = split_.validation,
                       .listener = &listener_,
                       .tape = &tape_});
    if (judged.count < std::int64_t(split_.validation.size()))
      return false;
  }
  write_reconstructions(folder_.pictures(), model_, data_, info_.view,
                        judge ? split_.validation : split_.train, tape_);
  judging_seconds_ = seconds_since(start);
  state_.seconds += judging_seconds_;

  const EpochResult epoch = epoch_result(judged);
  folder_.append_history(history_line(epoch));
  ++state_.history_lines;
  listener_.epoch_finished(epoch);

  state_.position = {epoch.epoch, 0};
  state_.sums = {};
  state_.validation_error_percent = epoch.validation_error_percent;
  epoch_pictures_ = 0;
  epoch_seconds_ = 0;
  if (epoch.best) {
    state_.best_epoch = epoch.epoch;
    state_.best_error_percent = epoch.validation_error_percent;
    state_.best_loss = epoch.validation_loss;
    // Before the last one: a run that dies in between judges this epoch again.
    save(folder_.best());
  }
  save(folder_.last());
  folder_.write_report();
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

TrainResult train(Model& model, const Dataset& training, const TrainOptions& options,
                  TrainListener& listener) {
  training.check();
  const TrainOptions settled = settle(options, training, model);
  check_fits(model.input(), training, settled.view);
  if (model.reconstructs() && !settled.view.keeps_range())
    throw Error("train", "the network reconstructs pixels in [0, 1], which the pictures leave",
                "they are standardised, or of random brightness or contrast",
                "make it without its decoder (decoder=false), or keep the pictures as they are");
  return Run(model, training, settled, listener).run();
}

} // namespace mereo

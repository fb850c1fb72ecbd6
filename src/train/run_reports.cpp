// What a run tells: of steps, of epochs, of numbers that are no longer finite, at its end.
#include "train/run.h"

#include <cmath>

namespace mereo {

void Run::report_step() {
  const EpochSums& sums = state_.sums;
  progress_.epoch = state_.position.epoch;
  progress_.epochs = options_.epochs;
  progress_.batch = state_.position.batch;
  progress_.batches = loader_.batches();
  progress_.step = state_.step;
  progress_.mean_loss = sums.loss / double(sums.pictures);
  progress_.mean_error_percent = 100.0 * double(sums.wrong) / double(sums.pictures);
  progress_.images_per_second = recent_pictures_ / recent_seconds_;
  const std::int64_t left = loader_.samples() * (options_.epochs - progress_.epoch) - sums.pictures;
  progress_.seconds_left = double(left) / progress_.images_per_second +
                           double(options_.epochs - progress_.epoch) * judging_seconds_;
  progress_.validation_error_percent = state_.validation_error_percent;
  listener_.stepped(progress_);
  if (options_.history_steps == 0 || state_.step % options_.history_steps != 0)
    return;
  folder_.append_history(history_line(progress_));
  ++state_.history_lines;
}

EpochResult Run::epoch_result(const Evaluation& judged) const {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double count = double(state_.sums.pictures);
  const bool judge = judged.count > 0;
  EpochResult epoch{.epoch = state_.position.epoch + 1,
                    .epochs = options_.epochs,
                    .step = state_.step,
                    .loss = state_.sums.loss / count,
                    .margin = state_.sums.margin / count,
                    .reconstruction = state_.sums.reconstruction / count,
                    .training_error_percent = 100.0 * double(state_.sums.wrong) / count,
                    .validation_error_percent = judge ? judged.error_percent() : nan,
                    .validation_loss = judge ? judged.loss : nan,
                    .best = false,
                    .learning_rate = options_.schedule.at(state_.step - 1),
                    .images_per_second =
                        epoch_pictures_ > 0 ? double(epoch_pictures_) / epoch_seconds_ : nan,
                    .seconds = state_.seconds};
  const double error = epoch.validation_error_percent;
  epoch.best = judge && (state_.best_epoch == 0 || error < state_.best_error_percent ||
                         (error == state_.best_error_percent && judged.loss < state_.best_loss));
  return epoch;
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

} // namespace mereo

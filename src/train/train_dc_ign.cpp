#include <mereo/inverse_graphics.h>
#include <mereo/optim.h>

#include <cmath>

namespace mereo {

FreeLatents latents_of(Factor factor, const DcIgnConfig& config) {
  const auto number = std::int64_t(factor);
  if (config.latents <= std::int64_t(Factor::shape))
    throw Error("latents_of", "there are too few latents for all factors",
                std::to_string(config.latents), "4 or more");
  return factor == Factor::shape ? FreeLatents{number, config.latents - number}
                                 : FreeLatents{number, 1};
}

void train_dc_ign(DcIgn& network, const Dataset& training, const DcIgnTraining& options,
                  const std::function<bool(std::int64_t, double)>& progress) {
  const auto demand = [](bool holds, const char* problem, double value) {
    if (!holds)
      throw Error("train_dc_ign", problem, std::to_string(value));
  };
  demand(options.steps >= 1, "there are no steps to take", double(options.steps));
  demand(options.free_steps >= 0, "the number of free steps is negative",
         double(options.free_steps));
  demand(options.learning_rate > 0 && std::isfinite(options.learning_rate),
         "the learning rate must be positive", options.learning_rate);
  demand(options.clamping.invariance >= 0 && std::isfinite(options.clamping.invariance),
         "the invariance must not be negative", options.clamping.invariance);
  const FactorSampler sampler(training, options.batches);
  Parameters& parameters = network.parameters();
  const auto optimizer = adam(std::int64_t(parameters.values().size()), 0.9, 0.99);
  const FreeLatents all{0, network.config().latents};
  Tape tape;
  Batch batch;
  for (std::int64_t step = 0; step < options.steps; ++step) {
    const Factor factor = sampler.batch(step, batch);
    const bool clamps = options.clamp && step >= options.free_steps;
    tape.reset();
    const Variable loss =
        network.loss(tape, batch.images, clamps ? latents_of(factor, network.config()) : all,
                     options.clamping, Mode::training, {options.batches.seed, step});
    const double value = loss.item();
    if (!std::isfinite(value))
      throw Error("train_dc_ign", "the loss is not finite in step " + std::to_string(step + 1),
                  tape.first_nonfinite(), "lower the learning rate");
    tape.backward(loss);
    optimizer->step(parameters.values(), parameters.gradients(), options.learning_rate, 1);
    if (progress && !progress(step + 1, value))
      return;
  }
}

} // namespace mereo

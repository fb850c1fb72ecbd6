// Floor 7: optimisers and learning-rate schedules. They see one block of parameters and one of
// gradients.
#pragma once

#include <mereo/core.h>
#include <mereo/tensor.h>

#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace mereo {

/// Keeps what it must remember (its state) in blocks as large as the parameters.
class Optimizer {
public:
  virtual ~Optimizer() = default;
  virtual std::string name() const = 0;
  /// One step. Gradients are multiplied by gradient_scale first (see clip_scale). Throws Error when
  /// the sizes change between steps.
  virtual void step(std::span<real> parameters, std::span<const real> gradients,
                    double learning_rate, double gradient_scale) = 0;
  /// Named state blocks, each as long as the parameters, for checkpoints; the same memory on every
  /// call.
  virtual std::vector<std::pair<std::string, std::span<real>>> state() = 0;
  /// Steps taken so far; set it with the state when resuming.
  std::int64_t steps = 0;
};

/// Kingma & Ba 2015.
std::unique_ptr<Optimizer> adam(std::int64_t elements, double beta1 = 0.9, double beta2 = 0.999,
                                double epsilon = 1e-8);
/// Stochastic gradient descent, with momentum when it is not zero.
std::unique_ptr<Optimizer> sgd(std::int64_t elements, double momentum = 0.9);
/// "adam" or "sgd" with the defaults above. Throws Error for another name.
std::unique_ptr<Optimizer> make_optimizer(const std::string& name, std::int64_t elements);

/// Euclidean length of the gradients; the same bits for any thread count.
double gradient_norm(std::span<const real> gradients);
/// The factor that brings a norm down to `limit`, 1 when it is below or limit is 0.
double clip_scale(double norm, double limit);

/// Learning rate as a function of the step, counted from 0.
struct Schedule {
  enum class Kind { constant, exponential, step, cosine };
  Kind kind = Kind::exponential;
  double start = 1e-3;
  /// exponential: start * decay^(step / period), continuous; step: start * decay^floor(step /
  /// period).
  double decay = 0.96;
  double period = 2000;
  /// cosine: from start to floor over this many steps.
  double total = 0;
  /// Never below this (nor below start, should that be lower) once warm.
  double floor = 1e-6;
  /// Over this many first steps the rate rises linearly to what it would be. Adam's first steps
  /// move every weight by the whole rate, neighbours in the same direction, which throws the 20,736
  /// inputs of a primary capsule far off; a hundred shorter steps avoid that.
  double warmup = 0;

  double at(std::int64_t step) const;
  /// Throws Error when a number is out of range.
  void check() const;

private:
  double warm(std::int64_t step) const;
};

/// "constant", "exponential", "step" or "cosine". Throws Error for another name.
Schedule::Kind schedule_kind(const std::string& name);
std::string schedule_name(Schedule::Kind kind);

} // namespace mereo

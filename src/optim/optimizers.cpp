// Adam (Kingma & Ba 2015, Algorithm 1) and gradient descent with momentum, each one pass over the
// block of parameters.
#include <mereo/optim.h>

#include "core/parallel.h"
#include "kernels/table.h"

#include <cmath>

namespace mereo {
namespace {

/// Elements that one thread takes at a time: four arrays of this length fit the second-level cache.
constexpr std::int64_t grain = 16384;

void check_sizes(const char* where, std::size_t state, std::size_t parameters,
                 std::size_t gradients) {
  if (parameters == state && gradients == state)
    return;
  throw Error(where, "parameters, gradients and state differ in size",
              std::to_string(parameters) + ", " + std::to_string(gradients) + ", " +
                  std::to_string(state),
              "an optimiser belongs to one block of parameters");
}

class Adam : public Optimizer {
public:
  Adam(std::int64_t elements, double beta1, double beta2, double epsilon)
      : beta1_(beta1), beta2_(beta2), epsilon_(epsilon), first_({elements}), second_({elements}) {
    if (!(beta1 >= 0 && beta1 < 1 && beta2 >= 0 && beta2 < 1 && epsilon > 0))
      throw Error("adam", "beta1 and beta2 must be in [0, 1), epsilon above 0",
                  std::to_string(beta1) + ", " + std::to_string(beta2) + ", " +
                      std::to_string(epsilon));
  }

  std::string name() const override { return "adam"; }

  void step(std::span<real> parameters, std::span<const real> gradients, double learning_rate,
            double gradient_scale) override {
    check_sizes("adam", std::size_t(first_.elements()), parameters.size(), gradients.size());
    ++steps;
    const AdamStep numbers{real(learning_rate),
                           real(beta1_),
                           real(beta2_),
                           real(epsilon_),
                           real(1 - std::pow(beta1_, double(steps))),
                           real(1 - std::pow(beta2_, double(steps))),
                           real(gradient_scale)};
    const auto adam = kernels().elementwise.adam;
    parallel_chunks(first_.elements(), grain, [&](std::int64_t begin, std::int64_t end) {
      adam(end - begin, numbers, gradients.data() + begin, first_.data() + begin,
           second_.data() + begin, parameters.data() + begin);
    });
  }

  std::vector<std::pair<std::string, std::span<real>>> state() override {
    return {{"first", first_.values()}, {"second", second_.values()}};
  }

private:
  double beta1_, beta2_, epsilon_;
  Tensor first_, second_;
};

class Momentum : public Optimizer {
public:
  Momentum(std::int64_t elements, double momentum) : momentum_(momentum), velocity_({elements}) {
    if (!(momentum >= 0 && momentum < 1))
      throw Error("sgd", "momentum must be in [0, 1)", std::to_string(momentum));
  }

  std::string name() const override { return "sgd"; }

  void step(std::span<real> parameters, std::span<const real> gradients, double learning_rate,
            double gradient_scale) override {
    check_sizes("sgd", std::size_t(velocity_.elements()), parameters.size(), gradients.size());
    ++steps;
    const auto momentum = kernels().elementwise.momentum;
    parallel_chunks(velocity_.elements(), grain, [&](std::int64_t begin, std::int64_t end) {
      momentum(end - begin, real(learning_rate), real(momentum_), real(gradient_scale),
               gradients.data() + begin, velocity_.data() + begin, parameters.data() + begin);
    });
  }

  std::vector<std::pair<std::string, std::span<real>>> state() override {
    return {{"velocity", velocity_.values()}};
  }

private:
  double momentum_;
  Tensor velocity_;
};

} // namespace

std::unique_ptr<Optimizer> adam(std::int64_t elements, double beta1, double beta2, double epsilon) {
  return std::make_unique<Adam>(elements, beta1, beta2, epsilon);
}

std::unique_ptr<Optimizer> sgd(std::int64_t elements, double momentum) {
  return std::make_unique<Momentum>(elements, momentum);
}

std::unique_ptr<Optimizer> make_optimizer(const std::string& name, std::int64_t elements) {
  if (name == "adam")
    return adam(elements);
  if (name == "sgd")
    return sgd(elements);
  throw Error("make_optimizer", "unknown optimiser", name, "adam or sgd");
}

double gradient_norm(std::span<const real> gradients) {
  // As many pieces as there is room for on the stack, their size set by the number of gradients.
  constexpr std::int64_t most_chunks = 1024;
  const std::int64_t size = std::int64_t(gradients.size());
  const std::int64_t piece = std::max(grain, ceiling(size, most_chunks));
  double partial[most_chunks];
  const auto dot = kernels().elementwise.dot;
  const Chunks chunks{size, piece};
  parallel_for(chunks.count(), [&](std::int64_t c) {
    const real* x = gradients.data() + chunks.begin(c);
    partial[c] = dot(chunks.end(c) - chunks.begin(c), x, x);
  });
  double sum = 0;
  for (std::int64_t c = 0; c < chunks.count(); ++c)
    sum += partial[c];
  return std::sqrt(sum);
}

double clip_scale(double norm, double limit) {
  return limit > 0 && norm > limit ? limit / norm : 1;
}

} // namespace mereo

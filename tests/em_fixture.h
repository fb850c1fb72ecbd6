// EM routing problems with random inputs, run through the operation and through the explicit one.
#pragma once

#include "explicit_em.h"

#include <mereo/capsules.h>
#include <mereo/random.h>

namespace mereo {

inline Tensor draw(const Shape& shape, Random& random, double deviation) {
  Tensor out(shape);
  for (real& x : out.values())
    x = real(deviation * random.normal());
  return out;
}

inline Tensor between(const Shape& shape, Random& random, double low, double high) {
  Tensor out(shape);
  for (real& x : out.values())
    x = real(low + (high - low) * double(random.uniform()));
  return out;
}

inline std::vector<double> numbers(const Tensor& x) {
  return {x.values().begin(), x.values().end()};
}

/// A problem with inputs, and what the operation makes of it.
struct Routed {
  EmProblem problem;
  Tensor poses, activations, transforms, beta_u, beta_a;
  Tensor grad_parent_poses, grad_parent_activations;

  Tensor parent_poses, parent_activations;
  std::vector<Tensor> couplings; // of each iteration, where there is one image
  Tensor grad_poses, grad_activations, grad_transforms, grad_beta_u, grad_beta_a;

  Routed(const EmProblem& p, Random& random) : problem(p) {
    const std::int64_t KH = p.kernel ? p.kernel : p.shared ? 1 : p.height;
    const std::int64_t KW = p.kernel ? p.kernel : p.shared ? 1 : p.width;
    const std::int64_t OH = p.out(p.height), OW = p.out(p.width);
    poses = draw({p.batch, p.height, p.width, p.types, p.pose()}, random, 0.6);
    activations = between({p.batch, p.height, p.width, p.types}, random, 0.05, 1);
    transforms = draw({KH, KW, p.types, p.parents, p.inner, p.columns}, random, 0.6);
    beta_u = draw({p.parents}, random, 0.5);
    beta_a = draw({p.parents}, random, 3);
    grad_parent_poses = draw({p.batch, OH, OW, p.parents, p.vote()}, random, 1);
    grad_parent_activations = draw({p.batch, OH, OW, p.parents}, random, 3);
  }

  Connection connection() const {
    return {.kernel = problem.kernel, .stride = problem.stride, .shared = problem.shared};
  }
  EmRouting options() const {
    return {.iterations = problem.iterations,
            .inverse_temperature = problem.inverse_temperature,
            .decay = problem.temperature_decay,
            .cost_scale = problem.cost_scale,
            .variance_floor = problem.variance_floor,
            .per_field = problem.per_field,
            .likelihood = problem.likelihood,
            .pose = {problem.rows, problem.inner, problem.columns}};
  }

  /// Returns the bytes that the tape held at most.
  std::size_t run() {
    Tape tape;
    const auto leaf = [&](const Tensor& value, Tensor& gradient) {
      gradient = Tensor(value.shape());
      return tape.leaf(value, gradient);
    };
    const Capsules children = {leaf(poses, grad_poses), leaf(activations, grad_activations)};
    const Variable w = leaf(transforms, grad_transforms);
    const Variable u = leaf(beta_u, grad_beta_u), a = leaf(beta_a, grad_beta_a);
    const Capsules parents =
        em_routing(tape, children, w, u, a, connection(), options(), problem.coordinate_scale,
                   problem.batch == 1 ? &couplings : nullptr);
    parent_poses = parents.poses.value().clone();
    parent_activations = parents.activations.value().clone();
    // One number that depends on both outputs with the gradients wanted.
    const Variable loss = add(tape, squared(tape, parents.poses, grad_parent_poses),
                              squared(tape, parents.activations, grad_parent_activations));
    tape.backward(loss);
    return tape.arena().peak();
  }

  /// 1/2 sum (x - (x0 - g))^2 has the gradient g at x0.
  std::vector<Tensor> targets;
  Variable squared(Tape& tape, Variable x, const Tensor& gradient) {
    targets.emplace_back(x.shape());
    for (std::int64_t i = 0; i < x.elements(); ++i)
      targets.back().data()[i] = x.data()[i] - gradient.data()[i];
    return squared_error(tape, x, targets.back(), real(0.5));
  }

  ExplicitEm explicit_one() const {
    return ExplicitEm(problem,
                      {numbers(poses), numbers(activations), numbers(transforms), numbers(beta_u),
                       numbers(beta_a)},
                      numbers(grad_parent_poses), numbers(grad_parent_activations));
  }
};

} // namespace mereo

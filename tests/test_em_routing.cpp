// The fused EM routing against the explicit one, on every instruction set.
#include "error_of.h"
#include "explicit_em.h"

#include <mereo/capsules.h>
#include <mereo/isa.h>
#include <mereo/random.h>

#include <doctest/doctest.h>

using namespace mereo;

namespace {

/// Sets the instruction set back at the end of a test.
struct IsaScope {
  std::string before = isa();
  ~IsaScope() { set_isa(before); }
};

Tensor draw(const Shape& shape, Random& random, double deviation) {
  Tensor out(shape);
  for (real& x : out.values())
    x = real(deviation * random.normal());
  return out;
}

Tensor between(const Shape& shape, Random& random, double low, double high) {
  Tensor out(shape);
  for (real& x : out.values())
    x = real(low + (high - low) * double(random.uniform()));
  return out;
}

std::vector<double> numbers(const Tensor& x) {
  return {x.values().begin(), x.values().end()};
}

/// A problem with inputs, and what the operation makes of it.
struct Routed {
  EmProblem problem;
  Tensor poses, activations, transforms, beta_u, beta_a;
  Tensor grad_parent_poses, grad_parent_activations;

  Tensor parent_poses, parent_activations, couplings;
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
            .pose = {problem.rows, problem.inner, problem.columns}};
  }

  void run() {
    Tape tape;
    const auto leaf = [&](const Tensor& value, Tensor& gradient) {
      gradient = Tensor(value.shape());
      return tape.leaf(value, gradient);
    };
    const Capsules children = {leaf(poses, grad_poses), leaf(activations, grad_activations)};
    const Variable w = leaf(transforms, grad_transforms);
    const Variable u = leaf(beta_u, grad_beta_u), a = leaf(beta_a, grad_beta_a);
    const std::int64_t window = problem.kernel ? problem.kernel : 1;
    if (problem.batch == 1)
      couplings =
          Tensor({problem.height, problem.width, problem.types, window, window, problem.parents});
    const Capsules parents = em_routing(tape, children, w, u, a, connection(), options(),
                                        problem.coordinate_scale, couplings);
    parent_poses = parents.poses.value().clone();
    parent_activations = parents.activations.value().clone();
    // One number that depends on both outputs with the gradients wanted.
    const Variable loss = add(tape, squared(tape, parents.poses, grad_parent_poses),
                              squared(tape, parents.activations, grad_parent_activations));
    tape.backward(loss);
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

/// Largest difference, relative to the largest number.
double distance(const Tensor& got, const std::vector<double>& want) {
  REQUIRE(got.elements() == std::int64_t(want.size()));
  double largest = 0, off = 0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    largest = std::max(largest, std::abs(want[i]));
    const double difference = std::abs(double(got.data()[i]) - want[i]);
    off = std::isfinite(difference) ? std::max(off, difference) : HUGE_VAL;
  }
  return largest > 0 ? off / largest : off;
}

std::string text(const EmProblem& p) {
  return Shape{p.batch, p.height, p.width, p.types, p.parents}.text() + " kernel " +
         std::to_string(p.kernel) + " stride " + std::to_string(p.stride) +
         (p.shared ? " shared" : "") + " pose " + Shape{p.rows, p.inner, p.columns}.text() +
         " iterations " + std::to_string(p.iterations) + (p.per_field ? " per field" : "") +
         (p.coordinate_scale != 0 ? " coordinates" : "");
}

std::vector<EmProblem> problems() {
  std::vector<EmProblem> all;
  for (const int iterations : {1, 2, 3}) {
    const auto add = [&](EmProblem p) {
      p.iterations = iterations;
      all.push_back(p);
    };
    add({.types = 1, .parents = 1});
    add({.height = 2, .width = 3, .types = 3, .parents = 5});
    add({.batch = 3,
         .height = 4,
         .width = 4,
         .types = 2,
         .parents = 5,
         .shared = true,
         .coordinate_scale = 1});
    add({.height = 5, .width = 4, .types = 3, .parents = 17, .kernel = 3, .stride = 1});
    add({.batch = 2, .height = 6, .width = 7, .types = 5, .parents = 16, .kernel = 3, .stride = 2});
    add({.height = 6,
         .width = 6,
         .types = 9,
         .parents = 33,
         .kernel = 3,
         .stride = 2,
         .inverse_temperature = 0.2,
         .cost_scale = 0.3});
    add({.height = 5,
         .width = 5,
         .types = 2,
         .parents = 4,
         .kernel = 3,
         .stride = 2,
         .coordinate_scale = 0.5,
         .per_field = true});
    add({.height = 3,
         .width = 3,
         .types = 2,
         .parents = 6,
         .kernel = 2,
         .rows = 1,
         .inner = 16,
         .columns = 16,
         .coordinate_scale = 1});
    add({.height = 3,
         .width = 4,
         .types = 2,
         .parents = 3,
         .kernel = 2,
         .rows = 3,
         .inner = 5,
         .columns = 7});
    add({.height = 3,
         .width = 3,
         .types = 4,
         .parents = 20,
         .kernel = 3,
         .rows = 9,
         .inner = 2,
         .columns = 1});
  }
  EmProblem many = {.height = 3, .width = 3, .types = 2, .parents = 4, .kernel = 2};
  for (const int iterations : {4, 6}) {
    many.iterations = iterations;
    all.push_back(many);
  }
  return all;
}

} // namespace

TEST_CASE("EM routing is the explicit one, on every instruction set") {
  const IsaScope scope;
  for (const EmProblem& problem : problems()) {
    Random random(11);
    Routed routed(problem, random);
    const ExplicitEm want = routed.explicit_one();
    for (const std::string& name : available_isas()) {
      INFO(name << ": " << text(problem));
      set_isa(name);
      routed.run();
      CHECK(distance(routed.parent_poses, want.poses) < 1e-5);
      CHECK(distance(routed.parent_activations, want.activations) < 1e-5);
      if (problem.batch == 1)
        CHECK(distance(routed.couplings, want.couplings) < 1e-5);
      CHECK(distance(routed.grad_poses, want.grad_poses) < 1e-4);
      CHECK(distance(routed.grad_activations, want.grad_activations) < 1e-4);
      CHECK(distance(routed.grad_transforms, want.grad_transforms) < 1e-4);
      CHECK(distance(routed.grad_beta_u, want.grad_beta_u) < 1e-4);
      CHECK(distance(routed.grad_beta_a, want.grad_beta_a) < 1e-4);
    }
  }
}

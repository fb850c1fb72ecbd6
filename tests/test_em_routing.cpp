// The fused EM routing against the explicit one, on every instruction set.
#include "em_fixture.h"

#include <mereo/isa.h>

#include <doctest/doctest.h>

using namespace mereo;

namespace {

/// Sets the instruction set back at the end of a test.
struct IsaScope {
  std::string before = isa();
  ~IsaScope() { set_isa(before); }
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
  EmProblem soft = {.height = 5, .width = 5, .types = 3, .parents = 18, .kernel = 3};
  soft.likelihood = 0.2;
  all.push_back(soft);
  EmProblem many = {.height = 3, .width = 3, .types = 2, .parents = 4, .kernel = 2};
  for (const int iterations : {4, 6}) {
    many.iterations = iterations;
    all.push_back(many);
  }
  return all;
}

/// Runs the problem and compares all that comes of it.
void check_run(Routed& routed, const ExplicitEm& want) {
  const EmProblem& problem = routed.problem;
  routed.run();
  CHECK(distance(routed.parent_poses, want.poses) < 1e-5);
  CHECK(distance(routed.parent_activations, want.activations) < 1e-5);
  const auto iterations = std::size_t(problem.batch == 1 ? problem.iterations : 0);
  REQUIRE(routed.couplings.size() == iterations);
  for (std::size_t t = 0; t < iterations; ++t) {
    const double* from = &want.couplings[t * std::size_t(problem.couplings())];
    CHECK(distance(routed.couplings[t], {from, from + problem.couplings()}) < 1e-5);
  }
  CHECK(distance(routed.grad_poses, want.grad_poses) < 1e-4);
  CHECK(distance(routed.grad_activations, want.grad_activations) < 1e-4);
  CHECK(distance(routed.grad_transforms, want.grad_transforms) < 1e-4);
  CHECK(distance(routed.grad_beta_u, want.grad_beta_u) < 1e-4);
  CHECK(distance(routed.grad_beta_a, want.grad_beta_a) < 1e-4);
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
      check_run(routed, want);
    }
  }
}

TEST_CASE("of children that are all but off, too: what keeps the mass from zero has a gradient") {
  const IsaScope scope;
  for (const int iterations : {1, 2}) {
    Random random(12);
    Routed routed({.height = 3, .width = 2, .types = 2, .parents = 3, .iterations = iterations},
                  random);
    for (real& a : routed.activations.values())
      a *= real(1e-7);
    const ExplicitEm want = routed.explicit_one();
    for (const std::string& name : available_isas()) {
      INFO(name << ", " << iterations << " iterations");
      set_isa(name);
      check_run(routed, want);
    }
  }
}

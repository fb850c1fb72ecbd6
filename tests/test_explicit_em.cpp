// The reference that the fused EM routing is compared with, itself held to hand computation and to
// difference quotients.
#include "explicit_em.h"

#include <mereo/random.h>

#include <doctest/doctest.h>

#include <string>

using namespace mereo;

namespace {

using Numbers = ExplicitEm::Numbers;

Numbers draw(std::int64_t count, Random& random, double deviation) {
  Numbers x(static_cast<std::size_t>(count));
  for (double& value : x)
    value = deviation * random.normal();
  return x;
}

/// Temperature and betas such that the parents' activations are neither 0 nor 1.
ExplicitEm::Inputs draw(EmProblem& p, Random& random) {
  p.inverse_temperature = 1;
  ExplicitEm::Inputs in{draw(p.batch * p.children() * p.pose(), random, 1),
                        draw(p.batch * p.children(), random, 1),
                        draw(p.transforms() * p.inner * p.columns, random, 0.5),
                        draw(p.parents, random, 0.1), draw(p.parents, random, 1)};
  for (double& a : in.activations)
    a = 1 / (1 + std::exp(-a));
  return in;
}

double dot(const Numbers& x, const Numbers& y) {
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i)
    sum += x[i] * y[i];
  return sum;
}

/// <gradient, v> against the central difference along v, for each input.
void check_gradients(EmProblem p) {
  Random random(7);
  const ExplicitEm::Inputs in = draw(p, random);
  const Numbers seed_poses = draw(p.batch * p.all_parents() * p.vote(), random, 1);
  const Numbers seed_activations = draw(p.batch * p.all_parents(), random, 1);
  const ExplicitEm got(p, in, seed_poses, seed_activations);
  const auto check = [&](const char* what, Numbers ExplicitEm::Inputs::*input,
                         const Numbers& gradient) {
    CAPTURE(what);
    const Numbers v = draw(std::int64_t((in.*input).size()), random, 1);
    const auto along = [&](double step) {
      ExplicitEm::Inputs moved = in;
      for (std::size_t i = 0; i < v.size(); ++i)
        (moved.*input)[i] += step * v[i];
      const ExplicitEm at(p, moved);
      return dot(at.poses, seed_poses) + dot(at.activations, seed_activations);
    };
    const double step = 1e-6, numeric = (along(step) - along(-step)) / (2 * step);
    CHECK(dot(gradient, v) == doctest::Approx(numeric).epsilon(1e-6));
  };
  check("poses", &ExplicitEm::Inputs::poses, got.grad_poses);
  check("activations", &ExplicitEm::Inputs::activations, got.grad_activations);
  check("transforms", &ExplicitEm::Inputs::transforms, got.grad_transforms);
  check("beta_u", &ExplicitEm::Inputs::beta_u, got.grad_beta_u);
  check("beta_a", &ExplicitEm::Inputs::beta_a, got.grad_beta_a);
}

} // namespace

TEST_CASE("explicit EM: two children, one parent, one dimension, by hand") {
  const EmProblem p{.height = 2,
                    .rows = 1,
                    .inner = 1,
                    .columns = 1,
                    .iterations = 1,
                    .inverse_temperature = 2,
                    .temperature_decay = 0.5,
                    .cost_scale = 3,
                    .variance_floor = 0.25};
  // Votes 1 * 2 and 4 * 1.5, masses 0.25 and 0.75; one parent, so that all of both is assigned.
  const ExplicitEm em(p, {{1, 4}, {0.25, 0.75}, {2, 1.5}, {0.1}, {0.3}});
  const double mean = 0.25 * 2 + 0.75 * 6, variance = 0.25 * 9 + 0.75 * 1 + 0.25;
  CHECK(em.poses[0] == doctest::Approx(mean));
  const double z = 2 * 0.5 * (0.3 - 3 * (0.1 + 0.5 * std::log(variance)));
  CHECK(em.activations[0] == doctest::Approx(1 / (1 + std::exp(-z))));
  CHECK(em.couplings == Numbers{1, 1});
}

TEST_CASE(
    "explicit EM: a child's couplings sum to one over all parents, or over those of a place") {
  Random random(3);
  for (const bool per_field : {false, true}) {
    EmProblem p{.height = 5, .width = 4, .types = 2, .parents = 3, .kernel = 3, .stride = 2};
    p.per_field = per_field;
    const ExplicitEm em(p, draw(p, random));
    for (std::int64_t child = 0; child < p.children(); ++child) {
      const std::int64_t y = child / (4 * 2), x = child / 2 % 4;
      const int positions = (y == 2 ? 2 : 1) * (x == 3 ? 0 : 1); // windows over rows 0-2 and 2-4
      const double* c = &em.couplings[std::size_t(child * 9 * 3)];
      double sum = 0;
      for (int n = 0; n < 9 * 3; ++n)
        sum += c[n];
      CHECK(sum == doctest::Approx(per_field ? positions : positions > 0));
    }
  }
}

TEST_CASE("explicit EM: gradients against difference quotients") {
  for (const int iterations : {1, 2, 3}) {
    CAPTURE(iterations);
    EmProblem p{.batch = 2, .height = 4, .width = 5, .types = 2, .parents = 3};
    p.iterations = iterations;
    p.cost_scale = 0.7;
    SUBCASE("the whole grid, a transform for each place") {}
    SUBCASE("the whole grid, shared, with coordinates") {
      p.shared = true;
      p.coordinate_scale = 2;
    }
    SUBCASE("windows") {
      p.kernel = 3;
    }
    SUBCASE("windows with stride 2, each field by itself") {
      p.kernel = 3, p.stride = 2;
      p.per_field = true;
    }
    SUBCASE("vector poses") {
      p.kernel = 2, p.stride = 2;
      p.rows = 1, p.inner = 3, p.columns = 5;
      p.coordinate_scale = 1;
    }
    check_gradients(p);
  }
}

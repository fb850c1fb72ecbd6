// Dynamic routing whose couplings count as constants: by definition not the derivative of its
// value, so it is compared with the derivative of the formula in which they are constants.
#include "check.h"

#include <mereo/capsules.h>

#include <doctest/doctest.h>

#include <cmath>

using namespace gradients;
using mereo::DynamicRouting;
using mereo::Random;
using mereo::real;

namespace {

constexpr std::int64_t B = 3, I = 6, J = 4, D = 3, E = 5;

/// squash(sum_i c_ij W_ij u_i + bias_j) with given couplings (B, I, J).
std::vector<double> route_with(const Tensor& couplings, const Tensor& children,
                               const Tensor& weights, const Tensor& bias) {
  std::vector<double> parents;
  for (std::int64_t b = 0; b < B; ++b)
    for (std::int64_t j = 0; j < J; ++j) {
      double sums[E], squares = 1e-9;
      for (std::int64_t e = 0; e < E; ++e) {
        sums[e] = bias.empty() ? 0 : bias.at({j, e});
        for (std::int64_t i = 0; i < I; ++i)
          for (std::int64_t d = 0; d < D; ++d)
            sums[e] += couplings.at({b, i, j}) * weights.at({i, j, e, d}) * children.at({b, i, d});
        squares += sums[e] * sums[e];
      }
      for (double s : sums)
        parents.push_back(s * std::sqrt(squares) / (1 + squares));
    }
  return parents;
}

double inner(const Tensor& seed, const std::vector<double>& values) {
  double total = 0;
  for (std::size_t i = 0; i < values.size(); ++i)
    total += seed.data()[i] * values[i];
  return total;
}

void check_stopped(const DynamicRouting& options, bool with_bias) {
  CAPTURE(options.iterations);
  CAPTURE(options.none_of_the_above);
  CAPTURE(with_bias);
  Random random(5);
  std::vector<Tensor> inputs = {normal({B, I, D}, random), normal({I, J, E, D}, random, 0.7)};
  inputs.push_back(with_bias ? normal({J, E}, random) : Tensor());

  Tape tape;
  const Tensor seed = normal({B, J, E}, random);
  std::vector<Tensor> shown;
  std::vector<Tensor> gradients;
  std::vector<Variable> in;
  for (const Tensor& input : inputs) {
    gradients.push_back(input.empty() ? Tensor() : Tensor(input.shape()));
    in.push_back(input.empty() ? Variable() : tape.leaf(input, gradients.back()));
  }
  const Variable parents = dynamic_routing(tape, in[0], in[1], in[2], options, &shown);
  const Tensor couplings = shown.back();
  const std::vector<double> want = route_with(couplings, inputs[0], inputs[1], inputs[2]);
  for (std::size_t i = 0; i < want.size(); ++i)
    CHECK(parents.data()[i] == doctest::Approx(want[i]).epsilon(1e-12));
  tape.backward(parents, seed);

  constexpr double step = 1e-5;
  for (std::size_t which = 0; which < inputs.size(); ++which)
    for (std::int64_t i = 0; i < (inputs[which].empty() ? 0 : inputs[which].elements()); ++i) {
      real& x = inputs[which].data()[i];
      const real before = x;
      x = before + step;
      const double after = inner(seed, route_with(couplings, inputs[0], inputs[1], inputs[2]));
      x = before - step;
      const double difference =
          after - inner(seed, route_with(couplings, inputs[0], inputs[1], inputs[2]));
      x = before;
      INFO("input " << which << ", element " << i);
      REQUIRE(gradients[which].data()[i] ==
              doctest::Approx(difference / (2 * step)).epsilon(tolerance));
    }
}

} // namespace

TEST_CASE("routing without inner gradients differentiates as if its couplings were constants") {
  for (int iterations : {1, 2, 3})
    for (bool none : {false, true})
      for (bool bias : {false, true})
        check_stopped({iterations, none, true}, bias);
}

TEST_CASE("stopping the inner gradients matters from the second iteration on") {
  for (int iterations : {1, 2}) {
    Random random(6);
    Case one{"", {normal({B, I, D}, random), normal({I, J, E, D}, random)}, nullptr};
    const Tensor seed = normal({B, J, E}, random);
    std::vector<Tensor> gradients[2];
    for (bool stop : {false, true}) {
      one.build = [=](Tape& tape, std::span<const Variable> in) {
        return dynamic_routing(tape, in[0], in[1], {}, {iterations, false, stop});
      };
      gradients[stop] = tape_gradients(one, seed);
    }
    for (int input : {0, 1}) {
      double difference = 0;
      for (std::int64_t i = 0; i < gradients[0][input].elements(); ++i)
        difference = std::max(
            difference, std::abs(gradients[0][input].data()[i] - gradients[1][input].data()[i]));
      if (iterations == 1)
        CHECK(difference < 1e-12);
      else
        CHECK(difference > 1e-3);
    }
  }
}

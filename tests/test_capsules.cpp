#include <mereo/capsule_layers.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace mereo;

namespace {

Tensor random_tensor(const Shape& shape, std::uint64_t seed, real deviation = 1) {
  Tensor tensor(shape);
  Random random(seed);
  for (real& x : tensor.values())
    x = deviation * real(random.normal());
  return tensor;
}

double pose_length(const real* pose, std::int64_t size) {
  return std::sqrt(std::inner_product(pose, pose + size, pose, 0.0));
}

} // namespace

TEST_CASE("couplings sum to one over the parents of each child, not over the children") {
  constexpr std::int64_t B = 3, I = 7, J = 4;
  std::vector<Tensor> shown;
  Tensor couplings; // the last ones
  Tape tape;
  const Tensor children = random_tensor({B, I, 3}, 1),
               weights = random_tensor({I, J, 5, 3}, 2, real(0.4));
  const auto route = [&](const DynamicRouting& options) {
    tape.reset();
    const Variable parents =
        dynamic_routing(tape, tape.constant(children), tape.constant(weights), {}, options, &shown);
    REQUIRE(int(shown.size()) == options.iterations);
    couplings = shown.back();
    return parents;
  };
  const auto sum_over_parents = [&](std::int64_t b, std::int64_t i) {
    const real* row = &couplings.at({b, i, 0});
    return std::accumulate(row, row + J, 0.0);
  };
  // The parents are what these couplings make of the votes, so they are the ones routing used.
  const auto check_parents = [&](const Variable& parents) {
    for (std::int64_t b = 0; b < B; ++b)
      for (std::int64_t j = 0; j < J; ++j) {
        double sums[5] = {}, squares = 0;
        for (std::int64_t e = 0; e < 5; ++e) {
          for (std::int64_t i = 0; i < I; ++i)
            for (std::int64_t d = 0; d < 3; ++d)
              sums[e] += double(couplings.at({b, i, j})) * weights.at({i, j, e, d}) *
                         children.at({b, i, d});
          squares += sums[e] * sums[e];
        }
        for (std::int64_t e = 0; e < 5; ++e)
          CHECK(parents.value().at({b, j, e}) ==
                doctest::Approx(sums[e] * std::sqrt(squares) / (1 + squares)).epsilon(1e-4));
      }
  };
  SUBCASE("after three iterations, when they are no longer equal") {
    check_parents(route({}));
    double least = 1, most = 0;
    for (real c : couplings.values())
      least = std::min(least, double(c)), most = std::max(most, double(c));
    CHECK(most - least > 0.2);
    for (real c : shown[0].values())
      CHECK(c == real(1) / J);
    for (std::int64_t b = 0; b < B; ++b)
      for (std::int64_t i = 0; i < I; ++i)
        CHECK(sum_over_parents(b, i) == doctest::Approx(1));
  }
  SUBCASE("at first they are 1 / parents, and each parent is the squashed mean of its votes") {
    const Variable parents = route({.iterations = 1});
    for (real c : couplings.values())
      CHECK(c == doctest::Approx(1.0 / J));
    check_parents(parents);
  }
  SUBCASE("the none-of-the-above category takes its share") {
    route({.iterations = 1, .none_of_the_above = true});
    for (real c : couplings.values())
      CHECK(c == doctest::Approx(1.0 / (J + 1)));
    check_parents(route({.none_of_the_above = true}));
    for (std::int64_t b = 0; b < B; ++b)
      for (std::int64_t i = 0; i < I; ++i)
        CHECK(sum_over_parents(b, i) < 0.999);
  }
}

TEST_CASE("routing does not depend on the order of the children") {
  constexpr std::int64_t I = 9, J = 3, E = 4, D = 5;
  const Tensor children = random_tensor({2, I, D}, 3), weights = random_tensor({I, J, E, D}, 4);
  const Tensor moved_children = children.clone(), moved_weights = weights.clone();
  for (std::int64_t i = 0; i < I; ++i) {
    const std::int64_t to = (i * 4 + 2) % I;
    for (std::int64_t b = 0; b < 2; ++b)
      std::copy_n(&children.at({b, i, 0}), D, &moved_children.at({b, to, 0}));
    std::copy_n(&weights.at({i, 0, 0, 0}), J * E * D, &moved_weights.at({to, 0, 0, 0}));
  }
  Tape tape;
  const Variable parents =
      dynamic_routing(tape, tape.constant(children), tape.constant(weights), {}, {});
  const Variable moved =
      dynamic_routing(tape, tape.constant(moved_children), tape.constant(moved_weights), {}, {});
  for (std::int64_t k = 0; k < parents.elements(); ++k)
    CHECK(parents.data()[k] == doctest::Approx(moved.data()[k]).epsilon(1e-5));
}

TEST_CASE("squash makes capsules shorter than one and keeps their direction") {
  Tape tape;
  for (real length : {real(0), real(1e-6), real(0.5), real(3), real(100)}) {
    CAPTURE(length);
    const std::vector<real> pose = {length * real(0.6), 0, length * real(-0.8)};
    const Tensor s({1, 1, 3}, pose);
    const Variable v = squash(tape, tape.constant(s));
    CHECK(pose_length(v.data(), 3) < 1);
    CHECK(v.data()[0] * real(-0.8) == doctest::Approx(v.data()[2] * real(0.6)));
    if (length >= real(0.5))
      CHECK(pose_length(v.data(), 3) ==
            doctest::Approx(double(length) * length / (1 + double(length) * length)));
  }
}

TEST_CASE("a primary capsule is neighbouring channels of one pixel, never neighbouring pixels") {
  constexpr std::int64_t rows = 4, columns = 5, types = 3, pose = 4, row = 2, column = 3, type = 1;
  Parameters parameters;
  const PrimaryCapsules layer(parameters, "primary",
                              {.kernel = 1,
                               .channels = 2,
                               .types = types,
                               .pose = pose,
                               .stride = 1,
                               .padding = Padding::valid,
                               .scale = 1,
                               .weights = {},
                               .bias = {}});
  parameters.allocate(1);
  // Only the channels of one type respond, each with another strength, to one channel of the image
  // ...
  const Tensor weights = parameters.value(0); // (1, 1, 2, types * pose)
  for (std::int64_t atom = 0; atom < pose; ++atom)
    weights.at({0, 0, 1, type * pose + atom}) = real(atom + 1);
  // ... and one pixel is lit.
  const Tensor image({1, rows, columns, 2});
  image.at({0, row, column, 1}) = 1;

  Tape tape;
  const Variable capsules = layer.forward(tape, parameters, tape.constant(image), Mode::evaluation);
  REQUIRE(capsules.shape() == Shape{1, rows * columns * types, pose});
  // So exactly one capsule is there, whole: type 1 of that pixel, with the direction (1, 2, 3, 4).
  const std::int64_t lit = (row * columns + column) * types + type;
  for (std::int64_t i = 0; i < rows * columns * types; ++i) {
    const real* v = capsules.data() + i * pose;
    if (i != lit) {
      CHECK(pose_length(v, pose) == 0);
      continue;
    }
    CHECK(pose_length(v, pose) == doctest::Approx(30.0 / 31));
    for (std::int64_t atom = 0; atom < pose; ++atom)
      CHECK(v[atom] == doctest::Approx((atom + 1) * std::sqrt(30.0) / 31));
  }
}

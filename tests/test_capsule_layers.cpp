// What holds of a layer of capsules by any routing.
#include "error_of.h"

#include <mereo/capsule_layers.h>

#include <doctest/doctest.h>

#include <cmath>

using namespace mereo;

TEST_CASE(
    "every routing makes a layer with its defaults, whose couplings sum to one over parents") {
  constexpr std::int64_t H = 3, W = 2, I = 2, J = 4;
  const CapsuleLayerOptions shape = {.children = {H, W, I},
                                     .parents = J,
                                     .pose = {1, 3, 5},
                                     .connection = {},
                                     .weights = Initialiser::normal(0.5)};
  const CapsuleGrid grid = shape.parent_grid();
  CHECK(grid.height == 1);
  CHECK(grid.types == J);
  for (const Routing* routing : routings()) {
    CAPTURE(std::string(routing->name));
    CHECK(&find_routing(routing->name) == routing);
    Parameters parameters;
    const auto layer = routing->make(parameters, "layer", shape, routing->options());
    REQUIRE(parameters.count() > 0);
    CHECK(parameters.name(0).starts_with("layer."));
    parameters.allocate(3);

    Tensor poses({1, H, W, I, 3}), activations({1, H, W, I});
    std::vector<Tensor> couplings;
    Random random(4);
    for (real& x : poses.values())
      x = real(random.normal());
    for (real& a : activations.values())
      a = random.uniform();
    Tape tape;
    const Capsules parents =
        layer->forward(tape, parameters, {tape.constant(poses), tape.constant(activations)},
                       Mode::training, &couplings);
    CHECK(parents.poses.shape() == Shape{1, 1, 1, J, 5});
    CHECK(parents.poses.needs_gradient());
    CHECK((parents.activations.empty() || parents.activations.shape() == Shape{1, 1, 1, J}));
    CHECK_FALSE(couplings.empty());
    for (const Tensor& shown : couplings) {
      REQUIRE(shown.shape() == Shape{H, W, I, 1, 1, J});
      for (std::int64_t child = 0; child < H * W * I; ++child) {
        double sum = 0;
        for (std::int64_t j = 0; j < J; ++j)
          sum += shown.data()[child * J + j];
        CHECK(sum == doctest::Approx(1));
      }
    }
    const Tensor two_poses({2, H, W, I, 3}), two({2, H, W, I});
    const Capsules both = {tape.constant(two_poses), tape.constant(two)};
    const std::string error =
        error_of([&] { layer->forward(tape, parameters, both, Mode::evaluation, &couplings); });
    CHECK(error.find("2 images") != std::string::npos);
    CHECK_FALSE(error_of([&] {
                  Parameters others;
                  routing->make(others, "layer", shape, {{"no_such_option", 1.0}});
                }).empty());
  }
}

TEST_CASE("a layer's parents stand where its windows fit") {
  CapsuleLayerOptions layer;
  layer.children = {14, 9, 8};
  layer.parents = 16;
  layer.connection = {.kernel = 3, .stride = 2};
  const CapsuleGrid grid = layer.parent_grid();
  CHECK(grid.height == 6);
  CHECK(grid.width == 4);
  CHECK(grid.types == 16);
  layer.children.width = 2;
  CHECK(error_of([&] { layer.parent_grid(); }).find("14 x 2") != std::string::npos);
}

TEST_CASE("EM routing starts with parents that are half active when half of the children are, if "
          "all agree; and the more, the more active") {
  CapsuleLayerOptions shape = {.children = {6, 8, 4}, // stride 2 leaves a row and a column out
                               .parents = 5,
                               .pose = {4, 4, 4},
                               .connection = {},
                               .weights = Initialiser::normal(0.1)};
  RoutingChoice em;
  em.set("iterations", std::int64_t(1));
  SUBCASE("all children") {}
  SUBCASE("windows") {
    shape.connection = {.kernel = 3};
  }
  SUBCASE("windows with stride 2") {
    shape.connection = {.kernel = 3, .stride = 2};
  }
  SUBCASE("windows with gaps between them") {
    shape.connection = {.kernel = 2, .stride = 3};
  }
  SUBCASE("windows, each field by itself") {
    shape.connection = {.kernel = 3, .stride = 2};
    em.set("per_field", std::int64_t(1));
  }
  Parameters parameters;
  const auto layer = find_routing("em").make(parameters, "layer", shape, em.options);
  parameters.allocate(3);
  // The mean of what the activations are logistic functions of: parents at the border have less
  // competition for their children, so more of them than others.
  const auto evidence = [&](real of_children) {
    const auto& [H, W, I] = shape.children;
    const Tensor poses({1, H, W, I, 16}), activations({1, H, W, I}); // of 0: so are all votes
    std::ranges::fill(activations.values(), of_children);
    Tape tape;
    const Variable a =
        layer
            ->forward(tape, parameters, {tape.constant(poses), tape.constant(activations)},
                      Mode::evaluation, nullptr)
            .activations;
    double total = 0;
    for (std::int64_t n = 0; n < a.elements(); ++n)
      total += std::log(double(a.data()[n]) / (1 - double(a.data()[n])));
    return total / double(a.elements());
  };
  CHECK(std::abs(evidence(0.5)) < 1e-4);
  CHECK(evidence(0.7) > 0.3);
  CHECK(evidence(0.3) < -0.3);
}

// What a model tells about one image: the routing that its answer came from, and where it looked.
#include "explicit_em.h"
#include "explicit_routing.h"
#include "random_images.h"

#include <mereo/models.h>

#include <doctest/doctest.h>

#include <algorithm>

using namespace mereo;

namespace {

CapsNetConfig small_capsnet() {
  CapsNetConfig config;
  config.input = {12, 15, 1, 3};
  config.kernel = 4, config.conv_filters = 6;
  config.primary_types = 3, config.primary_pose = 4, config.class_pose = 5;
  config.decoder_hidden1 = 7, config.decoder_hidden2 = 7;
  return config;
}

MatrixCapsNetConfig small_matrix_capsnet() {
  MatrixCapsNetConfig config;
  config.input = {22, 25, 1, 3};
  config.conv_filters = 5, config.primary_types = 3;
  config.capsules1 = {4, 3, 2}, config.capsules2 = {5, 3, 1};
  return config;
}

/// The inspected pass is the ordinary one, and its layers lead from one to the next.
void check_pass(Model& model) {
  const Tensor image = random_images(1, model.input(), 3);
  Tape tape, other;
  const Inspection seen = model.inspect(tape, image);
  const Outputs plain = model.forward(other, image, {}, Mode::evaluation);
  CHECK(std::ranges::equal(seen.outputs.scores.value().values(), plain.scores.value().values()));
  CHECK(
      std::ranges::equal(seen.outputs.capsules.value().values(), plain.capsules.value().values()));
  for (std::size_t n = 0; n < seen.layers.size(); ++n) {
    const RoutedLayer& layer = seen.layers[n];
    CAPTURE(layer.name);
    const Shape &children = layer.child_activations.shape(),
                &parents = layer.parent_activations.shape();
    CHECK(layer.couplings.size() == 3);
    const std::int64_t K = layer.connection.kernel ? layer.connection.kernel : 1;
    for (const Tensor& c : layer.couplings)
      CHECK(c.shape() == Shape{children[0], children[1], children[2], K, K, parents[2]});
    if (n + 1 < seen.layers.size())
      CHECK(
          std::ranges::equal(layer.parent_poses.values(), seen.layers[n + 1].child_poses.values()));
    else
      CHECK(std::ranges::equal(layer.parent_poses.values(), plain.capsules.value().values()));
  }
}

std::vector<double> numbers(const Tensor& x) {
  return {x.values().begin(), x.values().end()};
}

Tensor parameter(Model& model, const std::string& name) {
  Parameters& parameters = model.parameters();
  for (int n = 0; n < parameters.count(); ++n)
    if (parameters.name(n) == name)
      return parameters.value(n);
  FAIL("no parameter " << name);
  return {};
}

} // namespace

TEST_CASE("the couplings shown are those of routing by agreement, every vote stored") {
  CapsNet network(small_capsnet(), 1);
  const Tensor image = random_images(1, network.input(), 5);
  Tape tape;
  const RoutedLayer layer = network.inspect(tape, image).layers.at(0);
  const RoutingShape shape = {
      .children = network.primary_capsules(), .parents = 3, .parent_pose = 5, .child_pose = 4};
  const std::vector<real> nothing(3 * 5);
  const ExplicitRouting want(shape, {}, 1, layer.child_poses.data(),
                             parameter(network, "classes.weight").data(), nullptr, nothing.data());
  REQUIRE(layer.couplings.size() == 3);
  std::size_t n = 0;
  for (const Tensor& couplings : layer.couplings)
    for (const real c : couplings.values()) {
      REQUIRE(std::abs(double(c) - want.couplings[n].value) <= want.couplings[n].bound());
      ++n;
    }
  CHECK(n == want.couplings.size());
}

TEST_CASE("the couplings shown are those of EM, every vote stored") {
  MatrixCapsNetConfig config = small_matrix_capsnet();
  config.routing.set("cost_reference", 0.0); // the cost as in the paper
  config.weight_start = 0.5;
  MatrixCapsNet network(config, 1);
  const Tensor image = random_images(1, network.input(), 5);
  Tape tape;
  const RoutedLayer layer = network.inspect(tape, image).layers.at(0);
  EmProblem problem = {.height = layer.child_poses.shape()[0],
                       .width = layer.child_poses.shape()[1],
                       .types = 3,
                       .parents = 4,
                       .kernel = 3,
                       .stride = 2};
  problem.inverse_temperature = 1, problem.variance_floor = 0.01, problem.likelihood = 0.5;
  const ExplicitEm want(problem, {numbers(layer.child_poses), numbers(layer.child_activations),
                                  numbers(parameter(network, "capsules1.weight")),
                                  numbers(parameter(network, "capsules1.beta_u")),
                                  numbers(parameter(network, "capsules1.beta_a"))});
  REQUIRE(layer.couplings.size() == 3);
  std::size_t n = 0;
  for (const Tensor& couplings : layer.couplings)
    for (const real c : couplings.values()) {
      REQUIRE(std::abs(double(c) - want.couplings[n]) < 1e-4);
      ++n;
    }
  CHECK(n == want.couplings.size());
  CHECK_FALSE(std::ranges::equal(layer.couplings[0].values(), layer.couplings[2].values()));
}

TEST_CASE("an inspected image gets the answer of a plain forward, from the layers shown") {
  CapsNet vectors(small_capsnet(), 1);
  check_pass(vectors);
  MatrixCapsNet matrices(small_matrix_capsnet(), 1);
  check_pass(matrices);
}

TEST_CASE("the receptive field of primary capsules is what changes them") {
  CapsNetConfig config = small_capsnet();
  SUBCASE("without padding") {}
  SUBCASE("with") {
    config.padding = Padding::same;
  }
  CapsNet network(config, 2);
  const Tensor image = random_images(1, network.input(), 4);
  Tape tape;
  const Inspection seen = network.inspect(tape, image);
  const Tensor before = seen.layers[0].child_poses.clone();
  const ReceptiveField rows = seen.rows, columns = seen.columns;
  CHECK(rows.size() == 7);
  CHECK(rows.paths == std::vector<std::int64_t>{1, 2, 3, 4, 3, 2, 1});
  CHECK(rows.stride == 2);
  const Shape shape = before.shape(); // (H, W, types, pose)
  const auto inside = [](const ReceptiveField& field, std::int64_t place, std::int64_t pixel) {
    const std::int64_t n = pixel - field.first - place * field.stride;
    return n >= 0 && n < field.size();
  };
  for (const auto& pixel : {std::pair{0, 0}, {5, 7}, {11, 14}, {6, 0}}) {
    const int y = pixel.first, x = pixel.second;
    const Tensor changed = image.clone();
    changed.at({0, y, x, 0}) += 1;
    tape.reset();
    const Tensor after = network.inspect(tape, changed).layers[0].child_poses;
    for (std::int64_t row = 0; row < shape[0]; ++row)
      for (std::int64_t column = 0; column < shape[1]; ++column) {
        const std::int64_t size = shape[2] * shape[3], at = (row * shape[1] + column) * size;
        const bool moved = !std::equal(before.data() + at, before.data() + at + size,
                                       after.data() + at, after.data() + at + size);
        INFO("pixel (" << y << ", " << x << "), place (" << row << ", " << column << ")");
        CHECK(moved == (inside(rows, row, y) && inside(columns, column, x)));
      }
  }
}

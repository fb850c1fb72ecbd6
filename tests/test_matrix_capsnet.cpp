#include "error_of.h"
#include "random_images.h"

#include <mereo/models.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

using namespace mereo;

namespace {

constexpr InputShape norb = {.height = 32, .width = 32, .channels = 2, .classes = 5};

MatrixCapsNetConfig with_sizes(std::int64_t a, std::int64_t b, std::int64_t c, std::int64_t d) {
  MatrixCapsNetConfig config;
  config.input = norb;
  config.conv_filters = a;
  config.primary_types = b;
  config.capsules1.types = c;
  config.capsules2.types = d;
  return config;
}

std::int64_t parameters_of(MatrixCapsNetConfig config, std::int64_t channels) {
  config.input.channels = channels;
  return MatrixCapsNet(config, 1).parameters().elements();
}

MatrixCapsNetConfig tiny(const InputShape& input = {
                             .height = 15, .width = 14, .channels = 2, .classes = 4}) {
  MatrixCapsNetConfig config = with_sizes(5, 2, 3, 2);
  config.input = input;
  config.capsules2.kernel = 2;
  config.routing.set("inverse_temperature", 1.0).set("cost_reference", 1.0);
  return config;
}

} // namespace

TEST_CASE("matrix capsules have the parameters of the paper's networks") {
  CHECK(parameters_of(with_sizes(32, 32, 32, 32), 1) == 316'394);
  CHECK(parameters_of(with_sizes(32, 32, 32, 32), 2) == 317'194);
  CHECK(parameters_of(with_sizes(64, 8, 16, 16), 1) == 67'154);
  CHECK(parameters_of(with_sizes(64, 8, 16, 16), 2) == 68'754);
  MatrixCapsNetConfig config;
  config.input = norb;
  CHECK(MatrixCapsNet::parameter_elements(config) == 317'194); // the defaults
}

TEST_CASE("weight decay pulls at the weights of matrix capsules, not at biases and betas") {
  MatrixCapsNet network(tiny(), 1);
  const Parameters& parameters = network.parameters();
  parameters.add_weight_decay(0.5);
  for (int i = 0; i < parameters.count(); ++i) {
    CAPTURE(parameters.name(i));
    const real factor = parameters.name(i).ends_with(".weight") ? real(0.5) : real(0);
    const Tensor value = parameters.value(i), gradient = parameters.gradient(i);
    for (std::int64_t n = 0; n < value.elements(); ++n)
      REQUIRE(gradient.data()[n] == factor * value.data()[n]);
  }
}

TEST_CASE("matrix capsules take any image size, channels, classes and layers") {
  for (const InputShape& input : {InputShape{13, 21, 1, 2}, InputShape{14, 15, 3, 7}})
    for (const std::int64_t second : {0, 2}) {
      MatrixCapsNetConfig config = tiny(input);
      config.capsules2.types = second;
      MatrixCapsNet network(config, 1);
      Tape tape;
      const std::vector<std::int32_t> labels = {0, std::int32_t(input.classes - 1)};
      const Tensor images = random_images(2, input);
      const Outputs out = network.forward(tape, images, labels, Mode::training);
      CHECK(out.scores.shape() == Shape{2, input.classes});
      CHECK(out.capsules.shape() == Shape{2, input.classes, 16});
      CHECK(out.reconstruction.empty());
      CHECK(out.loss.item() > 0);
      for (const real a : out.scores.value().values())
        CHECK((a >= 0 && a <= 1));
      tape.backward(out.loss);
      check_all_finite(network.parameters().gradients());
    }
}

TEST_CASE("a network that no memory holds is refused before any is taken") {
  MatrixCapsNetConfig config = with_sizes(5, 2, 1 << 20, 1 << 20); // 10^14 numbers
  CHECK(has(error_of([&] { MatrixCapsNet(config, 1); }), "make the network smaller"));
}

TEST_CASE("images of another shape, or too small, are refused by matrix capsules in one line") {
  MatrixCapsNet network(tiny(), 1);
  Tape tape;
  const std::string error = error_of([&] {
    network.forward(tape, Tensor(Shape{2, 14, 15, 2}), {}, Mode::evaluation);
  });
  CHECK(has(error, "(2, 14, 15, 2)"));
  CHECK(has(error, "(15, 14, 2)"));
  CHECK(has(error_of([] { MatrixCapsNet(tiny({.height = 4, .width = 20}), 1); }), "too small"));
  CHECK(has(error_of([] { MatrixCapsNet(tiny({.height = 8, .width = 20}), 1); }), "no window"));
}

TEST_CASE("any picture and loss gives matrix capsules finite gradients") {
  for (const ClassLoss loss : {ClassLoss::spread, ClassLoss::margin, ClassLoss::cross_entropy})
    for (const real brightness : {real(0), real(1), real(-1e4)}) {
      MatrixCapsNetConfig config = tiny();
      config.loss = loss;
      MatrixCapsNet network(config, 1);
      Tape tape;
      const std::vector<std::int32_t> labels = {0, 1};
      const Tensor images({2, 15, 14, 2});
      std::fill_n(images.data(), images.elements(), brightness);
      const Outputs out = network.forward(tape, images, labels, Mode::training);
      CHECK(std::isfinite(out.loss.item()));
      tape.backward(out.loss);
      check_all_finite(network.parameters().gradients());
    }
}

TEST_CASE("a NaN in the weights of a capsule layer is traced to it") {
  MatrixCapsNet network(tiny(), 1);
  const Tensor images = random_images(2, network.input());
  for (int i = 0; i < network.parameters().count(); ++i)
    if (network.parameters().name(i) == "capsules1.weight")
      network.parameters().value(i).data()[0] = std::numeric_limits<real>::quiet_NaN();
  Tape tape;
  network.forward(tape, images, {}, Mode::training);
  CHECK(has(tape.first_nonfinite(), "capsules1"));
}

TEST_CASE("the margin of matrix capsules' spread loss rises with the progress of training") {
  const std::vector<std::int32_t> labels = {1, 2, 3};
  const Tensor images = random_images(3, tiny().input);
  for (const ClassLoss kind : {ClassLoss::spread, ClassLoss::margin, ClassLoss::cross_entropy}) {
    MatrixCapsNetConfig config = tiny();
    config.loss = kind;
    MatrixCapsNet network(config, 2);
    const bool spread = kind == ClassLoss::spread;
    CHECK(network.changes_with_progress() == spread);
    Tape tape;
    const auto loss = [&](double progress) {
      return network.forward(tape, images, labels, Mode::evaluation, progress).loss.item();
    };
    CHECK((loss(0) < loss(0.5)) == spread);
    CHECK((loss(0.5) < loss(1)) == spread);
    CHECK(loss(1) == network.forward(tape, images, labels, Mode::evaluation).loss.item());
    if (spread) {
      const Variable scores = network.forward(tape, images, labels, Mode::evaluation).scores;
      CHECK(loss(0.5) == spread_loss(tape, scores, labels, 0.55).item());
    }
  }
}

TEST_CASE("a matrix capsule configuration makes the same network again, and says what is wrong") {
  MatrixCapsNetConfig config = tiny();
  config.pose = PoseKind::vector;
  config.pose_size = 5;
  config.loss = ClassLoss::cross_entropy;
  config.margin_schedule = MarginSchedule::sigmoid;
  config.routing.set("iterations", std::int64_t(2)).set("per_field", std::int64_t(1));
  MatrixCapsNet network(config, 7);
  const std::unique_ptr<Model> again = make_model("matrix-capsnet", network.config(), 7);
  CHECK(again->config() == network.config());
  const auto values = network.parameters().values(), same = again->parameters().values();
  CHECK(std::equal(values.begin(), values.end(), same.begin(), same.end()));

  const auto error = [](const std::string& text) {
    return error_of([&] { make_model("matrix-capsnet", text, 1); });
  };
  CHECK(error("{}").empty());
  CHECK(has(error(R"({"iterations": 3})"), "iterations"));
  CHECK(has(error(R"({"routing": "none"})"), "known: dynamic, em"));
  CHECK(has(error(R"({"routing": 3})"), "routing"));
  CHECK(has(error(R"({"routing_iterations": 2.5})"), "routing_iterations"));
  CHECK(has(error(R"({"loss": "hinge"})"), "\"spread\", \"margin\" or \"cross-entropy\""));
  CHECK(has(error(R"({"pose_size": 15})"), "pose_size"));
  CHECK(has(error(R"({"coordinate_scale": 1e39})"), "coordinate_scale")); // not in float
  CHECK(has(error(R"({"routing_iterations": 0})"), "at least one iteration [0]"));
  CHECK(has(error(R"({"routing_variance_floor": 0})"), "floor"));
  CHECK(has(error(R"({"routing_variance_floor": 1e-60})"), "floor"));
  CHECK(has(error(R"({"routing_likelihood": 0})"), "likelihood"));
  CHECK(has(error(R"({"routing_temperature_decay": 1})"), "decay"));
  CHECK(has(error(R"({"routing_inverse_temperature": -1})"), "temperature"));
  CHECK(has(error(R"({"class_temperature": -1})"), "temperature"));
  CHECK(has(error(R"({"routing_cost_reference": -1})"), "cost_reference"));
  CHECK(has(error(R"({"routing_beta_u_start": 1e39})"), "beta_u_start"));
  CHECK(has(error(R"({"routing_half_active_share": 1e39})"), "half_active_share"));
  // An option belongs to its routing, wherever in the text it stands.
  CHECK(has(error(R"({"routing": "dynamic", "routing_per_field": 1})"), "routing_per_field"));
  CHECK(error(R"({"routing_none_of_the_above": 1, "routing": "dynamic", "class_shared": false,
                  "coordinate_scale": 0, "capsules1_types": 0, "capsules2_types": 0})")
            .empty());
  CHECK(has(error(R"({"routing": "dynamic"})"), "layer capsules1"));
  CHECK(has(error(R"({"routing": "dynamic", "routing_iterations": 0, "class_shared": false,
                      "coordinate_scale": 0, "capsules1_types": 0, "capsules2_types": 0})"),
            "at least one iteration [0]"));
}

TEST_CASE("nothing in matrix capsules depends on what the arena's memory held before") {
  MatrixCapsNet network(tiny(), 1);
  const Tensor images = random_images(3, network.input());
  const std::vector<std::int32_t> labels = {0, 1, 2};
  const auto gradients = [&](real garbage) {
    Tape tape;
    constexpr std::int64_t count = 1 << 20;
    std::fill_n(tape.arena().allocate_array<real>(count), count, garbage);
    tape.reset();
    tape.backward(network.forward(tape, images, labels, Mode::training).loss);
    CHECK(tape.arena().capacity() < 2 * count * sizeof(real)); // all of it in the garbage
    const auto got = network.parameters().gradients();
    return std::vector<real>(got.begin(), got.end());
  };
  CHECK(gradients(0) == gradients(std::numeric_limits<real>::quiet_NaN()));
}

// The loss of whole networks, with respect to every parameter.
#include "check.h"

#include <mereo/models.h>

#include <doctest/doctest.h>

#include <cmath>

using namespace gradients;
using mereo::CapsNet;
using mereo::CapsNetConfig;
using mereo::MatrixCapsNet;
using mereo::MatrixCapsNetConfig;
using mereo::Mode;
using mereo::Random;

namespace {

CapsNetConfig small() {
  CapsNetConfig config;
  config.input = {.height = 9, .width = 10, .channels = 2, .classes = 3};
  config.kernel = 3;
  config.conv_filters = 4;
  config.primary_types = 2;
  config.primary_pose = 3;
  config.class_pose = 4;
  config.decoder_hidden1 = 5;
  config.decoder_hidden2 = 6;
  return config;
}

/// Numbers of ordinary size everywhere, so that no parameter's gradient is lost beside another's.
void randomise(mereo::Parameters& parameters, double deviation) {
  Random random(8);
  for (int i = 0; i < parameters.count(); ++i)
    for (mereo::real& x : parameters.value(i).values())
      x = deviation * random.normal();
}

/// `unused`: a layer whose parameters do not reach the loss.
void check_network(mereo::Model& network, double deviation, const std::string& unused = "none") {
  mereo::Parameters& parameters = network.parameters();
  randomise(parameters, deviation);
  Random random(9);
  const mereo::InputShape input = network.input();
  Tensor images({3, input.height, input.width, input.channels});
  for (mereo::real& x : images.values())
    x = random.uniform();
  const std::int64_t L = input.labels_per_image;
  const std::vector<std::int32_t> labels =
      L == 1 ? std::vector<std::int32_t>{2, 0, 1} : std::vector<std::int32_t>{2, 0, 0, 1, 2, 1};
  mereo::Targets targets;
  if (L > 1 || network.target_shift() > 0) {
    targets.images = Tensor({3, L, input.height, input.width, input.channels});
    for (mereo::real& x : targets.images.values())
      x = random.uniform();
  }
  if (network.target_shift() > 0)
    targets.moves = normal({3, L, 2}, random);

  Tape tape;
  const auto forward = [&] {
    tape.reset();
    return network.forward(tape, images, labels, Mode::training, 1, targets).loss;
  };
  const auto loss = [&] { return forward().item(); };
  tape.backward(forward());

  for (int i = 0; i < parameters.count(); ++i) {
    CAPTURE(parameters.name(i));
    const Tensor value = parameters.value(i), gradient = parameters.gradient(i).clone();
    const Tensor start = value.clone();
    double norm = 0, terms = 0, along = 0;
    const Tensor direction = normal(value.shape(), random);
    for (double x : direction.values())
      norm += x * x;
    const auto loss_at = [&](double step) {
      for (std::int64_t k = 0; k < value.elements(); ++k)
        value.data()[k] = start.data()[k] + step * direction.data()[k] / std::sqrt(norm);
      return loss();
    };
    const double numeric = (loss_at(1e-5) - loss_at(-1e-5)) / 2e-5;
    loss_at(0);
    for (std::int64_t k = 0; k < value.elements(); ++k) {
      along += gradient.data()[k] * direction.data()[k] / std::sqrt(norm);
      terms += std::abs(gradient.data()[k] * direction.data()[k]) / std::sqrt(norm);
    }
    INFO("along a random direction: difference quotient " << numeric << ", rule " << along);
    CHECK((terms > 0) != parameters.name(i).starts_with(unused));
    CHECK(std::abs(numeric - along) <= tolerance * terms);
  }
}

void check_network(const CapsNetConfig& config) {
  CapsNet network(config, 1);
  check_network(network, 0.3);
}

/// Temperatures such that activations are neither 0 nor 1 and assignments move.
MatrixCapsNetConfig small_matrix() {
  MatrixCapsNetConfig config;
  config.input = {.height = 16, .width = 15, .channels = 2, .classes = 3};
  config.conv_kernel = 3;
  config.conv_filters = 4;
  config.primary_types = 2;
  config.capsules1 = {3, 3, 2};
  config.capsules2 = {2, 2, 1};
  config.routing.set("inverse_temperature", 0.3).set("cost_reference", 1.0);
  config.routing.set("variance_floor", 0.05);
  return config;
}

} // namespace

TEST_CASE("the gradient of matrix capsules' loss in every parameter is that of the differences") {
  MatrixCapsNetConfig config = small_matrix();
  SUBCASE("spread loss, three iterations") {}
  SUBCASE("one iteration, cross-entropy") {
    config.routing.set("iterations", std::int64_t(1)).set("inverse_temperature", 3.0);
    config.loss = mereo::ClassLoss::cross_entropy;
  }
  SUBCASE("vector poses, one layer of convolutional capsules, margin loss") {
    config.pose = mereo::PoseKind::vector;
    config.pose_size = 6;
    config.capsules2.types = 0;
    config.loss = mereo::ClassLoss::margin;
  }
  SUBCASE("fields by themselves, two iterations, no coordinates") {
    config.routing.set("iterations", std::int64_t(2)).set("per_field", std::int64_t(1));
    config.coordinate_scale = 0;
  }
  MatrixCapsNet network(config, 1);
  check_network(network, 0.7);
}

TEST_CASE("the same by dynamic routing, which leaves activations unused") {
  MatrixCapsNetConfig config = small_matrix();
  config.capsules1.types = config.capsules2.types = 0;
  config.class_shared = false;
  config.coordinate_scale = 0;
  config.routing = mereo::RoutingChoice("dynamic");
  config.routing.set("bias", std::int64_t(1));
  MatrixCapsNet network(config, 1);
  check_network(network, 0.3, "primary.activation");
}

TEST_CASE("the gradient of CapsNet's loss in every parameter is that of the differences") {
  SUBCASE("the paper's reading") {
    check_network(small());
  }
  SUBCASE("the authors' recipe") {
    check_network(small().authors_recipe());
  }
  SUBCASE("same padding, none of the above, no decoder") {
    CapsNetConfig config = small();
    config.padding = mereo::Padding::same;
    config.routing.none_of_the_above = true;
    config.decoder = false;
    check_network(config);
  }
  SUBCASE("two labels, each with a picture of its own to be reconstructed") {
    CapsNetConfig config = small();
    config.input.labels_per_image = 2;
    check_network(config);
  }
  SUBCASE("targets that are moved, and with them two elements of each capsule") {
    CapsNetConfig config = small();
    config.coordinate_shift = 2;
    config.coordinate_scale = 0.3;
    SUBCASE("one label") {}
    SUBCASE("two labels") {
      config.input.labels_per_image = 2;
    }
    check_network(config);
  }
  SUBCASE("a single routing iteration") {
    CapsNetConfig config = small();
    config.routing.iterations = 1;
    check_network(config);
  }
}

// The loss of whole capsule networks, with respect to every parameter.
#include "check.h"

#include <mereo/models.h>

#include <doctest/doctest.h>

#include <cmath>

using namespace gradients;
using mereo::CapsNet;
using mereo::CapsNetConfig;
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
void randomise(mereo::Parameters& parameters) {
  Random random(8);
  for (int i = 0; i < parameters.count(); ++i)
    for (mereo::real& x : parameters.value(i).values())
      x = 0.3 * random.normal();
}

void check_network(const CapsNetConfig& config) {
  CapsNet network(config, 1);
  mereo::Parameters& parameters = network.parameters();
  randomise(parameters);
  Random random(9);
  Tensor images({3, config.input.height, config.input.width, config.input.channels});
  for (mereo::real& x : images.values())
    x = random.uniform();
  const std::int32_t labels[] = {2, 0, 1};

  Tape tape;
  const auto loss = [&] {
    tape.reset();
    return network.forward(tape, images, labels, Mode::training).loss.item();
  };
  tape.backward(network.forward(tape, images, labels, Mode::training).loss);

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
    CHECK(terms > 0);
    CHECK(std::abs(numeric - along) <= tolerance * terms);
  }
}

} // namespace

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
  SUBCASE("a single routing iteration") {
    CapsNetConfig config = small();
    config.routing.iterations = 1;
    check_network(config);
  }
}

// A steady training step allocates nothing, neither from the system nor by a growing arena.
#include "allocations.h"

#include <mereo/cnn.h>
#include <mereo/optim.h>

using namespace mereo;

namespace {

CapsNetConfig small() {
  CapsNetConfig config;
  config.input = {.height = 12, .width = 12, .channels = 1, .classes = 3};
  config.kernel = 3;
  config.conv_filters = 6;
  config.primary_types = 2;
  config.primary_pose = 4;
  config.class_pose = 5;
  config.decoder_hidden1 = 7;
  config.decoder_hidden2 = 8;
  return config;
}

/// Allocations of five steps after three others, and bytes by which the arena grew meanwhile.
struct Growth {
  std::int64_t allocations;
  std::size_t bytes;
};

Growth train(Model& network) {
  Parameters& parameters = network.parameters();
  const std::unique_ptr<Optimizer> optimizer = adam(std::int64_t(parameters.values().size()));
  const InputShape input = network.input();
  Tensor images({20, input.height, input.width, input.channels});
  Random random(1);
  for (real& x : images.values())
    x = random.uniform();
  const std::vector<std::int32_t> labels(std::size_t(20 * input.labels_per_image), 1);

  Tape tape;
  std::int64_t count = 0;
  std::size_t capacity = 0;
  for (int step = 0; step < 8; ++step) {
    if (step == 3) {
      count = allocations::made();
      capacity = tape.arena().capacity();
    }
    tape.reset();
    tape.backward(network.forward(tape, images, labels, Mode::training).loss);
    const double norm = gradient_norm(parameters.gradients());
    optimizer->step(parameters.values(), parameters.gradients(), 1e-3, clip_scale(norm, 1));
  }
  return {allocations::made() - count, tape.arena().capacity() - capacity};
}

void check_growth(Model& network) {
  for (int count : {1, 3}) {
    CAPTURE(count);
    const int before = threads();
    set_threads(count);
    const Growth growth = train(network);
    set_threads(before);
    CHECK(growth.allocations == 0);
    CHECK(growth.bytes == 0);
  }
}

} // namespace

TEST_CASE("the count of allocations notices one" * doctest::skip(!allocations::counted)) {
  const std::int64_t before = allocations::made(), held = allocations::held();
  void* memory = ::operator new(10); // a vector might be optimised away
  CHECK(allocations::held() == held + 1);
  ::operator delete(memory);
  CHECK(allocations::made() == before + 1);
  CHECK(allocations::held() == held);
#ifndef __APPLE__
  allocate_aligned(10);
  CHECK(allocations::made() == before + 2);
  CHECK(allocations::held() == held);
#endif
}

TEST_CASE("a steady training step allocates nothing" * doctest::skip(!allocations::counted)) {
  CapsNetConfig config = small();
  SUBCASE("the paper's reading") {}
  SUBCASE("the authors' recipe") {
    config.authors_recipe();
  }
  SUBCASE("same padding, none of the above, no decoder") {
    config.padding = Padding::same;
    config.routing.none_of_the_above = true;
    config.decoder = false;
  }
  CapsNet network(config, 1);
  check_growth(network);
}

TEST_CASE("a steady training step of matrix capsules allocates nothing" *
          doctest::skip(!allocations::counted)) {
  MatrixCapsNetConfig config;
  config.input = small().input;
  config.conv_kernel = 3;
  config.conv_filters = 6;
  config.primary_types = 3;
  config.capsules1 = {4, 3, 1};
  config.capsules2 = {2, 2, 1};
  MatrixCapsNet network(config, 1);
  check_growth(network);
}

TEST_CASE("a steady training step of a convolutional network allocates nothing" *
          doctest::skip(!allocations::counted)) {
  CnnConfig config;
  config.input = small().input;
  config.convolutions = {{4, 3, 1, 2}, {5, 3, 1, 2}};
  config.dense = {7};
  SUBCASE("max pooling, one label") {}
  SUBCASE("average pooling, batch normalisation, two labels") {
    config.pooling = Pooling::average;
    config.batch_norm = true;
    config.input.labels_per_image = 2;
  }
  Cnn network(config, 1);
  check_growth(network);
}

TEST_CASE("a steady evaluation allocates nothing" * doctest::skip(!allocations::counted)) {
  CapsNet network(small(), 1);
  const Tensor images({4, 12, 12, 1});
  Tape tape;
  std::int64_t count = 0;
  for (int pass = 0; pass < 5; ++pass) {
    if (pass == 3)
      count = allocations::made();
    tape.reset();
    network.forward(tape, images, {}, Mode::evaluation);
  }
  CHECK(allocations::made() == count);
}

TEST_CASE("a steady evaluation of a frozen model allocates nothing" *
          doctest::skip(!allocations::counted)) {
  CapsNetConfig config = small();
  config.convolution = ConvolutionMethod::winograd;
  CapsNet network(config, 1);
  const std::int64_t held = allocations::held();
  network.freeze(4);
  CHECK(allocations::held() > held);
  const Tensor images({4, 12, 12, 1});
  Tape tape;
  std::int64_t count = 0;
  std::size_t capacity = 0;
  for (int pass = 0; pass < 5; ++pass) {
    if (pass == 3) {
      count = allocations::made();
      capacity = tape.arena().capacity();
    }
    tape.reset();
    network.forward(tape, images, {}, Mode::evaluation);
  }
  CHECK(allocations::made() == count);
  CHECK(tape.arena().capacity() == capacity);
}

TEST_CASE("a convolution allocates nothing, whatever its method" *
          doctest::skip(!allocations::counted)) {
  const Tensor images({4, 14, 14, 3}), weights({5, 5, 3, 24});
  const Tensor grad_images(images.shape()), grad_weights(weights.shape());
  for (ConvolutionMethod method : {ConvolutionMethod::direct, ConvolutionMethod::winograd}) {
    Tape tape;
    std::int64_t count = 0;
    std::size_t capacity = 0;
    for (int pass = 0; pass < 6; ++pass) {
      if (pass == 3) {
        count = allocations::made();
        capacity = tape.arena().capacity();
      }
      tape.reset();
      const Variable x = tape.leaf(images, grad_images), w = tape.leaf(weights, grad_weights);
      tape.backward(sum(tape, convolution(tape, x, w, {}, {.stride = 2, .method = method})));
    }
    CHECK(allocations::made() - count == 0);
    CHECK(tape.arena().capacity() == capacity);
  }
}

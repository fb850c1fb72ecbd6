// A steady training step allocates nothing. Counted by replacing the global operator new of this
// test program, and by watching the arena.
#include <mereo/models.h>
#include <mereo/optim.h>

#include <doctest/doctest.h>

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::int64_t> allocations = 0;

void* allocate(std::size_t bytes, std::size_t boundary) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  bytes = bytes ? bytes : 1;
  void* memory = boundary > alignof(std::max_align_t)
                     ? std::aligned_alloc(boundary, (bytes + boundary - 1) / boundary * boundary)
                     : std::malloc(bytes);
  if (!memory)
    throw std::bad_alloc();
  return memory;
}

} // namespace

// The array forms call these; so does the nothrow form, but not AddressSanitizer's. Not inline, or
// gcc sees a free() of what new returned and warns.
#define REPLACED [[gnu::noinline]]
REPLACED void* operator new(std::size_t bytes) {
  return allocate(bytes, 0);
}
REPLACED void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  try {
    return allocate(bytes, 0);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
REPLACED void* operator new(std::size_t bytes, std::align_val_t boundary) {
  return allocate(bytes, std::size_t(boundary));
}
REPLACED void operator delete(void* memory) noexcept {
  std::free(memory);
}
REPLACED void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
REPLACED void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
REPLACED void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}

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

Growth train(CapsNetConfig config) {
  CapsNet network(config, 1);
  Parameters& parameters = network.parameters();
  const std::unique_ptr<Optimizer> optimizer = adam(std::int64_t(parameters.values().size()));
  Tensor images({20, config.input.height, config.input.width, config.input.channels});
  Random random(1);
  for (real& x : images.values())
    x = random.uniform();
  const std::vector<std::int32_t> labels(20, 1);

  Tape tape;
  std::int64_t count = 0;
  std::size_t capacity = 0;
  for (int step = 0; step < 8; ++step) {
    if (step == 3) {
      count = allocations;
      capacity = tape.arena().capacity();
    }
    tape.reset();
    tape.backward(network.forward(tape, images, labels, Mode::training).loss);
    const double norm = gradient_norm(parameters.gradients());
    optimizer->step(parameters.values(), parameters.gradients(), 1e-3, clip_scale(norm, 1));
  }
  return {allocations - count, tape.arena().capacity() - capacity};
}

} // namespace

TEST_CASE("the count of allocations notices one") {
  const std::int64_t before = allocations;
  ::operator delete(::operator new(10)); // a vector might be optimised away
  CHECK(allocations == before + 1);
}

TEST_CASE("a steady training step allocates nothing") {
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
  for (int count : {1, 3}) {
    CAPTURE(count);
    const int before = threads();
    set_threads(count);
    const Growth growth = train(config);
    set_threads(before);
    CHECK(growth.allocations == 0);
    CHECK(growth.bytes == 0);
  }
}

TEST_CASE("a steady evaluation allocates nothing") {
  CapsNet network(small(), 1);
  const Tensor images({4, 12, 12, 1});
  Tape tape;
  std::int64_t count = 0;
  for (int pass = 0; pass < 5; ++pass) {
    if (pass == 3)
      count = allocations;
    tape.reset();
    network.forward(tape, images, {}, Mode::evaluation);
  }
  CHECK(allocations == count);
}

TEST_CASE("a convolution allocates nothing, whatever its method") {
  const Tensor images({4, 14, 14, 3}), weights({5, 5, 3, 24});
  const Tensor grad_images(images.shape()), grad_weights(weights.shape());
  for (ConvolutionMethod method : {ConvolutionMethod::direct, ConvolutionMethod::winograd}) {
    Tape tape;
    std::int64_t count = 0;
    std::size_t capacity = 0;
    for (int pass = 0; pass < 6; ++pass) {
      if (pass == 3) {
        count = allocations;
        capacity = tape.arena().capacity();
      }
      tape.reset();
      const Variable x = tape.leaf(images, grad_images), w = tape.leaf(weights, grad_weights);
      tape.backward(sum(tape, convolution(tape, x, w, {}, {.stride = 2, .method = method})));
    }
    CHECK(allocations - count == 0);
    CHECK(tape.arena().capacity() == capacity);
  }
}

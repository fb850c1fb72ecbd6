// Convolutions with weights that were transformed before.
#include "error_of.h"
#include "winograd_cases.h"

#include "kernels/winograd_weights.h"

#include <mereo/ops.h>

#include <doctest/doctest.h>

using namespace mereo;
using namespace mereo::winograd_test;

namespace {

std::vector<real> forward(const Case& sample, const WinogradWeights& weights, real scale = 1,
                          const real* bias = nullptr, Activation activation = Activation::none) {
  static Arena arena;
  std::vector<real> y(sample.y.size(), real(1e30));
  winograd_forward(sample.shape, weights, sample.x.data(), scale, bias, activation, y.data(),
                   arena);
  arena.reset();
  return y;
}

/// Weights transformed for one image, used for all of them, against plain loops.
void check(const Case& sample, const WinogradTiling& tiling) {
  const ConvolutionShape& s = sample.shape;
  const std::vector<double> want = sample.forward();
  ConvolutionShape one = s;
  one.batch = 1;
  with_each_isa([&] {
    INFO(isa(), ", image ", s.height, " x ", s.width, ", kernel ", s.kernel_height, " x ",
         s.kernel_width, ", stride ", s.stride, ", pad ", s.pad_top, ", channels ", s.channels,
         ", filters ", s.filters, ", batch ", s.batch, ", m ", tiling.outputs);
    std::vector<real> w = sample.w;
    const WinogradWeights weights(one, tiling, w.data());
    std::fill(w.begin(), w.end(), real(1e30)); // is not read again
    CHECK(relative_error(forward(sample, weights), want) < bound(s, tiling.outputs));
  });
}

Tensor tensor(const Shape& shape, std::vector<real> values) {
  return Tensor(shape, values);
}

/// An operation on a tape of its own.
struct Convolved {
  Case sample{square(3, 13, 4, 5, 20, 2)};
  Tensor x = tensor({3, 13, 13, 4}, sample.x), w = tensor({5, 5, 4, 20}, sample.w);
  ConvolutionOptions options{.stride = 2, .method = ConvolutionMethod::winograd};
  std::shared_ptr<const WinogradWeights> weights = transform_weights(x.shape(), w, options);
  Tape tape;
  Variable run(const Tensor& images) {
    return convolution(tape, tape.constant(images), tape.constant(w), {}, options, weights.get());
  }
};

} // namespace

TEST_CASE("transformed weights give the plain loops' sums for every kernel, stride and tile") {
  for (std::int64_t kernel : {1, 3, 5, 9})
    for (std::int64_t stride : {1, 2, 3})
      for (std::int64_t outputs : {1, 2, 3, 6})
        for (std::int64_t pad : {std::int64_t(0), kernel / 2})
          check(Case(square(2, 9 + kernel % 4, 3, kernel, 5, stride, pad)), {outputs});
}

TEST_CASE("transformed weights give the plain loops' sums for every tail and block of images") {
  for (std::int64_t channels : {1, 17, 70})
    for (std::int64_t filters : {1, 31, 67})
      check(Case(square(1, 7, channels, 5, filters, 2)), {3});
  check(Case(square(7, 9, 36, 5, 40, 2)), {.outputs = 3, .block_bytes = 1});
  check(Case(square(7, 9, 36, 5, 40, 2)), {.outputs = 3, .block_tiles = 3});
  check(Case(square(40, 18, 18, 3, 6, 1)), {4}); // 640 tiles
  check(Case({2, 13, 9, 5, 5, 3, 7, 2, 2, 1, 6, 5}), {3});
}

TEST_CASE("images meet transformed weights in blocks, all channels at once") {
  const ConvolutionShape shape = square(100, 20, 256, 9, 256, 2);
  const WinogradPlan plan(shape, {.outputs = 3}, true);
  CHECK(plan.channel_block == 256);
  CHECK(plan.image_block > 20);
  CHECK(plan.image_block * 4 * 49 * 1024 * 4 <= WinogradTiling{3}.block_bytes);
  CHECK(WinogradPlan(shape, {.outputs = 3, .block_tiles = 40}, true).image_block == 10);
  CHECK(WinogradPlan(shape, {.outputs = 3, .block_bytes = 1}, true).image_block == 1);
}

TEST_CASE("transformed weights meet scale, bias and activation as others do") {
  const Case sample(square(2, 10, 6, 5, 21, 2));
  std::vector<double> want = sample.forward();
  for (std::size_t i = 0; i < want.size(); ++i)
    want[i] = std::max(0.0, -0.5 * want[i] + sample.bias[i % sample.bias.size()]);
  with_each_isa([&] {
    const WinogradWeights weights(sample.shape, {3}, sample.w.data());
    const std::vector<real> got =
        forward(sample, weights, real(-0.5), sample.bias.data(), Activation::relu);
    CHECK(relative_error(got, want) < bound(sample.shape, 3));
  });
}

TEST_CASE("transformed weights give the same bits on any number of threads") {
  const int before = threads();
  for (std::int64_t batch : {1, 7}) {
    const Case sample(square(batch, 20, 9, 9, 40, 2));
    set_threads(1);
    const std::vector<real> one = forward(sample, {sample.shape, {2}, sample.w.data()});
    for (int count : {2, 3, 7}) {
      set_threads(count);
      CHECK(same_bits(forward(sample, {sample.shape, {2}, sample.w.data()}), one));
    }
  }
  set_threads(before);
}

TEST_CASE("the tile for transformed weights is the one whose products or weights cost least") {
  const auto tile = [](std::int64_t batch, std::int64_t most) {
    const ConvolutionShape shape = square(batch, 20, 256, 9, 256, 2);
    const WinogradTiling tiling = winograd_transformed_tiling(shape, {most});
    CHECK(winograd_transformed_suits(shape, tiling));
    return tiling.outputs;
  };
  CHECK(tile(1, 3) == 2);
  CHECK(tile(1, 6) == 2);
  CHECK(tile(16, 3) == 3);
  CHECK(tile(16, 6) == 6);
  CHECK(tile(128, 3) == 3);
  CHECK(tile(128, 6) == 6);
  const ConvolutionShape first = square(128, 28, 1, 9, 256, 1);
  CHECK_FALSE(winograd_transformed_suits(first, winograd_transformed_tiling(first, {3})));
  CHECK_FALSE(winograd_transformed_suits(square(1, 40, 8, 13, 8, 1), {3})); // impossible
}

TEST_CASE("weights are transformed where that is possible and worth it, or asked for") {
  const Tensor w({9, 9, 64, 64}), tiny({3, 3, 2, 2}), large({13, 13, 1, 1});
  const auto made = [](const Shape& x, const Tensor& weights, ConvolutionMethod method,
                       std::int64_t stride = 1) {
    return transform_weights(x, weights, {.stride = stride, .method = method}) != nullptr;
  };
  using Method = ConvolutionMethod;
  CHECK(made({16, 20, 20, 64}, w, Method::automatic, 2));
  CHECK_FALSE(made({16, 20, 20, 64}, w, Method::direct, 2));
  CHECK_FALSE(made({1, 5, 5, 2}, tiny, Method::automatic));
  CHECK(made({1, 5, 5, 2}, tiny, Method::winograd));
  CHECK_FALSE(made({1, 20, 20, 1}, large, Method::automatic));
  CHECK(error_of([&] {
          made({1, 20, 20, 1}, large, Method::winograd);
        }).find("too large") != std::string::npos);
}

TEST_CASE("a convolution takes transformed weights for any batch, and its input a gradient") {
  Convolved c;
  for (std::int64_t batch : {3, 1}) {
    const Tensor x = c.x.rows(0, batch);
    const Variable got = c.run(x);
    const std::vector<double> all = c.sample.forward();
    const std::vector<double> want(all.begin(), all.begin() + got.elements());
    CHECK(relative_error({got.data(), got.data() + got.elements()}, want) < 1e-5);
  }
  const Tensor grad_x(c.x.shape());
  c.tape.reset();
  const Variable y = convolution(c.tape, c.tape.leaf(c.x, grad_x), c.tape.constant(c.w), {},
                                 c.options, c.weights.get());
  c.tape.backward(y, tensor(y.shape(), c.sample.y));
  CHECK(relative_error({grad_x.data(), grad_x.data() + grad_x.elements()}, c.sample.grad_input()) <
        1e-5);
}

TEST_CASE("transformed weights that do not fit, or would need a gradient, are refused") {
  Convolved c;
  const auto refused = [&](const Tensor& x, const Tensor& w, const ConvolutionOptions& options) {
    const std::string error = error_of([&] {
      convolution(c.tape, c.tape.constant(x), c.tape.constant(w), {}, options, c.weights.get());
    });
    return error.find("another convolution") != std::string::npos;
  };
  CHECK_FALSE(refused(c.x, c.w, c.options));
  CHECK(refused(Tensor({3, 14, 13, 4}), c.w, c.options));
  CHECK(refused(c.x, Tensor({5, 5, 4, 21}), c.options));
  CHECK(refused(c.x, Tensor({5, 3, 4, 20}), c.options));
  CHECK(refused(c.x, c.w, {.stride = 1}));
  CHECK(refused(c.x, c.w, {.stride = 2, .padding = Padding::same}));

  const Tensor grad(c.w.shape());
  const std::string error = error_of([&] {
    convolution(c.tape, c.tape.constant(c.x), c.tape.leaf(c.w, grad), {}, c.options,
                c.weights.get());
  });
  CHECK(error.find("inference") != std::string::npos);

  const std::string before = isa();
  for (const std::string& name : available_isas()) {
    set_isa(name);
    CHECK(refused(c.x, c.w, c.options) ==
          (kernels().gemm.tile_columns != kernels(before.c_str()).gemm.tile_columns));
  }
  set_isa(before);
}

#include "winograd_cases.h"

#include <mereo/core.h>

#include <doctest/doctest.h>

using namespace mereo;
using namespace mereo::winograd_test;

namespace {

/// Weights transformed all at once, and block by block.
template <class Body> void with_both_orders(WinogradTiling tiling, const Body& body) {
  for (std::int64_t few_tiles : {0, 1 << 30}) {
    INFO("few_tiles ", few_tiles);
    tiling.few_tiles = few_tiles;
    body(tiling);
  }
}

/// All passes on all instruction sets against plain loops.
void check(const Case& sample, const WinogradTiling& given) {
  const ConvolutionShape& s = sample.shape;
  const std::vector<double> y = sample.forward(), x = sample.grad_input(), w = sample.grad_weight();
  with_each_isa([&] {
    with_both_orders(given, [&](const WinogradTiling& tiling) {
      INFO(isa(), ", image ", s.height, " x ", s.width, ", kernel ", s.kernel_height, " x ",
           s.kernel_width, ", stride ", s.stride, ", pad ", s.pad_top, ", channels ", s.channels,
           ", filters ", s.filters, ", batch ", s.batch, ", m ", tiling.outputs);
      const Results got = winograd(sample, tiling);
      CHECK(relative_error(got.y, y) < bound(s, tiling.outputs));
      CHECK(relative_error(got.x, x) < bound(s, tiling.outputs));
      CHECK(relative_error(got.w, w) < bound(s, tiling.outputs));
    });
  });
}

} // namespace

TEST_CASE("Winograd convolution agrees with plain loops for every kernel, stride and tile") {
  for (std::int64_t kernel : {1, 2, 3, 5, 7, 9})
    for (std::int64_t stride : {1, 2, 3})
      for (std::int64_t outputs : {1, 2, 3, 4, 5, 6})
        for (std::int64_t pad : {std::int64_t(0), kernel / 2})
          check(Case(square(1, 9 + kernel % 4, 3, kernel, 5, stride, pad)), {outputs});
}

TEST_CASE("Winograd convolution agrees with plain loops for every tail of channels and filters") {
  for (std::int64_t channels : {1, 15, 17, 33, 70})
    for (std::int64_t filters : {1, 16, 31, 40, 67})
      check(Case(square(1, 7, channels, 5, filters, 2)), {3});
}

TEST_CASE("Winograd convolution agrees with plain loops where it works in several blocks") {
  const WinogradTiling small{.outputs = 3, .block_bytes = 1, .block_tiles = 9};
  check(Case(square(2, 5, 40, 3, 30, 1)), small);
  check(Case(square(7, 9, 36, 5, 40, 2)), small);
  check(Case(square(5, 8, 17, 3, 6, 2, 1)), small);
  check(Case(square(40, 18, 18, 3, 6, 1)), {4}); // 640 tiles
}

TEST_CASE("Winograd convolution takes oblong images, kernels and uneven padding") {
  check(Case({2, 13, 9, 5, 5, 3, 7, 2, 2, 1, 6, 5}), {3});
  check(Case({2, 6, 17, 4, 1, 9, 9, 1, 0, 4, 6, 17}), {4});
  check(Case({1, 7, 7, 3, 9, 2, 6, 3, 5, 0, 3, 2}), {2});
  check(Case({2, 3, 3, 3, 2, 2, 4, 5, 0, 0, 1, 1}), {6});
}

TEST_CASE("Winograd convolution applies scale, bias and activation, and adds to gradients") {
  const Case sample(square(2, 10, 6, 5, 21, 2));
  with_each_isa([&] {
    with_both_orders({3}, [&](const WinogradTiling& tiling) {
      const Results plain = winograd(sample, tiling);
      const Results changed = winograd(sample, tiling, real(-0.5), true, Activation::relu, &plain);
      std::vector<double> y = sample.forward(), x = sample.grad_input(), w = sample.grad_weight();
      for (std::size_t i = 0; i < y.size(); ++i)
        y[i] = std::max(0.0, -0.5 * y[i] + sample.bias[i % sample.bias.size()]);
      for (double& value : x)
        value *= 0.5; // 1 - 0.5
      for (double& value : w)
        value *= 0.5;
      CHECK(relative_error(changed.y, y) < bound(sample.shape, 3));
      CHECK(relative_error(changed.x, x) < bound(sample.shape, 3));
      CHECK(relative_error(changed.w, w) < bound(sample.shape, 3));
    });
  });
}

TEST_CASE("Winograd convolution has the same bits on any number of threads") {
  const int before = threads();
  const Case sample(square(7, 20, 70, 9, 70, 2));
  with_each_isa([&] {
    for (std::int64_t outputs : {3, 6})
      with_both_orders({outputs}, [&](const WinogradTiling& tiling) {
        set_threads(1);
        const Results one = winograd(sample, tiling);
        for (int count : {2, 3, 7}) {
          set_threads(count);
          const Results more = winograd(sample, tiling);
          CHECK(same_bits(one.y, more.y));
          CHECK(same_bits(one.x, more.x));
          CHECK(same_bits(one.w, more.w));
        }
      });
  });
  set_threads(before);
}

TEST_CASE("Winograd convolution keeps a NaN, and wherever it spreads stays in its image") {
  with_each_isa([] {
    Case sample(square(2, 9, 4, 5, 18, 1));
    sample.x[sample.x.size() / 4] = std::numeric_limits<real>::quiet_NaN();
    with_both_orders({3}, [&](const WinogradTiling& tiling) {
      const Results got = winograd(sample, tiling, 1, true, Activation::relu);
      const std::vector<double> want = sample.forward();
      for (std::size_t i = 0; i < want.size(); ++i) {
        if (std::isnan(want[i]))
          CHECK(std::isnan(got.y[i]));
        if (i >= want.size() / 2)
          CHECK(std::isfinite(got.y[i]));
      }
    });
  });
}

TEST_CASE("Winograd convolution is chosen for the primary capsules and not for small work") {
  const ConvolutionShape primary = square(128, 20, 256, 9, 256, 2);
  CHECK(winograd_suits(primary, {3}));
  CHECK(winograd_suits(primary, {6}));
  CHECK(winograd_suits(square(16, 20, 256, 9, 256, 2), {3}));
  CHECK_FALSE(winograd_suits(square(1, 20, 256, 9, 256, 2), {3}));
  CHECK_FALSE(winograd_suits(square(128, 28, 1, 9, 256, 1), {3}));
  CHECK_FALSE(winograd_suits(square(128, 20, 256, 1, 256, 1), {3}));
  CHECK_FALSE(winograd_suits(square(128, 20, 256, 2, 256, 2), {3}));
  CHECK_FALSE(winograd_possible(square(1, 40, 8, 13, 8, 1)));
  CHECK(winograd_possible(square(1, 40, 8, 12, 8, 1)));
}

// Pooling: its kernels against the reference, and the operation by hand.
#include "error_of.h"
#include "kernel_sweep.h"

#include <mereo/ops.h>

using namespace mereo;

namespace {

using namespace mereo::sweep;

/// One window among other pixels, with every array its kernels use.
struct WindowCase {
  PoolingWindow window;
  Guarded x, y, grad_y, grad_x;
};

WindowCase make_case(std::int64_t rows, std::int64_t columns, std::int64_t channels, int offset) {
  const PoolingWindow window{rows, columns, channels, (columns + 1) * channels};
  const std::int64_t pixels = rows * window.row_stride;
  WindowCase c{window, Guarded(pixels, offset), Guarded(channels, (offset + 1) % 4),
               Guarded(channels, (offset + 2) % 4), Guarded(pixels, (offset + 3) % 4)};
  Random random(std::uint64_t(channels), std::uint64_t(rows * 8 + columns));
  for (std::int64_t i = 0; i < c.x.size(); ++i)
    c.x[i] = real(random.below(7)) - 3; // with ties
  c.y.fill(random, -1, 1);
  c.grad_y.fill(random, -1, 1);
  c.grad_x.fill(random, -1, 1);
  return c;
}

/// The case after a kernel has run on it.
using Run = void (*)(const PoolingKernels& k, WindowCase& c);
const Run runs[] = {
    [](const PoolingKernels& k, WindowCase& c) { k.max(c.window, c.x.data(), c.y.data()); },
    [](const PoolingKernels& k, WindowCase& c) {
      k.max(c.window, c.x.data(), c.y.data());
      k.max_backward(c.window, c.x.data(), c.y.data(), c.grad_y.data(), c.grad_x.data());
    },
    [](const PoolingKernels& k, WindowCase& c) {
      k.sum(c.window, real(0.25), c.x.data(), c.y.data());
    },
    [](const PoolingKernels& k, WindowCase& c) {
      k.sum_backward(c.window, real(0.25), c.grad_y.data(), c.grad_x.data());
    },
};

/// What the operation makes of pixels (1, H, W, 1), and the gradient of <seed, output>.
struct Pooled {
  Shape shape;
  std::vector<real> values, gradient;
};

Pooled pool_pixels(const Shape& shape, const std::vector<real>& pixels,
                   const PoolingOptions& options, const std::vector<real>& seed) {
  Tape tape;
  const Tensor x(shape, pixels), gradient(shape);
  const Variable y = pool(tape, tape.leaf(x, gradient), options);
  tape.backward(y, Tensor(y.shape(), seed));
  const auto values = y.value().values(), grad = gradient.values();
  return {y.shape(), {values.begin(), values.end()}, {grad.begin(), grad.end()}};
}

const std::vector<real> counting = {1, 2, 3, 4, 5, 6, 7, 8, 9};

} // namespace

TEST_CASE("pooling kernels agree with the reference at every number of channels and offset") {
  for_each_isa([](const Kernels& table) {
    for (const auto& [rows, columns] : {std::pair{1, 1}, {2, 2}, {1, 3}, {3, 2}})
      for (std::int64_t channels : lengths())
        for (int offset : offsets)
          for (const Run& run : runs) {
            CAPTURE(channels);
            CAPTURE(offset);
            WindowCase got = make_case(rows, columns, channels, offset);
            WindowCase want = make_case(rows, columns, channels, offset);
            run(table.pooling, got);
            run(reference().pooling, want);
            // At most six terms, of magnitude 3 and 2.
            check_close("x", got.x, want.x, [](std::int64_t) { return 0.0; });
            check_close("y", got.y, want.y, [](std::int64_t) { return 18 * epsilon; });
            check_close("grad_x", got.grad_x, want.grad_x,
                        [](std::int64_t) { return 2 * epsilon; });
          }
  });
}

TEST_CASE("a NaN anywhere in a window is its maximum") {
  for (const std::string& name : available_isas())
    for (std::int64_t at = 0; at < 6; ++at) {
      CAPTURE(name);
      CAPTURE(at);
      WindowCase c = make_case(2, 3, 5, 1);
      c.x[at / 3 * c.window.row_stride + at % 3 * 5 + 4] = std::numeric_limits<real>::quiet_NaN();
      kernels(name.c_str()).pooling.max(c.window, c.x.data(), c.y.data());
      CHECK(std::isnan(c.y[4]));
      for (std::int64_t channel = 0; channel < 4; ++channel)
        CHECK_FALSE(std::isnan(c.y[channel]));
    }
}

TEST_CASE("max pooling takes the largest of each window, and gives the gradient to the first") {
  const Pooled whole =
      pool_pixels({1, 3, 3, 1}, counting, {.kernel = 2, .stride = 1}, {1, 2, 4, 8});
  CHECK(whole.shape == Shape{1, 2, 2, 1});
  CHECK(whole.values == std::vector<real>{5, 6, 8, 9});
  CHECK(whole.gradient == std::vector<real>{0, 0, 0, 0, 1, 2, 0, 4, 8});
  const Pooled ties = pool_pixels({1, 2, 2, 1}, {-1, 3, 3, 3}, {}, {5});
  CHECK(ties.values == std::vector<real>{3});
  CHECK(ties.gradient == std::vector<real>{0, 5, 0, 0});
  // Two windows with the same largest pixel.
  const Pooled shared = pool_pixels({1, 1, 3, 1}, {0, 7, 0}, {.kernel = 1, .stride = 2}, {1, 2});
  CHECK(shared.values == std::vector<real>{0, 0});
  const Pooled overlap = pool_pixels({1, 3, 3, 1}, {0, 0, 0, 0, 9, 0, 0, 0, 0},
                                     {.kernel = 2, .stride = 1}, {1, 2, 4, 8});
  CHECK(overlap.gradient[4] == 15);
}

TEST_CASE("what lies outside the image counts in no window") {
  const PoolingOptions max{.kernel = 2, .stride = 2, .padding = Padding::same};
  const Pooled largest =
      pool_pixels({1, 3, 3, 1}, {-1, -2, -3, -4, -5, -6, -7, -8, -9}, max, {1, 1, 1, 1});
  CHECK(largest.values == std::vector<real>{-1, -3, -7, -9});
  PoolingOptions average = max;
  average.kind = Pooling::average;
  const Pooled mean = pool_pixels({1, 3, 3, 1}, counting, average, {4, 2, 2, 1});
  CHECK(mean.values == std::vector<real>{3, 4.5f, 7.5f, 9});
  CHECK(mean.gradient == std::vector<real>{1, 1, 1, 1, 1, 1, 1, 1, 1});
  // Three pixels wide, one before the image: the windows have 2, 3 and 2 columns.
  average = {.kind = Pooling::average, .kernel = 3, .stride = 1, .padding = Padding::same};
  const Pooled row = pool_pixels({1, 1, 3, 1}, {3, 6, 9}, average, {1, 1, 1});
  CHECK(row.values == std::vector<real>{4.5f, 6, 7.5f});
}

TEST_CASE("pooling says what it cannot do") {
  Tape tape;
  const auto error = [&](const Shape& shape, const PoolingOptions& options) {
    const Tensor x(shape);
    return error_of([&] { pool(tape, tape.constant(x), options); });
  };
  CHECK(error({2, 2, 2, 3}, {}).empty());
  CHECK(error({2, 3}, {}).find("(2, 3)") != std::string::npos);
  CHECK_FALSE(error({0, 2, 2, 3}, {}).empty());
  CHECK(error({1, 1, 2, 3}, {}).find("larger than the image") != std::string::npos);
  CHECK(error({1, 1, 2, 3}, {.padding = Padding::same}).empty());
  CHECK_FALSE(error({2, 2, 2, 3}, {.stride = 0}).empty());
  CHECK_FALSE(error({2, 2, 2, 3}, {.kernel = 0}).empty());
  CHECK(error({1, 3, 3, 1}, {.kernel = 1 << 30, .padding = Padding::same}).empty());
  for (const PoolingOptions& huge : {PoolingOptions{.kernel = INT64_MAX, .padding = Padding::same},
                                     {.stride = INT64_MAX, .padding = Padding::same}})
    CHECK(error({1, 3, 3, 1}, huge).find("2^30") != std::string::npos);
  CHECK(error_of([&] {
          upsample(tape, tape.constant(Tensor(Shape{1, 2, 2, 1})), INT64_MAX);
        }).find("2^30") != std::string::npos);
}

#include "kernel_sweep.h"
#include "kernels/convolution.h"

#include <mereo/core.h>

#include <cmath>
#include <functional>

using namespace mereo;
using namespace mereo::sweep;

namespace {

struct Settings {
  std::string isa_before = isa();
  int threads_before = threads();
  ~Settings() {
    set_isa(isa_before);
    set_threads(threads_before);
  }
};

/// Padding before the image is pad; out_height and out_width say what lies behind it.
ConvolutionShape shape_of(std::int64_t batch, std::int64_t height, std::int64_t width,
                          std::int64_t channels, std::int64_t kernel_height,
                          std::int64_t kernel_width, std::int64_t filters, std::int64_t stride,
                          std::int64_t pad_top = 0, std::int64_t pad_left = 0,
                          std::int64_t pad_bottom = 0, std::int64_t pad_right = 0) {
  return {batch,
          height,
          width,
          channels,
          kernel_height,
          kernel_width,
          filters,
          stride,
          pad_top,
          pad_left,
          (height + pad_top + pad_bottom - kernel_height) / stride + 1,
          (width + pad_left + pad_right - kernel_width) / stride + 1};
}

const std::vector<ConvolutionShape>& shapes() {
  static const std::vector<ConvolutionShape> all = {
      shape_of(1, 1, 1, 1, 1, 1, 1, 1),             // one number
      shape_of(2, 9, 9, 1, 9, 9, 5, 1),             // one window
      shape_of(3, 12, 11, 1, 9, 9, 33, 1),          // like the first layer
      shape_of(2, 13, 13, 5, 5, 5, 16, 2),          // like the primary capsules
      shape_of(2, 10, 11, 3, 3, 4, 7, 3),           // pixels that no window sees
      shape_of(2, 7, 6, 3, 3, 3, 6, 1, 1, 1, 1, 1), // the size is kept
      shape_of(2, 7, 8, 2, 3, 3, 9, 2, 0, 0, 1, 1), // zeros only behind the image
      shape_of(2, 7, 8, 35, 3, 2, 40, 1, 2, 0, 1,
               0), // more channels than a tile is wide, zeros above
      shape_of(1, 6, 7, 33, 2, 3, 70, 1, 0, 2, 0, 1), // and at the sides
      shape_of(1, 8, 9, 300, 3, 3, 3, 2),             // more channels than are packed at once
      shape_of(1, 3, 4, 2, 2, 2, 400, 1),             // more filters than a block is deep
      shape_of(1, 2, 2, 2, 4, 5, 3, 1, 1, 2, 1, 2),   // a kernel larger than the image
      shape_of(5, 4, 4, 3, 1, 1, 4, 1),               // one pixel, one tap
  };
  return all;
}

struct Case {
  ConvolutionShape shape;
  Guarded x, w, y, bias; // y doubles as its own gradient
  Arena mutable arena;

  explicit Case(const ConvolutionShape& s)
      : shape(s), x(s.batch * s.height * s.width * s.channels, 1),
        w(s.kernel_height * s.kernel_width * s.channels * s.filters, 3),
        y(s.batch * s.out_height * s.out_width * s.filters, 2), bias(s.filters, 1) {
    Random random(7);
    for (Guarded* array : {&x, &w, &y, &bias})
      array->fill(random, -1, 1);
  }

  /// visit(x index, w index, y index) for every product that the convolution sums.
  template <class Visit> void for_each_product(const Visit& visit) const {
    const ConvolutionShape& s = shape;
    for (std::int64_t b = 0; b < s.batch; ++b)
      for (std::int64_t oy = 0; oy < s.out_height; ++oy)
        for (std::int64_t ox = 0; ox < s.out_width; ++ox)
          for (std::int64_t i = 0; i < s.kernel_height; ++i)
            for (std::int64_t j = 0; j < s.kernel_width; ++j) {
              const std::int64_t iy = oy * s.stride + i - s.pad_top;
              const std::int64_t ix = ox * s.stride + j - s.pad_left;
              if (iy < 0 || iy >= s.height || ix < 0 || ix >= s.width)
                continue;
              for (std::int64_t c = 0; c < s.channels; ++c)
                for (std::int64_t n = 0; n < s.filters; ++n)
                  visit(((b * s.height + iy) * s.width + ix) * s.channels + c,
                        ((i * s.kernel_width + j) * s.channels + c) * s.filters + n,
                        ((b * s.out_height + oy) * s.out_width + ox) * s.filters + n);
            }
  }
};

/// What one element should be: its sum in double, the sum of the terms' sizes, and their number.
struct Expected {
  double sum = 0, size = 0, terms = 0;
  void add(double term) {
    sum += term;
    size += std::abs(term);
    ++terms;
  }
};

/// want = scale * sum + added(i), or its positive part. The bound is that of a chain of rounded
/// sums, with three more roundings for the epilogue.
void check_sums(const char* what, const Case& sample, const Guarded& got,
                const std::vector<Expected>& expected, double scale, bool relu,
                const std::function<double(std::int64_t)>& added) {
  double worst = 0;
  std::int64_t at = 0;
  for (std::int64_t i = 0; i < got.size(); ++i) {
    const Expected& e = expected[std::size_t(i)];
    double want = scale * e.sum + added(i);
    if (relu && want < 0)
      want = 0;
    const double bound =
        epsilon * ((e.terms + 2) * std::abs(scale) * e.size + 3 * std::abs(added(i)));
    const double ratio = error_ratio(got[i], want, bound);
    if (ratio > worst)
      worst = ratio, at = i;
  }
  const ConvolutionShape& s = sample.shape;
  INFO(what, " of ", s.batch, " x ", s.height, " x ", s.width, " x ", s.channels, " by ",
       s.kernel_height, " x ", s.kernel_width, " x ", s.filters, " stride ", s.stride,
       "; worst at ", at);
  CHECK(worst <= 1);
  CHECK(got.intact());
}

void check_forward(const Case& sample, bool with_bias, bool relu) {
  std::vector<Expected> expected(std::size_t(sample.y.size()));
  sample.for_each_product([&](std::int64_t x, std::int64_t w, std::int64_t y) {
    expected[std::size_t(y)].add(double(sample.x[x]) * sample.w[w]);
  });
  const real scale = real(0.75);
  Guarded y = sample.y;
  convolution_forward(sample.shape, sample.x.data(), sample.w.data(), scale,
                      with_bias ? sample.bias.data() : nullptr,
                      relu ? Activation::relu : Activation::none, y.data(), sample.arena);
  check_sums("forward", sample, y, expected, scale, relu, [&](std::int64_t i) {
    return with_bias ? double(sample.bias[i % sample.shape.filters]) : 0;
  });
}

void check_gradients(const Case& sample, bool accumulate) {
  std::vector<Expected> expected_x(std::size_t(sample.x.size()));
  std::vector<Expected> expected_w(std::size_t(sample.w.size()));
  sample.for_each_product([&](std::int64_t x, std::int64_t w, std::int64_t y) {
    expected_x[std::size_t(x)].add(double(sample.y[y]) * sample.w[w]);
    expected_w[std::size_t(w)].add(double(sample.y[y]) * sample.x[x]);
  });
  const real scale = real(-1.5);
  Guarded grad_x = sample.x, grad_w = sample.w; // something to be replaced, or added to
  convolution_grad_input(sample.shape, sample.y.data(), sample.w.data(), scale, grad_x.data(),
                         accumulate, sample.arena);
  check_sums("gradient in x", sample, grad_x, expected_x, scale, false,
             [&](std::int64_t i) { return accumulate ? double(sample.x[i]) : 0; });
  convolution_grad_weight(sample.shape, sample.x.data(), sample.y.data(), scale, grad_w.data(),
                          accumulate, sample.arena);
  check_sums("gradient in w", sample, grad_w, expected_w, scale, false,
             [&](std::int64_t i) { return accumulate ? double(sample.w[i]) : 0; });
}

double dot(const Guarded& a, const Guarded& b) {
  double sum = 0;
  for (std::int64_t i = 0; i < a.size(); ++i)
    sum += double(a[i]) * b[i];
  return sum;
}

} // namespace

TEST_CASE("convolution and its gradients agree with direct loops") {
  Settings settings;
  set_threads(1);
  for (const std::string& name : available_isas()) {
    INFO("instruction set ", name);
    set_isa(name);
    for (const ConvolutionShape& shape : shapes()) {
      const Case sample(shape);
      check_forward(sample, false, false);
      check_forward(sample, true, true);
      check_gradients(sample, false);
      check_gradients(sample, true);
      CHECK(sample.arena.used() == 0);
    }
  }
}

TEST_CASE("the gradients are the adjoints of the convolution") {
  // <conv(x, w), y> = <x, grad_input(y)> = <w, grad_weight(y)>, on a shape with whole blocks.
  const Case sample(shape_of(4, 20, 20, 64, 9, 9, 64, 2));
  Guarded y = sample.y, grad_x = sample.x, grad_w = sample.w;
  convolution_forward(sample.shape, sample.x.data(), sample.w.data(), 1, nullptr, Activation::none,
                      y.data(), sample.arena);
  convolution_grad_input(sample.shape, sample.y.data(), sample.w.data(), 1, grad_x.data(), false,
                         sample.arena);
  convolution_grad_weight(sample.shape, sample.x.data(), sample.y.data(), 1, grad_w.data(), false,
                          sample.arena);
  // Each element errs by some eps times its size, independently: far below 1e-6 of the norms.
  const double want = dot(y, sample.y), size = std::sqrt(dot(y, y) * dot(sample.y, sample.y));
  CHECK(std::abs(dot(grad_x, sample.x) - want) <= 1e-6 * size);
  CHECK(std::abs(dot(grad_w, sample.w) - want) <= 1e-6 * size);
}

TEST_CASE("convolution has the same bits on any number of threads") {
  Settings settings;
  for (const ConvolutionShape& shape :
       {shape_of(5, 13, 12, 40, 3, 3, 70, 2), shape_of(1, 14, 13, 200, 3, 3, 20, 1, 1, 1, 1, 1),
        shape_of(9, 28, 28, 1, 9, 9, 64, 1)}) {
    const Case sample(shape);
    std::vector<std::vector<Guarded>> results;
    for (int count : {1, 2, 3, 7}) {
      set_threads(count);
      std::vector<Guarded> now = {sample.y, sample.x, sample.w};
      convolution_forward(shape, sample.x.data(), sample.w.data(), 1, nullptr, Activation::none,
                          now[0].data(), sample.arena);
      convolution_grad_input(shape, sample.y.data(), sample.w.data(), 1, now[1].data(), false,
                             sample.arena);
      convolution_grad_weight(shape, sample.x.data(), sample.y.data(), 1, now[2].data(), false,
                              sample.arena);
      results.push_back(std::move(now));
      for (std::size_t i = 0; i < 3; ++i)
        CHECK(same_bits(results.front()[i], results.back()[i]));
    }
  }
}

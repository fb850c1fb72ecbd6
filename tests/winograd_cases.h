// Convolutions with data of their own, and the plain loops that define them, for the tests of the
// Winograd transforms in both number types.
#pragma once

#include "core/range.h"
#include "kernels/winograd.h"

#include <mereo/isa.h>
#include <mereo/random.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

namespace mereo::winograd_test {

inline ConvolutionShape square(std::int64_t batch, std::int64_t size, std::int64_t channels,
                               std::int64_t kernel, std::int64_t filters, std::int64_t stride,
                               std::int64_t pad = 0) {
  const std::int64_t out = (size + 2 * pad - kernel) / stride + 1;
  return {batch, size, size, channels, kernel, kernel, filters, stride, pad, pad, out, out};
}

struct Case {
  ConvolutionShape shape;
  std::vector<real> x, w, bias, y; // y: the gradient of the output

  explicit Case(const ConvolutionShape& s, std::uint64_t seed = 1)
      : shape(s), x(std::size_t(s.batch * s.height * s.width * s.channels)),
        w(std::size_t(s.kernel_height * s.kernel_width * s.channels * s.filters)),
        bias(std::size_t(s.filters)),
        y(std::size_t(s.batch * s.out_height * s.out_width * s.filters)) {
    Random random(seed);
    for (std::vector<real>* values : {&x, &w, &bias, &y})
      for (real& value : *values)
        value = real(2 * random.uniform() - 1);
  }

  /// body(x, w, y) with the indices of every multiplication.
  template <class Body> void each(const Body& body) const {
    const ConvolutionShape& s = shape;
    for (std::int64_t b = 0; b < s.batch; ++b)
      for (std::int64_t i = 0; i < s.out_height; ++i)
        for (std::int64_t j = 0; j < s.out_width; ++j)
          for (std::int64_t ki = 0; ki < s.kernel_height; ++ki)
            for (std::int64_t kj = 0; kj < s.kernel_width; ++kj) {
              const std::int64_t row = i * s.stride + ki - s.pad_top;
              const std::int64_t column = j * s.stride + kj - s.pad_left;
              if (row < 0 || row >= s.height || column < 0 || column >= s.width)
                continue;
              for (std::int64_t c = 0; c < s.channels; ++c)
                for (std::int64_t n = 0; n < s.filters; ++n)
                  body(std::size_t(((b * s.height + row) * s.width + column) * s.channels + c),
                       std::size_t(((ki * s.kernel_width + kj) * s.channels + c) * s.filters + n),
                       std::size_t(((b * s.out_height + i) * s.out_width + j) * s.filters + n));
            }
  }

  std::vector<double> forward() const {
    std::vector<double> out(y.size());
    each([&](std::size_t i, std::size_t k, std::size_t o) { out[o] += double(x[i]) * w[k]; });
    return out;
  }
  std::vector<double> grad_input() const {
    std::vector<double> out(x.size());
    each([&](std::size_t i, std::size_t k, std::size_t o) { out[i] += double(w[k]) * y[o]; });
    return out;
  }
  std::vector<double> grad_weight() const {
    std::vector<double> out(w.size());
    each([&](std::size_t i, std::size_t k, std::size_t o) { out[k] += double(x[i]) * y[o]; });
    return out;
  }
};

struct Results {
  std::vector<real> y, x, w;
};

/// All three passes. Where `before` is given, the gradients are added to it.
inline Results winograd(const Case& sample, const WinogradTiling& tiling, real scale = 1,
                        bool with_bias = false, Activation activation = Activation::none,
                        const Results* before = nullptr) {
  static Arena arena;
  Results got;
  const real garbage = real(1e30);
  got.y.assign(sample.y.size(), garbage);
  got.x.assign(sample.x.size(), garbage);
  got.w.assign(sample.w.size(), garbage);
  if (before) {
    got.x = before->x;
    got.w = before->w;
  }
  const ConvolutionShape& shape = sample.shape;
  winograd_forward(shape, tiling, sample.x.data(), sample.w.data(), scale,
                   with_bias ? sample.bias.data() : nullptr, activation, got.y.data(), arena);
  winograd_grad_input(shape, tiling, sample.y.data(), sample.w.data(), scale, got.x.data(),
                      before != nullptr, arena);
  winograd_grad_weight(shape, tiling, sample.x.data(), sample.y.data(), scale, got.w.data(),
                       before != nullptr, arena);
  arena.reset();
  return got;
}

/// |got - want| / |want|, in the Euclidean norm; anything that is not a number is an infinite
/// error.
inline double relative_error(const std::vector<real>& got, const std::vector<double>& want) {
  double error = 0, size = 0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    error += (got[i] - want[i]) * (got[i] - want[i]);
    size += want[i] * want[i];
  }
  const double ratio = std::sqrt(error / (size > 0 ? size : 1));
  return ratio == ratio ? ratio : INFINITY;
}

/// body() with every instruction set in use, the reference last.
template <class Body> void with_each_isa(const Body& body) {
  const std::string before = isa();
  for (const std::string& name : available_isas()) {
    set_isa(name);
    body();
  }
  set_isa(before);
}

/// Points of the transform along one axis, which decide what rounding does.
inline std::int64_t transform_size(std::int64_t out, std::int64_t kernel, std::int64_t stride,
                                   std::int64_t outputs) {
  const std::int64_t taps = ceiling(kernel, stride);
  const std::int64_t most = std::min(outputs, winograd_limit + 1 - taps);
  return ceiling(out, ceiling(out, most)) + taps - 1;
}

/// The largest relative error allowed: three times the largest that was measured.
inline double bound(const ConvolutionShape& s, std::int64_t outputs) {
  constexpr double bounds[winograd_limit + 1] = {0,    6e-7, 6e-7, 2e-6, 2e-6, 3e-6, 3e-6,
                                                 2e-5, 2e-5, 8e-5, 8e-5, 2e-4, 3e-4};
  return bounds[std::max(transform_size(s.out_height, s.kernel_height, s.stride, outputs),
                         transform_size(s.out_width, s.kernel_width, s.stride, outputs))];
}

inline bool same_bits(const std::vector<real>& a, const std::vector<real>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(real)) == 0;
}

} // namespace mereo::winograd_test

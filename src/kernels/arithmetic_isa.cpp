// Elementwise arithmetic, reductions and activations, once per instruction set.
#include "kernels/lane_loops.h"
#include "kernels/table.h"

namespace mereo::MEREO_ISA {

static void scale(std::int64_t n, real a, const real* x, real* y, bool accumulate) {
  const V factor = broadcast(a);
  for_registers(n, [=](std::int64_t i, auto part) MEREO_INLINE {
    const V xi = part.load(x + i);
    part.store(y + i, accumulate ? fma(factor, xi, part.load(y + i)) : factor * xi);
  });
}

static void add(std::int64_t n, const real* x, const real* y, real* z) {
  for_registers(n, [=](std::int64_t i, auto part)
                       MEREO_INLINE { part.store(z + i, part.load(x + i) + part.load(y + i)); });
}

static real sum_of(std::int64_t n, const real* x) {
  return sum_in_16_lanes(n, [=](V total, std::int64_t i, auto part)
                                MEREO_INLINE { return total + part.load(x + i); });
}

static real dot(std::int64_t n, const real* x, const real* y) {
  return sum_in_16_lanes(n, [=](V total, std::int64_t i, auto part) MEREO_INLINE {
    return fma(part.load(x + i), part.load(y + i), total);
  });
}

static real squared_distance(std::int64_t n, const real* x, const real* y) {
  return sum_in_16_lanes(n, [=](V total, std::int64_t i, auto part) MEREO_INLINE {
    const V difference = part.load(x + i) - part.load(y + i);
    return fma(difference, difference, total);
  });
}

// max(a, b) keeps a NaN in b; the select keeps one that a lane met before.
static real max_element(std::int64_t n, const real* x) {
  V largest = broadcast(x[0]);
  for_registers(n, [&](std::int64_t i, auto part) MEREO_INLINE {
    const V larger = max(largest, part.load_or(x + i, largest));
    largest = select(largest == largest, larger, largest);
  });
  const V nan_or_zero = select(largest == largest, zero(), largest);
  return max_of(largest) + sum(nan_or_zero);
}

static void difference(std::int64_t n, real a, const real* x, const real* y, real* grad_x,
                       bool accumulate) {
  const V factor = broadcast(a);
  for_registers(n, [=](std::int64_t i, auto part) MEREO_INLINE {
    const V difference = part.load(x + i) - part.load(y + i);
    put(part, grad_x + i, factor * difference, accumulate);
  });
}

static void relu(std::int64_t n, const real* x, real* y) {
  for_registers(n, [=](std::int64_t i, auto part) MEREO_INLINE {
    part.store(y + i, max(zero(), part.load(x + i))); // in this order a NaN stays one
  });
}

static void relu_backward(std::int64_t n, const real* y, const real* grad_y, real* grad_x,
                          bool accumulate) {
  for_registers(n, [=](std::int64_t i, auto part) MEREO_INLINE {
    const V passed = select(part.load(y + i) > zero(), part.load(grad_y + i), zero());
    put(part, grad_x + i, passed, accumulate);
  });
}

static void sigmoid(std::int64_t n, const real* x, real* y) {
  const V one = broadcast(1);
  for_registers(n, [=](std::int64_t i, auto part) MEREO_INLINE {
    part.store(y + i, one / (one + exp(zero() - part.load(x + i))));
  });
}

static void sigmoid_backward(std::int64_t n, const real* y, const real* grad_y, real* grad_x,
                             bool accumulate) {
  const V one = broadcast(1);
  for_registers(n, [=](std::int64_t i, auto part) MEREO_INLINE {
    const V yi = part.load(y + i);
    put(part, grad_x + i, part.load(grad_y + i) * yi * (one - yi), accumulate);
  });
}

extern const ArithmeticKernels arithmetic_kernels;
const ArithmeticKernels arithmetic_kernels = {
    scale,      add,  sum_of,        dot,     squared_distance, max_element,
    difference, relu, relu_backward, sigmoid, sigmoid_backward,
};

} // namespace mereo::MEREO_ISA

// The specification of the elementwise kernels: plain loops, computed in double.
// The tests hold every instruction set to it.
#include "kernels/table.h"

#include <cmath>

namespace mereo::reference {

/// Stores value, or adds it to what is there.
static void put(real& destination, double value, bool accumulate) {
  destination = real(accumulate ? destination + value : value);
}

static double row_dot(std::int64_t size, const real* x, const real* y) {
  double total = 0;
  for (std::int64_t i = 0; i < size; ++i)
    total += double(x[i]) * y[i];
  return total;
}

// ---- arithmetic ---------------------------------------------------------------------------------

static void scale(std::int64_t n, real a, const real* x, real* y, bool accumulate) {
  for (std::int64_t i = 0; i < n; ++i)
    put(y[i], double(a) * x[i], accumulate);
}

static void add(std::int64_t n, const real* x, const real* y, real* z) {
  for (std::int64_t i = 0; i < n; ++i)
    z[i] = x[i] + y[i];
}

static real sum(std::int64_t n, const real* x) {
  double total = 0;
  for (std::int64_t i = 0; i < n; ++i)
    total += x[i];
  return real(total);
}

static real dot(std::int64_t n, const real* x, const real* y) {
  return real(row_dot(n, x, y));
}

static real squared_distance(std::int64_t n, const real* x, const real* y) {
  double total = 0;
  for (std::int64_t i = 0; i < n; ++i)
    total += (double(x[i]) - y[i]) * (double(x[i]) - y[i]);
  return real(total);
}

static real max(std::int64_t n, const real* x) {
  real largest = x[0];
  for (std::int64_t i = 1; i < n && !std::isnan(largest); ++i)
    if (!(x[i] <= largest))
      largest = x[i];
  return largest;
}

static void difference(std::int64_t n, real a, const real* x, const real* y, real* grad_x,
                       bool accumulate) {
  for (std::int64_t i = 0; i < n; ++i)
    put(grad_x[i], a * (double(x[i]) - y[i]), accumulate);
}

static void relu(std::int64_t n, const real* x, real* y) {
  for (std::int64_t i = 0; i < n; ++i)
    y[i] = x[i] <= 0 ? 0 : x[i];
}

static void relu_backward(std::int64_t n, const real* y, const real* grad_y, real* grad_x,
                          bool accumulate) {
  for (std::int64_t i = 0; i < n; ++i)
    put(grad_x[i], y[i] > 0 ? grad_y[i] : 0, accumulate);
}

static void sigmoid(std::int64_t n, const real* x, real* y) {
  for (std::int64_t i = 0; i < n; ++i)
    y[i] = real(1 / (1 + std::exp(-double(x[i]))));
}

static void sigmoid_backward(std::int64_t n, const real* y, const real* grad_y, real* grad_x,
                             bool accumulate) {
  for (std::int64_t i = 0; i < n; ++i)
    put(grad_x[i], double(grad_y[i]) * y[i] * (1 - double(y[i])), accumulate);
}

// ---- rows ---------------------------------------------------------------------------------------

static void softmax(std::int64_t rows, std::int64_t size, const real* x, real* y) {
  for (std::int64_t r = 0; r < rows; ++r, x += size, y += size) {
    if (size == 0)
      continue;
    const double shift = max(size, x);
    double total = 0;
    for (std::int64_t i = 0; i < size; ++i)
      total += std::exp(x[i] - shift);
    for (std::int64_t i = 0; i < size; ++i)
      y[i] = real(std::exp(x[i] - shift) / total);
  }
}

static void softmax_backward(std::int64_t rows, std::int64_t size, const real* y,
                             const real* grad_y, real* grad_x, bool accumulate) {
  for (std::int64_t r = 0; r < rows; ++r, y += size, grad_y += size, grad_x += size) {
    const double mean = row_dot(size, grad_y, y);
    for (std::int64_t i = 0; i < size; ++i)
      put(grad_x[i], y[i] * (grad_y[i] - mean), accumulate);
  }
}

/// |x|^2 as squash and length take it.
static double squared_length(std::int64_t size, const real* x) {
  return row_dot(size, x, x) + squash_epsilon;
}

static void squash(std::int64_t rows, std::int64_t size, const real* x, real* y) {
  for (std::int64_t r = 0; r < rows; ++r, x += size, y += size) {
    const double square = squared_length(size, x), factor = std::sqrt(square) / (1 + square);
    for (std::int64_t i = 0; i < size; ++i)
      y[i] = real(x[i] * factor);
  }
}

// With s = |x|^2 and y = f(s) x, f = sqrt(s) / (1 + s):
// grad_x = f grad_y + 2 f' <grad_y, x> x, f' = (1 - s) / (2 sqrt(s) (1 + s)^2).
static void squash_backward(std::int64_t rows, std::int64_t size, const real* x, const real* grad_y,
                            real* grad_x, bool accumulate) {
  for (std::int64_t r = 0; r < rows; ++r, x += size, grad_y += size, grad_x += size) {
    const double square = squared_length(size, x), length = std::sqrt(square);
    const double factor = length / (1 + square);
    const double slope = (1 - square) / (length * (1 + square) * (1 + square));
    const double radial = slope * row_dot(size, grad_y, x);
    for (std::int64_t i = 0; i < size; ++i)
      put(grad_x[i], factor * grad_y[i] + radial * x[i], accumulate);
  }
}

static void length(std::int64_t rows, std::int64_t size, const real* x, real* y) {
  for (std::int64_t r = 0; r < rows; ++r)
    y[r] = real(std::sqrt(squared_length(size, x + r * size)));
}

static void length_backward(std::int64_t rows, std::int64_t size, const real* x, const real* y,
                            const real* grad_y, real* grad_x, bool accumulate) {
  for (std::int64_t r = 0; r < rows; ++r, x += size, grad_x += size) {
    const double factor = double(grad_y[r]) / y[r];
    for (std::int64_t i = 0; i < size; ++i)
      put(grad_x[i], factor * x[i], accumulate);
  }
}

static void column_sums(std::int64_t rows, std::int64_t size, const real* x, real* y,
                        bool accumulate) {
  for (std::int64_t c = 0; c < size; ++c) {
    double total = 0;
    for (std::int64_t r = 0; r < rows; ++r)
      total += x[r * size + c];
    put(y[c], total, accumulate);
  }
}

static void column_products(std::int64_t rows, std::int64_t size, const real* x, const real* mean,
                            const real* z, real* y) {
  for (std::int64_t c = 0; c < size; ++c) {
    double total = 0;
    for (std::int64_t r = 0; r < rows; ++r)
      total += (double(x[r * size + c]) - mean[c]) * z[r * size + c];
    y[c] = real(total);
  }
}

static void column_squares(std::int64_t rows, std::int64_t size, const real* x, const real* mean,
                           real* y) {
  for (std::int64_t c = 0; c < size; ++c) {
    double total = 0;
    for (std::int64_t r = 0; r < rows; ++r)
      total += std::pow(double(x[r * size + c]) - mean[c], 2);
    y[c] = real(total);
  }
}

static void scale_columns(std::int64_t rows, std::int64_t size, const real* x, const real* mean,
                          const real* factor, const real* shift, real* y, bool accumulate) {
  for (std::int64_t r = 0; r < rows; ++r, x += size, y += size)
    for (std::int64_t c = 0; c < size; ++c)
      put(y[c], factor[c] * (double(x[c]) - mean[c]) + shift[c], accumulate);
}

// ---- optimisers ---------------------------------------------------------------------------------

static void adam(std::int64_t n, const AdamStep& step, const real* gradient, real* first,
                 real* second, real* parameter) {
  const double beta1 = step.beta1, beta2 = step.beta2;
  for (std::int64_t i = 0; i < n; ++i) {
    const double g = double(step.gradient_scale) * gradient[i];
    const double m = beta1 * first[i] + (1 - beta1) * g;
    const double v = beta2 * second[i] + (1 - beta2) * g * g;
    first[i] = real(m);
    second[i] = real(v);
    const double direction =
        m / step.correction1 / (std::sqrt(v / step.correction2) + step.epsilon);
    parameter[i] = real(parameter[i] - step.learning_rate * direction);
  }
}

static void momentum(std::int64_t n, real rate, real momentum, real gradient_scale,
                     const real* gradient, real* velocity, real* parameter) {
  for (std::int64_t i = 0; i < n; ++i) {
    const double v = double(momentum) * velocity[i] + double(gradient_scale) * gradient[i];
    velocity[i] = real(v);
    parameter[i] = real(parameter[i] - rate * v);
  }
}

extern const ArithmeticKernels arithmetic_kernels;
const ArithmeticKernels arithmetic_kernels = {
    scale,      add,  sum,           dot,     squared_distance, max,
    difference, relu, relu_backward, sigmoid, sigmoid_backward,
};

extern const RowKernels row_kernels;
const RowKernels row_kernels = {
    softmax,         softmax_backward, squash,          squash_backward, length,
    length_backward, column_sums,      column_products, column_squares,  scale_columns,
};

extern const OptimiserKernels optimiser_kernels;
const OptimiserKernels optimiser_kernels = {adam, momentum};

} // namespace mereo::reference

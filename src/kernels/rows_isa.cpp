// Operations on each row of a matrix: softmax, squash, length; and the sums and moments of its
// columns.
#include "kernels/lane_loops.h"
#include "kernels/table.h"

#include <limits>

namespace mereo::MEREO_ISA {

static float square_root(float x) {
  return __builtin_sqrtf(x);
}

/// |x|^2 + squash_epsilon, the square of what squash and length take for |x|.
MEREO_VERB float squared_length(std::int64_t size, const real* x) {
  return squash_epsilon +
         sum_in_16_lanes(size, [=](V total, std::int64_t i, auto part) MEREO_INLINE {
           const V xi = part.load(x + i);
           return fma(xi, xi, total);
         });
}

MEREO_VERB float row_dot(std::int64_t size, const real* x, const real* y) {
  return sum_in_16_lanes(size, [=](V total, std::int64_t i, auto part) MEREO_INLINE {
    return fma(part.load(x + i), part.load(y + i), total);
  });
}

// A NaN need not survive in the maximum: it makes the sum NaN, and with it the row.
static void softmax_row(std::int64_t size, const real* x, real* y) {
  const V lowest = broadcast(-std::numeric_limits<float>::infinity());
  V largest = lowest;
  for_registers(size, [&](std::int64_t i, auto part)
                          MEREO_INLINE { largest = max(largest, part.load_or(x + i, lowest)); });
  const V shift = broadcast(max_of(largest));
  const float total = sum_in_16_lanes(size, [=](V sum, std::int64_t i, auto part) MEREO_INLINE {
    const V e = exp(part.load_or(x + i, lowest) - shift);
    part.store(y + i, e);
    return sum + e;
  });
  const V factor = broadcast(1 / total);
  for_registers(size, [=](std::int64_t i, auto part)
                          MEREO_INLINE { part.store(y + i, part.load(y + i) * factor); });
}

static void softmax(std::int64_t rows, std::int64_t size, const real* x, real* y) {
  for (std::int64_t at = 0; at < rows * size; at += size)
    softmax_row(size, x + at, y + at);
}

static void softmax_backward(std::int64_t rows, std::int64_t size, const real* y,
                             const real* grad_y, real* grad_x, bool accumulate) {
  for (std::int64_t at = 0; at < rows * size; at += size) {
    const V mean = broadcast(row_dot(size, grad_y + at, y + at));
    for_registers(size, [=](std::int64_t i, auto part) MEREO_INLINE {
      const V centred = part.load(grad_y + at + i) - mean;
      put(part, grad_x + at + i, part.load(y + at + i) * centred, accumulate);
    });
  }
}

static void squash(std::int64_t rows, std::int64_t size, const real* x, real* y) {
  for (std::int64_t at = 0; at < rows * size; at += size) {
    const float square = squared_length(size, x + at);
    const V factor = broadcast(square_root(square) / (1 + square));
    for_registers(size, [=](std::int64_t i, auto part) MEREO_INLINE {
      part.store(y + at + i, part.load(x + at + i) * factor);
    });
  }
}

// With s = |x|^2 and y = f(s) x, f = sqrt(s) / (1 + s):
// grad_x = f grad_y + 2 f' <grad_y, x> x, f' = (1 - s) / (2 sqrt(s) (1 + s)^2).
static void squash_backward(std::int64_t rows, std::int64_t size, const real* x, const real* grad_y,
                            real* grad_x, bool accumulate) {
  for (std::int64_t at = 0; at < rows * size; at += size) {
    const float square = squared_length(size, x + at), length = square_root(square);
    const float along = row_dot(size, grad_y + at, x + at);
    const float slope = (1 - square) / (length * (1 + square) * (1 + square));
    const V factor = broadcast(length / (1 + square)), radial = broadcast(slope * along);
    for_registers(size, [=](std::int64_t i, auto part) MEREO_INLINE {
      const V turned = part.load(grad_y + at + i) * factor;
      put(part, grad_x + at + i, fma(part.load(x + at + i), radial, turned), accumulate);
    });
  }
}

static void length(std::int64_t rows, std::int64_t size, const real* x, real* y) {
  for (std::int64_t r = 0; r < rows; ++r)
    y[r] = square_root(squared_length(size, x + r * size));
}

static void length_backward(std::int64_t rows, std::int64_t size, const real* x, const real* y,
                            const real* grad_y, real* grad_x, bool accumulate) {
  for (std::int64_t r = 0; r < rows; ++r) {
    const V factor = broadcast(grad_y[r] / y[r]);
    const std::int64_t at = r * size;
    for_registers(size, [=](std::int64_t i, auto part) MEREO_INLINE {
      put(part, grad_x + at + i, part.load(x + at + i) * factor, accumulate);
    });
  }
}

/// y[c] (+)= the sum over rows: total = body(total, row, c, part) adds a row's register at column
/// c.
template <class Body>
MEREO_VERB void sum_over_rows(std::int64_t rows, std::int64_t size, real* y, bool accumulate,
                              Body body) {
  constexpr int wide = 4; // registers of columns at a time, so that the additions overlap
  std::int64_t c = 0;
  for (; c + wide * lanes <= size; c += wide * lanes) {
    V total[wide];
    for (V& t : total)
      t = zero();
    for (std::int64_t r = 0; r < rows; ++r)
      for (int k = 0; k < wide; ++k)
        total[k] = body(total[k], r, c + k * lanes, Whole{});
    for (int k = 0; k < wide; ++k)
      put(Whole{}, y + c + k * lanes, total[k], accumulate);
  }
  for_registers(size - c, [=](std::int64_t i, auto part) MEREO_INLINE {
    V total = zero();
    for (std::int64_t r = 0; r < rows; ++r)
      total = body(total, r, c + i, part);
    put(part, y + c + i, total, accumulate);
  });
}

static void column_sums(std::int64_t rows, std::int64_t size, const real* x, real* y,
                        bool accumulate) {
  sum_over_rows(rows, size, y, accumulate,
                [=](V total, std::int64_t r, std::int64_t c, auto part)
                    MEREO_INLINE { return total + part.load(x + r * size + c); });
}

static void column_products(std::int64_t rows, std::int64_t size, const real* x, const real* mean,
                            const real* z, real* y) {
  sum_over_rows(rows, size, y, false,
                [=](V total, std::int64_t r, std::int64_t c, auto part) MEREO_INLINE {
                  const V centred = part.load(x + r * size + c) - part.load(mean + c);
                  return fma(centred, part.load(z + r * size + c), total);
                });
}

static void column_squares(std::int64_t rows, std::int64_t size, const real* x, const real* mean,
                           real* y) {
  sum_over_rows(rows, size, y, false,
                [=](V total, std::int64_t r, std::int64_t c, auto part) MEREO_INLINE {
                  const V centred = part.load(x + r * size + c) - part.load(mean + c);
                  return fma(centred, centred, total);
                });
}

static void scale_columns(std::int64_t rows, std::int64_t size, const real* x, const real* mean,
                          const real* factor, const real* shift, real* y, bool accumulate) {
  for (std::int64_t at = 0; at < rows * size; at += size)
    for_registers(size, [=](std::int64_t c, auto part) MEREO_INLINE {
      const V centred = part.load(x + at + c) - part.load(mean + c);
      put(part, y + at + c, fma(centred, part.load(factor + c), part.load(shift + c)), accumulate);
    });
}

extern const RowKernels row_kernels;
const RowKernels row_kernels = {
    softmax,         softmax_backward, squash,          squash_backward, length,
    length_backward, column_sums,      column_products, column_squares,  scale_columns,
};

} // namespace mereo::MEREO_ISA

// The specification of the pooling kernels: plain loops, sums in double.
#include "kernels/table.h"

#include <cmath>

namespace mereo::reference {

/// Where pixel p of the window is, row by row, in channel c.
static std::int64_t place(const PoolingWindow& window, std::int64_t p, std::int64_t c) {
  return p / window.columns * window.row_stride + p % window.columns * window.channels + c;
}

static void pool_max(const PoolingWindow& window, const real* x, real* y) {
  for (std::int64_t c = 0; c < window.channels; ++c) {
    y[c] = x[c];
    for (std::int64_t p = 1; p < window.rows * window.columns; ++p) {
      const real next = x[place(window, p, c)];
      if (next > y[c] || std::isnan(next))
        y[c] = next;
    }
  }
}

static void pool_max_backward(const PoolingWindow& window, const real* x, const real* y,
                              const real* grad_y, real* grad_x) {
  for (std::int64_t c = 0; c < window.channels; ++c)
    for (std::int64_t p = 0; p < window.rows * window.columns; ++p)
      if (x[place(window, p, c)] == y[c]) {
        grad_x[place(window, p, c)] += grad_y[c];
        break;
      }
}

static void pool_sum(const PoolingWindow& window, real factor, const real* x, real* y) {
  for (std::int64_t c = 0; c < window.channels; ++c) {
    double total = 0;
    for (std::int64_t p = 0; p < window.rows * window.columns; ++p)
      total += x[place(window, p, c)];
    y[c] = real(factor * total);
  }
}

static void pool_sum_backward(const PoolingWindow& window, real factor, const real* grad_y,
                              real* grad_x) {
  for (std::int64_t c = 0; c < window.channels; ++c)
    for (std::int64_t p = 0; p < window.rows * window.columns; ++p)
      grad_x[place(window, p, c)] += factor * grad_y[c];
}

extern const PoolingKernels pooling_kernels;
const PoolingKernels pooling_kernels = {pool_max, pool_max_backward, pool_sum, pool_sum_backward};

} // namespace mereo::reference

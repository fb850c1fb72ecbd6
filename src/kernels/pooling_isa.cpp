// Pooling of channels-last images: the lanes are channels, so a window is a few runs of them.
#include "kernels/lane_loops.h"
#include "kernels/table.h"

namespace mereo::MEREO_ISA {

/// body(offset of the pixel) for every pixel of the window, row by row.
template <class Body> MEREO_VERB void for_pixels(const PoolingWindow& window, Body body) {
  for (std::int64_t r = 0; r < window.rows; ++r)
    for (std::int64_t k = 0; k < window.columns; ++k)
      body(r * window.row_stride + k * window.channels);
}

static void pool_max(const PoolingWindow& window, const real* x, real* y) {
  for_registers(window.channels, [=](std::int64_t c, auto part) MEREO_INLINE {
    V largest = part.load(x + c);
    for_pixels(window, [&](std::int64_t at) MEREO_INLINE {
      const V larger = max(largest, part.load(x + at + c));
      largest = select(largest == largest, larger, largest); // NaN stays
    });
    part.store(y + c, largest);
  });
}

static void pool_max_backward(const PoolingWindow& window, const real* x, const real* y,
                              const real* grad_y, real* grad_x) {
  for_registers(window.channels, [=](std::int64_t c, auto part) MEREO_INLINE {
    const V largest = part.load(y + c);
    V rest = part.load(grad_y + c); // until the pixel that gets it
    for_pixels(window, [&](std::int64_t at) MEREO_INLINE {
      const auto found = part.load(x + at + c) == largest;
      put(part, grad_x + at + c, select(found, rest, zero()), true);
      rest = select(found, zero(), rest);
    });
  });
}

static void pool_sum(const PoolingWindow& window, real factor, const real* x, real* y) {
  const V factors = broadcast(factor);
  for_registers(window.channels, [=](std::int64_t c, auto part) MEREO_INLINE {
    V total = zero();
    for_pixels(window,
               [&](std::int64_t at) MEREO_INLINE { total = total + part.load(x + at + c); });
    part.store(y + c, total * factors);
  });
}

static void pool_sum_backward(const PoolingWindow& window, real factor, const real* grad_y,
                              real* grad_x) {
  const V factors = broadcast(factor);
  for_registers(window.channels, [=](std::int64_t c, auto part) MEREO_INLINE {
    const V share = part.load(grad_y + c) * factors;
    for_pixels(window,
               [=](std::int64_t at) MEREO_INLINE { put(part, grad_x + at + c, share, true); });
  });
}

extern const PoolingKernels pooling_kernels;
const PoolingKernels pooling_kernels = {pool_max, pool_max_backward, pool_sum, pool_sum_backward};

} // namespace mereo::MEREO_ISA

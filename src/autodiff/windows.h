// The windows of a convolution or a pooling along one axis.
#pragma once

#include "core/range.h"

#include <mereo/ops.h>

#include <algorithm>

namespace mereo {

/// Whether a stride, a window's side or a factor is one with which sizes can be computed: larger
/// ones would overflow.
inline bool is_step(std::int64_t x) {
  return x >= 1 && x <= std::int64_t{1} << 30;
}

/// How many windows there are, and how many zeros the first one has before the image. The image has
/// at least one pixel, and with valid padding at least as many as the kernel.
struct Extent {
  std::int64_t out, pad_before;
};

inline Extent extent(std::int64_t size, std::int64_t kernel, std::int64_t stride, Padding padding) {
  if (padding == Padding::valid)
    return {(size - kernel) / stride + 1, 0};
  const std::int64_t out = ceiling(size, stride);
  return {out, std::max<std::int64_t>(0, (out - 1) * stride + kernel - size) / 2};
}

} // namespace mereo

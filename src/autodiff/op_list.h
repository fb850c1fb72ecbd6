// The operations of this floor, one line each; the tests fail for one without a gradient case.
#pragma once

#include <mereo/tape.h>

#define MEREO_AUTODIFF_OPS(X)                                                                      \
  X(add)                                                                                           \
  X(scale)                                                                                         \
  X(sum)                                                                                           \
  X(relu)                                                                                          \
  X(sigmoid)                                                                                       \
  X(softmax)                                                                                       \
  X(dense)                                                                                         \
  X(convolution)                                                                                   \
  X(max_pool)                                                                                      \
  X(average_pool)                                                                                  \
  X(batch_norm)                                                                                    \
  X(dropout)                                                                                       \
  X(squared_error)                                                                                 \
  X(cross_entropy)                                                                                 \
  X(sigmoid_cross_entropy)

namespace mereo::ops {
#define MEREO_DECLARE(name) extern const Op name;
MEREO_AUTODIFF_OPS(MEREO_DECLARE)
#undef MEREO_DECLARE
} // namespace mereo::ops

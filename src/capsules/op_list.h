// The operations of this floor, one line each; the tests fail for one without a gradient case.
#pragma once

#include <mereo/tape.h>

#define MEREO_CAPSULE_OPS(X)                                                                       \
  X(squash)                                                                                        \
  X(lengths)                                                                                       \
  X(dynamic_routing)                                                                               \
  X(em_routing)                                                                                    \
  X(mask)                                                                                          \
  X(margin_loss)                                                                                   \
  X(spread_loss)

namespace mereo::ops {
#define MEREO_DECLARE(name) extern const Op name;
MEREO_CAPSULE_OPS(MEREO_DECLARE)
#undef MEREO_DECLARE
} // namespace mereo::ops

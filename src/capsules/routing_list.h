// The routings, one line each.
#pragma once

#include <mereo/capsule_layers.h>

#define MEREO_ROUTINGS(X)                                                                          \
  X(dynamic)                                                                                       \
  X(em)

namespace mereo::routing_list {
#define MEREO_DECLARE(name) extern const Routing name;
MEREO_ROUTINGS(MEREO_DECLARE)
#undef MEREO_DECLARE
} // namespace mereo::routing_list

// The forward pass of dynamic routing for few images.
#pragma once

#include "kernels/routing.h"

namespace mereo {

/// Whether so few images are routed faster with their children as lanes, and their votes are few
/// enough to be kept.
bool routing_few(const RoutingShape& shape, std::int64_t batch);

/// What routing_forward does, for so many. preference (B, J, E), zero before, becomes the sum of
/// the outputs but the last iteration's.
void routing_forward_few(const RoutingShape& shape, const RoutingOptions& options,
                         std::int64_t batch, const real* children, const real* weights,
                         const real* bias, const RoutingState& state, real* preference,
                         Arena& scratch);

} // namespace mereo

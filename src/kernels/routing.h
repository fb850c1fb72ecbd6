// Dynamic routing between capsules (Sabour, Frosst, Hinton 2017, Procedure 1) as one fused
// operation.
#pragma once

#include "kernels/table.h"

#include <mereo/memory.h>

namespace mereo {

struct RoutingOptions {
  int iterations = 3;               // r >= 1
  bool stop_inner_gradient = false; // treat the couplings as constants in the gradient
};

/// What the backward pass needs of the forward: per iteration the parents' sums and outputs.
/// Both are (iterations, B, J, E).
struct RoutingState {
  real* sums;
  real* outputs;
};

/// children (B, I, D), weights (I, J, E, D), bias (J, E) or null -> parents (B, J, E) = the last
/// iteration's outputs. couplings, where not null, receives those of every iteration, (iterations,
/// B, I, J).
/// The bits depend neither on the number of threads nor on which other images are in the batch,
/// only on whether they are few (see routing_few.h).
void routing_forward(const RoutingShape& shape, const RoutingOptions& options, std::int64_t batch,
                     const real* children, const real* weights, const real* bias,
                     const RoutingState& state, real* parents, real* couplings, Arena& scratch);

/// Any of the three gradients may be null. accumulate_* adds instead of replacing.
struct RoutingGradients {
  real* children;
  bool accumulate_children;
  real* weights;
  bool accumulate_weights;
  real* bias;
  bool accumulate_bias;
};

/// state is that of the forward, the other arguments are its arguments; grad_parents (B, J, E).
void routing_backward(const RoutingShape& shape, const RoutingOptions& options, std::int64_t batch,
                      const real* children, const real* weights, const RoutingState& state,
                      const real* grad_parents, const RoutingGradients& gradients, Arena& scratch);

} // namespace mereo

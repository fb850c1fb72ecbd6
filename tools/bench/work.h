// How much there is to compute: floating-point operations, a multiplication and an addition being
// two, and bytes.
#pragma once

#include "kernels/routing.h"
#include "kernels/winograd.h"

#include <mereo/models.h>

namespace bench {

using mereo::ConvolutionShape;
using mereo::RoutingShape;

struct Work {
  /// As executed. Of a Winograd convolution those of the products alone: its transforms count as
  /// overhead. Where routing forms a vote again, that counts.
  double operations = 0;
  /// What the textbook's form would need, where that is another number: a convolution as the plain
  /// sum, votes formed once and stored.
  double direct = 0;
  /// Between memory and processor, where that is what takes the time.
  double bytes = 0;
  double images = 0;
};

// ---- one pass of an operation ------------------------------------------------------------------

/// Of each of the three passes.
double direct_operations(const ConvolutionShape& shape);
/// Of each of the three passes, with tiles of so many outputs along each axis.
double winograd_operations(const ConvolutionShape& shape, std::int64_t tile);
/// Elements that the transforms of a pass read and write: x, w, y and their frequencies, once each.
double winograd_elements(const ConvolutionShape& shape, std::int64_t tile);

double routing_forward_operations(const RoutingShape& shape, std::int64_t batch, int iterations);
double routing_backward_operations(const RoutingShape& shape, std::int64_t batch, int iterations);
/// Of the forward pass with stored votes; the backward pass needs twice that.
double stored_votes_operations(const RoutingShape& shape, std::int64_t batch, int iterations);

/// Of EM routing, for each element of a vote, counted from the loops of kernels/em_isa.cpp and
/// em_gradients_isa.cpp; what grows with votes or parents only is left out.
double em_forward_operations(int iterations);
double em_backward_operations(int iterations);

// ---- the network of Sabour et al. for 28x28 digits ----------------------------------------------

ConvolutionShape conv1_shape(std::int64_t batch);
ConvolutionShape primary_shape(std::int64_t batch);
inline constexpr RoutingShape routing_shape = {
    .children = 1152, .parents = 10, .parent_pose = 16, .child_pose = 8};
inline constexpr std::int64_t parameter_count = 8215568;

/// One pass of the three dense layers.
double decoder_operations(std::int64_t batch);
/// Whether this convolution runs through Winograd's transforms in a network of that configuration.
bool uses_winograd(const mereo::CapsNetConfig& config, const ConvolutionShape& shape);
/// Inference is frozen (see Model::freeze) and without a decoder.
Work training_work(const mereo::CapsNetConfig& config, std::int64_t batch);
Work inference_work(const mereo::CapsNetConfig& config, std::int64_t batch);

} // namespace bench

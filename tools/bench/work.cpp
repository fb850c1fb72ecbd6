#include "work.h"

#include "kernels/winograd_plan.h"

#include <algorithm>

namespace bench {

using namespace mereo;

namespace {

/// Multiplications of a vote's elements by one number each: I J E.
double vote_elements(const RoutingShape& shape, std::int64_t batch) {
  return double(batch) * double(shape.children * shape.parents * shape.parent_pose);
}

double convolution_operations(const CapsNetConfig& config, const ConvolutionShape& shape) {
  return uses_winograd(config, shape) ? winograd_operations(shape, config.convolution_tile)
                                      : direct_operations(shape);
}

/// Of the forward pass of a frozen network.
double frozen_operations(const CapsNetConfig& config, const ConvolutionShape& shape) {
  const WinogradTiling tiling =
      winograd_transformed_tiling(shape, {.outputs = config.convolution_tile});
  const bool winograd = config.convolution == ConvolutionMethod::winograd ||
                        (config.convolution == ConvolutionMethod::automatic &&
                         winograd_transformed_suits(shape, tiling));
  return winograd ? winograd_operations(shape, tiling.outputs) : direct_operations(shape);
}

} // namespace

double direct_operations(const ConvolutionShape& s) {
  return 2.0 * double(s.batch * s.out_height * s.out_width) * double(s.filters) *
         double(s.kernel_height * s.kernel_width * s.channels);
}

double winograd_operations(const ConvolutionShape& s, std::int64_t tile) {
  const WinogradPlan plan(s, {.outputs = tile});
  return 2.0 * double(plan.phase_frequencies * s.channels) * double(s.batch * plan.tiles) *
         double(s.filters);
}

double winograd_elements(const ConvolutionShape& s, std::int64_t tile) {
  const WinogradPlan plan(s, {.outputs = tile});
  const double images = double(s.batch * s.height * s.width * s.channels);
  const double outputs = double(s.batch * s.out_height * s.out_width * s.filters);
  const double weights = double(s.kernel_height * s.kernel_width * s.channels * s.filters);
  const double inner = double(plan.phase_frequencies * s.channels), filters = double(s.filters);
  const double tiles = double(s.batch * plan.tiles);
  return images + outputs + weights + tiles * (inner + double(plan.frequencies) * filters) +
         inner * filters;
}

// Counted from the loops of kernels/routing_isa.cpp and routing_gradients_isa.cpp; the softmax and
// everything that does not grow with I J E is left out.
double routing_forward_operations(const RoutingShape& shape, std::int64_t batch, int iterations) {
  // The first iteration has no agreement, and its couplings are one factor.
  const double later = double(iterations - 1);
  return 2 * vote_elements(shape, batch) * (iterations * double(shape.child_pose) + 2 * later);
}

double routing_backward_operations(const RoutingShape& shape, std::int64_t batch, int iterations) {
  const double later = double(iterations - 1), pose = double(shape.child_pose);
  const double sweeps = later * (pose + 3);          // a vote, two products with it, a sum of it
  const double gradients = 3 * pose + 1 + 4 * later; // a vote, its gradient, and two from that
  return 2 * vote_elements(shape, batch) * (sweeps + gradients);
}

double stored_votes_operations(const RoutingShape& shape, std::int64_t batch, int iterations) {
  return 2 * vote_elements(shape, batch) *
         (double(shape.child_pose) + iterations + (iterations - 1));
}

double em_forward_operations(int iterations) {
  // A vote and its sum; a vote and its square; then a vote, its distance, and both sums.
  return 8 + 11 + 15 * (iterations - 1);
}

double em_backward_operations(int iterations) {
  const double later = iterations - 1;
  const double slopes = 19 * later; // a vote, its distance and slope, and both sums
  // A vote and its slope, its gradient by all iterations, and that of the pose and the transform.
  return slopes + 8 + 5 + 4 + (later > 0 ? 6 : 0) + 8 * std::max(0.0, later - 1) + 16;
}

ConvolutionShape conv1_shape(std::int64_t batch) {
  return {batch, 28, 28, 1, 9, 9, 256, 1, 0, 0, 20, 20};
}

ConvolutionShape primary_shape(std::int64_t batch) {
  return {batch, 20, 20, 256, 9, 9, 256, 2, 0, 0, 6, 6};
}

double decoder_operations(std::int64_t batch) {
  return 2.0 * double(batch) * (160 * 512 + 512 * 1024 + 1024 * 784);
}

bool uses_winograd(const CapsNetConfig& config, const ConvolutionShape& shape) {
  if (config.convolution != ConvolutionMethod::automatic)
    return config.convolution == ConvolutionMethod::winograd;
  return winograd_suits(shape, {.outputs = config.convolution_tile});
}

Work training_work(const CapsNetConfig& config, std::int64_t batch) {
  const ConvolutionShape first = conv1_shape(batch), primary = primary_shape(batch);
  const int iterations = config.routing.iterations;
  // The image needs no gradient: two passes of the first convolution, three of everything else.
  const auto all = [&](double conv1, double capsules, double routing) {
    return 2 * conv1 + 3 * (capsules + decoder_operations(batch)) + routing;
  };
  return {.operations =
              all(convolution_operations(config, first), convolution_operations(config, primary),
                  routing_forward_operations(routing_shape, batch, iterations) +
                      routing_backward_operations(routing_shape, batch, iterations)),
          .direct = all(direct_operations(first), direct_operations(primary),
                        3 * stored_votes_operations(routing_shape, batch, iterations)),
          .images = double(batch)};
}

Work inference_work(const CapsNetConfig& config, std::int64_t batch) {
  const ConvolutionShape first = conv1_shape(batch), primary = primary_shape(batch);
  const int iterations = config.routing.iterations;
  return {.operations = frozen_operations(config, first) + frozen_operations(config, primary) +
                        routing_forward_operations(routing_shape, batch, iterations),
          .direct = direct_operations(first) + direct_operations(primary) +
                    stored_votes_operations(routing_shape, batch, iterations),
          .images = double(batch)};
}

} // namespace bench

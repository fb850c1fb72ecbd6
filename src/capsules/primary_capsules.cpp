#include <mereo/capsule_layers.h>

namespace mereo {

PrimaryCapsules::PrimaryCapsules(Parameters& parameters, std::string name, const Options& options)
    : convolution_(parameters, name,
                   {.kernel = options.kernel,
                    .channels = options.channels,
                    .filters = options.types * options.pose,
                    .convolution = {.stride = options.stride,
                                    .padding = options.padding,
                                    .scale = options.scale,
                                    .method = options.method,
                                    .tile = options.tile},
                    .weights = options.weights,
                    .bias = options.bias}),
      name_(std::move(name)), pose_(options.pose) {}

Variable PrimaryCapsules::forward(Tape& tape, const Parameters& parameters, Variable x,
                                  Mode mode) const {
  const Variable y = convolution_.forward(tape, parameters, x, mode); // (B, OH, OW, types * pose)
  const LayerScope scope(tape, name_.c_str());
  // Channels are the last axis, so grouping them is a matter of shape alone.
  const std::int64_t B = y.shape()[0];
  return squash(tape, y.reshape({B, y.elements() / (B * pose_), pose_}));
}

namespace {

ConvolutionLayer::Options pixelwise(std::int64_t channels, std::int64_t filters,
                                    const Initialiser& weights) {
  return {.kernel = 1,
          .channels = channels,
          .filters = filters,
          .convolution = {},
          .weights = weights,
          .bias = Initialiser::constant(0)};
}

} // namespace

MatrixPrimaryCapsules::MatrixPrimaryCapsules(Parameters& parameters, const std::string& name,
                                             const Options& options)
    : activation_name_(name + ".activation"), types_(options.types), pose_(options.pose),
      poses_(parameters, name + ".pose",
             pixelwise(options.channels, options.types * options.pose, options.poses)),
      activations_(parameters, activation_name_,
                   pixelwise(options.channels, options.types, options.activations)) {}

Capsules MatrixPrimaryCapsules::forward(Tape& tape, const Parameters& parameters, Variable x,
                                        Mode mode) const {
  const Variable poses = poses_.forward(tape, parameters, x, mode); // (B, H, W, types * pose)
  const Variable logits = activations_.forward(tape, parameters, x, mode);
  const LayerScope scope(tape, activation_name_.c_str());
  const Shape& grid = poses.shape();
  return {poses.reshape({grid[0], grid[1], grid[2], types_, pose_}), sigmoid(tape, logits)};
}

} // namespace mereo

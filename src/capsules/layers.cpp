#include <mereo/capsules.h>

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

RoutedCapsules::RoutedCapsules(Parameters& parameters, std::string name, const Options& options)
    : name_(std::move(name)), options_(options), bias_(-1) {
  weight_ =
      parameters.add(name_ + ".weight",
                     {options.children, options.parents, options.parent_pose, options.child_pose},
                     options.weights, Decay::yes);
  if (options.bias)
    bias_ =
        parameters.add(name_ + ".bias", {options.parents, options.parent_pose}, options.bias_start);
}

Variable RoutedCapsules::forward(Tape& tape, const Parameters& parameters, Variable children,
                                 Mode mode, const Tensor& couplings) const {
  const LayerScope scope(tape, name_.c_str());
  const Variable bias = bias_ < 0 ? Variable() : parameters.on(tape, bias_, mode);
  return dynamic_routing(tape, children, parameters.on(tape, weight_, mode), bias, options_.routing,
                         couplings);
}

namespace {

struct Start {
  Initialiser weights, bias;
};

/// `unless_authors` is what suits the layer's activity.
Start start(const Decoder::Options& options, const Initialiser& unless_authors) {
  if (options.authors_start)
    return {Initialiser::truncated_normal(0.1), Initialiser::constant(0.1)};
  return {unless_authors, Initialiser::constant(0)};
}

DenseLayer layer(Parameters& parameters, const std::string& name, std::int64_t inputs,
                 std::int64_t outputs, Activity activity, const Start& start) {
  return DenseLayer(parameters, name, inputs, outputs, activity, start.weights, start.bias);
}

} // namespace

Decoder::Decoder(Parameters& parameters, std::string name, const Options& options)
    : name_(std::move(name)),
      first_(layer(parameters, name_ + ".dense1", options.inputs, options.hidden1, Activity::relu,
                   start(options, Initialiser::he(double(options.inputs))))),
      second_(layer(parameters, name_ + ".dense2", options.hidden1, options.hidden2, Activity::relu,
                    start(options, Initialiser::he(double(options.hidden1))))),
      last_(layer(
          parameters, name_ + ".pixels", options.hidden2, options.pixels, Activity::linear,
          start(options, Initialiser::glorot(double(options.hidden2), double(options.pixels))))) {}

Variable Decoder::forward(Tape& tape, const Parameters& parameters, Variable x, Mode mode) const {
  const Variable first = first_.forward(tape, parameters, x, mode);
  const Variable second = second_.forward(tape, parameters, first, mode);
  const Variable logits = last_.forward(tape, parameters, second, mode);
  const LayerScope scope(tape, name_.c_str());
  return sigmoid(tape, logits);
}

} // namespace mereo

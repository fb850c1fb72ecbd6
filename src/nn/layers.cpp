#include <mereo/nn.h>

#include <algorithm>

namespace mereo {

ConvolutionLayer::ConvolutionLayer(Parameters& parameters, std::string name, const Options& options)
    : name_(std::move(name)), options_(options) {
  weight_ = parameters.add(name_ + ".weight",
                           {options.kernel, options.kernel, options.channels, options.filters},
                           options.weights, Decay::yes);
  if (options.has_bias)
    bias_ = parameters.add(name_ + ".bias", {options.filters}, options.bias);
}

Variable ConvolutionLayer::forward(Tape& tape, const Parameters& parameters, Variable x,
                                   Mode mode) const {
  const LayerScope scope(tape, name_.c_str());
  const Variable bias = options_.has_bias ? parameters.on(tape, bias_, mode) : Variable();
  return convolution(tape, x, parameters.on(tape, weight_, mode), bias, options_.convolution,
                     mode == Mode::evaluation ? transformed_.get() : nullptr);
}

void ConvolutionLayer::freeze(const Parameters& parameters, const Shape& x) {
  thaw(); // never two at once
  transformed_ = transform_weights(x, parameters.value(weight_), options_.convolution);
}

BatchNormLayer::BatchNormLayer(Parameters& parameters, std::string name, std::int64_t channels)
    : name_(std::move(name)) {
  gain_ = parameters.add(name_ + ".gain", {channels}, Initialiser::constant(1));
  bias_ = parameters.add(name_ + ".bias", {channels}, Initialiser::constant(0));
  mean_ = parameters.add_average(name_ + ".mean", {channels}, 0);
  variance_ = parameters.add_average(name_ + ".variance", {channels}, 1);
}

Variable BatchNormLayer::forward(Tape& tape, const Parameters& parameters, Variable x,
                                 Mode mode) const {
  const LayerScope scope(tape, name_.c_str());
  const Variable gain = parameters.on(tape, gain_, mode), bias = parameters.on(tape, bias_, mode);
  if (mode == Mode::training) {
    const ChannelMoments seen{parameters.gradient(mean_), parameters.gradient(variance_)};
    // So that the average stays where the batch tells nothing of it, whatever was seen before.
    std::ranges::copy(parameters.value(variance_).values(), seen.variance.data());
    return batch_norm(tape, x, gain, bias, seen);
  }
  return batch_norm_by(tape, x, gain, bias, {parameters.value(mean_), parameters.value(variance_)});
}

DenseLayer::DenseLayer(Parameters& parameters, std::string name, std::int64_t inputs,
                       std::int64_t outputs, Activity activity, const Initialiser& weights,
                       const Initialiser& bias)
    : name_(std::move(name)), activity_(activity) {
  weight_ = parameters.add(name_ + ".weight", {inputs, outputs}, weights, Decay::yes);
  bias_ = parameters.add(name_ + ".bias", {outputs}, bias);
}

Variable DenseLayer::forward(Tape& tape, const Parameters& parameters, Variable x,
                             Mode mode) const {
  const LayerScope scope(tape, name_.c_str());
  return dense(tape, x, parameters.on(tape, weight_, mode), parameters.on(tape, bias_, mode),
               activity_);
}

} // namespace mereo

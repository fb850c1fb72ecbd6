#include <mereo/nn.h>

namespace mereo {

ConvolutionLayer::ConvolutionLayer(Parameters& parameters, std::string name, const Options& options)
    : name_(std::move(name)), options_(options) {
  weight_ = parameters.add(name_ + ".weight",
                           {options.kernel, options.kernel, options.channels, options.filters},
                           options.weights, Decay::yes);
  bias_ = parameters.add(name_ + ".bias", {options.filters}, options.bias);
}

Variable ConvolutionLayer::forward(Tape& tape, const Parameters& parameters, Variable x,
                                   Mode mode) const {
  const LayerScope scope(tape, name_.c_str());
  return convolution(tape, x, parameters.on(tape, weight_, mode), parameters.on(tape, bias_, mode),
                     options_.convolution, mode == Mode::evaluation ? transformed_.get() : nullptr);
}

void ConvolutionLayer::freeze(const Parameters& parameters, const Shape& x) {
  thaw(); // never two at once
  transformed_ = transform_weights(x, parameters.value(weight_), options_.convolution);
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

#include <mereo/capsule_layers.h>

namespace mereo {

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

#include "models.h"

#include "cases.h"

#include <cmath>

namespace bench {

using namespace mereo;

namespace {

struct Method {
  std::string name; // of the family
  CapsNetConfig config;
};

/// What a network does when it is told nothing, and the other ways to compute its convolutions.
std::vector<Method> methods() {
  const CapsNetConfig plain;
  std::vector<Method> all = {{"capsnet", plain}};
  CapsNetConfig direct;
  direct.convolution = ConvolutionMethod::direct;
  all.push_back({"capsnet-direct", direct});
  for (std::int64_t tile : {3, 6}) {
    CapsNetConfig tiled;
    tiled.convolution_tile = tile;
    if (tile != plain.convolution_tile)
      all.push_back({"capsnet-tile" + std::to_string(tile), tiled});
  }
  return all;
}

std::function<void()> training(const CapsNetConfig& config, std::int64_t batch) {
  const auto network = std::make_shared<Training>(config);
  return [network, pictures = Pictures(batch)] {
    network->forward(pictures.images, pictures.labels);
    network->backward();
    network->check();
    network->update();
  };
}

/// The class capsules and their lengths, without a decoder; frozen.
std::function<void()> inference(CapsNetConfig config, std::int64_t batch) {
  struct State {
    CapsNet model;
    Tape tape;
    std::vector<std::int32_t> classes;
    explicit State(const CapsNetConfig& config) : model(config, 1) {}
  };
  config.decoder = false;
  const auto state = std::make_shared<State>(config);
  state->model.freeze(batch);
  return [state, pictures = Pictures(batch)] {
    state->tape.reset();
    predictions(state->model.forward(state->tape, pictures.images, {}, Mode::evaluation).scores,
                state->classes);
  };
}

/// Votes and dynamic routing on a tape, forward and backward.
std::function<void()> routing_step(std::int64_t batch) {
  const auto& [I, J, E, D, none] = routing_shape;
  const Tensor children = numbers({batch, I, D}), weights = numbers({I, J, E, D});
  const Tensor grad_children({batch, I, D}), grad_weights({I, J, E, D});
  const Tensor seed = numbers({batch, J, E});
  const auto tape = std::make_shared<Tape>();
  return [=] {
    tape->reset();
    tape->backward(dynamic_routing(*tape, tape->leaf(children, grad_children),
                                   tape->leaf(weights, grad_weights), {}, {}),
                   seed);
  };
}

} // namespace

Pictures::Pictures(std::int64_t batch)
    : images(numbers({batch, 28, 28, 1})), labels(std::size_t(batch)) {
  for (real& x : images.values())
    x += real(0.5);
  for (std::size_t b = 0; b < labels.size(); ++b)
    labels[b] = std::int32_t(b % 10);
}

Training::Training(const CapsNetConfig& config)
    : model_(config, 1), optimizer_(adam(std::int64_t(parameters().values().size()))) {}

void Training::forward(const Tensor& images, std::span<const std::int32_t> labels) {
  tape_.reset();
  outputs_ = model_.forward(tape_, images, labels, Mode::training);
}

void Training::backward() {
  tape_.backward(outputs_.loss);
}

void Training::check() {
  const double norm = gradient_norm(parameters().gradients());
  if (!std::isfinite(norm))
    throw Error("bench", "the gradient is not finite");
}

void Training::update() {
  optimizer_->step(parameters().values(), parameters().gradients(), 1e-3, 1);
}

std::vector<Case> model_cases() {
  std::vector<Case> all;
  for (const Method& method : methods()) {
    const CapsNetConfig& config = method.config;
    for (std::int64_t batch : {128, 16})
      all.push_back({method.name + "/train" + batch_name(batch), training_work(config, batch),
                     [=] { return training(config, batch); }});
    for (std::int64_t batch : {128, 16, 1})
      all.push_back({method.name + "/infer" + batch_name(batch), inference_work(config, batch),
                     [=] { return inference(config, batch); }});
  }
  const int iterations = DynamicRouting{}.iterations;
  for (std::int64_t batch : {128, 16, 1}) {
    Work work{.operations = routing_forward_operations(routing_shape, batch, iterations) +
                            routing_backward_operations(routing_shape, batch, iterations),
              .direct = 3 * stored_votes_operations(routing_shape, batch, iterations),
              .images = double(batch)};
    all.push_back({"routing/step" + batch_name(batch), work, [=] { return routing_step(batch); }});
  }
  return all;
}

} // namespace bench

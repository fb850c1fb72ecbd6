// The convolutional networks that capsules are compared with, on made-up pictures.
#include "cases.h"
#include "models/cnn_config.h"

#include <mereo/optim.h>

#include <cmath>

namespace bench {

using namespace mereo;

namespace {

CnnConfig config_of(const std::string& preset, const InputShape& input) {
  Fields fields = cnn_preset(preset);
  CnnConfig config = parse_cnn_config(to_json(fields));
  config.input = input;
  return config;
}

/// Of a training step, all three passes of each layer; padding "same", strides 1.
Work training_work(const CnnConfig& c, std::int64_t batch) {
  Work work{.images = double(batch)};
  std::int64_t height = c.input.height, width = c.input.width, channels = c.input.channels;
  for (const CnnConfig::Convolution& layer : c.convolutions) {
    const std::int64_t before = (layer.kernel - 1) / 2;
    const ConvolutionShape shape{.batch = batch,
                                 .height = height,
                                 .width = width,
                                 .channels = channels,
                                 .kernel_height = layer.kernel,
                                 .kernel_width = layer.kernel,
                                 .filters = layer.filters,
                                 .stride = 1,
                                 .pad_top = before,
                                 .pad_left = before,
                                 .out_height = height,
                                 .out_width = width};
    const WinogradTiling tiling{.outputs = c.convolution_tile};
    const bool winograd = winograd_possible(shape) && winograd_suits(shape, tiling);
    const double passes = channels == c.input.channels ? 2 : 3; // pixels get no gradient
    work.direct += passes * direct_operations(shape);
    work.operations += passes * (winograd ? winograd_operations(shape, c.convolution_tile)
                                          : direct_operations(shape));
    height /= layer.pool;
    width /= layer.pool;
    channels = layer.filters;
  }
  std::int64_t inputs = height * width * channels;
  std::vector<std::int64_t> dense = c.dense;
  dense.push_back(c.input.classes);
  for (const std::int64_t outputs : dense) {
    work.direct += 6 * double(batch * inputs * outputs);
    work.operations += 6 * double(batch * inputs * outputs);
    inputs = outputs;
  }
  return work;
}

std::function<void()> training(const CnnConfig& config, std::int64_t batch) {
  struct State {
    Cnn model;
    std::unique_ptr<Optimizer> optimizer;
    Tape tape;
    std::int64_t step = 0;
    explicit State(const CnnConfig& config)
        : model(config, 1), optimizer(adam(std::int64_t(model.parameters().values().size()))) {}
  };
  const auto state = std::make_shared<State>(config);
  const InputShape& in = config.input;
  std::vector<std::int32_t> labels(static_cast<std::size_t>(batch));
  for (std::size_t b = 0; b < labels.size(); ++b)
    labels[b] = std::int32_t(std::int64_t(b) % in.classes);
  return [state, labels, images = numbers({batch, in.height, in.width, in.channels})] {
    state->tape.reset();
    const Outputs out = state->model.forward(state->tape, images, labels, Mode::training, 1, {},
                                             {1, state->step++});
    state->tape.backward(out.loss);
    Parameters& parameters = state->model.parameters();
    if (!std::isfinite(gradient_norm(parameters.gradients())))
      throw Error("bench", "the gradient is not finite");
    state->optimizer->step(parameters.values(), parameters.gradients(), 1e-3, 1);
  };
}

} // namespace

std::vector<Case> cnn_cases() {
  constexpr InputShape mnist = {.height = 28, .width = 28, .channels = 1, .classes = 10};
  constexpr InputShape multimnist = {.height = 36, .width = 36, .channels = 1, .classes = 10};
  constexpr InputShape norb = {.height = 32, .width = 32, .channels = 2, .classes = 5};
  std::vector<Case> all;
  for (const auto& [preset, input] : {std::pair{"mnist", mnist},
                                      {"multimnist", multimnist},
                                      {"norb", norb},
                                      {"parameters", mnist},
                                      {"compute", mnist},
                                      {"small", norb}}) {
    const CnnConfig config = config_of(preset, input);
    all.push_back({"cnn-" + std::string(preset) + "/train" + batch_name(128),
                   training_work(config, 128), [=] { return training(config, 128); }});
  }
  return all;
}

} // namespace bench

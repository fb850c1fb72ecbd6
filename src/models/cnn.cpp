// Convolutional networks as capsules' papers compare theirs with (Sabour, Frosst, Hinton 2017,
// section 5; Hinton, Sabour, Frosst 2018, section 5): convolution, pooling, fully connected layers.
#include "models/cnn_config.h"
#include "models/images.h"

#include <algorithm>

namespace mereo {

namespace {

void check(const CnnConfig& c) {
  const auto positive = [](const char* what, std::int64_t value) {
    constexpr std::int64_t limit = 1 << 20; // so that no size overflows
    if (value < 1 || value > limit)
      throw Error("Cnn", std::string(what) + " must be from 1 to 1048576", std::to_string(value));
  };
  positive("height", c.input.height);
  positive("width", c.input.width);
  positive("channels", c.input.channels);
  positive("classes", c.input.classes);
  positive("labels_per_image", c.input.labels_per_image);
  if (c.input.labels_per_image > c.input.classes)
    throw Error("Cnn", "an image cannot have more labels than there are classes",
                std::to_string(c.input.labels_per_image) + " of " +
                    std::to_string(c.input.classes));
  positive("convolution_tile", c.convolution_tile);
  for (const auto& convolution : c.convolutions) {
    positive("the filters of a convolution", convolution.filters);
    positive("the kernel of a convolution", convolution.kernel);
    positive("the stride of a convolution", convolution.stride);
    positive("the pooling of a convolution", convolution.pool);
  }
  for (const std::int64_t outputs : c.dense)
    positive("outputs of a dense layer", outputs);
  if (!(c.dropout >= 0 && c.dropout < 1))
    throw Error("Cnn", "dropout must be in [0, 1)", std::to_string(c.dropout));
}

ConvolutionLayer::Options conv_options(const CnnConfig& c, const CnnConfig::Convolution& layer,
                                       std::int64_t channels) {
  return {.kernel = layer.kernel,
          .channels = channels,
          .filters = layer.filters,
          .convolution = {.stride = layer.stride,
                          .padding = c.padding,
                          .activity = c.batch_norm ? Activity::linear : Activity::relu,
                          .method = c.convolution,
                          .tile = c.convolution_tile},
          .weights = Initialiser::he(double(layer.kernel * layer.kernel * channels)),
          .bias = Initialiser::constant(0),
          .has_bias = !c.batch_norm};
}

} // namespace

Cnn::Cnn(const CnnConfig& config) : config_(config) {
  check(config);
  Shape grid{config.input.height, config.input.width, config.input.channels};
  for (const auto& layer : config.convolutions) {
    const std::string number = std::to_string(blocks_.size() + 1);
    blocks_.push_back({{parameters_, "conv" + number, conv_options(config, layer, grid[2])},
                       {},
                       layer.pool,
                       grid});
    if (config.batch_norm)
      blocks_.back().norm.emplace(parameters_, "norm" + number, layer.filters);
    const auto size = [&](std::int64_t pixels) {
      return output_size(pixels, layer.kernel, layer.stride, config.padding) / layer.pool;
    };
    const Shape smaller{size(grid[0]), size(grid[1]), layer.filters};
    if (smaller.elements() == 0)
      throw Error("Cnn", "the images are too small for the convolutions",
                  std::to_string(config.input.height) + " x " + std::to_string(config.input.width) +
                      " pixels, nothing is left by conv" + number,
                  "use larger images, fewer layers or less pooling");
    grid = smaller;
  }
  std::int64_t inputs = grid.elements();
  for (const std::int64_t outputs : config.dense) {
    dense_.emplace_back(parameters_, "dense" + std::to_string(dense_.size() + 1), inputs, outputs,
                        Activity::relu, Initialiser::he(double(inputs)), Initialiser::constant(0));
    inputs = outputs;
  }
  dense_.emplace_back(parameters_, "classes", inputs, config.input.classes, Activity::linear,
                      Initialiser::glorot(double(inputs), double(config.input.classes)),
                      Initialiser::constant(0));
}

Cnn::Cnn(const CnnConfig& config, std::uint64_t seed) : Cnn(config) {
  parameters_.allocate(seed);
}

std::int64_t Cnn::parameter_elements(const CnnConfig& config) {
  return Cnn(config).parameters_.elements();
}

std::string Cnn::config() const {
  return cnn_config_text(config_);
}

void Cnn::freeze(std::int64_t batch) {
  if (batch < 1)
    throw Error("Cnn::freeze", "the batch is not positive", std::to_string(batch));
  thaw();
  try {
    for (Block& block : blocks_)
      block.convolution.freeze(parameters_,
                               {batch, block.input[0], block.input[1], block.input[2]});
  } catch (...) {
    thaw(); // all layers or none
    throw;
  }
}

void Cnn::thaw() {
  for (Block& block : blocks_)
    block.convolution.thaw();
}

Variable Cnn::block(Tape& tape, const Block& block, Variable x, Mode mode) const {
  x = block.convolution.forward(tape, parameters_, x, mode);
  if (block.norm)
    x = relu(tape, block.norm->forward(tape, parameters_, x, mode));
  if (block.pool == 1)
    return x;
  const LayerScope scope(tape, "pooling");
  return pool(tape, x, {config_.pooling, block.pool, block.pool});
}

Variable Cnn::loss(Tape& tape, Variable logits, std::span<const std::int32_t> labels) const {
  if (config_.input.labels_per_image == 1)
    return cross_entropy(tape, logits, labels);
  const std::int64_t B = logits.shape()[0], K = logits.shape()[1];
  const Tensor present =
      Tensor::view(tape.arena().allocate_array<real>(std::size_t(B * K)), {B, K});
  std::fill_n(present.data(), B * K, real(0));
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] < 0 || labels[i] >= K)
      throw Error("Cnn::forward", "no such class",
                  "label " + std::to_string(labels[i]) + " of " + std::to_string(K) + " classes");
    present.at({std::int64_t(i) / config_.input.labels_per_image, labels[i]}) = 1;
  }
  return sigmoid_cross_entropy(tape, logits, present, real(1.0 / double(B)));
}

Outputs Cnn::forward(Tape& tape, const Tensor& images, std::span<const std::int32_t> labels,
                     Mode mode, double /*progress*/, const Targets& /*targets*/,
                     const Noise& noise) {
  if (mode == Mode::training)
    thaw(); // the weights are about to change
  check_images("Cnn", config_.input, images);
  check_labels("Cnn", config_.input, images.shape()[0], labels);
  Variable x = tape.constant(images);
  for (const Block& each : blocks_)
    x = block(tape, each, x, mode);
  const std::int64_t B = images.shape()[0];
  x = x.reshape({B, x.elements() / B});
  Outputs out;
  for (const DenseLayer& layer : dense_) {
    const bool last = &layer == &dense_.back();
    if (last)
      out.features = x;
    if (last && mode == Mode::training && config_.dropout > 0)
      x = dropout(tape, x, config_.dropout, noise.stream(0));
    x = layer.forward(tape, parameters_, x, mode);
  }
  const LayerScope scope(tape, "loss");
  out.scores = config_.input.labels_per_image == 1 ? softmax(tape, x) : sigmoid(tape, x);
  if (!labels.empty())
    out.loss = out.classification_loss = loss(tape, x, labels);
  return out;
}

} // namespace mereo

// DC-IGN (Kulkarni, Whitney, Kohli, Tenenbaum 2015): a variational autoencoder that is trained on
// mini-batches in which one thing varies, so that one group of latents comes to stand for it.
#include "models/images.h"

#include <mereo/dc_ign.h>

#include <algorithm>

namespace mereo {

namespace {

void check(const DcIgnConfig& c) {
  const auto positive = [](const char* what, std::int64_t value) {
    constexpr std::int64_t limit = 1 << 20;
    if (value < 1 || value > limit)
      throw Error("DcIgn", std::string(what) + " must be from 1 to 1048576", std::to_string(value));
  };
  positive("size", c.size);
  positive("latents", c.latents);
  positive("encoder_kernel", c.encoder_kernel);
  positive("decoder_kernel", c.decoder_kernel);
  for (const auto& filters : {c.encoder, c.decoder})
    for (const std::int64_t count : filters)
      positive("filters of a convolution", count);
  for (const auto& filters : {c.encoder, c.decoder})
    if (filters.empty() || filters.size() > 12)
      throw Error("DcIgn", "encoder and decoder have 1 to 12 convolutions",
                  std::to_string(filters.size()));
}

/// Pixels a side that the decoder makes of a grid.
std::int64_t decoded(const DcIgnConfig& c, std::int64_t grid) {
  for (std::size_t i = 0; i < c.decoder.size(); ++i)
    grid = output_size(2 * grid, c.decoder_kernel, 1, c.padding);
  return grid;
}

/// The grid of which the decoder makes pictures of the right size.
std::int64_t first_grid(const DcIgnConfig& c) {
  std::int64_t grid = 1;
  while (decoded(c, grid) < c.size)
    ++grid;
  if (decoded(c, grid) != c.size)
    throw Error("DcIgn", "the decoder cannot make pictures of this size", std::to_string(c.size),
                std::to_string(decoded(c, grid)) + " would do, or another padding");
  return grid;
}

ConvolutionLayer::Options convolution_options(const DcIgnConfig& c, std::int64_t kernel,
                                              std::int64_t channels, std::int64_t filters,
                                              Activity activity) {
  return {.kernel = kernel,
          .channels = channels,
          .filters = filters,
          .convolution = {.padding = c.padding, .activity = activity, .tile = 6},
          .weights = Initialiser::he(double(kernel * kernel * channels)),
          .bias = Initialiser::constant(0)};
}

/// What the latents that are not free are held at: (N).
Tensor held_values(Tape& tape, const Variable& x, Clamping::To to) {
  const std::int64_t B = x.shape()[0], N = x.shape()[1];
  const Tensor held = Tensor::view(tape.arena().allocate_array<real>(std::size_t(N)), {N});
  for (std::int64_t k = 0; k < N; ++k) {
    double sum = 0;
    for (std::int64_t b = 0; b < B; ++b)
      sum += x.data()[b * N + k];
    held.data()[k] = to == Clamping::To::mean ? real(sum / double(B)) : x.data()[k];
  }
  return held;
}

} // namespace

DcIgn::DcIgn(const DcIgnConfig& config, std::uint64_t seed) : config_(config) {
  check(config);
  grid_ = first_grid(config);
  std::int64_t size = config.size, channels = 1;
  for (const std::int64_t filters : config.encoder) {
    encoder_.emplace_back(
        parameters_, "encoder.conv" + std::to_string(encoder_.size() + 1),
        convolution_options(config, config.encoder_kernel, channels, filters, Activity::relu));
    size = output_size(size, config.encoder_kernel, 1, config.padding) / 2;
    channels = filters;
    if (size < 1)
      throw Error("DcIgn", "the pictures are too small for the encoder",
                  std::to_string(config.size));
  }
  // As the authors' linear layers start.
  const Initialiser small = Initialiser::normal(0.01);
  const std::int64_t inputs = size * size * channels;
  mean_ = std::make_unique<DenseLayer>(parameters_, "encoder.mean", inputs, config.latents,
                                       Activity::linear, small, small);
  log_variance_ = std::make_unique<DenseLayer>(parameters_, "encoder.log_variance", inputs,
                                               config.latents, Activity::linear, small, small);
  channels = config.decoder.front();
  spread_ = std::make_unique<DenseLayer>(parameters_, "decoder.dense", config.latents,
                                         grid_ * grid_ * channels, Activity::relu, small, small);
  for (std::size_t i = 1; i <= config.decoder.size(); ++i) {
    const bool last = i == config.decoder.size();
    const std::int64_t filters = last ? 1 : config.decoder[i];
    decoder_.emplace_back(parameters_, "decoder.conv" + std::to_string(i),
                          convolution_options(config, config.decoder_kernel, channels, filters,
                                              last ? Activity::linear : Activity::relu));
    channels = filters;
  }
  parameters_.allocate(seed);
}

DcIgn::Code DcIgn::encode(Tape& tape, const Tensor& images, Mode mode) const {
  check_images("DcIgn", {config_.size, config_.size, 1, 1}, images);
  Variable x = tape.constant(images);
  for (const ConvolutionLayer& layer : encoder_)
    x = pool(tape, layer.forward(tape, parameters_, x, mode), {});
  x = x.reshape({x.shape()[0], x.elements() / x.shape()[0]});
  return {mean_->forward(tape, parameters_, x, mode),
          log_variance_->forward(tape, parameters_, x, mode)};
}

Variable DcIgn::decode(Tape& tape, Variable z, Mode mode) const {
  if (z.shape().rank() != 2 || z.shape()[1] != config_.latents)
    throw Error("DcIgn::decode", "not latents of this network", z.shape().text(),
                "they are (B, " + std::to_string(config_.latents) + ")");
  const std::int64_t B = z.shape()[0];
  Variable x = spread_->forward(tape, parameters_, z, mode);
  x = x.reshape({B, grid_, grid_, config_.decoder.front()});
  for (const ConvolutionLayer& layer : decoder_)
    x = layer.forward(tape, parameters_, upsample(tape, x, 2), mode);
  return x.reshape({B, config_.size * config_.size});
}

// Half the sum of (x - m)^2 has the gradient x - m even though m, the mean, moves with x.
Variable DcIgn::clamp(Tape& tape, Variable x, const FreeLatents& free, const Clamping& clamping,
                      Variable& penalty) const {
  const std::int64_t B = x.shape()[0], N = config_.latents;
  if (clamping.invariance > 0) {
    const Tensor means = held_values(tape, x, Clamping::To::mean);
    const Tensor target =
        Tensor::view(tape.arena().allocate_array<real>(std::size_t(B * N)), {B, N});
    for (std::int64_t i = 0; i < B * N; ++i) {
      const bool is_free = i % N >= free.first && i % N < free.first + free.count;
      target.data()[i] = is_free ? x.data()[i] : means.data()[i % N];
    }
    const Variable term =
        squared_error(tape, x, target, real(0.5 * clamping.invariance / double(B)));
    penalty = penalty.empty() ? term : add(tape, penalty, term);
  }
  return hold_columns(tape, x, free.first, free.count, held_values(tape, x, clamping.to));
}

Variable DcIgn::loss(Tape& tape, const Tensor& images, const FreeLatents& free,
                     const Clamping& clamping, Mode mode, const Noise& noise) const {
  Code code = encode(tape, images, mode);
  const LayerScope scope(tape, "loss");
  Variable penalty;
  if (free.first != 0 || free.count != config_.latents) {
    code.mean = clamp(tape, code.mean, free, clamping, penalty);
    code.log_variance = clamp(tape, code.log_variance, free, clamping, penalty);
  }
  const real mean = real(1.0 / double(images.shape()[0]));
  const Variable z = sample_normal(tape, code.mean, code.log_variance, noise.stream(0));
  const Variable pixels = sigmoid_cross_entropy(tape, decode(tape, z, mode), images, mean);
  const Variable prior = normal_divergence(tape, code.mean, code.log_variance, mean);
  const Variable bound = add(tape, pixels, prior);
  return penalty.empty() ? bound : add(tape, bound, penalty);
}

} // namespace mereo

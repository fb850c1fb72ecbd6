// CapsNet (Sabour, Frosst, Hinton 2017, section 4): convolution with ReLU, primary capsules, class
// capsules by dynamic routing, and a decoder that reconstructs the image from one class capsule.
#include "models/capsnet_config.h"
#include "models/images.h"

#include <algorithm>
#include <cmath>

namespace mereo {

namespace {

constexpr std::int64_t primary_stride = 2;

std::int64_t conv_grid(std::int64_t size, const CapsNetConfig& config) {
  return output_size(size, config.kernel, 1, config.padding);
}

std::int64_t primary_grid(std::int64_t size, const CapsNetConfig& config) {
  return output_size(conv_grid(size, config), config.kernel, primary_stride, config.padding);
}

void check(const CapsNetConfig& c) {
  const auto positive = [](const char* what, std::int64_t value) {
    if (value < 1)
      throw Error("CapsNet", std::string(what) + " must be positive", std::to_string(value));
  };
  positive("height", c.input.height);
  positive("width", c.input.width);
  positive("channels", c.input.channels);
  positive("classes", c.input.classes);
  positive("labels_per_image", c.input.labels_per_image);
  positive("kernel", c.kernel);
  positive("conv_filters", c.conv_filters);
  positive("primary_types", c.primary_types);
  positive("primary_pose", c.primary_pose);
  positive("class_pose", c.class_pose);
  positive("decoder_hidden1", c.decoder_hidden1);
  positive("decoder_hidden2", c.decoder_hidden2);
  positive("convolution_tile", c.convolution_tile);
  positive("routing_iterations", c.routing.iterations);
  if (c.input.labels_per_image > c.input.classes)
    throw Error("CapsNet", "an image cannot show more classes than there are",
                std::to_string(c.input.labels_per_image) + " of " +
                    std::to_string(c.input.classes));
  if (!(c.reconstruction_weight >= 0) || !std::isfinite(c.reconstruction_weight))
    throw Error("CapsNet", "reconstruction_weight must not be negative",
                std::to_string(c.reconstruction_weight));
  const auto finite = [](const char* what, double value) {
    if (!std::isfinite(value))
      throw Error("CapsNet", std::string(what) + " must be a number", std::to_string(value));
  };
  finite("primary_scale", c.primary_scale);
  finite("coordinate_scale", c.coordinate_scale);
  const std::int64_t side = std::min(c.input.height, c.input.width);
  if (c.coordinate_shift < 0 || c.coordinate_shift > side)
    throw Error("CapsNet", "coordinate_shift must be from 0 to the size of the images",
                std::to_string(c.coordinate_shift));
  if (c.coordinate_shift > 0 && (!c.decoder || c.class_pose < 2))
    throw Error("CapsNet", "coordinates are added to two elements of a capsule that is decoded",
                "class_pose " + std::to_string(c.class_pose),
                "coordinate_shift needs decoder=true and a class_pose of 2 or more");
  finite("margin_present", c.margin.present);
  finite("margin_absent", c.margin.absent);
  finite("margin_absent_weight", c.margin.absent_weight);
  if (primary_grid(c.input.height, c) < 1 || primary_grid(c.input.width, c) < 1)
    throw Error("CapsNet", "the images are too small for two convolutions without padding",
                std::to_string(c.input.height) + " x " + std::to_string(c.input.width) +
                    " pixels, kernel " + std::to_string(c.kernel),
                "use larger images, a smaller kernel or padding \"same\"");
}

Initialiser bias_start(const CapsNetConfig& config) {
  return Initialiser::constant(config.authors_start ? 0.1 : 0.0);
}

ConvolutionLayer::Options conv_options(const CapsNetConfig& c) {
  const double fan_in = double(c.kernel * c.kernel * c.input.channels);
  return {.kernel = c.kernel,
          .channels = c.input.channels,
          .filters = c.conv_filters,
          .convolution = {.padding = c.padding,
                          .activity = Activity::relu,
                          .method = c.convolution,
                          .tile = c.convolution_tile},
          .weights =
              c.authors_start ? Initialiser::truncated_normal(0.05) : Initialiser::he(fan_in),
          .bias = bias_start(c)};
}

PrimaryCapsules::Options primary_options(const CapsNetConfig& c) {
  const double taps = double(c.kernel * c.kernel);
  const double outputs = double(c.primary_types * c.primary_pose);
  return {.kernel = c.kernel,
          .channels = c.conv_filters,
          .types = c.primary_types,
          .pose = c.primary_pose,
          .stride = primary_stride,
          .padding = c.padding,
          .scale = real(c.primary_scale),
          .method = c.convolution,
          .tile = c.convolution_tile,
          .weights = c.authors_start
                         ? Initialiser::truncated_normal(0.1)
                         : Initialiser::glorot(taps * double(c.conv_filters), taps * outputs),
          .bias = bias_start(c)};
}

RoutedCapsules::Options class_options(const CapsNetConfig& c, std::int64_t children) {
  return {.children = children,
          .parents = c.input.classes,
          .child_pose = c.primary_pose,
          .parent_pose = c.class_pose,
          .routing = c.routing,
          .bias = c.class_bias,
          .weights =
              c.authors_start ? Initialiser::truncated_normal(0.1) : Initialiser::normal(0.05),
          .bias_start = bias_start(c)};
}

Decoder::Options decoder_options(const CapsNetConfig& c) {
  return {.inputs = c.input.classes * c.class_pose,
          .hidden1 = c.decoder_hidden1,
          .hidden2 = c.decoder_hidden2,
          .pixels = c.input.height * c.input.width * c.input.channels,
          .authors_start = c.authors_start};
}

} // namespace

CapsNetConfig& CapsNetConfig::authors_recipe() {
  reconstruction_weight = 0.01;
  primary_scale = 1.0 / double(primary_types);
  class_bias = true;
  authors_start = true;
  return *this;
}

CapsNet::CapsNet(const CapsNetConfig& config) : config_(config) {
  check(config);
  primary_count_ = primary_grid(config.input.height, config) *
                   primary_grid(config.input.width, config) * config.primary_types;
  conv_ = std::make_unique<ConvolutionLayer>(parameters_, "conv1", conv_options(config));
  primary_ = std::make_unique<PrimaryCapsules>(parameters_, "primary", primary_options(config));
  classes_ = std::make_unique<RoutedCapsules>(parameters_, "classes",
                                              class_options(config, primary_count_));
  if (config.decoder)
    decoder_ = std::make_unique<Decoder>(parameters_, "decoder", decoder_options(config));
}

CapsNet::CapsNet(const CapsNetConfig& config, std::uint64_t seed) : CapsNet(config) {
  parameters_.allocate(seed);
}

std::int64_t CapsNet::parameter_elements(const CapsNetConfig& config) {
  return CapsNet(config).parameters_.elements();
}

std::string CapsNet::config() const {
  return capsnet_config_text(config_);
}

Variable CapsNet::primary(Tape& tape, const Tensor& images, Mode mode) {
  check_images("CapsNet", config_.input, images);
  const Variable features = conv_->forward(tape, parameters_, tape.constant(images), mode);
  return primary_->forward(tape, parameters_, features, mode);
}

void CapsNet::freeze(std::int64_t batch) {
  if (batch < 1)
    throw Error("CapsNet::freeze", "the batch is not positive", std::to_string(batch));
  const InputShape& in = config_.input;
  thaw();
  try {
    conv_->freeze(parameters_, {batch, in.height, in.width, in.channels});
    primary_->freeze(parameters_, {batch, conv_grid(in.height, config_),
                                   conv_grid(in.width, config_), config_.conv_filters});
  } catch (...) {
    thaw(); // both layers or none
    throw;
  }
}

void CapsNet::thaw() {
  conv_->thaw();
  primary_->thaw();
}

Outputs CapsNet::forward(Tape& tape, const Tensor& images, std::span<const std::int32_t> labels,
                         Mode mode, double /*progress*/, const Targets& targets,
                         const Noise& /*noise*/) {
  if (mode == Mode::training)
    thaw(); // the weights are about to change
  check_labels("CapsNet", config_.input, images.shape()[0], labels);
  Outputs out;
  const Variable classes =
      classes_->forward(tape, parameters_, {primary(tape, images, mode), {}}, mode).poses;
  out.capsules = classes.reshape({images.shape()[0], config_.input.classes, config_.class_pose});
  const LayerScope scope(tape, "loss");
  out.scores = lengths(tape, out.capsules);
  if (decoder_) {
    // The truth chooses the capsules while training, the longest ones are chosen otherwise.
    if (mode == Mode::evaluation || labels.empty())
      predict(out.scores, labels);
    const std::span<const std::int32_t> shown = mode == Mode::training && !labels.empty()
                                                    ? labels
                                                    : std::span<const std::int32_t>(predicted_);
    Variable masked = mask(tape, out.capsules, shown);
    if (!targets.moves.empty())
      masked = add_moves(tape, masked, shown, targets.moves);
    out.reconstruction = decoder_->forward(tape, parameters_, masked, mode);
  }
  if (labels.empty())
    return out;
  out.classification_loss = margin_loss(tape, out.scores, labels, config_.margin);
  out.loss = out.classification_loss;
  if (decoder_) {
    const real factor = real(config_.reconstruction_weight / double(images.shape()[0]));
    out.reconstruction_loss =
        squared_error(tape, out.reconstruction, target_of(images, targets), factor);
    out.loss = add(tape, out.classification_loss, out.reconstruction_loss);
  }
  return out;
}

void CapsNet::predict(const Variable& scores, std::span<const std::int32_t> labels) {
  predictions(scores, predicted_, config_.input.labels_per_image);
  if (!labels.empty())
    match_labels(predicted_, labels, config_.input.labels_per_image);
}

const Tensor& CapsNet::target_of(const Tensor& images, const Targets& targets) const {
  if (targets.images.empty() && config_.input.labels_per_image == 1)
    return images;
  const InputShape& in = config_.input;
  const Shape wanted{images.shape()[0], in.labels_per_image, in.height, in.width, in.channels};
  if (targets.images.empty() || !(targets.images.shape() == wanted))
    throw Error("CapsNet::forward", "the targets do not fit the images",
                targets.images.empty() ? "none" : targets.images.shape().text(),
                "what is reconstructed of each label: " + wanted.text());
  return targets.images;
}

Variable CapsNet::add_moves(Tape& tape, Variable masked, std::span<const std::int32_t> which,
                            const Tensor& moves) const {
  const std::int64_t R = masked.shape()[0], E = config_.class_pose;
  if (moves.elements() != 2 * R || E < 2)
    throw Error("CapsNet::forward", "the moves do not fit",
                moves.shape().text() + " for " + std::to_string(R) + " capsules of " +
                    std::to_string(E) + " elements",
                "two numbers for each label");
  const Tensor added = Tensor::view(
      tape.arena().allocate_array<real>(std::size_t(masked.elements())), masked.shape());
  std::fill_n(added.data(), added.elements(), real(0));
  for (std::int64_t r = 0; r < R; ++r) {
    real* const pose = added.data() + (r * config_.input.classes + which[std::size_t(r)]) * E;
    for (int axis = 0; axis < 2; ++axis)
      pose[axis] = real(config_.coordinate_scale) * moves.data()[2 * r + axis];
  }
  return add(tape, masked, tape.constant(added));
}

Variable CapsNet::decode(Tape& tape, Variable capsules, std::span<const std::int32_t> which,
                         Mode mode) {
  if (!decoder_)
    throw Error("CapsNet::decode", "this network has no decoder");
  return decoder_->forward(tape, parameters_, mask(tape, capsules, which), mode);
}

Tensor CapsNet::couplings(Tape& tape, const Tensor& image) {
  if (image.shape().rank() != 4 || image.shape()[0] != 1)
    throw Error("CapsNet::couplings", "not a single image", image.shape().text(),
                "pass (1, H, W, C)");
  const Tensor couplings(Shape{1, primary_count_, config_.input.classes});
  classes_->forward(tape, parameters_, {primary(tape, image, Mode::evaluation), {}},
                    Mode::evaluation, couplings);
  return couplings.reshape({primary_count_, config_.input.classes});
}

} // namespace mereo

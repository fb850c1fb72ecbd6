// Matrix capsules (Hinton, Sabour, Frosst 2018, section 4): convolution with ReLU, primary
// capsules, two layers of convolutional capsules, and class capsules whose activations are the
// scores.
#include "models/images.h"
#include "models/matrix_capsnet_config.h"

#include <cmath>

namespace mereo {

namespace {

CapsuleGrid conv_grid(const MatrixCapsNetConfig& c) {
  const auto size = [&](std::int64_t pixels) {
    return output_size(pixels, c.conv_kernel, c.conv_stride, Padding::valid);
  };
  return {size(c.input.height), size(c.input.width), c.primary_types};
}

PoseShape pose_shape(const MatrixCapsNetConfig& c) {
  if (c.pose == PoseKind::vector)
    return {1, c.pose_size, c.pose_size};
  const std::int64_t side = std::llround(std::sqrt(double(c.pose_size)));
  return {side, side, side};
}

void check(const MatrixCapsNetConfig& c) {
  const auto positive = [](const char* what, std::int64_t value) {
    if (value < 1)
      throw Error("MatrixCapsNet", std::string(what) + " must be positive", std::to_string(value));
  };
  positive("height", c.input.height);
  positive("width", c.input.width);
  positive("channels", c.input.channels);
  positive("classes", c.input.classes);
  positive("labels_per_image", c.input.labels_per_image);
  if (c.input.labels_per_image > 1 && c.loss != ClassLoss::margin)
    throw Error("MatrixCapsNet", "only the margin loss takes several labels of an image",
                std::to_string(c.input.labels_per_image), "loss=margin");
  positive("conv_kernel", c.conv_kernel);
  positive("conv_stride", c.conv_stride);
  positive("conv_filters", c.conv_filters);
  positive("convolution_tile", c.convolution_tile);
  positive("primary_types", c.primary_types);
  positive("pose_size", c.pose_size);
  for (const auto& layer : {c.capsules1, c.capsules2})
    if (layer.types > 0) {
      positive("kernel", layer.kernel);
      positive("stride", layer.stride);
    }
  const PoseShape pose = pose_shape(c);
  if (c.pose == PoseKind::matrix && pose.rows * pose.columns != c.pose_size)
    throw Error("MatrixCapsNet", "pose_size must be a square", std::to_string(c.pose_size),
                "4, 9 or 16, say, or vector poses");
  const auto finite = [](const char* what, double value) {
    if (!std::isfinite(real(value)))
      throw Error("MatrixCapsNet", std::string(what) + " must be a number", std::to_string(value));
  };
  finite("coordinate_scale", c.coordinate_scale);
  finite("class_temperature", c.class_temperature);
  finite("margin_present", c.margin.present);
  finite("margin_absent", c.margin.absent);
  finite("margin_absent_weight", c.margin.absent_weight);
  finite("pose_start", c.pose_start);
  finite("activation_start", c.activation_start);
  finite("weight_start", c.weight_start);
  finite("class_weight_start", c.class_weight_start);
  const CapsuleGrid grid = conv_grid(c);
  if (grid.height < 1 || grid.width < 1)
    throw Error("MatrixCapsNet", "the images are too small for the convolution",
                std::to_string(c.input.height) + " x " + std::to_string(c.input.width) +
                    " pixels, kernel " + std::to_string(c.conv_kernel),
                "use larger images or a smaller kernel");
}

ConvolutionLayer::Options conv_options(const MatrixCapsNetConfig& c) {
  return {.kernel = c.conv_kernel,
          .channels = c.input.channels,
          .filters = c.conv_filters,
          .convolution = {.stride = c.conv_stride,
                          .activity = Activity::relu,
                          .method = c.convolution,
                          .tile = c.convolution_tile},
          .weights = Initialiser::he(double(c.conv_kernel * c.conv_kernel * c.input.channels)),
          .bias = Initialiser::constant(0)};
}

MatrixPrimaryCapsules::Options primary_options(const MatrixCapsNetConfig& c) {
  const double features = std::sqrt(double(c.conv_filters));
  return {.channels = c.conv_filters,
          .types = c.primary_types,
          .pose = c.pose_size,
          .poses = Initialiser::normal(c.pose_start / features),
          .activations = Initialiser::normal(c.activation_start / features)};
}

CapsuleLayerOptions class_options(const MatrixCapsNetConfig& c, const CapsuleGrid& children) {
  return {.children = children,
          .parents = c.input.classes,
          .pose = pose_shape(c),
          .connection = {.shared = c.class_shared},
          .coordinate_scale = c.coordinate_scale,
          .weights = Initialiser::normal(c.class_weight_start)};
}

/// Where the routing has such an option.
RoutingChoice with_temperature(RoutingChoice routing, double factor) {
  for (auto& [name, value] : routing.options)
    if (name == "inverse_temperature")
      std::get<double>(value) *= factor;
  return routing;
}

} // namespace

MatrixCapsNet::MatrixCapsNet(const MatrixCapsNetConfig& config) : config_(config) {
  check(config);
  conv_ = std::make_unique<ConvolutionLayer>(parameters_, "conv1", conv_options(config));
  primary_ =
      std::make_unique<MatrixPrimaryCapsules>(parameters_, "primary", primary_options(config));
  CapsuleGrid grid = conv_grid(config);
  const auto add = [&](const char* name, const CapsuleLayerOptions& layer,
                       const RoutingChoice& routing) {
    grid = layer.parent_grid();
    names_.emplace_back(name);
    connections_.push_back(layer.connection);
    layers_.push_back(find_routing(routing.name).make(parameters_, name, layer, routing.options));
  };
  for (const auto& [name, layer] :
       {std::pair{"capsules1", config.capsules1}, {"capsules2", config.capsules2}})
    if (layer.types > 0)
      add(name,
          {.children = grid,
           .parents = layer.types,
           .pose = pose_shape(config),
           .connection = {.kernel = layer.kernel, .stride = layer.stride},
           .weights = Initialiser::normal(config.weight_start)},
          config.routing);
  add("classes", class_options(config, grid),
      with_temperature(config.routing, config.class_temperature));
}

MatrixCapsNet::MatrixCapsNet(const MatrixCapsNetConfig& config, std::uint64_t seed)
    : MatrixCapsNet(config) {
  parameters_.allocate(seed);
}

std::int64_t MatrixCapsNet::parameter_elements(const MatrixCapsNetConfig& config) {
  return MatrixCapsNet(config).parameters_.elements();
}

std::string MatrixCapsNet::config() const {
  return matrix_capsnet_config_text(config_);
}

void MatrixCapsNet::freeze(std::int64_t batch) {
  if (batch < 1)
    throw Error("MatrixCapsNet::freeze", "the batch is not positive", std::to_string(batch));
  const InputShape& in = config_.input;
  conv_->freeze(parameters_, {batch, in.height, in.width, in.channels});
}

Outputs MatrixCapsNet::forward(Tape& tape, const Tensor& images,
                               std::span<const std::int32_t> labels, Mode mode, double progress,
                               const Targets& /*targets*/, const Noise& /*noise*/) {
  if (mode == Mode::training)
    thaw(); // the weights are about to change
  check_images("MatrixCapsNet", config_.input, images);
  check_labels("MatrixCapsNet", config_.input, images.shape()[0], labels);
  const Variable features = conv_->forward(tape, parameters_, tape.constant(images), mode);
  Capsules capsules = primary_->forward(tape, parameters_, features, mode);
  for (const auto& layer : layers_)
    capsules = layer->forward(tape, parameters_, capsules, mode);
  return judge(tape, capsules, labels, progress);
}

Inspection MatrixCapsNet::inspect(Tape& tape, const Tensor& image) {
  check_single("MatrixCapsNet", image);
  check_images("MatrixCapsNet", config_.input, image);
  constexpr Mode mode = Mode::evaluation;
  Inspection seen;
  const Variable features = conv_->forward(tape, parameters_, tape.constant(image), mode);
  Capsules capsules = primary_->forward(tape, parameters_, features, mode);
  const auto poses = [](const Capsules& c) {
    const Shape& s = c.poses.shape();
    return c.poses.value().reshape({s[1], s[2], s[3], s[4]});
  };
  const auto activations = [&](const Capsules& c) {
    const Shape& s = c.poses.shape();
    const Variable a = c.activations.empty()
                           ? lengths(tape, c.poses.reshape({1, s[1] * s[2] * s[3], s[4]}))
                           : c.activations;
    return a.value().reshape({s[1], s[2], s[3]});
  };
  for (std::size_t n = 0; n < layers_.size(); ++n) {
    RoutedLayer layer;
    layer.name = names_[n], layer.connection = connections_[n];
    const Capsules parents =
        layers_[n]->forward(tape, parameters_, capsules, mode, &layer.couplings);
    layer.child_poses = poses(capsules), layer.child_activations = activations(capsules);
    layer.parent_poses = poses(parents), layer.parent_activations = activations(parents);
    seen.layers.push_back(layer);
    capsules = parents;
  }
  seen.outputs = judge(tape, capsules, {}, 1);
  seen.rows = seen.columns = ReceptiveField().through(config_.conv_kernel, config_.conv_stride);
  return seen;
}

Outputs MatrixCapsNet::judge(Tape& tape, const Capsules& classes,
                             std::span<const std::int32_t> labels, double progress) const {
  const LayerScope scope(tape, "loss");
  const std::int64_t B = classes.poses.shape()[0], K = config_.input.classes;
  Outputs out;
  out.capsules = classes.poses.reshape({B, K, config_.pose_size});
  out.scores = classes.activations.empty() ? lengths(tape, out.capsules)
                                           : classes.activations.reshape({B, K});
  if (!labels.empty())
    out.loss = out.classification_loss = loss(tape, out.scores, labels, progress);
  return out;
}

Variable MatrixCapsNet::loss(Tape& tape, Variable scores, std::span<const std::int32_t> labels,
                             double progress) const {
  switch (config_.loss) {
  case ClassLoss::margin:
    return margin_loss(tape, scores, labels, config_.margin);
  case ClassLoss::cross_entropy:
    return cross_entropy(tape, scores, labels);
  case ClassLoss::spread:
    break;
  }
  return spread_loss(tape, scores, labels, spread_margin(config_.margin_schedule, progress));
}

} // namespace mereo

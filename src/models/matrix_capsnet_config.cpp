#include "models/matrix_capsnet_config.h"

#include "models/config_values.h"

namespace mereo {

namespace {

constexpr auto members = [](auto& c, const auto& visit) {
  visit("height", c.input.height);
  visit("width", c.input.width);
  visit("channels", c.input.channels);
  visit("classes", c.input.classes);
  visit("labels_per_image", c.input.labels_per_image);
  visit("conv_kernel", c.conv_kernel);
  visit("conv_stride", c.conv_stride);
  visit("conv_filters", c.conv_filters);
  visit("convolution", c.convolution);
  visit("convolution_tile", c.convolution_tile);
  visit("primary_types", c.primary_types);
  visit("pose", c.pose);
  visit("pose_size", c.pose_size);
  visit("capsules1_types", c.capsules1.types);
  visit("capsules1_kernel", c.capsules1.kernel);
  visit("capsules1_stride", c.capsules1.stride);
  visit("capsules2_types", c.capsules2.types);
  visit("capsules2_kernel", c.capsules2.kernel);
  visit("capsules2_stride", c.capsules2.stride);
  visit("class_shared", c.class_shared);
  visit("coordinate_scale", c.coordinate_scale);
  visit("routing", c.routing); // before its options, which it brings
  for (auto& [name, value] : c.routing.options)
    visit("routing_" + name, value);
  visit("class_temperature", c.class_temperature);
  visit("loss", c.loss);
  visit("margin_schedule", c.margin_schedule);
  visit("margin_present", c.margin.present);
  visit("margin_absent", c.margin.absent);
  visit("margin_absent_weight", c.margin.absent_weight);
  visit("pose_start", c.pose_start);
  visit("activation_start", c.activation_start);
  visit("weight_start", c.weight_start);
  visit("class_weight_start", c.class_weight_start);
};

} // namespace

std::string matrix_capsnet_config_text(const MatrixCapsNetConfig& config) {
  return to_json(to_fields(config, members));
}

MatrixCapsNetConfig parse_matrix_capsnet_config(const std::string& text) {
  return from_fields<MatrixCapsNetConfig>(parse_json_object(text), members);
}

Fields matrix_capsnet_preset(const std::string& name) {
  const auto sizes = [](std::int64_t a, std::int64_t b, std::int64_t c, std::int64_t d) {
    return Fields{
        {"conv_filters", a}, {"primary_types", b}, {"capsules1_types", c}, {"capsules2_types", d}};
  };
  if (name == "paper")
    return sizes(32, 32, 32, 32);
  if (name == "small")
    return sizes(64, 8, 16, 16);
  throw Error("matrix-capsnet", "there is no preset of this name", name, "paper or small");
}

} // namespace mereo

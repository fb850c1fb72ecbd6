#include "models/capsnet_config.h"

#include "models/config_values.h"

namespace mereo {

namespace {

constexpr auto members = [](auto& c, const auto& visit) {
  visit("height", c.input.height);
  visit("width", c.input.width);
  visit("channels", c.input.channels);
  visit("classes", c.input.classes);
  visit("labels_per_image", c.input.labels_per_image);
  visit("kernel", c.kernel);
  visit("conv_filters", c.conv_filters);
  visit("primary_types", c.primary_types);
  visit("primary_pose", c.primary_pose);
  visit("class_pose", c.class_pose);
  visit("padding", c.padding);
  visit("convolution", c.convolution);
  visit("convolution_tile", c.convolution_tile);
  visit("routing_iterations", c.routing.iterations);
  visit("none_of_the_above", c.routing.none_of_the_above);
  visit("stop_inner_gradient", c.routing.stop_inner_gradient);
  visit("margin_present", c.margin.present);
  visit("margin_absent", c.margin.absent);
  visit("margin_absent_weight", c.margin.absent_weight);
  visit("decoder", c.decoder);
  visit("decoder_hidden1", c.decoder_hidden1);
  visit("decoder_hidden2", c.decoder_hidden2);
  visit("reconstruction_weight", c.reconstruction_weight);
  visit("coordinate_shift", c.coordinate_shift);
  visit("coordinate_scale", c.coordinate_scale);
  visit("primary_scale", c.primary_scale);
  visit("class_bias", c.class_bias);
  visit("authors_start", c.authors_start);
};

} // namespace

std::string capsnet_config_text(const CapsNetConfig& config) {
  return to_json(to_fields(config, members));
}

CapsNetConfig parse_capsnet_config(const std::string& text) {
  return from_fields<CapsNetConfig>(parse_json_object(text), members);
}

} // namespace mereo

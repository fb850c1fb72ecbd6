#include "models/capsnet_config.h"

#include <mereo/io.h>

#include <concepts>

namespace mereo {

namespace {

/// Calls visit(key, member) for every member: the one list that writing and reading share.
template <class Config, class Visit> void each_member(Config& c, const Visit& visit) {
  visit("height", c.input.height);
  visit("width", c.input.width);
  visit("channels", c.input.channels);
  visit("classes", c.input.classes);
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
  visit("primary_scale", c.primary_scale);
  visit("class_bias", c.class_bias);
  visit("authors_start", c.authors_start);
}

FieldValue field(std::int64_t value) {
  return value;
}
FieldValue field(int value) {
  return std::int64_t(value);
}
FieldValue field(bool value) {
  return std::int64_t(value);
}
template <std::floating_point Number> FieldValue field(Number value) {
  return double(value);
}
FieldValue field(Padding value) {
  return std::string(value == Padding::same ? "same" : "valid");
}

constexpr std::pair<const char*, ConvolutionMethod> methods[] = {
    {"auto", ConvolutionMethod::automatic},
    {"direct", ConvolutionMethod::direct},
    {"winograd", ConvolutionMethod::winograd}};

FieldValue field(ConvolutionMethod value) {
  for (const auto& [name, method] : methods)
    if (method == value)
      return std::string(name);
  return {};
}

[[noreturn]] void reject(const std::string& key, const char* wanted) {
  throw Error("model configuration", "\"" + key + "\" has a wrong value", "",
              std::string("it is ") + wanted);
}

std::int64_t integer(const std::string& key, const FieldValue& value) {
  constexpr std::int64_t limit = 1 << 20;
  const auto* number = std::get_if<std::int64_t>(&value);
  if (!number || *number < 0 || *number > limit)
    reject(key, "a whole number from 0 to 1048576");
  return *number;
}

double number(const std::string& key, const FieldValue& value) {
  if (const auto* whole = std::get_if<std::int64_t>(&value))
    return double(*whole);
  if (const auto* real_number = std::get_if<double>(&value))
    return *real_number;
  reject(key, "a number");
}

void assign(const std::string& key, const FieldValue& value, std::int64_t& to) {
  to = integer(key, value);
}
void assign(const std::string& key, const FieldValue& value, int& to) {
  to = int(integer(key, value));
}
template <std::floating_point Number>
void assign(const std::string& key, const FieldValue& value, Number& to) {
  to = Number(number(key, value));
}

void assign(const std::string& key, const FieldValue& value, bool& to) {
  const std::int64_t truth = integer(key, value);
  if (truth > 1)
    reject(key, "true or false");
  to = truth == 1;
}

void assign(const std::string& key, const FieldValue& value, Padding& to) {
  const auto* text = std::get_if<std::string>(&value);
  if (!text || (*text != "same" && *text != "valid"))
    reject(key, "\"valid\" or \"same\"");
  to = *text == "same" ? Padding::same : Padding::valid;
}

void assign(const std::string& key, const FieldValue& value, ConvolutionMethod& to) {
  const auto* text = std::get_if<std::string>(&value);
  for (const auto& [name, method] : methods)
    if (text && *text == name) {
      to = method;
      return;
    }
  reject(key, "\"auto\", \"direct\" or \"winograd\"");
}

} // namespace

std::string capsnet_config_text(const CapsNetConfig& config) {
  Fields fields;
  each_member(config, [&](const char* key, const auto& member) {
    fields.emplace_back(key, field(member));
  });
  return to_json(fields);
}

CapsNetConfig parse_capsnet_config(const std::string& text) {
  CapsNetConfig config;
  for (const auto& entry : parse_json_object(text)) {
    const std::string& key = entry.first; // clang 14 captures no structured binding
    bool known = false;
    each_member(config, [&](const char* name, auto& member) {
      if (key != name)
        return;
      assign(key, entry.second, member);
      known = true;
    });
    if (!known)
      throw Error("model configuration", "unknown key", key, "the keys are those of config.json");
  }
  return config;
}

} // namespace mereo

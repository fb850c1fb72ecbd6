// The network that build/train trains, from its options.
#pragma once

#include "models/capsnet_config.h"
#include "models/cnn_config.h"
#include "models/matrix_capsnet_config.h"
#include "train_options.h"

namespace cli {

/// key=value, the value being a number, true, false or text.
inline std::pair<std::string, FieldValue> parse_setting(const std::string& text) {
  const auto equals = text.find('=');
  if (equals == 0 || equals == text.npos)
    throw UsageError("--model-config: must be key=value, not \"" + text + "\"");
  const std::string key = text.substr(0, equals), value = text.substr(equals + 1);
  try {
    return {key, parse_json_object("{\"value\": " + value + "}").at(0).second};
  } catch (const Error&) {
    return {key, value};
  }
}

inline void set(Fields& fields, const std::string& key, const FieldValue& value) {
  std::erase_if(fields, [&](const auto& field) { return field.first == key; });
  fields.emplace_back(key, value);
}

/// What single options and --model-config ask of the network.
inline Fields single_settings(const TrainArguments& a) {
  Fields settings;
  if (a.routing_iterations > 0)
    set(settings, "routing_iterations", std::int64_t(a.routing_iterations));
  if (!a.convolution.empty())
    set(settings, "convolution", a.convolution);
  if (a.convolution_tile > 0)
    set(settings, "convolution_tile", std::int64_t(a.convolution_tile));
  for (const std::string& text : a.model_config) {
    const auto [key, value] = parse_setting(text);
    set(settings, key, value);
  }
  return settings;
}

/// The network that the options ask for, of the data's shape; `file` may bring "model." fields.
inline std::unique_ptr<Model> build(const TrainArguments& a, const Dataset& data,
                                    const Fields& file) {
  Fields wanted;
  for (const auto& [name, value] : file)
    if (name.starts_with("model."))
      set(wanted, name.substr(6), value);
  set(wanted, "height", a.options.view.seen(data.height));
  set(wanted, "width", a.options.view.seen(data.width));
  set(wanted, "channels", data.channels);
  set(wanted, "classes", data.classes);
  std::erase_if(wanted, [](const auto& field) { return field.first == "labels_per_image"; });
  if (data.labels_per_image > 1) // networks that know of one alone have no such key
    set(wanted, "labels_per_image", data.labels_per_image);
  if (a.instead && a.model == "capsnet")
    set(wanted, "decoder", false); // their usual view standardises them
  const Fields settings = single_settings(a);
  if (!a.preset.empty())
    for (const auto& [key, value] :
         a.model == "cnn" ? cnn_preset(a.preset) : matrix_capsnet_preset(a.preset))
      set(wanted, key, value);
  if (a.recipe == "paper") // whatever a file says
    std::erase_if(wanted, [](const auto& field) {
      return field.first == "reconstruction_weight" || field.first == "primary_scale" ||
             field.first == "class_bias" || field.first == "authors_start";
    });
  for (const auto& [key, value] : settings)
    set(wanted, key, value);
  if (a.recipe == "authors") {
    // The recipe depends on the number of types, and single settings count more than it does.
    CapsNetConfig config = parse_capsnet_config(to_json(wanted));
    wanted = parse_json_object(capsnet_config_text(config.authors_recipe()));
    for (const auto& [key, value] : settings)
      set(wanted, key, value);
  }
  return make_model(a.model, to_json(wanted), a.options.seed);
}

} // namespace cli

// A model's configuration to and from flat JSON, both from one list of its members:
//
//   constexpr auto members = [](auto& config, const auto& visit) {
//     visit("height", config.input.height);
//     ...
//   };
#pragma once

#include <mereo/io.h>
#include <mereo/models.h>

#include <algorithm>
#include <concepts>
#include <iterator>
#include <type_traits>

namespace mereo {

/// Names of an enumeration's values in a configuration: specialise with a static `list` of pairs.
template <class Enum> struct EnumNames;

template <> struct EnumNames<Padding> {
  static constexpr std::pair<const char*, Padding> list[] = {{"valid", Padding::valid},
                                                             {"same", Padding::same}};
};

template <> struct EnumNames<ConvolutionMethod> {
  static constexpr std::pair<const char*, ConvolutionMethod> list[] = {
      {"auto", ConvolutionMethod::automatic},
      {"direct", ConvolutionMethod::direct},
      {"winograd", ConvolutionMethod::winograd}};
};

// What a member is in JSON, and back. assign() throws Error, naming the key, for a value of another
// type.

inline FieldValue field(std::int64_t value) {
  return value;
}
inline FieldValue field(int value) {
  return std::int64_t(value);
}
inline FieldValue field(bool value) {
  return std::int64_t(value);
}
inline FieldValue field(const std::string& value) {
  return value;
}
template <std::floating_point Number> FieldValue field(Number value) {
  return double(value);
}
template <class Enum>
requires std::is_enum_v<Enum> FieldValue field(Enum value) {
  for (const auto& [name, known] : EnumNames<Enum>::list)
    if (known == value)
      return std::string(name);
  return {};
}

[[noreturn]] void reject_value(const std::string& key, const std::string& wanted);
[[noreturn]] void reject_key(const std::string& key);
/// One of these, in quotes: for reject_value().
std::string choice(const std::vector<std::string>& names);

void assign(const std::string& key, const FieldValue& value, std::int64_t& to);
void assign(const std::string& key, const FieldValue& value, int& to);
void assign(const std::string& key, const FieldValue& value, bool& to);
void assign(const std::string& key, const FieldValue& value, float& to);
void assign(const std::string& key, const FieldValue& value, double& to);

template <class Enum>
requires std::is_enum_v<Enum>
void assign(const std::string& key, const FieldValue& value, Enum& to) {
  const auto* text = std::get_if<std::string>(&value);
  std::vector<std::string> names;
  for (const auto& [name, known] : EnumNames<Enum>::list) {
    names.emplace_back(name);
    if (text && *text == name) {
      to = known;
      return;
    }
  }
  reject_value(key, choice(names));
}

template <class Config, class Members>
std::string config_text(const Config& config, const Members& members) {
  Fields fields;
  members(config, [&](const std::string& key, const auto& member) {
    fields.emplace_back(key, field(member));
  });
  return to_json(fields);
}

/// What the text leaves out keeps its default. Throws Error for an unknown key or a wrong type.
/// Members are assigned in the order of their list.
template <class Config, class Members>
Config parse_config(const std::string& text, const Members& members) {
  Config config;
  const Fields fields = parse_json_object(text);
  std::vector<std::string> known;
  members(config, [&](const std::string& key, auto& member) {
    known.push_back(key);
    if (const FieldValue* value = find(fields, key))
      assign(key, *value, member);
  });
  for (const auto& [key, value] : fields)
    if (std::find(known.begin(), known.end(), key) == known.end())
      reject_key(key);
  return config;
}

} // namespace mereo

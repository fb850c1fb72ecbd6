// A configuration to and from fields of flat JSON, both from one list of its members:
//
//   constexpr auto members = [](auto& config, const auto& visit) {
//     visit("height", config.input.height);
//     ...
//   };
#pragma once

#include <mereo/io.h>

#include <algorithm>
#include <concepts>
#include <type_traits>
#include <vector>

namespace mereo {

/// Names of an enumeration's values in a configuration: specialise with a static `list` of pairs.
template <class Enum> struct EnumNames;

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
inline FieldValue field(const FieldValue& value) {
  return value;
}
/// "328,192".
FieldValue field(const std::vector<std::int64_t>& values);
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
/// The words of a list, empty ones but a last one included.
std::vector<std::string> split(const std::string& text, char separator);
/// One of these, in quotes: for reject_value().
std::string choice(const std::vector<std::string>& names);

void assign(const std::string& key, const FieldValue& value, std::int64_t& to);
void assign(const std::string& key, const FieldValue& value, int& to);
void assign(const std::string& key, const FieldValue& value, bool& to);
void assign(const std::string& key, const FieldValue& value, float& to);
void assign(const std::string& key, const FieldValue& value, double& to);
/// Text as above, or a number alone.
void assign(const std::string& key, const FieldValue& value, std::vector<std::int64_t>& to);
/// A value of the kind that is there already.
void assign(const std::string& key, const FieldValue& value, FieldValue& to);

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
Fields to_fields(const Config& config, const Members& members) {
  Fields fields;
  members(config, [&](const std::string& key, const auto& member) {
    fields.emplace_back(key, field(member));
  });
  return fields;
}

/// What the fields leave out keeps its default. Throws Error for an unknown key or a wrong type.
/// Members are assigned in the order of their list.
template <class Config, class Members>
Config from_fields(const Fields& fields, const Members& members) {
  Config config;
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

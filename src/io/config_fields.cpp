#include "io/config_fields.h"

#include <charconv>

namespace mereo {

namespace {

std::int64_t integer(const std::string& key, const FieldValue& value) {
  constexpr std::int64_t limit = 1 << 20;
  const auto* number = std::get_if<std::int64_t>(&value);
  if (!number || *number < 0 || *number > limit)
    reject_value(key, "a whole number from 0 to 1048576");
  return *number;
}

double number(const std::string& key, const FieldValue& value) {
  if (const auto* whole = std::get_if<std::int64_t>(&value))
    return double(*whole);
  if (const auto* real_number = std::get_if<double>(&value))
    return *real_number;
  reject_value(key, "a number");
}

} // namespace

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> words;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(separator, at), text.size());
    words.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

void reject_value(const std::string& key, const std::string& wanted) {
  throw Error("model configuration", "\"" + key + "\" has a wrong value", "", "it is " + wanted);
}

void reject_key(const std::string& key) {
  throw Error("model configuration", "unknown key", key, "the keys are those of config.json");
}

std::string choice(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i)
    text += (i == 0 ? "\"" : i + 1 < names.size() ? ", \"" : " or \"") + names[i] + "\"";
  return text;
}

void assign(const std::string& key, const FieldValue& value, std::int64_t& to) {
  to = integer(key, value);
}

void assign(const std::string& key, const FieldValue& value, int& to) {
  to = int(integer(key, value));
}

void assign(const std::string& key, const FieldValue& value, bool& to) {
  const std::int64_t truth = integer(key, value);
  if (truth > 1)
    reject_value(key, "true or false");
  to = truth == 1;
}

void assign(const std::string& key, const FieldValue& value, float& to) {
  to = float(number(key, value));
}

void assign(const std::string& key, const FieldValue& value, double& to) {
  to = number(key, value);
}

FieldValue field(const std::vector<std::int64_t>& values) {
  std::string text;
  for (const std::int64_t value : values)
    text += (text.empty() ? "" : ",") + std::to_string(value);
  return text;
}

void assign(const std::string& key, const FieldValue& value, std::vector<std::int64_t>& to) {
  to.clear();
  const auto* text = std::get_if<std::string>(&value);
  if (!text) {
    to.push_back(integer(key, value));
    return;
  }
  for (const std::string& word : split(*text, ',')) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
    if (error != std::errc() || end != word.data() + word.size())
      reject_value(key, "whole numbers with commas between them");
    to.push_back(integer(key, number));
  }
}

void assign(const std::string& key, const FieldValue& value, FieldValue& to) {
  if (std::holds_alternative<double>(to))
    to = number(key, value);
  else if (std::holds_alternative<std::int64_t>(to))
    to = integer(key, value);
  else if (std::holds_alternative<std::string>(value))
    to = value;
  else
    reject_value(key, "text");
}

} // namespace mereo

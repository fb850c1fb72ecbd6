#include "train/fields.h"

#include <limits>

namespace mereo {

namespace {

const FieldValue& field(const Fields& fields, const char* name) {
  const FieldValue* value = find(fields, name);
  if (!value)
    throw Error("state of a run", "a field is missing", name);
  return *value;
}

[[noreturn]] void reject(const char* name, const FieldValue& value) {
  throw Error("state of a run", "a field has a wrong value",
              std::string(name) + ": " + value_text(value));
}

} // namespace

std::int64_t whole_field(const Fields& fields, const char* name) {
  const FieldValue& value = field(fields, name);
  const auto* whole = std::get_if<std::int64_t>(&value);
  if (!whole || *whole < 0)
    reject(name, value);
  return *whole;
}

double number_field(const Fields& fields, const char* name) {
  const FieldValue& value = field(fields, name);
  if (const auto* whole = std::get_if<std::int64_t>(&value))
    return double(*whole);
  if (const auto* number = std::get_if<double>(&value))
    return *number;
  reject(name, value);
}

std::string text_field(const Fields& fields, const char* name) {
  const FieldValue& value = field(fields, name);
  if (const auto* text = std::get_if<std::string>(&value))
    return *text;
  reject(name, value);
}

std::string value_text(const FieldValue& value) {
  const std::string object = to_json({{"", value}}); // {"": value}
  return object.substr(5, object.size() - 6);
}

double number_or_nan(const Fields& fields, std::string_view name) {
  const FieldValue* value = find(fields, name);
  if (value && std::holds_alternative<double>(*value))
    return std::get<double>(*value);
  if (value && std::holds_alternative<std::int64_t>(*value))
    return double(std::get<std::int64_t>(*value));
  return std::numeric_limits<double>::quiet_NaN();
}

} // namespace mereo

#include "io/json.h"

#include <mereo/io.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

namespace mereo {

namespace {

using Json = nlohmann::json;

/// Collects the fields of one flat object in their order.
class FieldReader : public nlohmann::json_sax<Json> {
public:
  Fields fields;
  std::string problem;

  bool null() override { return add(std::numeric_limits<double>::quiet_NaN()); }
  bool boolean(bool value) override { return add(std::int64_t(value)); }
  bool number_integer(std::int64_t value) override { return add(value); }
  bool number_unsigned(std::uint64_t value) override {
    if (value > std::uint64_t(std::numeric_limits<std::int64_t>::max()))
      return add(double(value));
    return add(std::int64_t(value));
  }
  bool number_float(double value, const std::string&) override { return add(value); }
  bool string(std::string& value) override { return add(std::move(value)); }
  bool binary(Json::binary_t&) override { return refuse("binary data"); }
  bool start_array(std::size_t) override { return refuse("an array inside"); }
  bool end_array() override { return true; }
  bool start_object(std::size_t) override {
    if (inside_)
      return refuse("an object inside");
    return inside_ = true;
  }
  bool end_object() override { return true; }
  bool key(std::string& name) override {
    name_ = std::move(name);
    return names_.insert(name_).second || refuse("the name \"" + name_ + "\" twice");
  }
  bool parse_error(std::size_t, const std::string&, const Json::exception& error) override {
    return refuse(error.what());
  }

private:
  bool add(FieldValue value) {
    if (!inside_)
      return refuse("no object");
    fields.emplace_back(name_, std::move(value));
    return true;
  }
  bool refuse(const std::string& what) {
    if (problem.empty())
      problem = what;
    return false;
  }

  bool inside_ = false;
  std::string name_;
  std::set<std::string> names_;
};

/// For nlohmann a NUL is the end of the text, whatever comes after it.
bool has_nul(std::string_view text) {
  return text.find('\0') != text.npos;
}

std::string dump(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

} // namespace

Json parse_json(std::string_view text, const std::string& where, int depth) {
  if (has_nul(text))
    throw Error(where, "is not valid JSON", "a NUL in it");
  std::vector<std::set<std::string>> names(std::size_t(depth) + 1);
  const auto watch = [&](int level, Json::parse_event_t event, Json& value) {
    // level counts the brackets around the event; the names of an object lie one deeper.
    if (event == Json::parse_event_t::object_start || event == Json::parse_event_t::array_start) {
      if (level >= depth)
        throw Error(where, "the JSON is nested too deeply");
      names[std::size_t(level) + 1].clear();
    } else if (event == Json::parse_event_t::key) {
      const auto& name = value.get_ref<const std::string&>();
      if (!names.at(std::size_t(level)).insert(name).second)
        throw Error(where, "the JSON has a name twice", name);
    }
    return true;
  };
  try {
    return Json::parse(text.begin(), text.end(), watch);
  } catch (const Json::exception& error) {
    throw Error(where, "is not valid JSON", error.what());
  }
}

const FieldValue* find(const Fields& fields, std::string_view name) {
  for (const auto& [key, value] : fields)
    if (key == name)
      return &value;
  return nullptr;
}

std::string to_json(const Fields& fields) {
  std::string text = "{";
  for (const auto& [name, value] : fields) {
    if (text.size() > 1)
      text += ", ";
    text += dump(name) + ": ";
    text += std::visit([](const auto& number_or_text) { return dump(number_or_text); }, value);
  }
  return text + "}";
}

Fields parse_json_object(std::string_view text) {
  if (has_nul(text))
    throw Error("parse_json_object", "not one flat JSON object", "a NUL in it");
  FieldReader reader;
  if (!Json::sax_parse(text.begin(), text.end(), &reader))
    throw Error("parse_json_object", "not one flat JSON object", reader.problem);
  return std::move(reader.fields);
}

} // namespace mereo

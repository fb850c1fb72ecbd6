#include "io/json.h"

#include <mereo/io.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

namespace mereo {

namespace {

/// Collects the fields of one flat object in their order.
class FieldReader : public nlohmann::json_sax<nlohmann::json> {
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
  bool binary(nlohmann::json::binary_t&) override { return refuse("binary data"); }
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
  bool parse_error(std::size_t, const std::string&,
                   const nlohmann::json::exception& error) override {
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

/// Builds the tree of any JSON.
class TreeReader : public nlohmann::json_sax<nlohmann::json> {
public:
  Json root;

  TreeReader(const std::string& where, int depth) : where_(where), depth_(std::size_t(depth)) {}

  bool null() override { return put({}); }
  bool boolean(bool value) override { return put({value}); }
  bool number_integer(std::int64_t value) override { return put({double(value)}); }
  bool number_unsigned(std::uint64_t value) override { return put({value}); }
  bool number_float(double value, const std::string&) override { return put({value}); }
  bool string(std::string& value) override { return put({std::move(value)}); }
  bool binary(nlohmann::json::binary_t&) override { return false; }
  bool start_array(std::size_t) override { return open({Json::List()}); }
  bool end_array() override { return close(); }
  bool start_object(std::size_t) override { return open({Json::Object()}); }
  bool end_object() override { return close(); }
  bool key(std::string& name) override {
    if (!open_.back().names.insert(name).second)
      throw Error(where_, "the JSON has a name twice", name);
    name_ = std::move(name);
    return true;
  }
  bool parse_error(std::size_t, const std::string&,
                   const nlohmann::json::exception& error) override {
    throw Error(where_, "is not valid JSON", error.what());
  }

private:
  struct Open {
    Json* value; // stays where it is: what surrounds it does not grow before it is closed
    std::set<std::string> names;
  };

  bool put(Json value) { return place(std::move(value)) != nullptr; }
  Json* place(Json value) {
    if (open_.empty())
      return &(root = std::move(value));
    Json& inside = *open_.back().value;
    if (auto* list = std::get_if<Json::List>(&inside.value))
      return &list->emplace_back(std::move(value));
    auto& object = std::get<Json::Object>(inside.value);
    object.push_back({std::move(name_), std::move(value)});
    return &object.back().value;
  }
  bool open(Json value) {
    if (open_.size() == depth_)
      throw Error(where_, "the JSON is nested too deeply");
    Json* placed = place(std::move(value));
    open_.push_back({placed, {}});
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  const std::string& where_;
  std::size_t depth_;
  std::string name_;
  std::vector<Open> open_;
};

/// For nlohmann a NUL is the end of the text, whatever comes after it.
bool has_nul(std::string_view text) {
  return text.find('\0') != text.npos;
}

/// A number or text.
std::string dump(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

} // namespace

Json parse_json(std::string_view text, const std::string& where, int depth) {
  if (has_nul(text))
    throw Error(where, "is not valid JSON", "a NUL in it");
  TreeReader reader(where, depth);
  nlohmann::json::sax_parse(text.begin(), text.end(), &reader);
  return std::move(reader.root);
}

std::string quote_json(const std::string& text, const std::string& where) {
  try {
    return nlohmann::json(text).dump();
  } catch (const nlohmann::json::exception& error) {
    throw Error(where, "a name or metadata is not UTF-8", error.what());
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
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &reader))
    throw Error("parse_json_object", "not one flat JSON object", reader.problem);
  return std::move(reader.fields);
}

} // namespace mereo

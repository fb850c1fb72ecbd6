// JSON as a tree. It refuses what nlohmann lets pass: names given twice, deep nesting, and a NUL,
// which hides what comes after it. And destroying it takes no memory, as nlohmann's tree does:
// where memory runs out, an exception must be able to pass.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace mereo {

struct JsonMember;

struct Json {
  using List = std::vector<Json>;
  using Object = std::vector<JsonMember>; // in the order of the text
  /// Null, a boolean, a whole number from 0, another number, text, ...
  std::variant<std::monostate, bool, std::uint64_t, double, std::string, List, Object> value;

  /// Null when it is something else.
  template <class Kind> const Kind* get() const { return std::get_if<Kind>(&value); }
};

struct JsonMember {
  std::string name;
  Json value;
};

/// where is what Error names. depth bounds the nesting.
Json parse_json(std::string_view text, const std::string& where, int depth);

/// In quotes, escaped. Throws Error unless it is UTF-8.
std::string quote_json(const std::string& text, const std::string& where);

} // namespace mereo

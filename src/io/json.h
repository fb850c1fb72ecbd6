// JSON parsing that refuses what nlohmann lets pass: names given twice, and deep nesting.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <string_view>

namespace mereo {

/// where is what Error names. depth bounds the nesting.
nlohmann::json parse_json(std::string_view text, const std::string& where, int depth);

} // namespace mereo

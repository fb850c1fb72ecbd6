// What a call complains about, and whether it says so.
#pragma once

#include <mereo/core.h>

#include <string>

namespace mereo {

/// The one line that an Error has, or "" when nothing is thrown.
template <class Body> std::string error_of(const Body& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

inline bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

} // namespace mereo

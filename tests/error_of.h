// What a call complains about.
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

} // namespace mereo

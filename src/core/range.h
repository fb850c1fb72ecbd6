// Whole-number arithmetic of loops that are cut into pieces.
#pragma once

#include <cstdint>

namespace mereo {

/// How many pieces of `unit` cover x.
constexpr std::int64_t ceiling(std::int64_t x, std::int64_t unit) {
  return (x + unit - 1) / unit;
}

constexpr std::int64_t round_up(std::int64_t x, std::int64_t unit) {
  return ceiling(x, unit) * unit;
}

/// [begin, end).
struct Range {
  std::int64_t begin, end;

  std::int64_t size() const { return end - begin; }
  /// Number `index` of `parts` about equal ones.
  Range part(std::int64_t index, std::int64_t parts) const {
    return {begin + size() * index / parts, begin + size() * (index + 1) / parts};
  }
};

} // namespace mereo

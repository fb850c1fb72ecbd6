// Which classes have the largest scores.
#pragma once

#include <cstdint>
#include <vector>

namespace mereo {

/// Appends the indices of the `count` largest of a row of K, the largest first, of equals the
/// first.
template <class Number>
void append_largest(const Number* row, std::int64_t K, std::int64_t count,
                    std::vector<std::int32_t>& out) {
  const std::size_t begin = out.size();
  const auto taken = [&](std::int64_t k) {
    for (std::size_t i = begin; i < out.size(); ++i)
      if (out[i] == k)
        return true;
    return false;
  };
  for (std::int64_t c = 0; c < count; ++c) {
    std::int64_t best = -1;
    for (std::int64_t k = 0; k < K; ++k)
      if (!taken(k) && (best < 0 || row[k] > row[best]))
        best = k;
    out.push_back(std::int32_t(best));
  }
}

} // namespace mereo

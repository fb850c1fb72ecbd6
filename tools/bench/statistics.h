#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

namespace bench {

/// The value below which that part of the values lies, between neighbours by proportion.
inline double quantile(std::vector<double> values, double part) {
  std::sort(values.begin(), values.end());
  const double at = part * double(values.size() - 1);
  const std::size_t below = std::size_t(at);
  const std::size_t above = std::min(below + 1, values.size() - 1);
  return values[below] + (at - double(below)) * (values[above] - values[below]);
}

inline double median(const std::vector<double>& values) {
  return quantile(values, 0.5);
}

} // namespace bench

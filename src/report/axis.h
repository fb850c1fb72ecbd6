// Where round numbers lie on an axis.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace mereo {

struct Axis {
  double low = 0, high = 1; // ends of the axis
  bool logarithmic = false;
  std::vector<double> ticks; // from low to high

  /// From 0 at the low end to 1 at the high end.
  double place(double value) const;
};

/// Values beyond this are as good as infinite: ranges of larger ones overflow.
inline constexpr double largest_value = 1e100;

inline bool drawable(double value) {
  return std::fabs(value) <= largest_value;
}

/// From the smallest to the largest of the values that can be drawn.
struct Range {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  void take(double value) {
    if (!drawable(value))
      return;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  bool empty() const { return low > high; }
};

/// A tick every 1, 2 or 5 times a power of ten, so that at most `most` lie in [low, high]; the ends
/// are the next ticks outside. `whole`: ticks at whole numbers only. A range of no length is
/// widened.
Axis linear_axis(double low, double high, int most, bool whole = false);

/// The same for 1 / largest_value <= low <= high, with ticks at 1, 2 and 5 times powers of ten
/// where there is room, otherwise at powers of ten.
Axis logarithmic_axis(double low, double high, int most);

} // namespace mereo

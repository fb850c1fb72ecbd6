#include "report/axis.h"

#include <cmath>

namespace mereo {

namespace {

constexpr double steps[] = {1, 2, 5};

/// 10^exponent, by division where that is the nearer number.
double power_of_ten(int exponent) {
  return exponent < 0 ? 1 / std::pow(10.0, -exponent) : std::pow(10.0, exponent);
}

/// The smallest round number that is not below value, which is positive.
double round_step(double value) {
  const int exponent = int(std::floor(std::log10(value)));
  for (const double step : steps)
    if (step * power_of_ten(exponent) >= value * (1 - 1e-9))
      return step * power_of_ten(exponent);
  return power_of_ten(exponent + 1);
}

} // namespace

double Axis::place(double value) const {
  if (logarithmic)
    return std::log(value / low) / std::log(high / low);
  return (value - low) / (high - low);
}

Axis linear_axis(double low, double high, int most, bool whole) {
  const double size = std::fmax(std::fabs(low), std::fabs(high));
  if (!(high - low > 1e-9 * size) || high - low < 1 / largest_value) {
    const double margin = size > 1 / largest_value ? size / 2 : 1;
    low = low < 0 ? low - margin : low;
    high = high < 0 ? 0 : high + margin;
  }
  double step = round_step((high - low) / most);
  if (whole && step < 1)
    step = 1;
  Axis axis;
  const double first = std::floor(low / step + 1e-9);
  const double last = std::max(first + 1, std::ceil(high / step - 1e-9));
  for (double i = first; i <= last; ++i)
    axis.ticks.push_back(step < 1 ? i / std::round(1 / step) : i * step);
  axis.low = axis.ticks.front();
  axis.high = axis.ticks.back();
  return axis;
}

Axis logarithmic_axis(double low, double high, int most) {
  std::vector<double> ticks;
  const int first = int(std::floor(std::log10(low))), last = int(std::ceil(std::log10(high))) + 1;
  for (int exponent = first; exponent <= last; ++exponent)
    for (const double step : steps)
      ticks.push_back(step * power_of_ten(exponent));
  std::size_t begin = 0, end = ticks.size();
  while (begin + 1 < end && ticks[begin + 1] <= low)
    ++begin;
  while (end > begin + 2 && ticks[end - 2] >= high)
    --end;
  Axis axis{ticks[begin], ticks[end - 1], true, {}};
  if (end - begin <= std::size_t(most)) {
    axis.ticks.assign(ticks.begin() + std::ptrdiff_t(begin), ticks.begin() + std::ptrdiff_t(end));
    return axis;
  }
  const int stride = (last - first) / most + 1;
  for (int exponent = first; exponent <= last; ++exponent) {
    const double tick = power_of_ten(exponent);
    if ((exponent - first) % stride == 0 && tick >= axis.low && tick <= axis.high)
      axis.ticks.push_back(tick);
  }
  return axis;
}

} // namespace mereo

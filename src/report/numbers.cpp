#include "report/numbers.h"

#include <charconv>
#include <cmath>

namespace mereo {

namespace {

std::string format(double value, std::chars_format form, int digits) {
  char text[400]; // the largest double has 309 digits before its point
  const auto end = std::to_chars(text, text + sizeof text, value == 0 ? 0 : value, form, digits);
  return {text, end.ptr};
}

} // namespace

std::string short_number(double value, int digits) {
  if (!std::isfinite(value))
    return "-";
  const char* suffix = "";
  if (std::fabs(value) >= 1e6 && std::fabs(value) < 1e10) {
    value /= 1e6;
    suffix = "M";
  } else if (std::fabs(value) >= 1e4 && std::fabs(value) < 1e6) {
    value /= 1e3;
    suffix = "k";
  }
  return format(value, std::chars_format::general, digits) + suffix;
}

std::string fixed_number(double value, int digits) {
  return std::isfinite(value) ? format(value, std::chars_format::fixed, digits) : "-";
}

} // namespace mereo

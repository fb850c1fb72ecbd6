// Numbers as text, the same in every locale.
#pragma once

#include <string>

namespace mereo {

/// As few characters as tell a number to so many digits: "0.05", "1e-06", "25k", "1.5M", and "-"
/// for one that is not finite.
std::string short_number(double value, int digits = 6);

/// With so many digits after the point: "0.50"; "-" for one that is not finite.
std::string fixed_number(double value, int digits);

} // namespace mereo

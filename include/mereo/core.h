// Floor 1: what every other file may rely on: the number type, the one error type, threads.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace mereo {

/// The number type of every tensor. float, but for the double build in which the tests check
/// derivatives (a central difference in float is noise).
#ifdef MEREO_DOUBLE
using real = double;
#else
using real = float;
#endif

inline constexpr const char* version = "0.1.0";

/// The only exception the library throws.
/// what() is one line: "where: problem [values] (hint)".
class Error : public std::runtime_error {
public:
  /// where    the function, layer or file that noticed
  /// problem  what is wrong, in words
  /// values   the offending shapes or values, may be empty
  /// hint     what to do about it, may be empty
  Error(std::string where, std::string problem, std::string values = {}, std::string hint = {});

  std::string where, problem, values, hint;
};

/// Number of threads that parallel loops use: at first OMP_NUM_THREADS, or one per processor the
/// program may run on. Results do not depend on it, to the last bit.
int threads();

/// Sets threads(). Not while another thread computes. Throws Error unless 1 <= count <= 1024.
void set_threads(int count);

} // namespace mereo

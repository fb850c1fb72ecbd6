// What the kernel tests share: every instruction set this machine can run, arrays that start off a
// register's boundary between guard values, and comparison against a bound computed from the data.
#pragma once

#include "kernels/table.h"

#include <mereo/isa.h>
#include <mereo/memory.h>
#include <mereo/random.h>

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

namespace mereo::sweep {

/// The distance from 1 to the next number.
inline constexpr double epsilon = std::numeric_limits<real>::epsilon();

/// Elements that an array starts after a 64-byte boundary.
inline constexpr int offsets[] = {0, 1, 3};

/// 0 ... 2N+1 for the widest register, N = 16 floats, and a few longer ones.
inline std::vector<std::int64_t> lengths() {
  std::vector<std::int64_t> all;
  for (std::int64_t n = 0; n <= 2 * 16 + 1; ++n)
    all.push_back(n);
  for (std::int64_t n : {64, 67, 131, 257})
    all.push_back(n);
  return all;
}

/// body(table) for every vector instruction set; the reference is what they are compared to.
template <class Body> void for_each_isa(const Body& body) {
  for (const std::string& name : available_isas()) {
    if (name == "reference")
      continue;
    INFO("instruction set ", name);
    body(kernels(name.c_str()));
  }
}

inline const Kernels& reference() {
  return kernels("reference");
}

/// n elements, `offset` elements after a 64-byte boundary, with guards on both sides.
class Guarded {
public:
  explicit Guarded(std::int64_t n, int offset = 0)
      : n_(n), offset_(offset), bytes_(allocate_aligned(sizeof(real) * total())) {
    for (std::size_t i = 0; i < total(); ++i)
      all()[i] = guard;
  }
  Guarded(const Guarded& other) : Guarded(other.n_, other.offset_) {
    std::memcpy(all(), other.all(), sizeof(real) * total());
  }
  Guarded(Guarded&&) = default;

  std::int64_t size() const { return n_; }
  real* data() { return all() + width + offset_; }
  const real* data() const { return all() + width + offset_; }
  real& operator[](std::int64_t i) { return data()[i]; }
  real operator[](std::int64_t i) const { return data()[i]; }

  void fill(Random& random, double low, double high) {
    for (std::int64_t i = 0; i < n_; ++i)
      (*this)[i] = real(low + (high - low) * random.uniform());
  }

  /// Whether nothing was written before or after the elements.
  bool intact() const {
    bool same = true;
    for (std::int64_t i = 0; i < width + offset_; ++i)
      same = same && all()[i] == guard;
    for (std::int64_t i = 0; i < width; ++i)
      same = same && data()[n_ + i] == guard;
    return same;
  }

private:
  static constexpr std::int64_t width =
      16; // so that the elements keep the offset from the boundary
  static constexpr real guard = real(-12345.678);

  std::size_t total() const { return std::size_t(2 * width + offset_ + n_); }
  real* all() { return reinterpret_cast<real*>(bytes_.get()); }
  const real* all() const { return reinterpret_cast<const real*>(bytes_.get()); }

  std::int64_t n_;
  int offset_;
  AlignedBytes bytes_;
};

/// The error as a multiple of what is allowed: at most 1 passes. NaN must meet NaN, inf the same
/// inf.
inline double error_ratio(double got, double want, double bound) {
  if (std::isnan(got) || std::isnan(want))
    return std::isnan(got) == std::isnan(want) ? 0 : INFINITY;
  if (got == want)
    return 0;
  const double error = std::abs(got - want);
  return bound > 0 ? error / bound : INFINITY;
}

/// Checks got[i] against want[i] within bound(i) and that got's guards stand; reports the worst
/// element.
template <class Bound>
void check_close(const std::string& what, const Guarded& got, const Guarded& want,
                 const Bound& bound) {
  REQUIRE(got.size() == want.size());
  std::int64_t worst = 0;
  double worst_ratio = 0;
  for (std::int64_t i = 0; i < got.size(); ++i) {
    const double ratio = error_ratio(got[i], want[i], bound(i));
    if (ratio > worst_ratio)
      worst = i, worst_ratio = ratio;
  }
  INFO(what, ", ", got.size(), " elements; the worst is ", worst);
  if (worst_ratio > 1) { // CAPTURE of an element of an empty array would read past its end
    CAPTURE(got[worst]);
    CAPTURE(want[worst]);
    CHECK(worst_ratio <= 1);
  }
  CHECK_MESSAGE(got.intact(), what, " wrote outside its array");
}

/// Whether two arrays are equal bit for bit, any NaN being equal to any other.
inline bool same_bits(const Guarded& a, const Guarded& b) {
  bool same = a.size() == b.size();
  for (std::int64_t i = 0; same && i < a.size(); ++i) {
    const real x = a[i], y = b[i];
    same = std::memcmp(&x, &y, sizeof(real)) == 0 || (std::isnan(x) && std::isnan(y));
  }
  return same;
}

} // namespace mereo::sweep

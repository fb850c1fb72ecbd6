// Loops over arrays in registers, tail included, for the per-ISA kernels.
#pragma once

#include "kernels/lanes.h"

/// For lambdas in kernels: a call would spill every register.
#define MEREO_INLINE __attribute__((always_inline))

namespace mereo::MEREO_ISA {

namespace { // internal linkage, see lanes.h

/// A whole register of an array.
struct Whole {
  MEREO_INLINE V load(const float* p) const { return MEREO_ISA::load(p); }
  MEREO_INLINE V load_or(const float* p, V) const { return MEREO_ISA::load(p); }
  MEREO_INLINE void store(float* p, V v) const { MEREO_ISA::store(p, v); }
};

/// The n elements that are left at the end; load fills up with zeros, load_or with what it is told.
struct Tail {
  std::int64_t n;
  MEREO_INLINE V load(const float* p) const { return load_n(p, n); }
  MEREO_INLINE V load_or(const float* p, V fill) const { return load_n(p, n, fill); }
  MEREO_INLINE void store(float* p, V v) const { store_n(p, v, n); }
};

} // namespace

/// body(i, part) for every register of [0, n), part being Whole or Tail.
template <class Body> MEREO_VERB void for_registers(std::int64_t n, Body body) {
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes)
    body(i, Whole{});
  if (i < n)
    body(i, Tail{n - i});
}

/// Stores v at p, or adds it to what is there.
template <class Part> MEREO_VERB void put(Part part, float* p, V v, bool accumulate) {
  part.store(p, accumulate ? part.load(p) + v : v);
}

/// The sum of an array in 16 virtual lanes, whatever the register's width: total = body(total, i,
/// part) adds a register to its lanes. Folded in one fixed tree, so that AVX2 and AVX-512 agree bit
/// for bit where body rounds alike.
template <class Body> MEREO_VERB float sum_in_16_lanes(std::int64_t n, Body body) {
  constexpr int parts = 16 / lanes;
  V total[parts];
  for (V& part : total)
    part = zero();
  std::int64_t i = 0;
  for (; i + 16 <= n; i += 16)
    for (int k = 0; k < parts; ++k)
      total[k] = body(total[k], i + k * lanes, Whole{});
  for (int k = 0; k < parts && i < n; ++k, i += lanes)
    total[k] = n - i < lanes ? body(total[k], i, Tail{n - i}) : body(total[k], i, Whole{});
  for (int half = parts / 2; half > 0; half /= 2)
    for (int k = 0; k < half; ++k)
      total[k] = total[k] + total[k + half];
  return sum(total[0]);
}

} // namespace mereo::MEREO_ISA

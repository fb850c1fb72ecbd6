// Pictures for networks, and what must hold of whatever they make of them.
#pragma once

#include <mereo/models.h>
#include <mereo/random.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <span>

namespace mereo {

/// (batch, H, W, C) of noise in [0, 1).
inline Tensor random_images(std::int64_t batch, const InputShape& input, std::uint64_t seed = 5) {
  Tensor images({batch, input.height, input.width, input.channels});
  Random random(seed);
  for (real& x : images.values())
    x = random.uniform();
  return images;
}

inline void check_all_finite(std::span<const real> values) {
  CHECK(std::all_of(values.begin(), values.end(), [](real x) { return std::isfinite(x); }));
}

} // namespace mereo

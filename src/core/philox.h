// The block function behind Random.
#pragma once

#include <array>
#include <cstdint>

namespace mereo {

using Word4 = std::array<std::uint32_t, 4>;

/// Philox 4x32-10: 128 random bits from a 128-bit counter and a 64-bit key.
Word4 philox(Word4 counter, std::uint64_t key);

} // namespace mereo

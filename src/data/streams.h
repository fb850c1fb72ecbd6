// Random streams of this folder: the purpose in the top byte, then the epoch, then the index.
#pragma once

#include <cstdint>

namespace mereo {

enum class Purpose : std::uint64_t {
  shuffle = 0xd1,
  shift = 0xd2,
  validation = 0xd3,
  view = 0xd4,
  toy = 0xd5,
  figure = 0xd6,
  piece = 0xd7,
  transform = 0xd8,
  target = 0xd9
};

inline constexpr std::int64_t epoch_limit = 1 << 24;

/// epoch below epoch_limit, index below 2^32.
inline std::uint64_t stream_of(Purpose purpose, std::int64_t epoch, std::int64_t index) {
  return std::uint64_t(purpose) << 56 | std::uint64_t(epoch) << 32 | std::uint64_t(index);
}

} // namespace mereo

// The files of a NORB set as the publishers' description has them, byte by byte.
#pragma once

#include "scratch.h"

#include <initializer_list>

namespace fixture {

using namespace mereo;

/// Magic number, rank, sizes.
inline std::string norb_header(std::uint32_t magic, std::uint32_t rank,
                               std::initializer_list<std::uint32_t> sizes) {
  std::string bytes = little_endian(magic, 4) + little_endian(rank, 4);
  for (const std::uint32_t size : sizes)
    bytes += little_endian(size, 4);
  return bytes;
}

inline std::string norb_numbers(std::initializer_list<std::int32_t> numbers) {
  std::string bytes;
  for (const std::int32_t number : numbers)
    bytes += little_endian(std::uint32_t(number), 4);
  return bytes;
}

inline std::string norb_dat(std::uint32_t count, std::uint32_t height, std::uint32_t width,
                            const std::string& pixels) {
  return norb_header(0x1e3d4c55, 4, {count, 2, height, width}) + pixels;
}

inline std::string norb_cat(std::initializer_list<std::int32_t> labels) {
  return norb_header(0x1e3d4c54, 1, {std::uint32_t(labels.size()), 1, 1}) + norb_numbers(labels);
}

/// Four numbers for each picture.
inline std::string norb_info(std::initializer_list<std::int32_t> facts) {
  return norb_header(0x1e3d4c54, 2, {std::uint32_t(facts.size() / 4), 4, 1}) + norb_numbers(facts);
}

} // namespace fixture

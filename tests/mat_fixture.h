// MATLAB files of version 5 as MathWorks' description has them, byte by byte.
#pragma once

#include "scratch.h"

#include <string>
#include <utility>
#include <vector>
#include <zlib.h>

namespace fixture {

using namespace mereo;

inline std::string mat_start() {
  std::string bytes = "MATLAB 5.0 MAT-file, made by a test";
  bytes.resize(124, ' ');
  return bytes + little_endian(0x0100, 2) + "IM";
}

/// Type, number of bytes, bytes, padded; small ones as the description wants them, in 8 bytes.
inline std::string mat_element(std::uint32_t type, const std::string& bytes) {
  const auto padded = [](std::string text) {
    text.resize((text.size() + 7) / 8 * 8);
    return text;
  };
  if (bytes.size() <= 4)
    return padded(little_endian(type, 2) + little_endian(bytes.size(), 2) + bytes);
  return padded(little_endian(type, 4) + little_endian(bytes.size(), 4) + bytes);
}

/// Flags, sizes and name, which every array starts with.
inline std::string mat_header(std::uint32_t kind, const std::vector<std::uint32_t>& sizes,
                              const std::string& name) {
  std::string numbers;
  for (const std::uint32_t size : sizes)
    numbers += little_endian(size, 4);
  return mat_element(6, little_endian(kind, 4) + little_endian(0, 4)) + mat_element(5, numbers) +
         mat_element(1, name);
}

/// An array of a class, its numbers stored as bytes of a type.
inline std::string mat_array(std::uint32_t kind, const std::vector<std::uint32_t>& sizes,
                             std::uint32_t type, const std::string& bytes,
                             const std::string& name = "") {
  return mat_element(14, mat_header(kind, sizes, name) + mat_element(type, bytes));
}

/// A struct of arrays, names padded to 24 bytes.
inline std::string mat_struct(const std::string& name,
                              const std::vector<std::pair<std::string, std::string>>& fields) {
  std::string names, arrays;
  for (auto [field, array] : fields) {
    field.resize(24);
    names += field;
    arrays += array;
  }
  return mat_element(14, mat_header(2, {1, 1}, name) + mat_element(5, little_endian(24, 4)) +
                             mat_element(1, names) + arrays);
}

/// The element in a zlib stream, which is not padded.
inline std::string mat_compressed(const std::string& element) {
  uLongf size = compressBound(uLong(element.size()));
  std::string packed(size, '\0');
  compress(reinterpret_cast<Bytef*>(packed.data()), &size,
           reinterpret_cast<const Bytef*>(element.data()), uLong(element.size()));
  packed.resize(size);
  return little_endian(15, 4) + little_endian(packed.size(), 4) + packed;
}

/// Pictures of side x side, one after the other, and a label (one byte) of each.
inline std::string mat_affnist(std::uint32_t side, const std::string& pixels,
                               const std::string& labels) {
  const auto count = std::uint32_t(labels.size());
  return mat_struct("affNISTdata",
                    {{"affine_matrix", mat_array(6, {1, 2}, 9, std::string(16, '\x3f'))},
                     {"image", mat_array(9, {side * side, count}, 2, pixels)},
                     {"label_one_of_n", mat_array(9, {10, count}, 2, std::string(10 * count, 1))},
                     {"label_int", mat_array(9, {1, count}, 2, labels)},
                     {"id", mat_array(4, {1, 3}, 4, std::string("a\0b\0c\0", 6))}});
}

} // namespace fixture

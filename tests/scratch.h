// What tests of files need: a folder that vanishes, raw bytes, damaged copies.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <unistd.h>

namespace mereo {

/// A new empty folder, removed with all it holds at the end of the scope.
class Scratch {
public:
  Scratch() {
    std::string pattern = (std::filesystem::temp_directory_path() / "mereo-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  const std::string& folder() const { return folder_; }
  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  std::size_t files() const {
    return std::size_t(std::distance(std::filesystem::directory_iterator(folder_), {}));
  }

private:
  std::string folder_;
};

inline void put(const std::string& path, std::string_view bytes) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path, std::ios::binary).write(bytes.data(), std::streamsize(bytes.size()));
}

inline std::string got(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// count bytes that differ from their neighbours.
inline std::string pattern(std::size_t count, unsigned start = 0) {
  std::string bytes;
  for (std::size_t i = 0; i < count; ++i)
    bytes += char((start + i * 31) % 251);
  return bytes;
}

/// Calls body(what) for the file cut at every byte.
template <class Body>
void for_every_cut(const std::string& path, const std::string& bytes, const Body& body) {
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    put(path, std::string_view(bytes).substr(0, length));
    body("cut at byte " + std::to_string(length));
  }
  put(path, bytes);
}

/// Calls body(what) for the file with every single bit turned over.
template <class Body>
void for_every_flip(const std::string& path, std::string bytes, const Body& body) {
  for (std::size_t i = 0; i < bytes.size() * 8; ++i) {
    bytes[i / 8] = char(bytes[i / 8] ^ (1 << i % 8));
    put(path, bytes);
    body("bit " + std::to_string(i % 8) + " of byte " + std::to_string(i / 8));
    bytes[i / 8] = char(bytes[i / 8] ^ (1 << i % 8));
  }
  put(path, bytes);
}

/// count bytes of a number, the most significant first.
inline std::string big_endian(std::uint64_t number, int count = 4) {
  std::string bytes;
  for (int i = count - 1; i >= 0; --i)
    bytes += char(number >> (8 * i) & 0xff);
  return bytes;
}

inline std::string little_endian(std::uint64_t number, int count) {
  const std::string bytes = big_endian(number, count);
  return {bytes.rbegin(), bytes.rend()};
}

/// The checksum of gzip and PNG, bit by bit.
inline std::uint32_t crc32_of(std::string_view bytes) {
  std::uint32_t crc = ~0u;
  for (const char c : bytes) {
    crc ^= std::uint8_t(c);
    for (int i = 0; i < 8; ++i)
      crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0u);
  }
  return ~crc;
}

/// A gzip member that stores its bytes (at most 65535) as they are.
inline std::string gzip_of(std::string_view bytes) {
  const std::string length = little_endian(bytes.size(), 2);
  return std::string("\x1f\x8b\x08\0\0\0\0\0\0\xff\x01", 11) + length +
         little_endian(~bytes.size() & 0xffff, 2) + std::string(bytes) +
         little_endian(crc32_of(bytes), 4) + little_endian(bytes.size(), 4);
}

} // namespace mereo

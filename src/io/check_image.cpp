#include "io/check_image.h"

#include <mereo/core.h>

#include <cstdint>
#include <optional>
#include <zlib.h>

namespace mereo {

namespace {

std::uint8_t byte(std::string_view bytes, std::size_t i) {
  return std::uint8_t(bytes[i]);
}

std::size_t big_endian16(std::string_view bytes) {
  return std::size_t(byte(bytes, 0)) << 8 | byte(bytes, 1);
}

std::uint32_t big_endian32(std::string_view bytes) {
  return std::uint32_t(big_endian16(bytes)) << 16 | std::uint32_t(big_endian16(bytes.substr(2)));
}

/// The segments of a JPEG, one after the other.
class JpegChecker {
public:
  JpegChecker(const std::string& path, std::string_view file) : path_(path), left_(file) {}

  void check() {
    take(2); // the start marker
    bool scan = false;
    for (;;) {
      const std::uint8_t marker = next_marker();
      if (marker == 0xd9)
        break;
      const std::size_t length = big_endian16(peek(2));
      if (length < 2)
        throw damaged();
      const std::string_view body = take(length).substr(2);
      if (marker == 0xc4)
        check_huffman(body);
      if (marker == 0xda) {
        scan = true;
        skip_scan();
      }
    }
    if (!scan)
      throw damaged();
  }

private:
  Error damaged() const { return Error(path_, "the JPEG is damaged or of an unknown kind"); }

  std::string_view peek(std::size_t count) const {
    if (left_.size() < count)
      throw Error(path_, "the JPEG ends too early");
    return left_.substr(0, count);
  }
  std::string_view take(std::size_t count) {
    const std::string_view bytes = peek(count);
    left_.remove_prefix(count);
    return bytes;
  }

  std::uint8_t next_marker() {
    if (byte(take(1), 0) != 0xff)
      throw damaged();
    std::uint8_t marker = 0xff;
    while (marker == 0xff)
      marker = byte(take(1), 0);
    return marker;
  }

  /// Tables of 16 counts and as many values as these add up to. stb has room for 256, and takes the
  /// last of these for a mark of its own; no real table has more than 176.
  void check_huffman(std::string_view body) const {
    while (!body.empty()) {
      if (body.size() < 17)
        throw damaged();
      std::size_t values = 0;
      for (std::size_t i = 1; i <= 16; ++i)
        values += byte(body, i);
      if (values > 255 || body.size() < 17 + values)
        throw damaged();
      body.remove_prefix(17 + values);
    }
  }

  /// Up to the next marker that is neither a stuffed zero nor a restart.
  void skip_scan() {
    for (;;) {
      const auto mark = left_.find('\xff');
      if (mark == left_.npos)
        throw Error(path_, "the JPEG ends too early");
      left_.remove_prefix(mark);
      const std::uint8_t after = byte(peek(2), 1);
      if (after == 0xff)
        left_.remove_prefix(1);
      else if (after == 0 || (after >= 0xd0 && after <= 0xd7))
        left_.remove_prefix(2);
      else
        return;
    }
  }

  const std::string& path_;
  std::string_view left_;
};

/// Counts what the pixels of a PNG unpack to: stb would take memory for all of it, whatever size
/// the picture claims to have.
class PixelCounter {
public:
  /// header: the data of the IHDR chunk.
  PixelCounter(const std::string& path, std::string_view header) : path_(path) {
    if (header.size() != 13)
      throw damaged();
    const std::uint64_t width = big_endian32(header), height = big_endian32(header.substr(4));
    constexpr std::uint8_t channels[] = {1, 0, 3, 1, 2, 0, 4}; // by colour type
    const std::uint8_t depth = byte(header, 8), colour = byte(header, 9);
    if (colour > 6 || channels[colour] == 0 || depth > 16)
      throw damaged();
    // Interlaced pictures have the rows of seven smaller ones: less than twice as much and 64.
    most_ = 2 * height * (1 + (width * depth * channels[colour] + 7) / 8) + 64;
    if (inflateInit(&stream_) != Z_OK)
      throw Error(path, "zlib cannot start");
  }
  ~PixelCounter() { inflateEnd(&stream_); }
  PixelCounter(const PixelCounter&) = delete;
  PixelCounter& operator=(const PixelCounter&) = delete;

  void add(std::string_view packed) {
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
    stream_.avail_in = uInt(packed.size());
    while (stream_.avail_in > 0 && !done_) {
      Bytef bytes[1 << 14];
      stream_.next_out = bytes;
      stream_.avail_out = sizeof bytes;
      const int result = inflate(&stream_, Z_NO_FLUSH);
      if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
        throw damaged();
      done_ = result == Z_STREAM_END;
      count_ += sizeof bytes - stream_.avail_out;
      if (count_ > most_)
        throw Error(path_, "the PNG is damaged: it unpacks to more than its size");
    }
  }

private:
  Error damaged() const { return Error(path_, "the PNG is damaged or of an unknown kind"); }

  const std::string& path_;
  std::uint64_t most_ = 0, count_ = 0;
  z_stream stream_{};
  bool done_ = false;
};

} // namespace

void check_png(const std::string& path, std::string_view file) {
  std::string_view left = file.substr(png_signature.size());
  std::optional<PixelCounter> pixels;
  for (;;) { // chunks: length, type, data, CRC of type and data
    if (left.size() < 12)
      throw Error(path, "the PNG ends too early");
    const std::size_t length = big_endian32(left);
    if (length > left.size() - 12)
      throw Error(path, "the PNG ends too early");
    const std::string_view checked = left.substr(4, length + 4);
    const auto* bytes = reinterpret_cast<const Bytef*>(checked.data());
    if (crc32(0, bytes, uInt(checked.size())) != big_endian32(left.substr(length + 8)))
      throw Error(path, "the PNG is damaged: a checksum does not match");
    if (checked.starts_with("IEND"))
      return;
    if (checked.starts_with("IHDR"))
      pixels.emplace(path, checked.substr(4));
    if (checked.starts_with("IDAT")) {
      if (!pixels)
        throw Error(path, "the PNG is damaged: pixels come before their size");
      pixels->add(checked.substr(4));
    }
    left.remove_prefix(length + 12);
  }
}

void check_jpeg(const std::string& path, std::string_view file) {
  JpegChecker(path, file).check();
}

} // namespace mereo

#include "io/check_image.h"

#include <mereo/core.h>

#include <cstdint>
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

} // namespace

void check_png(const std::string& path, std::string_view file) {
  std::string_view left = file.substr(png_signature.size());
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
    left.remove_prefix(length + 12);
  }
}

void check_jpeg(const std::string& path, std::string_view file) {
  JpegChecker(path, file).check();
}

} // namespace mereo

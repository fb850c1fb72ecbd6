// PNG as simple as it gets: rows without filter, packed by zlib. stb's writer ends the program
// where memory runs out.
#include "io/check_image.h"

#include <mereo/io.h>

#include <zlib.h>

namespace mereo {

namespace {

void append_big_endian(std::string& to, std::uint64_t number) {
  for (int shift = 24; shift >= 0; shift -= 8)
    to += char(number >> shift & 0xff);
}

void append_chunk(std::string& file, const char* type, const std::string& data) {
  append_big_endian(file, data.size());
  const std::string checked = type + data;
  const auto* bytes = reinterpret_cast<const Bytef*>(checked.data());
  file += checked;
  append_big_endian(file, crc32(0, bytes, uInt(checked.size())));
}

/// Each row follows the number of its filter, 0 for none.
std::string packed_rows(const std::string& path, const Image& image) {
  const std::int64_t row = image.width * image.channels;
  std::string rows;
  for (std::int64_t y = 0; y < image.height; ++y)
    rows.append(1, '\0').append(reinterpret_cast<const char*>(image.pixels.data()) + y * row,
                                std::size_t(row));
  uLongf size = compressBound(uLong(rows.size()));
  std::string packed(size, '\0');
  if (compress(reinterpret_cast<Bytef*>(packed.data()), &size,
               reinterpret_cast<const Bytef*>(rows.data()), uLong(rows.size())) != Z_OK)
    throw Error(path, "the picture cannot be packed as PNG");
  packed.resize(size);
  return packed;
}

} // namespace

void write_png(const std::string& path, const Tensor& pixels) {
  write_png(path, tensor_image(pixels));
}

void write_png(const std::string& path, const Image& image) {
  const std::int64_t bytes = std::int64_t(image.pixels.size());
  if ((image.channels != 1 && image.channels != 3) || image.height < 1 || image.width < 1 ||
      bytes != image.height * image.width * image.channels)
    throw Error(path, "a picture needs 1 or 3 channels, and all its bytes",
                std::to_string(bytes) + " bytes for " + std::to_string(image.height) + " x " +
                    std::to_string(image.width) + " x " + std::to_string(image.channels));
  std::string header;
  append_big_endian(header, std::uint64_t(image.width));
  append_big_endian(header, std::uint64_t(image.height));
  header += char(8); // bits
  header += char(image.channels == 1 ? 0 : 2);
  header.append(3, '\0'); // the only methods of packing and filtering; not interlaced
  std::string file(png_signature);
  append_chunk(file, "IHDR", header);
  append_chunk(file, "IDAT", packed_rows(path, image));
  append_chunk(file, "IEND", "");
  write_file_atomically(path, file);
}

} // namespace mereo

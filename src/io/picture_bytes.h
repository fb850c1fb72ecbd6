// Pictures in memory as they would be in a file.
#pragma once

#include <mereo/io.h>

namespace mereo {

/// What write_png() writes; `path` is for complaints.
std::string png_bytes(const std::string& path, const Tensor& pixels);
std::string png_bytes(const std::string& path, const Image& image);

/// stb holds up to eight bytes a pixel while it decodes.
inline constexpr std::int64_t picture_pixels = std::int64_t{1} << 26;

/// What read_image() makes of a file of these bytes, which complaints call `path`. Throws Error for
/// more than most_pixels, before any is decoded.
Image image_of_bytes(const std::string& path, std::string_view bytes, int channels = 0,
                     std::int64_t most_pixels = picture_pixels);

} // namespace mereo

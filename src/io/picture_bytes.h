// Pictures in memory as they would be in a file.
#pragma once

#include <mereo/io.h>

namespace mereo {

/// What write_png() writes; `path` is for complaints.
std::string png_bytes(const std::string& path, const Tensor& pixels);

/// What read_image() makes of a file of these bytes, which complaints call `path`.
Image image_of_bytes(const std::string& path, std::string_view bytes, int channels = 0);

} // namespace mereo

// What stb_image leaves unchecked in a file before it decodes it.
#pragma once

#include <string>
#include <string_view>

namespace mereo {

inline constexpr std::string_view png_signature("\x89PNG\r\n\x1a\n", 8);

/// Every chunk whole up to the end chunk, and its checksum right. Throws Error.
void check_png(const std::string& path, std::string_view file);

/// Every segment whole up to the end marker, and the Huffman tables such that stb's arrays hold
/// them. Throws Error.
void check_jpeg(const std::string& path, std::string_view file);

} // namespace mereo

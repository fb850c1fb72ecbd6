#include "io/check_image.h"
#include "io/picture_bytes.h"

#include <algorithm>
#include <cstdlib>
#include <memory>

// The only file that holds stb's code, and hides it, so that a program may have its own copy.
// Its memory is cleared first: a file may leave out tables that stb would then read as they are.
#define STBI_MALLOC(bytes) std::calloc(1, bytes)
#define STBI_REALLOC(memory, bytes) std::realloc(memory, bytes)
#define STBI_FREE(memory) std::free(memory)
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_PNG
#define STBI_ONLY_JPEG
#define STBI_NO_STDIO
#define STBI_NO_LINEAR
#define STBI_NO_HDR
#include <stb/stb_image.h>

namespace mereo {

namespace {

constexpr std::int64_t file_limit = std::int64_t{1} << 28;
constexpr std::int64_t pixel_limit = std::int64_t{1} << 28;

const stbi_uc* bytes_of(std::string_view text) {
  return reinterpret_cast<const stbi_uc*>(text.data());
}

} // namespace

Image read_image(const std::string& path, int channels) {
  return image_of_bytes(path, read_file(path, file_limit), channels);
}

Image image_of_bytes(const std::string& path, std::string_view file, int channels,
                     std::int64_t most_pixels) {
  if (channels != 0 && channels != 1 && channels != 3)
    throw Error("read_image", "channels must be 1 (grey), 3 (RGB) or 0", std::to_string(channels));
  if (file.starts_with(png_signature))
    check_png(path, file);
  else if (file.starts_with("\xff\xd8"))
    check_jpeg(path, file);
  else
    throw Error(path, "is neither PNG nor JPEG");

  int width = 0, height = 0, stored = 0;
  if (!stbi_info_from_memory(bytes_of(file), int(file.size()), &width, &height, &stored))
    throw Error(path, "cannot be decoded: it has no pixels, too many, or is of a rare kind");
  if (channels == 0)
    channels = stored <= 2 ? 1 : 3;
  if (width < 1 || height < 1 || std::int64_t(width) * height > most_pixels)
    throw Error(path, "the picture is too large",
                std::to_string(width) + " x " + std::to_string(height));
  const std::unique_ptr<stbi_uc, void (*)(void*)> pixels(
      stbi_load_from_memory(bytes_of(file), int(file.size()), &width, &height, &stored, channels),
      stbi_image_free);
  if (!pixels)
    throw Error(path, "cannot be decoded", stbi_failure_reason());
  Image image{height, width, channels, {}};
  image.pixels.assign(pixels.get(), pixels.get() + image.height * image.width * channels);
  return image;
}

Tensor image_tensor(const Image& image) {
  Tensor tensor({image.height, image.width, image.channels});
  for (std::size_t i = 0; i < image.pixels.size(); ++i)
    tensor.data()[i] = real(image.pixels[i]) / real(255);
  return tensor;
}

Image tensor_image(const Tensor& pixels) {
  const Shape& shape = pixels.shape();
  const std::int64_t channels = shape.rank() == 3 ? shape[2] : 1;
  if (pixels.empty() || shape.rank() < 2 || shape.rank() > 3 || (channels != 1 && channels != 3) ||
      pixels.elements() == 0 || pixels.elements() > pixel_limit)
    throw Error("tensor_image", "a picture needs shape (H, W), (H, W, 1) or (H, W, 3)",
                shape.text());
  Image image{shape[0], shape[1], channels, {}};
  image.pixels.reserve(pixels.values().size());
  for (const real value : pixels.values()) {
    const real clamped = value > 0 ? std::min(value, real(1)) : real(0); // NaN is not > 0
    image.pixels.push_back(std::uint8_t(clamped * 255 + real(0.5)));
  }
  return image;
}

Tensor contact_sheet(const Tensor& images, std::int64_t columns, std::int64_t padding, real grey) {
  const Shape& shape = images.shape();
  if (images.empty() || shape.rank() != 4 || shape[0] < 1 || columns < 1 || padding < 0)
    throw Error("contact_sheet", "needs pictures (N, H, W, C), a column and no negative padding",
                shape.text());
  const std::int64_t height = shape[1], width = shape[2], channels = shape[3];
  columns = std::min(columns, shape[0]);
  const std::int64_t rows = (shape[0] + columns - 1) / columns;
  Tensor sheet(
      {rows * (height + padding) + padding, columns * (width + padding) + padding, channels});
  std::fill(sheet.values().begin(), sheet.values().end(), grey);
  const std::int64_t sheet_width = sheet.shape()[1];
  for (std::int64_t n = 0; n < shape[0]; ++n)
    for (std::int64_t y = 0; y < height; ++y) {
      const std::int64_t top = padding + n / columns * (height + padding) + y;
      const std::int64_t left = padding + n % columns * (width + padding);
      std::copy_n(images.data() + (n * height + y) * width * channels, width * channels,
                  sheet.data() + (top * sheet_width + left) * channels);
    }
  return sheet;
}

} // namespace mereo

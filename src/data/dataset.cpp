#include <mereo/data.h>

#include <algorithm>
#include <array>

namespace mereo {

namespace {

/// pixel / 255, correctly rounded.
const std::array<real, 256>& pixel_values() {
  static const auto values = [] {
    std::array<real, 256> table{};
    for (int i = 0; i < 256; ++i)
      table[std::size_t(i)] = real(i) / real(255);
    return table;
  }();
  return values;
}

} // namespace

void Dataset::copy_image(std::int64_t i, real* out, std::int64_t dy, std::int64_t dx) const {
  if (i < 0 || i >= count || std::int64_t(pixels.size()) / image_size() <= i)
    throw Error("data set " + name, "there is no such picture",
                std::to_string(i) + " of " + std::to_string(count));
  const auto& values = pixel_values();
  const std::uint8_t* image = pixels.data() + i * image_size();
  const std::int64_t row = width * channels;
  const std::int64_t begin = std::clamp<std::int64_t>(dx, 0, width) * channels;
  const std::int64_t end = std::clamp<std::int64_t>(width + dx, 0, width) * channels;
  for (std::int64_t y = 0; y < height; ++y, out += row) {
    if (y - dy < 0 || y - dy >= height || begin >= end) {
      std::fill_n(out, row, real(0));
      continue;
    }
    const std::uint8_t* from = image + (y - dy) * row - dx * channels;
    std::fill_n(out, begin, real(0));
    for (std::int64_t x = begin; x < end; ++x)
      out[x] = values[from[x]];
    std::fill(out + end, out + row, real(0));
  }
}

void Dataset::check() const {
  const std::string where = "data set " + name;
  if (count < 1 || height < 1 || width < 1 || channels < 1 || classes < 1)
    throw Error(where, "is empty",
                std::to_string(count) + " pictures of " + Shape{height, width, channels}.text() +
                    ", " + std::to_string(classes) + " classes");
  if (std::int64_t(pixels.size()) != Shape{count, height, width, channels}.elements() ||
      std::int64_t(labels.size()) != count || std::int64_t(class_names.size()) != classes ||
      (!viewpoints.empty() && std::int64_t(viewpoints.size()) != count))
    throw Error(where,
                "pixels, labels, class names or viewpoints are not as many as the sizes say");
  if (labels_per_image < 1 || labels_per_image > classes || max_move < 0 ||
      max_move > std::min(height, width))
    throw Error(where, "what a Loader is to make of the pictures is out of range",
                std::to_string(labels_per_image) + " labels of " + std::to_string(classes) +
                    " classes, moved by up to " + std::to_string(max_move) + " pixels");
  for (std::int64_t i = 0; i < count; ++i)
    if (labels[std::size_t(i)] < 0 || labels[std::size_t(i)] >= classes)
      throw Error(where, "a label is out of range",
                  "picture " + std::to_string(i) + ": " + std::to_string(labels[std::size_t(i)]) +
                      ", classes " + std::to_string(classes));
}

} // namespace mereo

// What programs that show a network pictures from files share.
#pragma once

#include "cli.h"
#include "explain/brightness.h"

namespace cli {

using mereo::CheckpointInfo;
using mereo::Image;
using mereo::real;
using mereo::Tensor;

/// Throws Error where the network reads more channels than an image file has.
inline void check_reads_files(const std::string& checkpoint, const mereo::Model& model) {
  const std::int64_t channels = model.input().channels;
  if (channels != 1 && channels != 3)
    throw Error(checkpoint, "reads pictures that no image file holds",
                std::to_string(channels) + " channels",
                channels == 2 ? "train with --channels 1 to read the left picture of a pair" : "");
}

/// The picture as the data set would have it: (1, H, W, C).
inline Tensor picture(const Image& image, const CheckpointInfo& info, bool invert) {
  const Tensor pixels = image_tensor(resize_image(image, info.height, info.width));
  if (invert)
    for (real& x : pixels.values())
      x = 1 - x;
  return pixels.reshape({1, info.height, info.width, image.channels});
}

inline void note_brightness(const std::string& path, const Tensor& image,
                            const CheckpointInfo& info) {
  if (mereo::seems_inverted(image, info.background))
    std::fprintf(stderr,
                 "note: %s is %s around its border, the pictures learnt were not: try --invert\n",
                 path.c_str(), mereo::border_brightness(image) > 0.5 ? "bright" : "dark");
}

inline std::string class_name(const CheckpointInfo& info, std::size_t k) {
  return k < info.class_names.size() ? info.class_names[k] : std::to_string(k);
}

} // namespace cli

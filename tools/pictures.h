// What programs that show a network pictures from files share.
#pragma once

#include "cli.h"
#include "explain/brightness.h"

namespace cli {

using mereo::Tensor;

/// Throws Error where the network reads more channels than an image file has.
inline void check_reads_files(const std::string& checkpoint, const mereo::Model& model) {
  const std::int64_t channels = model.input().channels;
  if (channels != 1 && channels != 3)
    throw Error(checkpoint, "reads pictures that no image file holds",
                std::to_string(channels) + " channels",
                channels == 2 ? "train with --channels 1 to read the left picture of a pair" : "");
}

/// What the network sees of the picture in a file: (1, H, W, C). Notes where it seems to be the
/// negative of what was learnt.
inline Tensor seen_of_file(const std::string& path, const mereo::LoadedModel& loaded, bool invert) {
  const mereo::CheckpointInfo& info = loaded.info;
  const Tensor picture =
      picture_for(info, mereo::read_image(path, int(loaded.model->input().channels)));
  if (invert)
    for (mereo::real& x : picture.values())
      x = 1 - x;
  if (mereo::seems_inverted(picture, info.background))
    std::fprintf(stderr,
                 "note: %s is %s around its border, the pictures learnt were not: try --invert\n",
                 path.c_str(), mereo::border_brightness(picture) > 0.5 ? "bright" : "dark");
  return apply_view(picture, info.view);
}

} // namespace cli

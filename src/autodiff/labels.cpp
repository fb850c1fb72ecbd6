#include "autodiff/labels.h"

#include <algorithm>

namespace mereo {

const std::int32_t* keep_labels(Tape& tape, const char* loss, const Variable& scores,
                                std::span<const std::int32_t> labels, LabelsPerImage number) {
  const Shape& shape = scores.shape();
  const auto count = std::int64_t(labels.size());
  if (shape.rank() != 2 || count < 1 || shape[0] < 1 ||
      (number == LabelsPerImage::one ? count != shape[0] : count % shape[0] != 0))
    throw Error(loss, "scores and labels do not fit",
                "scores " + shape.text() + ", " + std::to_string(labels.size()) + " labels",
                "one label for each image of (B, classes)");
  for (const std::int32_t label : labels)
    if (label < 0 || label >= shape[1])
      throw Error(loss, "no such class",
                  "label " + std::to_string(label) + " of " + std::to_string(shape[1]) +
                      " classes");
  auto* kept = tape.arena().allocate_array<std::int32_t>(labels.size());
  std::copy(labels.begin(), labels.end(), kept);
  return kept;
}

} // namespace mereo

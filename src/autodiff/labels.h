// The labels of a loss that tells classes apart.
#pragma once

#include <mereo/tape.h>

#include <cstdint>
#include <span>

namespace mereo {

/// How many labels a loss takes of an image.
enum class LabelsPerImage { one, any };

/// A copy of the labels on the tape, for the rule. Throws Error, naming the loss, unless the scores
/// are (B, classes), B > 0, and there are B labels in [0, classes), or a multiple of B where any
/// number of an image will do: (B, L).
const std::int32_t* keep_labels(Tape& tape, const char* loss, const Variable& scores,
                                std::span<const std::int32_t> labels,
                                LabelsPerImage number = LabelsPerImage::one);

} // namespace mereo

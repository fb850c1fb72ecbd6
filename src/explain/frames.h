// The matrix poses of capsules, drawn as the frames that they are.
#pragma once

#include <mereo/models.h>

namespace mereo {

/// Side of the matrices that a network's poses are; 0 where they are vectors, or too small to have
/// a place and two axes.
std::int64_t pose_matrix_side(const Model& model);

/// How many children drawn_frames() shows.
inline constexpr std::size_t framed_capsules = 16;

/// The canvas enlarged, and on it the frames of the primary capsules with most evidence for class
/// k, each in the middle of what it sees, and of the class capsule, thicker, where its own last
/// column says. The axes are a pose's first two columns, the longer one of each capsule of the
/// same length.
Tensor drawn_frames(const Model& model, const Inspection& seen, const Tensor& canvas,
                    std::int64_t k);

} // namespace mereo

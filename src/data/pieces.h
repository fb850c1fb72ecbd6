// What one image is made of: one picture of the data set, or several, one over the other.
#pragma once

#include <mereo/data.h>

#include <span>

namespace mereo {

/// A picture of the data set, moved down and right.
struct Piece {
  std::int64_t index, dy, dx;
};

/// The labels_per_image pieces of image `index`, itself the first, the others out of the pool and
/// of classes of their own: a function of these arguments. The pool has passed check_classes().
void draw_pieces(const Dataset& data, std::span<const std::int64_t> pool, std::uint64_t seed,
                 std::int64_t epoch, std::int64_t index, std::span<Piece> out);

/// Throws Error unless there are at least labels_per_image classes among these pictures.
void check_classes(const Dataset& data, std::span<const std::int64_t> pool);

/// Adds a picture to another; what is brighter than white becomes white.
void lay_over(std::span<const real> over, real* picture);

} // namespace mereo

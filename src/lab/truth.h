// The true poses of pictures that were made here.
#pragma once

#include "lab/statistics.h"

#include <mereo/data.h>

#include <map>
#include <string>
#include <tuple>

namespace mereo::lab {

/// The rotations of the wholes of a part of "toys" (see make_toys()), by class and viewpoint, so
/// that they are found for any choice of its pictures.
class Truth {
public:
  /// Throws Error when files are missing, or contradict one another.
  Truth(const std::string& data_dir, Split split);
  /// For the left camera, row-major: (count, 9). Throws Error for pictures that are not of this
  /// part.
  Matrix rotations(const Dataset& pictures) const;

private:
  using Key = std::tuple<std::int32_t, std::int32_t, std::int32_t, std::int32_t, std::int32_t>;
  static Key key(const Dataset& pictures, std::int64_t i);
  std::map<Key, std::int64_t> place_;
  Matrix rotations_;
};

/// Degrees by which the wholes of a set of "faces" (see make_faces()) are turned in the picture,
/// from -180 to 180: (count).
std::vector<double> face_turns(const std::string& data_dir, const std::string& set);

} // namespace mereo::lab

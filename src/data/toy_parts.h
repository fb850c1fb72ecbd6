// How the toys are put together.
#pragma once

#include <mereo/graphics.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

namespace mereo {

/// Adds a part at a place, turned first.
inline void add_part(Part& whole, const std::string& name, const Vec3& at, const Solid& solid,
                     const Pose& turn = {}) {
  whole.parts.push_back({name, Pose::translation(at) * turn, solid, {}});
}

inline Pose turn_x(double angle) {
  return Pose::rotation({1, 0, 0}, angle);
}
inline Pose turn_y(double angle) {
  return Pose::rotation({0, 1, 0}, angle);
}
inline Pose turn_z(double angle) {
  return Pose::rotation({0, 0, 1}, angle);
}

/// Turns z to where a direction points, by the shortest way.
inline Pose turn_z_to(const Vec3& direction) {
  const Vec3 to = unit(direction), axis = cross({0, 0, 1}, to);
  if (length(axis) < 1e-9)
    return to.z > 0 ? Pose{} : turn_x(std::numbers::pi);
  return Pose::rotation(axis, std::acos(std::clamp(to.z, -1.0, 1.0)));
}

/// A round bar from one point to another, width wide there, ratio times that at the other end.
inline void add_bar(Part& whole, const std::string& name, const Vec3& from, const Vec3& to,
                    double width, double ratio = 1) {
  add_part(whole, name, 0.5 * (from + to),
           Solid::cylinder({width, width, length(to - from)}, ratio), turn_z_to(to - from));
}

/// The same as an ellipsoid.
inline void add_pod(Part& whole, const std::string& name, const Vec3& from, const Vec3& to,
                    double width) {
  add_part(whole, name, 0.5 * (from + to), Solid::ellipsoid({width, width, length(to - from)}),
           turn_z_to(to - from));
}

inline const char* side_name(int side) {
  return side > 0 ? "left" : "right";
}

/// A wheel that turns around y.
inline void add_wheel(Part& whole, const std::string& name, const Vec3& at, double radius,
                      double width, bool tyre) {
  const Pose upright = turn_x(std::numbers::pi / 2);
  const double ratio = std::min(0.5, width / (2 * radius));
  if (tyre) {
    Part wheel{name, Pose::translation(at) * upright, Solid::torus(2 * radius, ratio), {}};
    add_part(wheel, name + " hub", {}, Solid::cylinder({1.2 * radius, 1.2 * radius, 0.7 * width}));
    whole.parts.push_back(std::move(wheel));
  } else {
    add_part(whole, name, at, Solid::cylinder({2 * radius, 2 * radius, width}), upright);
  }
}

} // namespace mereo

#include <mereo/graphics.h>

#include <cmath>

namespace mereo {

namespace {

std::string text(const Vec3& v) {
  return "(" + std::to_string(v.x) + ", " + std::to_string(v.y) + ", " + std::to_string(v.z) + ")";
}

Vec3 column(const Pose& pose, int c) {
  return {pose(0, c), pose(1, c), pose(2, c)};
}

} // namespace

double length(const Vec3& a) {
  return std::sqrt(dot(a, a));
}

Vec3 unit(const Vec3& a) {
  const double size = length(a);
  if (!(size > 0 && std::isfinite(size)))
    throw Error("unit", "the vector has no direction", text(a));
  return 1 / size * a;
}

Vec3 Pose::direction(const Vec3& d) const {
  return {m[0] * d.x + m[1] * d.y + m[2] * d.z, m[4] * d.x + m[5] * d.y + m[6] * d.z,
          m[8] * d.x + m[9] * d.y + m[10] * d.z};
}

Vec3 Pose::point(const Vec3& p) const {
  return direction(p) + Vec3{m[3], m[7], m[11]};
}

Pose Pose::translation(const Vec3& by) {
  return {{1, 0, 0, by.x, 0, 1, 0, by.y, 0, 0, 1, by.z, 0, 0, 0, 1}};
}

// Rodrigues: R = cos I + sin [a]x + (1 - cos) a a^T.
Pose Pose::rotation(const Vec3& axis, double angle) {
  const Vec3 a = unit(axis);
  const double c = std::cos(angle), s = std::sin(angle), t = 1 - c;
  return {{t * a.x * a.x + c, t * a.x * a.y - s * a.z, t * a.x * a.z + s * a.y, 0,
           t * a.x * a.y + s * a.z, t * a.y * a.y + c, t * a.y * a.z - s * a.x, 0,
           t * a.x * a.z - s * a.y, t * a.y * a.z + s * a.x, t * a.z * a.z + c, 0, 0, 0, 0, 1}};
}

Pose Pose::scaling(const Vec3& factors) {
  return {{factors.x, 0, 0, 0, 0, factors.y, 0, 0, 0, 0, factors.z, 0, 0, 0, 0, 1}};
}

Pose Pose::shear(int of, int by, double amount) {
  if (of < 0 || of > 2 || by < 0 || by > 2 || of == by)
    throw Error("Pose::shear", "of and by must be two of the axes 0, 1, 2",
                std::to_string(of) + " and " + std::to_string(by));
  Pose pose;
  pose(of, by) = amount;
  return pose;
}

Pose Pose::look_at(const Vec3& eye, const Vec3& target, const Vec3& up) {
  const Vec3 side = cross(target - eye, up);
  if (!(length(side) > 1e-12 * length(target - eye) * length(up)))
    throw Error("Pose::look_at", "the eye is at the target or looks along up",
                text(eye) + " at " + text(target) + ", up " + text(up));
  const Vec3 z = unit(target - eye), x = unit(side), y = cross(z, x);
  return {{x.x, x.y, x.z, -dot(x, eye), y.x, y.y, y.z, -dot(y, eye), z.x, z.y, z.z, -dot(z, eye), 0,
           0, 0, 1}};
}

Pose operator*(const Pose& a, const Pose& b) {
  Pose product;
  for (int row = 0; row < 3; ++row)
    for (int c = 0; c < 4; ++c) {
      double sum = c == 3 ? a(row, 3) : 0;
      for (int k = 0; k < 3; ++k)
        sum += a(row, k) * b(k, c);
      product(row, c) = sum;
    }
  return product;
}

double determinant(const Pose& pose) {
  return dot(column(pose, 0), cross(column(pose, 1), column(pose, 2)));
}

// The rows of the inverse of [a b c] are b x c, c x a and a x b over the determinant.
Pose inverse(const Pose& pose) {
  const Vec3 a = column(pose, 0), b = column(pose, 1), c = column(pose, 2);
  const double volume = determinant(pose);
  if (!(std::abs(volume) > 1e-12 * length(a) * length(b) * length(c)))
    throw Error("inverse", "the pose flattens space and cannot be inverted",
                "determinant " + std::to_string(volume));
  const Vec3 rows[] = {1 / volume * cross(b, c), 1 / volume * cross(c, a),
                       1 / volume * cross(a, b)};
  const Vec3 moved = column(pose, 3);
  Pose result;
  for (int row = 0; row < 3; ++row) {
    const Vec3& r = rows[row];
    result(row, 0) = r.x;
    result(row, 1) = r.y;
    result(row, 2) = r.z;
    result(row, 3) = -dot(r, moved);
  }
  return result;
}

} // namespace mereo

// Meshes of the unit solids, reshaped by their form.
#include <mereo/graphics.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

namespace mereo {

namespace {

constexpr double pi = std::numbers::pi;

std::int32_t add_corner(Mesh& mesh, const Vec3& position, const Vec3& normal) {
  mesh.positions.push_back(position);
  mesh.normals.push_back(normal);
  return std::int32_t(mesh.positions.size()) - 1;
}

/// A grid of (rows + 1) x (columns + 1) corners, corner(r, c) each, as two triangles a cell:
/// anticlockwise when the surface's outside has columns to the right and rows up.
template <class Corner> void add_grid(Mesh& mesh, int rows, int columns, const Corner& corner) {
  const auto first = std::int32_t(mesh.positions.size());
  for (int r = 0; r <= rows; ++r)
    for (int c = 0; c <= columns; ++c)
      corner(r, c);
  for (int r = 0; r < rows; ++r)
    for (int c = 0; c < columns; ++c) {
      const std::int32_t below = first + r * (columns + 1) + c, above = below + columns + 1;
      mesh.triangles.push_back({below, below + 1, above + 1});
      mesh.triangles.push_back({below, above + 1, above});
    }
}

void add_box(Mesh& mesh, double ratio) {
  // Around each side face a, b, c, d as seen from outside; i tells x, y, z by its bits.
  constexpr int faces[6][4] = {{0, 1, 5, 4}, {1, 3, 7, 5}, {3, 2, 6, 7},
                               {2, 0, 4, 6}, {2, 3, 1, 0}, {4, 5, 7, 6}};
  const auto corner = [&](int i) {
    const double width = i & 4 ? ratio : 1;
    return Vec3{(i & 1 ? 0.5 : -0.5) * width, (i & 2 ? 0.5 : -0.5) * width, i & 4 ? 0.5 : -0.5};
  };
  for (const auto& face : faces) {
    // The diagonals are never parallel, even where a pyramid's top edge has no length.
    const Vec3 a = corner(face[0]), b = corner(face[1]), c = corner(face[2]), d = corner(face[3]);
    const Vec3 outward = cross(c - a, d - b);
    if (!(length(outward) > 0))
      continue; // the top of a pyramid
    const Vec3 normal = unit(outward);
    const std::int32_t first = add_corner(mesh, a, normal);
    for (const Vec3& p : {b, c, d})
      add_corner(mesh, p, normal);
    mesh.triangles.push_back({first, first + 1, first + 2});
    mesh.triangles.push_back({first, first + 2, first + 3});
  }
}

/// Number c of so many corners around z. Where the circle closes it has the same bits again:
/// otherwise there would be a crack.
Vec3 around(int c, int segments) {
  const double angle = 2 * pi * (c % segments) / segments;
  return {std::cos(angle), std::sin(angle), 0};
}

void add_ellipsoid(Mesh& mesh, int segments) {
  const int rings = std::max(2, segments / 2);
  add_grid(mesh, rings, segments, [&](int r, int c) {
    const double latitude = pi * r / rings - pi / 2;
    const double width = r % rings == 0 ? 0 : std::cos(latitude); // a pole is one point
    const Vec3 n = width * around(c, segments) + Vec3{0, 0, std::sin(latitude)};
    add_corner(mesh, 0.5 * n, n);
  });
}

void add_cylinder(Mesh& mesh, int segments, double ratio) {
  add_grid(mesh, 1, segments, [&](int r, int c) {
    const Vec3 out = around(c, segments);
    add_corner(mesh, 0.5 * (r ? ratio : 1) * out + Vec3{0, 0, r - 0.5},
               unit(out + Vec3{0, 0, 0.5 * (1 - ratio)}));
  });
  for (const int top : {0, 1}) {
    if (top && ratio == 0)
      continue;
    const Vec3 normal{0, 0, top ? 1.0 : -1.0};
    const std::int32_t middle = add_corner(mesh, 0.5 * normal, normal);
    for (int c = 0; c <= segments; ++c)
      add_corner(mesh,
                 0.5 * (top ? ratio : 1) * around(top ? c : segments - c, segments) + 0.5 * normal,
                 normal);
    for (int c = 1; c <= segments; ++c)
      mesh.triangles.push_back({middle, middle + c, middle + c + 1});
  }
}

void add_torus(Mesh& mesh, int segments, double ratio) {
  const double tube = 0.5 * ratio, ring = 0.5 - tube;
  const int rings = std::max(3, segments / 2);
  add_grid(mesh, rings, segments, [&](int r, int c) {
    const Vec3 out = around(c, segments), up = around(r, rings);
    const Vec3 n = up.x * out + Vec3{0, 0, up.y};
    add_corner(mesh, ring * out + tube * n, n);
  });
}

Solid solid(Solid::Kind kind, const Vec3& size, double ratio) {
  return {kind, Pose::scaling(size), ratio};
}

/// Normals go by the inverse transposed.
Vec3 moved_normal(const Pose& back, const Vec3& n) {
  return unit({back(0, 0) * n.x + back(1, 0) * n.y + back(2, 0) * n.z,
               back(0, 1) * n.x + back(1, 1) * n.y + back(2, 1) * n.z,
               back(0, 2) * n.x + back(1, 2) * n.y + back(2, 2) * n.z});
}

} // namespace

Solid Solid::box(const Vec3& size, double ratio) {
  return solid(Kind::box, size, ratio);
}
Solid Solid::ellipsoid(const Vec3& size) {
  return solid(Kind::ellipsoid, size, 1);
}
Solid Solid::cylinder(const Vec3& size, double ratio) {
  return solid(Kind::cylinder, size, ratio);
}
Solid Solid::torus(double diameter, double ratio) {
  return solid(Kind::torus, {diameter, diameter, diameter}, ratio);
}

Mesh mesh_of(const Solid& solid, int segments, double albedo) {
  const bool torus = solid.kind == Solid::Kind::torus;
  if (segments < 3 || segments > 4096) // of more, corners could not be numbered
    throw Error("mesh_of", "a solid has 3 to 4096 segments", std::to_string(segments));
  if (torus ? !(solid.ratio > 0 && solid.ratio <= 0.5) : !(solid.ratio >= 0))
    throw Error("mesh_of",
                torus ? "a torus's ratio must be above 0 and at most 1/2"
                      : "a ratio must not be negative",
                std::to_string(solid.ratio));
  Mesh mesh;
  switch (solid.kind) {
  case Solid::Kind::none:
    break;
  case Solid::Kind::box:
    add_box(mesh, solid.ratio);
    break;
  case Solid::Kind::ellipsoid:
    add_ellipsoid(mesh, segments);
    break;
  case Solid::Kind::cylinder:
    add_cylinder(mesh, segments, solid.ratio);
    break;
  case Solid::Kind::torus:
    add_torus(mesh, segments, solid.ratio);
    break;
  }
  mesh.albedo.assign(mesh.positions.size(), float(albedo));
  return moved(std::move(mesh), solid.form);
}

Mesh moved(Mesh mesh, const Pose& pose) {
  const Pose back = inverse(pose);
  for (Vec3& position : mesh.positions)
    position = pose.point(position);
  for (Vec3& normal : mesh.normals)
    normal = moved_normal(back, normal);
  if (determinant(pose) < 0)
    for (auto& triangle : mesh.triangles)
      std::swap(triangle[1], triangle[2]);
  return mesh;
}

} // namespace mereo

// Floor 5: from poses to pixels: 4x4 poses, wholes made of parts, cameras, and a rasteriser.
//
// World: right-handed, z up. Camera: x to the right of the picture, y down, z into it, so that x
// and y grow as pixel numbers do. Pixel (x, y) covers [x, x+1) x [y, y+1). Angles are in radians,
// lengths in any one unit. Brightness is 0 for black and 1 for white.
#pragma once

#include <mereo/tensor.h>

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace mereo {

// --- points

struct Vec3 {
  double x = 0, y = 0, z = 0;
  bool operator==(const Vec3&) const = default;
};

inline Vec3 operator+(const Vec3& a, const Vec3& b) {
  return {a.x + b.x, a.y + b.y, a.z + b.z};
}
inline Vec3 operator-(const Vec3& a, const Vec3& b) {
  return {a.x - b.x, a.y - b.y, a.z - b.z};
}
inline Vec3 operator*(double s, const Vec3& a) {
  return {s * a.x, s * a.y, s * a.z};
}
inline double dot(const Vec3& a, const Vec3& b) {
  return a.x * b.x + a.y * b.y + a.z * b.z;
}
inline Vec3 cross(const Vec3& a, const Vec3& b) {
  return {a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}
double length(const Vec3& a);
/// a / |a|. Throws Error for a vector without length.
Vec3 unit(const Vec3& a);

// --- poses

/// A 4x4 matrix, row-major, that takes the coordinates of a point in a thing's own frame to those
/// in another frame (its whole's, the world's, the camera's). The last row is 0 0 0 1. When N is
/// the pose of a part in its whole, and M that of the whole for the camera, the part's pose for the
/// camera is N' = M N: a new viewpoint changes M alone.
struct Pose {
  std::array<double, 16> m{1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1};

  double operator()(int row, int column) const { return m[std::size_t(4 * row + column)]; }
  double& operator()(int row, int column) { return m[std::size_t(4 * row + column)]; }
  bool operator==(const Pose&) const = default;

  /// Where a point goes; where a direction does, which no translation moves.
  Vec3 point(const Vec3& p) const;
  Vec3 direction(const Vec3& d) const;

  static Pose translation(const Vec3& by);
  /// Anticlockwise for one who sees the axis point at them. Throws Error for an axis of length 0.
  static Pose rotation(const Vec3& axis, double angle);
  static Pose scaling(const Vec3& factors);
  /// Adds amount times coordinate `by` to coordinate `of` (0, 1, 2: x, y, z). Throws Error for one
  /// that is none of these, or when both are the same.
  static Pose shear(int of, int by, double amount);
  /// World to camera, for an eye that looks at the target, `up` pointing up in the picture. Throws
  /// Error when the eye is at the target, or looks along `up`.
  static Pose look_at(const Vec3& eye, const Vec3& target, const Vec3& up = {0, 0, 1});
};

/// First b, then a.
Pose operator*(const Pose& a, const Pose& b);
/// Throws Error for a pose that flattens space.
Pose inverse(const Pose& pose);
/// Of the upper left 3x3: how it changes volumes; negative when it mirrors.
double determinant(const Pose& pose);

// --- wholes made of parts

/// A body whose unit form fills [-1/2, 1/2]^3 (a torus less of z), reshaped by an affine map.
struct Solid {
  enum class Kind { none, box, ellipsoid, cylinder, torus };
  Kind kind = Kind::none;
  /// Unit form to the frame of the part: its size, and a shear when it leans.
  Pose form;
  /// Box and cylinder: the top (high z) is this times as wide as the bottom, 0 making a pyramid and
  /// a cone. Torus: diameter of the tube over that of the whole, at most 1/2.
  double ratio = 1;

  static Solid box(const Vec3& size, double ratio = 1);
  static Solid ellipsoid(const Vec3& size);
  /// Upright, along z.
  static Solid cylinder(const Vec3& size, double ratio = 1);
  static Solid cone(const Vec3& size) { return cylinder(size, 0); }
  /// Lying, around z.
  static Solid torus(double diameter, double ratio);
};

/// A whole is a part that is made of parts.
struct Part {
  std::string name;
  Pose pose; // in the frame of its whole
  Solid solid;
  std::vector<Part> parts;
};

struct PlacedPart {
  const Part* part;
  Pose pose;
};

/// The whole and all it is made of, each followed by its own parts, with their poses in the frame
/// in which the whole has the given one. With camera.view * pose that is the truth for a camera.
std::vector<PlacedPart> place(const Part& whole, const Pose& pose);

/// Triangles, anticlockwise seen from outside.
struct Mesh {
  std::vector<Vec3> positions, normals; // for each corner; normals are unit vectors
  std::vector<float> albedo;            // for each corner: the share of light that it reflects
  std::vector<std::array<std::int32_t, 3>> triangles;
};

/// The mesh of a solid, in the part's frame; round ones have that many corners around. Throws Error
/// unless there are 3 to 4096, for a ratio out of range, and for a form that flattens.
Mesh mesh_of(const Solid& solid, int segments, double albedo);

/// The mesh where a pose takes it; mirrored, it keeps its outside. Throws Error when it flattens.
Mesh moved(Mesh mesh, const Pose& pose);

/// Triangles in the world, ready for any number of cameras.
class Scene {
public:
  /// All solids of a whole, painted alike.
  void add(const Part& whole, const Pose& pose, double albedo, int segments = 24);
  void add(const Mesh& mesh, const Pose& pose);
  const Mesh& mesh() const { return mesh_; }
  /// Number of the solid or mesh a triangle belongs to, in the order in which they were added.
  const std::vector<std::int32_t>& owners() const { return owners_; }

private:
  Mesh mesh_;
  std::vector<std::int32_t> owners_;
  std::int32_t count_ = 0;
};

// --- cameras

struct Camera {
  enum class Projection { perspective, orthographic };
  Projection projection = Projection::perspective;
  Pose view; // world to camera
  int width = 0, height = 0;
  /// Pixels per unit of x / z (perspective) or of x (orthographic).
  double scale = 1;
  /// Pixel coordinates of the camera's axis.
  double centre_x = 0, centre_y = 0;
  /// What is not as far as this along z is cut off.
  double nearest = 1e-3;

  /// field_of_view: the angle from the top to the bottom of the picture. Throws Error when it is
  /// not in (0, pi), or the picture is empty.
  static Camera perspective(const Pose& view, int width, int height, double field_of_view);
  /// extent: what the picture is high in the world.
  static Camera orthographic(const Pose& view, int width, int height, double extent);

  /// Pixel coordinates and depth z of a point of the world.
  Vec3 project(const Vec3& world) const;
};

/// A left and a right eye, baseline apart, both looking as the middle one does, with their pictures
/// shifted so that what is at that distance along z falls on the same pixel in both. Of something
/// at depth z, x is larger in the left picture by scale * baseline * (1/z - 1/distance). Throws
/// Error for an orthographic camera or a distance that is not positive.
std::array<Camera, 2> stereo_pair(const Camera& middle, double baseline, double distance);

// --- light

class ShadowMap;

/// A lamp so far away that its rays are parallel.
struct Light {
  Vec3 to_light; // direction towards it, in the world
  double intensity = 1;
  std::shared_ptr<const ShadowMap> shadows; // none: shines through everything
};

/// Lambert: brightness = albedo * (ambient + sum over lights of intensity * max(0, cosine)).
struct Lighting {
  double ambient = 0.3;
  std::vector<Light> lights;
};

/// The light, held up by what is in the scene. size: of the picture that it takes of the scene, in
/// pixels. softness: width of a shadow's edge, in units of the world.
Light with_shadows(Light light, const Scene& scene, int size = 256, double softness = 0);

// --- pictures

/// The nearest surface at each of samples x samples points in every pixel, row by row:
/// (height * samples, width * samples).
struct Surfaces {
  Camera camera;
  int samples = 0;
  std::vector<float> nearness;                     // 1 / z, orthographic -z; -infinity for none
  std::vector<float> normal_x, normal_y, normal_z; // unit vectors, in the world
  std::vector<float> albedo;
  std::vector<std::int32_t> owner; // as Scene::owners() has it, -1 for none

  int columns() const { return camera.width * samples; }
  int rows() const { return camera.height * samples; }
};

/// Fills surfaces, whose memory is used again. A point on the edge between two triangles belongs to
/// exactly one of them. Throws Error unless 1 <= samples <= 16, the picture has 1 to 16384 pixels a
/// side, and a perspective camera's nearest is positive.
void rasterise(const Scene& scene, const Camera& camera, int samples, Surfaces& surfaces);

/// Lights the surfaces: the mean over the samples of each pixel, (height, width), not clamped. One
/// set of surfaces may be lit many times. Throws Error when the picture is not of that size.
void shade(const Surfaces& surfaces, const Lighting& lighting, double background,
           std::span<float> picture);

struct Shot {
  const Scene* scene;
  Camera camera;
  Lighting lighting;
};

/// Pictures (N, H, W, 1) clamped to [0, 1], in parallel, to the same bits on any number of threads.
/// Throws Error unless all have one size.
Tensor render(std::span<const Shot> shots, int samples = 3, double background = 0);

} // namespace mereo

// Triangles to samples: the nearest one wins.
//
// What is linear in a triangle's plane is not linear in its perspective picture, but divided by z
// it is (so is 1/z): corners carry values times a weight of 1/z, and normals, of which only the
// direction counts, are made unit vectors at the end. An orthographic picture has the weight 1.
#include <mereo/graphics.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace mereo {

namespace {

constexpr int values = 5; // nearness, then weighted: normal x, y, z, albedo

struct Corner {
  Vec3 at; // for the camera
  Vec3 normal;
  double albedo;
};

/// A corner in the picture: position in samples, and what the pixels between corners share.
struct Dot {
  double x, y;
  std::array<double, values> value;
};

class Painter {
public:
  Painter(const Camera& camera, int samples, Surfaces& surfaces)
      : camera_(camera), samples_(samples), surfaces_(surfaces) {}

  Dot dot(const Corner& corner) const {
    const bool perspective = camera_.projection == Camera::Projection::perspective;
    const double weight = perspective ? 1 / corner.at.z : 1;
    const double pixels = camera_.scale * weight;
    return {samples_ * (camera_.centre_x + pixels * corner.at.x),
            samples_ * (camera_.centre_y + pixels * corner.at.y),
            {perspective ? weight : -corner.at.z, weight * corner.normal.x,
             weight * corner.normal.y, weight * corner.normal.z, weight * corner.albedo}};
  }

  void paint(const Dot& a, const Dot& b, const Dot& c, std::int32_t owner) {
    const double abx = b.x - a.x, aby = b.y - a.y, acx = c.x - a.x, acy = c.y - a.y;
    // With y down, what is anticlockwise from outside has a negative area where it faces the eye.
    const double area = abx * acy - aby * acx;
    if (!(area < 0))
      return;
    Slopes slopes;
    for (int k = 0; k < values; ++k) {
      const double ab = b.value[k] - a.value[k], ac = c.value[k] - a.value[k];
      slopes.x[k] = (ab * acy - ac * aby) / area;
      slopes.y[k] = (ac * abx - ab * acx) / area;
    }
    const auto [low, high] = std::minmax({a.y, b.y, c.y});
    const int first = first_sample(low, surfaces_.rows()),
              end = first_sample(high, surfaces_.rows());
    for (int row = first; row < end; ++row) {
      double left = std::numeric_limits<double>::infinity(), right = -left;
      cross_edge(a, b, row + 0.5, left, right);
      cross_edge(b, c, row + 0.5, left, right);
      cross_edge(c, a, row + 0.5, left, right);
      const int columns = surfaces_.columns();
      paint_row(row, first_sample(left, columns), first_sample(right, columns), a, slopes, owner);
    }
  }

private:
  struct Slopes {
    std::array<double, values> x, y;
  };

  /// The first sample whose middle is not left of x: a sample on an edge is right of it.
  static int first_sample(double x, int count) {
    return int(std::clamp(std::ceil(x - 0.5), 0.0, double(count)));
  }

  /// Where the edge crosses the height y. Both its triangles compute it from the upper end, to the
  /// same bits, so that no sample between them is lost or painted twice.
  static void cross_edge(const Dot& p, const Dot& q, double y, double& left, double& right) {
    const bool upper_first = p.y < q.y || (p.y == q.y && p.x < q.x);
    const Dot &a = upper_first ? p : q, &b = upper_first ? q : p;
    if (!(a.y <= y && y < b.y))
      return;
    const double x = a.x + (y - a.y) / (b.y - a.y) * (b.x - a.x);
    left = std::min(left, x);
    right = std::max(right, x);
  }

  void paint_row(int row, int begin, int end, const Dot& a, const Slopes& slopes,
                 std::int32_t owner) {
    std::array<float, values> value, step;
    for (int k = 0; k < values; ++k) {
      value[k] =
          float(a.value[k] + slopes.x[k] * (begin + 0.5 - a.x) + slopes.y[k] * (row + 0.5 - a.y));
      step[k] = float(slopes.x[k]);
    }
    std::size_t i = std::size_t(row) * std::size_t(surfaces_.columns()) + std::size_t(begin);
    for (int n = 0; n < end - begin; ++n, ++i) {
      const auto now = [&](int k) { return value[k] + float(n) * step[k]; };
      const float nearness = now(0);
      if (!(nearness > surfaces_.nearness[i]))
        continue;
      surfaces_.nearness[i] = nearness;
      surfaces_.normal_x[i] = now(1);
      surfaces_.normal_y[i] = now(2);
      surfaces_.normal_z[i] = now(3);
      surfaces_.albedo[i] = now(4);
      surfaces_.owner[i] = owner;
    }
  }

  const Camera& camera_;
  int samples_;
  Surfaces& surfaces_;
};

Corner between(const Corner& a, const Corner& b, double share) {
  return {a.at + share * (b.at - a.at), a.normal + share * (b.normal - a.normal),
          a.albedo + share * (b.albedo - a.albedo)};
}

/// Paints what a triangle has at z >= nearest: nothing, a triangle, or a quadrangle.
void paint_cut(Painter& painter, const std::array<Corner, 3>& triangle, double nearest,
               std::int32_t owner) {
  std::array<Dot, 4> dots;
  std::size_t count = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    const Corner &a = triangle[i], &b = triangle[(i + 1) % 3];
    const bool a_seen = a.at.z >= nearest, b_seen = b.at.z >= nearest;
    if (a_seen)
      dots[count++] = painter.dot(a);
    if (a_seen != b_seen)
      dots[count++] = painter.dot(between(a, b, (nearest - a.at.z) / (b.at.z - a.at.z)));
  }
  for (std::size_t i = 2; i < count; ++i)
    painter.paint(dots[0], dots[i - 1], dots[i], owner);
}

void clear(Surfaces& surfaces) {
  const std::size_t count = std::size_t(surfaces.rows()) * std::size_t(surfaces.columns());
  surfaces.nearness.assign(count, -std::numeric_limits<float>::infinity());
  for (auto* plane : {&surfaces.normal_x, &surfaces.normal_y, &surfaces.normal_z, &surfaces.albedo})
    plane->assign(count, 0.0f);
  surfaces.owner.assign(count, -1);
}

void check(const Camera& camera, int samples) {
  if (samples < 1 || samples > 16)
    throw Error("rasterise", "samples must be from 1 to 16", std::to_string(samples));
  constexpr int largest = 1 << 14;
  if (camera.width < 1 || camera.height < 1 || camera.width > largest || camera.height > largest)
    throw Error("rasterise", "a picture has 1 to 16384 pixels a side",
                std::to_string(camera.width) + " x " + std::to_string(camera.height));
  if (camera.projection == Camera::Projection::perspective && !(camera.nearest > 0))
    throw Error("rasterise", "what is at the eye or behind it has no perspective picture",
                "nearest " + std::to_string(camera.nearest));
}

/// Undoes the weights.
void finish(Surfaces& surfaces) {
  const bool perspective = surfaces.camera.projection == Camera::Projection::perspective;
  for (std::size_t i = 0; i < surfaces.owner.size(); ++i) {
    if (surfaces.owner[i] < 0)
      continue;
    float &x = surfaces.normal_x[i], &y = surfaces.normal_y[i], &z = surfaces.normal_z[i];
    const float shrink = 1 / std::sqrt(std::max(x * x + y * y + z * z, 1e-30f));
    x *= shrink;
    y *= shrink;
    z *= shrink;
    if (perspective)
      surfaces.albedo[i] /= surfaces.nearness[i];
  }
}

} // namespace

void rasterise(const Scene& scene, const Camera& camera, int samples, Surfaces& surfaces) {
  check(camera, samples);
  surfaces.camera = camera;
  surfaces.samples = samples;
  clear(surfaces);
  const Mesh& mesh = scene.mesh();
  Painter painter(camera, samples, surfaces);
  std::vector<Corner> corners;
  std::vector<Dot> dots;
  for (std::size_t i = 0; i < mesh.positions.size(); ++i) {
    corners.push_back({camera.view.point(mesh.positions[i]), mesh.normals[i], mesh.albedo[i]});
    dots.push_back(painter.dot(corners.back())); // of use only where z is not too near
  }
  for (std::size_t t = 0; t < mesh.triangles.size(); ++t) {
    const auto& triangle = mesh.triangles[t];
    const auto seen = [&](std::int32_t i) {
      return corners[std::size_t(i)].at.z >= camera.nearest;
    };
    const auto [a, b, c] = triangle;
    const std::int32_t owner = scene.owners()[t];
    if (seen(a) && seen(b) && seen(c))
      painter.paint(dots[std::size_t(a)], dots[std::size_t(b)], dots[std::size_t(c)], owner);
    else
      paint_cut(painter,
                {corners[std::size_t(a)], corners[std::size_t(b)], corners[std::size_t(c)]},
                camera.nearest, owner);
  }
  finish(surfaces);
}

} // namespace mereo

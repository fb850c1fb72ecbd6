#include "graphics/shadows.h"

#include <algorithm>
#include <limits>

namespace mereo {

namespace {

/// Around all corners.
struct Sphere {
  Vec3 centre;
  double radius = 0;
};

Sphere bounds(const Scene& scene) {
  const auto& corners = scene.mesh().positions;
  if (corners.empty())
    throw Error("with_shadows", "an empty scene casts none");
  Vec3 low = corners[0], high = low;
  for (const Vec3& p : corners) {
    low = {std::min(low.x, p.x), std::min(low.y, p.y), std::min(low.z, p.z)};
    high = {std::max(high.x, p.x), std::max(high.y, p.y), std::max(high.z, p.z)};
  }
  Sphere sphere{0.5 * (low + high)};
  for (const Vec3& p : corners)
    sphere.radius = std::max(sphere.radius, length(p - sphere.centre));
  return sphere;
}

/// Looks the light's way at the sphere, which fills the picture up to a pixel at the edge.
Camera camera_of(const Sphere& sphere, const Vec3& to_light, int size) {
  const Vec3 eye = sphere.centre + 2 * sphere.radius * unit(to_light);
  const bool steep = std::abs(to_light.z) > 0.9 * length(to_light);
  const Pose view = Pose::look_at(eye, sphere.centre, steep ? Vec3{1, 0, 0} : Vec3{0, 0, 1});
  return Camera::orthographic(view, size, size, 2.05 * sphere.radius);
}

std::array<float, 3> narrowed(const Vec3& v) {
  return {float(v.x), float(v.y), float(v.z)};
}

} // namespace

ShadowMap::ShadowMap(const Scene& scene, const Vec3& to_light, int size, double softness)
    : camera_(camera_of(bounds(scene), to_light, size)), softness_(softness) {
  step_off_ = 2 / camera_.scale + softness;
  Surfaces surfaces;
  rasterise(scene, camera_, 1, surfaces);
  nearness_ = std::move(surfaces.nearness);
}

ShadowLookup::ShadowLookup(const ShadowMap* map, const Surfaces& surfaces)
    : map_(map), surfaces_(&surfaces) {
  if (!map)
    return;
  const Camera& camera = map->camera();
  perspective_ = surfaces.camera.projection == Camera::Projection::perspective;
  const Pose pixels = Pose::translation({camera.centre_x, camera.centre_y, 0}) *
                      Pose::scaling({camera.scale, camera.scale, 1});
  const Pose from_world = pixels * camera.view;
  to_map_ = from_world * inverse(surfaces.camera.view);
  for (int k = 0; k < 3; ++k)
    for (int c = 0; c < 3; ++c)
      off_[std::size_t(k)][std::size_t(c)] = float(map->step_off() * from_world(k, c));
  for (int s = 0; s < surfaces.samples; ++s)
    spread_.push_back(float(map->softness() * camera.scale * ((s + 0.5) / surfaces.samples - 0.5)));
}

void ShadowLookup::start_row(int row) {
  if (!map_)
    return;
  const Camera& camera = surfaces_->camera;
  const double samples = surfaces_->samples;
  first_ = std::size_t(row) * std::size_t(surfaces_->columns());
  spread_row_ = spread_[std::size_t(row % surfaces_->samples)];
  const Vec3 at{(0.5 / samples - camera.centre_x) / camera.scale,
                ((row + 0.5) / samples - camera.centre_y) / camera.scale, 0};
  const Vec3 step = to_map_.direction({1 / (samples * camera.scale), 0, 0});
  const Vec3 ahead = to_map_.direction({0, 0, 1});
  if (perspective_) {
    ray_ = narrowed(to_map_.direction(at) + ahead);
    ray_step_ = narrowed(step);
    origin_ = narrowed(to_map_.point({}));
  } else {
    ray_ = narrowed(ahead);
    origin_ = narrowed(to_map_.point(at));
    origin_step_ = narrowed(step);
  }
}

Light with_shadows(Light light, const Scene& scene, int size, double softness) {
  light.shadows = std::make_shared<const ShadowMap>(scene, light.to_light, size, softness);
  return light;
}

} // namespace mereo

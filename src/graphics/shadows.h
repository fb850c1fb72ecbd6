// What a light sees: a picture of depths taken from its direction (Williams, "Casting curved
// shadows on curved surfaces", SIGGRAPH 1978). A point deeper than what the light sees there is in
// shadow.
#pragma once

#include <mereo/graphics.h>

#include <array>
#include <cmath>

namespace mereo {

class ShadowMap {
public:
  /// Throws Error for an empty scene or a size below 1.
  ShadowMap(const Scene& scene, const Vec3& to_light, int size, double softness);

  /// By the light's own camera frame and its pixels.
  bool lit(float pixel_x, float pixel_y, float depth) const {
    const float x = std::floor(pixel_x), y = std::floor(pixel_y);
    if (!(x >= 0 && y >= 0 && x < float(camera_.width) && y < float(camera_.height)))
      return true; // beside all that casts a shadow
    const std::size_t at = std::size_t(y) * std::size_t(camera_.width) + std::size_t(x);
    return !(-nearness_[at] < depth);
  }

  const Camera& camera() const { return camera_; }
  double softness() const { return softness_; }
  /// How far to step off a surface before asking, so that it does not shadow itself.
  double step_off() const { return step_off_; }

private:
  Camera camera_;
  double softness_, step_off_;
  std::vector<float> nearness_; // (size, size): minus depth
};

/// Asks a shadow map about samples, row by row. The pixel's samples ask at points spread as wide as
/// the shadow is soft, so that their mean is a soft edge.
class ShadowLookup {
public:
  /// Without a map everything is lit.
  ShadowLookup(const ShadowMap* map, const Surfaces& surfaces);
  void start_row(int row);
  /// Is the sample in this column lit? There must be a surface.
  bool lit(std::size_t column) const {
    if (!map_)
      return true;
    const std::size_t i = first_ + column;
    const float depth = perspective_ ? 1 / surfaces_->nearness[i] : -surfaces_->nearness[i];
    const float nx = surfaces_->normal_x[i], ny = surfaces_->normal_y[i],
                nz = surfaces_->normal_z[i];
    std::array<float, 3> at;
    for (std::size_t k = 0; k < 3; ++k)
      at[k] = depth * (ray_[k] + float(column) * ray_step_[k]) + origin_[k] +
              float(column) * origin_step_[k] + off_[k][0] * nx + off_[k][1] * ny + off_[k][2] * nz;
    return map_->lit(at[0] + spread_[column % spread_.size()], at[1] + spread_row_, at[2]);
  }

private:
  using Axes = std::array<float, 3>; // pixel x, pixel y and depth in the map

  const ShadowMap* map_;
  const Surfaces* surfaces_;
  bool perspective_ = true;
  Pose to_map_; // camera frame to pixels and depth of the map
  // A sample at depth z is at z * (ray + column * ray_step) + origin + column * origin_step.
  Axes ray_{}, ray_step_{}, origin_{}, origin_step_{};
  std::array<Axes, 3> off_{};
  std::vector<float> spread_; // (samples)
  float spread_row_ = 0;
  std::size_t first_ = 0;
};

} // namespace mereo

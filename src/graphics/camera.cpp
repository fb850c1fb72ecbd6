#include <mereo/graphics.h>

#include <cmath>
#include <numbers>

namespace mereo {

namespace {

Camera camera(Camera::Projection projection, const Pose& view, int width, int height,
              double scale) {
  if (width < 1 || height < 1)
    throw Error("Camera", "the picture is empty",
                std::to_string(width) + " x " + std::to_string(height));
  return {.projection = projection,
          .view = view,
          .width = width,
          .height = height,
          .scale = scale,
          .centre_x = 0.5 * width,
          .centre_y = 0.5 * height};
}

} // namespace

Camera Camera::perspective(const Pose& view, int width, int height, double field_of_view) {
  if (!(field_of_view > 0 && field_of_view < std::numbers::pi))
    throw Error("Camera::perspective", "the field of view must be within 0 and pi radians",
                std::to_string(field_of_view));
  return camera(Projection::perspective, view, width, height,
                0.5 * height / std::tan(0.5 * field_of_view));
}

Camera Camera::orthographic(const Pose& view, int width, int height, double extent) {
  if (!(extent > 0 && std::isfinite(extent)))
    throw Error("Camera::orthographic", "the extent must be positive", std::to_string(extent));
  return camera(Projection::orthographic, view, width, height, height / extent);
}

Vec3 Camera::project(const Vec3& world) const {
  const Vec3 p = view.point(world);
  const double pixels = projection == Projection::perspective ? scale / p.z : scale;
  return {centre_x + pixels * p.x, centre_y + pixels * p.y, p.z};
}

std::array<Camera, 2> stereo_pair(const Camera& middle, double baseline, double distance) {
  if (middle.projection != Camera::Projection::perspective)
    throw Error("stereo_pair", "an orthographic camera sees no depth");
  if (!(distance > 0))
    throw Error("stereo_pair", "the distance must be positive", std::to_string(distance));
  std::array<Camera, 2> eyes{middle, middle};
  for (const int side : {0, 1}) {
    const double offset = (side == 0 ? -0.5 : 0.5) * baseline;
    Camera& eye = eyes[std::size_t(side)];
    eye.view = Pose::translation({-offset, 0, 0}) * middle.view;
    eye.centre_x += middle.scale * offset / distance;
  }
  return eyes;
}

} // namespace mereo

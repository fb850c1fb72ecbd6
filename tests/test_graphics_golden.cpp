// Pictures as they were when a person looked at them: tests/golden/render.png has all solids and a
// toy of each category. After a change that is meant, and looked at:
//   build/tests --no-skip --test-case='write tests/golden/render.png'
#include "data/toys.h"

#include <mereo/io.h>

#include <cmath>
#include <doctest/doctest.h>

using namespace mereo;

namespace {

constexpr const char* golden = "tests/golden/render.png";

/// One of each solid on a slab, with shadows.
Scene solids() {
  Scene scene;
  scene.add(mesh_of(Solid::box({3, 3, 0.1}), 24, 0.9), Pose::translation({0, 0, -0.05}));
  const std::pair<Solid, Vec3> bodies[] = {
      {Solid::box({0.7, 0.5, 0.6}, 0.6), {-0.8, -0.8, 0.3}},
      {Solid::ellipsoid({0.9, 0.6, 0.8}), {0.8, -0.8, 0.4}},
      {Solid::cylinder({0.5, 0.5, 0.9}), {-0.8, 0.8, 0.45}},
      {Solid::cone({0.8, 0.8, 1}), {0.8, 0.8, 0.5}},
      {Solid::torus(1, 0.3), {0, 0, 0.15}},
  };
  for (const auto& [solid, at] : bodies)
    scene.add(mesh_of(solid, 24, 0.5), Pose::translation(at));
  return scene;
}

Tensor pictures_now() {
  const Scene scene = solids();
  const Light lamp{.to_light = {1, -2, 3}, .intensity = 0.8, .shadows = {}};
  std::vector<Shot> shots{
      {&scene,
       Camera::perspective(Pose::look_at({3, 1.5, 3}, {}), toy_side, toy_side, 0.9),
       {.ambient = 0.25, .lights = {with_shadows(lamp, scene)}}}};
  std::vector<ToyStage> stages;
  for (int category = 0; category < toy_categories; ++category) {
    const ToyChoice choice{category, 4, 1};
    stages.push_back(stage_toy(make_toy(choice), choice, 2));
  }
  for (const ToyStage& stage : stages)
    shots.push_back({&stage.scene, toy_eyes(stage, 1)[0], stage.lightings[3]});
  return contact_sheet(render(shots), 3);
}

} // namespace

TEST_CASE("renders look as they did: tests/golden/render.png") {
  const Tensor want = image_tensor(read_image(golden, 1)), got = pictures_now();
  REQUIRE(got.elements() == want.elements());
  // Other compilers and libraries round otherwise: that moves a level here and there, and at edges
  // a sample of nine; a body or a light out of place moves many.
  double sum = 0;
  std::int64_t far = 0;
  for (std::int64_t i = 0; i < got.elements(); ++i) {
    const double off = 255 * std::abs(double(got.data()[i]) - double(want.data()[i]));
    sum += off;
    far += off > 8;
  }
  CHECK(sum / double(got.elements()) < 0.4);
  CHECK(far <= got.elements() / 500);
}

TEST_CASE("write tests/golden/render.png" * doctest::skip()) {
  write_png(golden, pictures_now());
}

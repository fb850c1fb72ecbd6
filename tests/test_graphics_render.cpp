// The rasteriser against analytic pictures: silhouettes, corners, depth, light, shadows, stereo.
#include "error_of.h"

#include <mereo/core.h>
#include <mereo/graphics.h>

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <numbers>

using namespace mereo;

namespace {

constexpr double pi = std::numbers::pi;

/// Straight down onto the world's origin from a height: x to the right, y up in the picture.
Pose from_above(double height) {
  return Pose::look_at({0, 0, height}, {0, 0, 0}, {0, 1, 0});
}

Scene scene_of(const Solid& solid, const Pose& pose = {}, double albedo = 1, int segments = 128) {
  Scene scene;
  scene.add(mesh_of(solid, segments, albedo), pose);
  return scene;
}

Surfaces surfaces_of(const Scene& scene, const Camera& camera, int samples = 1) {
  Surfaces surfaces;
  rasterise(scene, camera, samples, surfaces);
  return surfaces;
}

std::int64_t covered(const Surfaces& surfaces) {
  return std::count_if(surfaces.owner.begin(), surfaces.owner.end(), [](auto o) { return o >= 0; });
}

std::size_t middle_of(const Surfaces& surfaces) {
  return std::size_t(surfaces.rows() / 2 * surfaces.columns() + surfaces.columns() / 2);
}

std::vector<float> shaded(const Surfaces& surfaces, const Lighting& lighting,
                          double background = 0) {
  std::vector<float> picture(std::size_t(surfaces.camera.width * surfaces.camera.height));
  shade(surfaces, lighting, background, picture);
  return picture;
}

/// Lit from behind the camera, evenly.
const Lighting plain{.ambient = 0.25,
                     .lights = {{.to_light = {0, 0, 1}, .intensity = 0.5, .shadows = {}}}};

} // namespace

TEST_CASE("a sphere's silhouette is the tangent cone's circle") {
  // A sphere of radius r at distance d is seen within asin(r / d) of the axis.
  const double r = 0.8, d = 3;
  const Camera eye = Camera::perspective(from_above(d), 101, 101, 1.0);
  const Surfaces seen = surfaces_of(scene_of(Solid::ellipsoid({2 * r, 2 * r, 2 * r})), eye, 8);
  const double radius = eye.scale * std::tan(std::asin(r / d));
  CHECK(std::sqrt(double(covered(seen)) / 64 / pi) == doctest::Approx(radius).epsilon(2e-3));
  const Camera flat = Camera::orthographic(from_above(d), 101, 101, 4);
  const Surfaces disc = surfaces_of(scene_of(Solid::ellipsoid({2 * r, 2 * r, 2 * r})), flat, 8);
  CHECK(std::sqrt(double(covered(disc)) / 64 / pi) ==
        doctest::Approx(r * flat.scale).epsilon(2e-3));
  CHECK(disc.nearness[middle_of(disc)] == doctest::Approx(-(d - r)).epsilon(1e-3));
}

TEST_CASE("a box covers exactly the pixels between its projected corners") {
  // Its top, at depth 4, spans x from -0.6 to 1.0 and y from -0.2 to 0.6; 50 pixels per unit of
  // x/z.
  const Camera eye = Camera::perspective(from_above(5), 100, 100, pi / 2);
  const Scene box = scene_of(Solid::box({1.6, 0.8, 1}), Pose::translation({0.2, 0.2, 0.5}));
  const Vec3 low = eye.project({-0.6, -0.2, 1}), high = eye.project({1, 0.6, 1});
  CHECK(low.x == doctest::Approx(42.5));
  CHECK(high.x == doctest::Approx(62.5));
  const Surfaces seen = surfaces_of(box, eye);
  const auto& owner = seen.owner;
  int wrong = 0;
  for (int y = 0; y < 100; ++y)
    for (int x = 0; x < 100; ++x) {
      // A middle on the left or upper edge is in, on the right or lower edge it is not.
      const bool in = x + 0.5 >= 42.5 && x + 0.5 < 62.5 && y + 0.5 >= high.y && y + 0.5 < low.y;
      wrong += in != (owner[std::size_t(100 * y + x)] >= 0);
    }
  CHECK(wrong == 0);
  CHECK(seen.nearness[std::size_t(100 * 48 + 50)] == doctest::Approx(0.25));
}

TEST_CASE("triangles share every sample between them, none twice and none lost") {
  // A fan around the middle whose triangles all face up and cover the picture. Each fan is drawn
  // alone: the counts of its triangles must add up to the whole.
  constexpr int spokes = 37;
  const Camera flat = Camera::orthographic(from_above(1), 64, 64, 1);
  Mesh fan;
  const auto corner = [&](double x, double y) {
    fan.positions.push_back({x, y, 0});
    fan.normals.push_back({0, 0, 1});
    fan.albedo.push_back(1);
  };
  corner(0.0078125, 0.0078125); // exactly on a sample
  for (int i = 0; i < spokes; ++i)
    corner(2 * std::cos(2 * pi * i / spokes), 2 * std::sin(2 * pi * i / spokes));
  std::vector<int> painted(64 * 64);
  for (int i = 0; i < spokes; ++i) {
    fan.triangles = {{0, 1 + i, 1 + (i + 1) % spokes}};
    Scene scene;
    scene.add(fan, {});
    const Surfaces seen = surfaces_of(scene, flat);
    for (std::size_t s = 0; s < painted.size(); ++s)
      painted[s] += seen.owner[s] >= 0;
  }
  CHECK(std::count(painted.begin(), painted.end(), 1) == 64 * 64);
}

TEST_CASE("the nearer body hides the farther one, in whatever order they come") {
  const Camera eye = Camera::perspective(from_above(5), 40, 40, 0.8);
  const Mesh low = mesh_of(Solid::box({2, 2, 0.5}), 8, 0.3),
             high = mesh_of(Solid::box({1, 1, 0.5}), 8, 0.9);
  for (const bool low_first : {true, false}) {
    Scene scene;
    if (low_first)
      scene.add(low, {});
    scene.add(high, Pose::translation({0, 0, 1}));
    if (!low_first)
      scene.add(low, {});
    const Surfaces seen = surfaces_of(scene, eye);
    CHECK(seen.albedo[middle_of(seen)] == doctest::Approx(0.9));
    CHECK(seen.owner[middle_of(seen)] == (low_first ? 1 : 0));
    CHECK(seen.nearness[middle_of(seen)] == doctest::Approx(1 / 3.75));
    const auto beside = std::size_t(20 * 40 + 12); // on the lower box alone
    CHECK(seen.albedo[beside] == doctest::Approx(0.3));
  }
}

TEST_CASE("interpenetrating bodies meet where their depths are equal") {
  // A ball of radius 1 through a slab whose top is at 0.6: its circle has radius 0.8.
  const Camera flat = Camera::orthographic(from_above(5), 128, 128, 4);
  Scene scene;
  scene.add(mesh_of(Solid::box({3, 3, 1}), 8, 0.3), Pose::translation({0, 0, 0.1}));
  scene.add(mesh_of(Solid::ellipsoid({2, 2, 2}), 200, 0.9), {});
  const Surfaces seen = surfaces_of(scene, flat, 4);
  const auto ball = std::count(seen.owner.begin(), seen.owner.end(), 1);
  CHECK(std::sqrt(double(ball) / 16 / pi) / flat.scale == doctest::Approx(0.8).epsilon(5e-3));
}

TEST_CASE("values across a tilted plane are right in perspective") {
  // A slope z = x / 2 whose albedo is its x / 4 + 1/2: what a ray meets says what it must see.
  const Camera eye = Camera::perspective(from_above(4), 64, 64, 0.7);
  Mesh slope;
  for (const auto& [x, y] : {std::pair{-2.0, -2.0}, {2.0, -2.0}, {2.0, 2.0}, {-2.0, 2.0}}) {
    slope.positions.push_back({x, y, x / 2});
    slope.normals.push_back(unit({-0.5, 0, 1}));
    slope.albedo.push_back(float(x / 4 + 0.5));
  }
  slope.triangles = {{0, 1, 2}, {0, 2, 3}};
  Scene scene;
  scene.add(slope, {});
  const Surfaces seen = surfaces_of(scene, eye);
  double worst_albedo = 0, worst_depth = 0;
  for (int y = 0; y < 64; ++y)
    for (int x = 0; x < 64; ++x) {
      const double ray = (x + 0.5 - 32) / eye.scale;  // x over depth
      const double world_x = 4 * ray / (1 + ray / 2); // x = ray * (4 - x / 2)
      const auto i = std::size_t(64 * y + x);
      worst_albedo = std::max(worst_albedo, std::abs(seen.albedo[i] - (world_x / 4 + 0.5)));
      worst_depth = std::max(worst_depth, std::abs(1 / seen.nearness[i] - (4 - world_x / 2)));
    }
  CHECK(worst_albedo < 1e-5);
  CHECK(worst_depth < 1e-5);
}

TEST_CASE("what is behind the eye is cut off, what reaches behind it is cut") {
  const Camera eye = Camera::perspective(from_above(1), 50, 50, pi / 2);
  CHECK(covered(surfaces_of(scene_of(Solid::box({1, 1, 1}), Pose::translation({0, 0, 2})), eye)) ==
        0);
  // The floor of a corridor that starts behind the eye fills the half below the horizon.
  const Camera level = Camera::perspective(Pose::look_at({}, {0, 1, 0}), 50, 50, pi / 2);
  const Scene floor = scene_of(Solid::box({1000, 2e6, 1}), Pose::translation({0, 0, -1}));
  CHECK(covered(surfaces_of(floor, level)) == 50 * 25);
}

TEST_CASE("light: ambient plus the cosine, for every angle of a turned plate") {
  const Camera flat = Camera::orthographic(from_above(5), 9, 9, 0.2);
  const Solid plate = Solid::box({1, 1, 0.1});
  for (const double angle : {0.0, 0.3, 0.9, 1.4}) {
    const Scene scene = scene_of(plate, Pose::rotation({0, 1, 0}, angle), 0.8);
    const double want = 0.8 * (0.25 + 0.5 * std::cos(angle));
    CHECK(shaded(surfaces_of(scene, flat, 2), plain)[40] == doctest::Approx(want).epsilon(1e-5));
    const Lighting sideways{.ambient = 0.25,
                            .lights = {{.to_light = {-7, 0, 0}, .intensity = 0.5, .shadows = {}}}};
    CHECK(
        shaded(surfaces_of(scene, flat, 2), sideways)[40] ==
        doctest::Approx(0.8 * 0.25).epsilon(1e-5)); // turned away: no light, but no less than none
  }
}

TEST_CASE("light on a sphere falls off as the cosine of the place") {
  const Camera flat = Camera::orthographic(from_above(5), 101, 101, 2);
  const auto picture =
      shaded(surfaces_of(scene_of(Solid::ellipsoid({2, 2, 2}), {}, 1, 400), flat, 1),
             {.ambient = 0, .lights = {{.to_light = {3, 0, 4}, .intensity = 1, .shadows = {}}}});
  for (const int x : {15, 30, 50, 70, 90}) {
    const double at = (x - 50) * 2 / 101.0;
    const double want = std::max(0.0, 0.6 * at + 0.8 * std::sqrt(1 - at * at));
    CHECK(picture[std::size_t(101 * 50 + x)] == doctest::Approx(want).epsilon(2e-3));
  }
}

TEST_CASE("anti-aliasing: a pixel on an edge has its share of both sides") {
  // The plate's right edge is a quarter into pixel 6.
  const Camera flat = Camera::orthographic(from_above(5), 10, 10, 10);
  const Scene plate = scene_of(Solid::box({20, 20, 1}), Pose::translation({-8.75, 0, 0}));
  const auto picture = shaded(surfaces_of(plate, flat, 8), {.ambient = 1, .lights = {}}, 0.2);
  CHECK(picture[50] == doctest::Approx(1));
  CHECK(picture[56] == doctest::Approx(0.25 + 0.75 * 0.2));
  CHECK(picture[57] == doctest::Approx(0.2));
}

TEST_CASE("shadows fall where the light's rays say") {
  // A plate 1 above the ground, light from the left at 45 degrees: its shadow lies 1 to the right.
  const Camera flat = Camera::orthographic(from_above(5), 80, 80, 8);
  Scene scene;
  scene.add(mesh_of(Solid::box({8, 8, 0.2}), 8, 1), Pose::translation({0, 0, -0.1}));
  scene.add(mesh_of(Solid::box({0.5, 0.5, 0.02}), 8, 1), Pose::translation({0, 0, 1}));
  const Light lamp{.to_light = {-1, 0, 1}, .intensity = 0.5, .shadows = {}};
  const Lighting lit{.ambient = 0.25, .lights = {lamp}};
  const Lighting shadowed{.ambient = 0.25, .lights = {with_shadows(lamp, scene, 1024)}};
  const Surfaces seen = surfaces_of(scene, flat, 4);
  const auto without = shaded(seen, lit), with = shaded(seen, shadowed);
  double dark = 0, centre = 0;
  for (std::size_t i = 0; i < with.size(); ++i) {
    dark += without[i] - with[i];
    centre += (without[i] - with[i]) * (double(i % 80) + 0.5);
  }
  CHECK(with[40 * 80 + 50] == doctest::Approx(0.25));
  CHECK(with[40 * 80 + 40] == without[40 * 80 + 40]); // the plate itself
  CHECK(centre / dark / 10 - 4 == doctest::Approx(1).epsilon(0.03));
  // As large as the plate, and as dark as the light was bright.
  CHECK(dark / (0.5 * std::sqrt(0.5)) / 100 == doctest::Approx(0.25).epsilon(0.1));
}

TEST_CASE("a soft shadow is as dark together, over a wider edge") {
  Scene scene;
  scene.add(mesh_of(Solid::box({8, 8, 0.2}), 8, 1), Pose::translation({0, 0, -0.1}));
  scene.add(mesh_of(Solid::box({2, 2, 0.02}), 8, 1), Pose::translation({0, 0, 1.5}));
  const Surfaces seen = surfaces_of(scene, Camera::orthographic(from_above(1), 80, 80, 8), 4);
  const Light lamp{.to_light = {0, 0, 1}, .intensity = 1, .shadows = {}};
  const auto row = [&](double softness) {
    const auto picture =
        shaded(seen, {.ambient = 0, .lights = {with_shadows(lamp, scene, 1024, softness)}});
    return std::vector<float>(picture.begin() + 40 * 80, picture.begin() + 41 * 80);
  };
  const auto partly = [](const std::vector<float>& r) {
    return std::count_if(r.begin(), r.end(), [](float x) { return x > 0.05f && x < 0.95f; });
  };
  const auto sum = [](const std::vector<float>& r) {
    double total = 0;
    for (const float x : r)
      total += x;
    return total;
  };
  const auto hard = row(0), soft = row(0.4);
  CHECK(partly(hard) <= 2);
  CHECK(partly(soft) >= 6);
  CHECK(sum(soft) == doctest::Approx(sum(hard)).epsilon(0.02));
}

TEST_CASE("a stereo pair's pictures differ by the disparity") {
  const Camera middle = Camera::perspective(from_above(6), 96, 96, 0.6);
  const auto eyes = stereo_pair(middle, 0.5, 6);
  for (const double height : {0.0, 2.0}) {
    const Scene ball =
        scene_of(Solid::ellipsoid({0.5, 0.5, 0.5}), Pose::translation({0.3, 0, height}));
    double centre[2];
    for (const int eye : {0, 1}) {
      const Surfaces seen = surfaces_of(ball, eyes[std::size_t(eye)], 4);
      double sum = 0;
      for (std::size_t i = 0; i < seen.owner.size(); ++i)
        sum += seen.owner[i] >= 0 ? (double(i % std::size_t(seen.columns())) + 0.5) / 4 : 0;
      centre[eye] = sum / double(covered(seen));
    }
    const double depth = 6 - height;
    const double disparity = middle.scale * 0.5 * (1 / depth - 1 / 6.0);
    // The middle of the picture of a ball is not quite the picture of its middle.
    CHECK(std::abs(centre[0] - centre[1] - disparity) < 0.1);
  }
}

TEST_CASE("pictures are the same on any number of threads") {
  const int before = threads();
  Scene scene = scene_of(Solid::torus(1.5, 0.3), Pose::rotation({1, 2, 0}, 0.7), 0.7, 24);
  scene.add(mesh_of(Solid::cone({1, 1, 2}), 24, 0.5), {});
  const Light lamp =
      with_shadows({.to_light = {1, -2, 3}, .intensity = 0.8, .shadows = {}}, scene, 128, 0.05);
  std::vector<Shot> shots;
  for (int i = 0; i < 12; ++i)
    shots.push_back(
        {&scene,
         Camera::perspective(Pose::look_at({3 * std::cos(i), 3 * std::sin(i), 2}, {}), 40, 30, 0.9),
         {.ambient = 0.2, .lights = {lamp}}});
  std::vector<std::vector<real>> results;
  for (const int count : {1, 2, 3, 7}) {
    set_threads(count);
    const Tensor pictures = render(shots);
    CHECK(pictures.shape() == Shape{12, 30, 40, 1});
    results.emplace_back(pictures.values().begin(), pictures.values().end());
    CHECK(results.back() == results.front());
  }
  set_threads(before);
  CHECK(*std::max_element(results[0].begin(), results[0].end()) > real(0.4));
}

TEST_CASE("rendering: bad input is an Error") {
  const Scene scene = scene_of(Solid::box({1, 1, 1}));
  const Camera camera = Camera::orthographic({}, 4, 3, 1);
  Surfaces surfaces;
  CHECK(error_of([&] { rasterise(scene, camera, 0, surfaces); }).find("1 to 16") !=
        std::string::npos);
  const auto refused = [&](const Camera& wrong, const char* why) {
    CHECK(error_of([&] { rasterise(scene, wrong, 16, surfaces); }).find(why) != std::string::npos);
  };
  refused(Camera::orthographic({}, 1 << 28, 1, 1), "16384");
  refused(Camera{}, "0 x 0");
  Camera at_eye = Camera::perspective({}, 4, 3, 1);
  at_eye.nearest = 0;
  refused(at_eye, "nearest 0");
  rasterise(scene, camera, 1, surfaces);
  std::vector<float> small(11);
  CHECK(error_of([&] { shade(surfaces, {}, 0, small); }).find("4 x 3") != std::string::npos);
  CHECK(error_of([&] {
          with_shadows({.to_light = {0, 0, 1}, .intensity = 1, .shadows = {}}, Scene{});
        }).find("empty") != std::string::npos);
  CHECK(error_of([&] { render({}); }).find("no shot") != std::string::npos);
  const Shot shots[] = {{&scene, camera, {}}, {&scene, Camera::orthographic({}, 3, 3, 1), {}}};
  CHECK(error_of([&] { render(shots); }).find("one size") != std::string::npos);
}

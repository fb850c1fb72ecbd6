// Poses, wholes made of parts, solids and cameras against what geometry says.
#include "error_of.h"

#include <mereo/graphics.h>
#include <mereo/random.h>

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <numbers>

using namespace mereo;

namespace {

constexpr double pi = std::numbers::pi;

Vec3 random_vector(Random& random) {
  const double x = random.normal(), y = random.normal();
  return {x, y, random.normal()};
}

/// Turned, sheared, scaled and moved.
Pose random_pose(Random& random) {
  const Vec3 size = random_vector(random);
  return Pose::translation(random_vector(random)) *
         Pose::rotation(random_vector(random), 3 * random.normal()) *
         Pose::shear(int(random.below(2)), 2, random.normal()) *
         Pose::scaling({std::exp(size.x), std::exp(size.y), -std::exp(size.z)});
}

double distance(const Pose& a, const Pose& b) {
  double worst = 0;
  for (std::size_t i = 0; i < 16; ++i)
    worst = std::max(worst, std::abs(a.m[i] - b.m[i]));
  return worst;
}

void check_point(const Vec3& got, const Vec3& want) {
  INFO("(", got.x, ", ", got.y, ", ", got.z, ") instead of (", want.x, ", ", want.y, ", ", want.z,
       ")");
  CHECK(length(got - want) < 1e-12 * (1 + length(want)));
}

/// The divergence theorem: a third of the sum of (position . normal) over all triangles' areas.
double volume(const Mesh& mesh) {
  double sum = 0;
  for (const auto& [a, b, c] : mesh.triangles)
    sum += dot(mesh.positions[std::size_t(a)],
               cross(mesh.positions[std::size_t(b)], mesh.positions[std::size_t(c)]));
  return sum / 6;
}

} // namespace

TEST_CASE("poses: turning, scaling, shearing and moving do what they say") {
  check_point(Pose::rotation({0, 0, 1}, pi / 2).point({1, 0, 5}), {0, 1, 5});
  check_point(Pose::rotation({3, 0, 0}, pi / 2).point({7, 1, 0}), {7, 0, 1});
  check_point(Pose::rotation({1, 1, 1}, 2 * pi / 3).point({1, 2, 3}), {3, 1, 2});
  check_point(Pose::scaling({2, 3, -1}).point({1, 1, 1}), {2, 3, -1});
  check_point(Pose::shear(0, 2, 0.5).point({1, 2, 4}), {3, 2, 4});
  const Pose moved = Pose::translation({1, 2, 3});
  check_point(moved.point({1, 1, 1}), {2, 3, 4});
  check_point(moved.direction({1, 1, 1}), {1, 1, 1});
  check_point((moved * Pose::scaling({2, 2, 2})).point({1, 1, 1}), {3, 4, 5});
}

TEST_CASE("poses: an inverse undoes, from both sides; composing is applying in turn") {
  Random random(3);
  for (int i = 0; i < 100; ++i) {
    const Pose a = random_pose(random), b = random_pose(random);
    const Vec3 p = random_vector(random);
    INFO("case ", i);
    CHECK(distance(inverse(a) * a, Pose{}) < 1e-10);
    CHECK(distance(a * inverse(a), Pose{}) < 1e-10);
    CHECK(distance(inverse(a * b), inverse(b) * inverse(a)) < 1e-8);
    check_point((a * b).point(p), a.point(b.point(p)));
    CHECK(determinant(a * b) == doctest::Approx(determinant(a) * determinant(b)));
  }
}

TEST_CASE("poses: bad input is an Error") {
  CHECK(error_of([] { inverse(Pose::scaling({1, 0, 1})); }).find("flattens") != std::string::npos);
  CHECK(error_of([] { Pose::rotation({}, 1); }).find("no direction") != std::string::npos);
  CHECK(error_of([] { Pose::shear(1, 1, 2); }).find("two of the axes") != std::string::npos);
  CHECK(error_of([] { Pose::look_at({1, 2, 3}, {1, 2, 3}); }).find("look_at") != std::string::npos);
  CHECK(error_of([] { Pose::look_at({0, 0, 3}, {0, 0, 0}); }).find("look_at") != std::string::npos);
}

TEST_CASE("look_at: the target is straight ahead, up is up, right is right") {
  const Pose view = Pose::look_at({-4, 0, 3}, {0, 0, 0});
  check_point(view.point({-4, 0, 3}), {0, 0, 0});
  check_point(view.point({0, 0, 0}), {0, 0, 5});
  CHECK(view.direction({0, 0, 1}).y < 0);
  check_point(view.direction({0, -1, 0}), {1, 0, 0});
  CHECK(determinant(view) == doctest::Approx(1));
}

TEST_CASE("a part's pose for the camera is N' = M N") {
  Random random(4);
  const Pose whole = random_pose(random), arm = random_pose(random), hand = random_pose(random);
  const Part toy{
      "toy", {}, {}, {{"arm", arm, {}, {{"hand", hand, {}, {}}}}, {"leg", hand, {}, {}}}};
  const auto placed = place(toy, whole);
  REQUIRE(placed.size() == 4);
  CHECK(placed[0].part->name == "toy");
  CHECK(placed[0].pose == whole);
  CHECK(placed[1].part->name == "arm");
  CHECK(distance(placed[1].pose, whole * arm) < 1e-12);
  CHECK(placed[2].part->name == "hand");
  CHECK(distance(placed[2].pose, whole * arm * hand) < 1e-12);
  CHECK(placed[3].part->name == "leg");
  CHECK(distance(placed[3].pose, whole * hand) < 1e-12);
  // A new viewpoint changes M alone: what a part and its whole are to each other stays.
  const Pose view = random_pose(random);
  const auto seen = place(toy, view * whole);
  CHECK(distance(inverse(seen[0].pose) * seen[1].pose, arm) < 1e-8);
}

TEST_CASE("solids: closed, facing outwards, of the right volume, mirrored too") {
  const Vec3 size{2, 3, 5};
  struct Case {
    const char* name;
    Solid solid;
    double volume;
  };
  const double r = 0.2; // of the torus's tube; its ring has 0.8
  const Case cases[] = {
      {"box", Solid::box(size), 30},
      {"pyramid", Solid::box(size, 0), 10},
      {"frustum", Solid::box(size, 0.5), 30 * (1 + 0.5 + 0.25) / 3},
      {"ellipsoid", Solid::ellipsoid(size), 30 * pi / 6},
      {"cylinder", Solid::cylinder(size), 30 * pi / 4},
      {"cone", Solid::cone(size), 30 * pi / 12},
      {"torus", Solid::torus(2, 0.2), 2 * pi * pi * 0.8 * r * r},
  };
  for (const Case& c : cases) {
    const Mesh mesh = mesh_of(c.solid, 200, 0.5);
    INFO(c.name);
    CHECK(volume(mesh) == doctest::Approx(c.volume).epsilon(2e-3));
    CHECK(volume(moved(mesh, Pose::scaling({-1, 1, 1}))) ==
          doctest::Approx(c.volume).epsilon(2e-3));
    CHECK(volume(moved(mesh, Pose::shear(0, 2, 0.7))) == doctest::Approx(c.volume).epsilon(2e-3));
    // Normals agree with the triangles around them.
    double worst = 1;
    for (const auto& [i, j, k] : mesh.triangles) {
      const Vec3 a = mesh.positions[std::size_t(i)], b = mesh.positions[std::size_t(j)],
                 d = mesh.positions[std::size_t(k)];
      const Vec3 area = cross(b - a, d - a);
      if (length(area) > 1e-9)
        for (const auto corner : {i, j, k})
          worst = std::min(worst, dot(unit(area), mesh.normals[std::size_t(corner)]));
    }
    CHECK(worst > 0.98);
  }
}

TEST_CASE("solids: bad input is an Error") {
  CHECK(error_of([] {
          mesh_of(Solid::box({1, 1, 0}), 8, 1);
        }).find("flattens") != std::string::npos);
  CHECK(error_of([] { mesh_of(Solid::torus(1, 0.6), 8, 1); }).find("1/2") != std::string::npos);
  CHECK(error_of([] {
          mesh_of(Solid::cylinder({1, 1, 1}, -1), 8, 1);
        }).find("negative") != std::string::npos);
  CHECK(error_of([] {
          mesh_of(Solid::cone({1, 1, 1}), 2, 1);
        }).find("segments") != std::string::npos);
  CHECK(error_of([] {
          mesh_of(Solid::ellipsoid({1, 1, 1}), 1 << 20, 1);
        }).find("4096") != std::string::npos);
  Scene scene;
  Mesh broken = mesh_of(Solid::box({1, 1, 1}), 8, 1);
  broken.triangles[0][0] = 24;
  CHECK(error_of([&] { scene.add(broken, {}); }).find("24 of 24") != std::string::npos);
  broken.normals.pop_back();
  CHECK(error_of([&] { scene.add(broken, {}); }).find("normal") != std::string::npos);
}

TEST_CASE("cameras project as similar triangles say") {
  const Pose view = Pose::look_at({0, -5, 0}, {0, 0, 0});
  const Camera eye = Camera::perspective(view, 200, 100, pi / 2); // 50 pixels per unit of x / z
  check_point(eye.project({0, 0, 0}), {100, 50, 5});
  check_point(eye.project({1, 0, 2}), {110, 30, 5});
  check_point(eye.project({1, 5, 2}), {105, 40, 10});
  const Camera flat = Camera::orthographic(view, 200, 100, 10); // 10 pixels per unit
  check_point(flat.project({1, 0, 2}), {110, 30, 5});
  check_point(flat.project({1, 5, 2}), {110, 30, 10});
}

TEST_CASE("a stereo pair has the disparity f b (1/z - 1/z0)") {
  const Pose view = Pose::look_at({0, -5, 0}, {0, 0, 0});
  const Camera middle = Camera::perspective(view, 96, 96, 0.8);
  const auto [left, right] = stereo_pair(middle, 0.3, 5);
  for (const double depth : {2.0, 5.0, 9.0}) {
    const Vec3 p{0.4, depth - 5, 0.7}, l = left.project(p), r = right.project(p);
    CHECK(l.x - r.x == doctest::Approx(middle.scale * 0.3 * (1 / depth - 1 / 5.0)));
    CHECK(l.y == doctest::Approx(r.y));
    CHECK(l.x + r.x == doctest::Approx(2 * middle.project(p).x));
  }
}

TEST_CASE("cameras: bad input is an Error") {
  CHECK(error_of([] { Camera::perspective({}, 0, 5, 1); }).find("empty") != std::string::npos);
  CHECK(error_of([] { Camera::perspective({}, 5, 5, 3.2); }).find("pi") != std::string::npos);
  CHECK(error_of([] { Camera::orthographic({}, 5, 5, 0); }).find("extent") != std::string::npos);
  CHECK(error_of([] { stereo_pair(Camera::orthographic({}, 5, 5, 1), 1, 1); }).find("depth") !=
        std::string::npos);
  CHECK(error_of([] { stereo_pair(Camera::perspective({}, 5, 5, 1), 1, 0); }).find("positive") !=
        std::string::npos);
}

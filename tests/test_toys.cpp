// The toys: fifty different ones, their pictures as a data set, and the truth about them.
#include "error_of.h"
#include "scratch.h"

#include "data/toys.h"

#include <mereo/io.h>

#include <algorithm>
#include <doctest/doctest.h>
#include <set>

using namespace mereo;

namespace {

struct Threads {
  int before = threads();
  ~Threads() { set_threads(before); }
};

/// One azimuth of both parts, made once.
struct Made {
  Scratch scratch;
  Dataset train, test;
  std::string poses = scratch.path("toys/toys-training-poses.safetensors");
  Made() {
    for (const Split split : {Split::train, Split::test})
      make_toys(scratch.path("toys"), split, {.azimuths = 1});
    const PictureOptions whole{.channels = 2, .height = toy_side, .width = toy_side};
    train = load_dataset("toys", Split::train, scratch.folder(), whole);
    test = load_dataset("toys", Split::test, scratch.folder(), whole);
  }
};
const Made& made() {
  static const Made once;
  return once;
}

/// Of a part of the truth, row-major.
Pose pose_at(const Tensor& poses, std::int64_t index) {
  Pose pose;
  std::copy_n(poses.data() + 16 * index, 16, pose.m.begin());
  return pose;
}

double furthest_from_rigid(const Pose& pose) {
  const Vec3 x = pose.direction({1, 0, 0}), y = pose.direction({0, 1, 0}),
             z = pose.direction({0, 0, 1});
  return std::max({std::abs(dot(x, x) - 1), std::abs(dot(y, y) - 1), length(cross(x, y) - z)});
}

} // namespace

TEST_CASE("toys: of about one size, on the table, of rigid parts with names of their own") {
  for (int category = 0; category < toy_categories; ++category)
    for (int instance = 0; instance < toy_instances; ++instance) {
      const Part toy = make_toy({category, instance, 1});
      INFO(toy_category_names()[std::size_t(category)], " ", instance);
      CHECK(toy.name == toy_category_names()[std::size_t(category)]);
      std::set<std::string> names;
      for (const PlacedPart& placed : place(toy, {})) {
        CHECK_MESSAGE(names.insert(placed.part->name).second, placed.part->name);
        CHECK_MESSAGE(furthest_from_rigid(placed.pose) < 1e-9, placed.part->name);
      }
      CHECK(names.size() >= 8);
      Scene scene;
      scene.add(toy, {}, 1);
      double low = 1e9, far = 0;
      for (const Vec3& p : scene.mesh().positions) {
        low = std::min(low, p.z);
        far = std::max(far, std::hypot(p.x, p.y));
      }
      CHECK(std::abs(low) < 0.01); // rounder here than for the pictures
      CHECK(far > 0.3);
      CHECK(far < 1.1);
    }
}

TEST_CASE("toys: ten of a category differ, in every property; another seed makes others") {
  std::set<int> kinds;
  std::set<long> tenths;
  for (int i = 0; i < toy_instances; ++i) {
    const Draws draws(1, 3, i);
    kinds.insert(draws.choose("kind", 5));
    tenths.insert(std::lround(std::floor(draws.between("length", 0, 10))));
    CHECK(draws.between("length", 0, 10) == Draws(1, 3, i).between("length", 0, 10));
    CHECK(draws.between("length", 0, 10) != Draws(2, 3, i).between("length", 0, 10));
    CHECK(draws.between("length", 0, 10) != draws.between("width", 0, 10));
  }
  CHECK(kinds.size() == 5);
  CHECK(tenths.size() == 10); // one in each tenth of the range
}

TEST_CASE("toys: the design of smallNORB, no instance in both parts") {
  std::set<int> instances[2];
  for (const Dataset* data : {&made().train, &made().test}) {
    CHECK(data->count == 1350);
    CHECK(data->classes == 5);
    CHECK(data->class_names == toy_category_names());
    std::set<std::array<int, 5>> seen;
    for (std::int64_t i = 0; i < data->count; ++i) {
      const Viewpoint& v = data->viewpoints[std::size_t(i)];
      const int label = data->labels[std::size_t(i)];
      CHECK(label == i % 5);
      CHECK(v.azimuth == 0);
      seen.insert({label, v.instance, v.elevation, v.azimuth, v.lighting});
      instances[data == &made().test].insert(v.instance);
    }
    CHECK(seen.size() == 1350); // each combination once
  }
  CHECK(instances[0] == std::set{4, 6, 7, 8, 9});
  CHECK(instances[1] == std::set{0, 1, 2, 3, 5});
}

TEST_CASE("toys: dark things on light ground, seen differently by either eye and in each light") {
  const Dataset& data = made().test;
  const auto pixel = [&](std::int64_t i, int eye, int at) {
    return int(data.pixels[std::size_t(i * data.image_size() + 2 * at + eye)]);
  };
  for (std::int64_t i = 0; i < data.count; i += 37) {
    double border = 0, all = 0, middle = 0, eyes = 0, light = 0;
    const std::int64_t other_light = i / 5 % 6 == 5 ? i - 5 : i + 5;
    for (int at = 0; at < toy_pixels; ++at) {
      const int y = at / toy_side, x = at % toy_side;
      all += pixel(i, 0, at) / double(toy_pixels);
      if (y < 8 || y >= 88)
        border += pixel(i, 0, at) / double(16 * toy_side);
      if (std::abs(y - 48) < 8 && std::abs(x - 48) < 8)
        middle += pixel(i, 0, at) / 225.0;
      eyes += std::abs(pixel(i, 0, at) - pixel(i, 1, at)) / double(toy_pixels);
      light += std::abs(pixel(i, 0, at) - pixel(other_light, 0, at)) / double(toy_pixels);
    }
    INFO("picture ", i);
    CHECK(all > 50);
    CHECK(all < 230);
    CHECK(middle < border);
    CHECK(eyes > 2.5); // noise alone makes 2.5
    CHECK(light > 4);
  }
}

TEST_CASE("toys: the poses written are those of the pictures") {
  const TensorFile truth = read_safetensors(made().poses);
  const Tensor &whole = truth.get("whole"), &parts = truth.get("parts"),
               &numbers = truth.get("eyes");
  const std::int64_t slots = parts.shape()[1];
  REQUIRE(whole.shape() == Shape{1350, 4, 4});
  REQUIRE(parts.shape() == Shape{1350, slots, 4, 4});
  for (std::int64_t i = 3; i < 1350; i += 211) {
    const Viewpoint& v = made().train.viewpoints[std::size_t(i)];
    const int category = made().train.labels[std::size_t(i)];
    INFO("picture ", i, ", category ", category, ", instance ", v.instance);
    const Pose pose = pose_at(whole, i);
    CHECK(furthest_from_rigid(pose) < 1e-5);
    // Up, seen from so high, points towards the eye by the sine of the elevation.
    const double elevation = (30 + 5 * v.elevation) * std::numbers::pi / 180;
    CHECK(pose.direction({0, 0, 1}).z == doctest::Approx(-std::sin(elevation)).epsilon(1e-5));
    // At azimuth 0 it looks into the camera.
    CHECK(pose.direction({1, 0, 0}).z == doctest::Approx(-std::cos(elevation)).epsilon(1e-5));

    const ToyChoice choice{category, v.instance, 1};
    const Part toy = make_toy(choice);
    const auto placed = place(toy, pose);
    std::string names;
    for (std::size_t p = 1; p < placed.size(); ++p) {
      names += (p > 1 ? ", " : "") + placed[p].part->name;
      const Pose stored = pose_at(parts, i * slots + std::int64_t(p) - 1);
      for (std::size_t k = 0; k < 16; ++k)
        CHECK(std::abs(stored.m[k] - placed[p].pose.m[k]) < 1e-5);
    }
    CHECK(truth.metadata.at("parts." + toy.name + "." + std::to_string(v.instance)) == names);
    for (std::int64_t p = std::int64_t(placed.size()) - 1; p < slots; ++p)
      CHECK(pose_at(parts, i * slots + p).m == std::array<double, 16>{});

    // Solids at the poses as stored, seen by the cameras as stored, cover what the toy does.
    const ToyStage stage = stage_toy(toy, choice, v.azimuth / 2);
    for (const std::int64_t eye : {0, 1}) {
      Camera camera = toy_eyes(stage, v.elevation)[std::size_t(eye)];
      Surfaces pictured, rebuilt;
      rasterise(stage.scene, camera, 1, pictured);
      camera.view = eye == 0 ? Pose{} : pose_at(truth.get("right_from_left"), 0);
      camera.scale = numbers.at({eye, 0});
      camera.centre_x = numbers.at({eye, 1});
      camera.centre_y = numbers.at({eye, 2});
      Scene scene;
      for (std::size_t p = 1; p < placed.size(); ++p)
        if (placed[p].part->solid.kind != Solid::Kind::none)
          scene.add(mesh_of(placed[p].part->solid, 20, 1),
                    pose_at(parts, i * slots + std::int64_t(p) - 1));
      rasterise(scene, camera, 1, rebuilt);
      const int ground = stage.scene.owners().back();
      int covered = 0, wrong = 0;
      for (std::size_t s = 0; s < pictured.owner.size(); ++s) {
        const bool toy_there = pictured.owner[s] != ground && pictured.owner[s] >= 0;
        covered += toy_there;
        wrong += toy_there != (rebuilt.owner[s] >= 0);
      }
      CHECK(covered > 300);
      CHECK(wrong <= 12); // what lies in the ground's plane, and rounding
    }
  }
}

TEST_CASE("toys: the same on any number of threads") {
  const Threads restored;
  std::string before;
  for (const int count : {1, 3}) {
    set_threads(count);
    const Scratch scratch;
    make_toys(scratch.folder(), Split::train, {.azimuths = 1});
    std::string all;
    for (const char* name : {"dat.mat", "cat.mat", "info.mat", "poses.safetensors"})
      all += got(scratch.path(std::string("toys-training-") + name));
    CHECK(all.size() > 1350 * 2 * std::size_t(toy_pixels));
    if (!before.empty())
      CHECK((all == before)); // no printing of megabytes
    before = all;
  }
}

TEST_CASE("toys: stopped, nothing is left; asked for what is not there, an Error") {
  const Scratch scratch;
  std::int64_t told = 0;
  CHECK_FALSE(make_toys(scratch.folder(), Split::test, {.azimuths = 2},
                        [&](std::int64_t done, std::int64_t count) {
                          CHECK(count == 2700);
                          told = done;
                          return done < 500;
                        }));
  CHECK(told == 540);
  CHECK(scratch.files() == 0);
  CHECK(error_of([&] {
          load_dataset("toys", Split::test, scratch.folder());
        }).find("build/render toys") != std::string::npos);
  CHECK(error_of([&] { make_toys(scratch.folder(), Split::familiar); }).find("testing") !=
        std::string::npos);
  CHECK(error_of([&] { make_toys(scratch.folder(), Split::test, {.azimuths = 19}); }).find("19") !=
        std::string::npos);
  CHECK(error_of([&] { make_toy({5, 0, 1}); }).find("category 5") != std::string::npos);
  CHECK(error_of([&] { make_toy({0, 10, 1}); }).find("instance 10") != std::string::npos);
  put(scratch.path("file"), "");
  CHECK(error_of([&] {
          make_toys(scratch.path("file/toys"), Split::test);
        }).find("cannot be made") != std::string::npos);
}

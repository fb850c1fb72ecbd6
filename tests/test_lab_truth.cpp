#include "error_of.h"
#include "lab/truth.h"
#include "norb_fixture.h"

#include <mereo/graphics.h>
#include <mereo/io.h>

#include <doctest/doctest.h>

#include <cmath>

using namespace mereo;
using namespace mereo::lab;

namespace {

constexpr double radians = 3.14159265358979323846 / 180;

void put_poses(const std::string& path, const std::vector<Pose>& poses) {
  const Tensor wholes(Shape{std::int64_t(poses.size()), 4, 4});
  for (std::size_t i = 0; i < poses.size(); ++i)
    for (std::size_t k = 0; k < 16; ++k)
      wholes.data()[16 * i + k] = real(poses[i].m[k]);
  TensorFile file;
  file.tensors.emplace_back("whole", wholes);
  write_safetensors(path, file);
}

/// Four pairs of 2x2 pixels, two of them alike but for the lighting.
void put_toys(const Scratch& scratch) {
  const std::string prefix = scratch.path("toys/toys-training-");
  put(prefix + "dat.mat", fixture::norb_dat(4, 2, 2, pattern(4 * 2 * 4)));
  put(prefix + "cat.mat", fixture::norb_cat({0, 1, 1, 4}));
  put(prefix + "info.mat", fixture::norb_info({4, 0, 0, 0, 6, 2, 30, 1, 6, 2, 30, 5, 9, 8, 18, 3}));
}

Pose turned(double degrees) {
  return Pose::translation({1, 2, 9}) * Pose::rotation({0, 1, 0}, degrees * radians);
}

} // namespace

TEST_CASE("the true rotation of a toy is found by class and viewpoint, in any order") {
  const Scratch scratch;
  put_toys(scratch);
  put_poses(scratch.path("toys/toys-training-poses.safetensors"),
            {turned(0), turned(20), turned(40), turned(60)});
  const Truth truth(scratch.folder(), Split::train);
  Dataset pictures;
  pictures.count = 3;
  pictures.labels = {4, 1, 1};
  pictures.viewpoints = {{9, 8, 18, 3}, {6, 2, 30, 5}, {6, 2, 30, 1}};
  const Matrix rotations = truth.rotations(pictures);
  REQUIRE(rotations.rows == 3);
  const double degrees[] = {60, 40, 20};
  for (std::int64_t i = 0; i < 3; ++i)
    for (int k = 0; k < 9; ++k)
      CHECK(rotations.row(i)[k] == doctest::Approx(turned(degrees[i])(k / 3, k % 3)));
  pictures.viewpoints[1].lighting = 2;
  CHECK(has(error_of([&] { truth.rotations(pictures); }), "not of this part"));
}

TEST_CASE("poses that do not belong to the toys are refused") {
  const Scratch scratch;
  put_toys(scratch);
  const std::string path = scratch.path("toys/toys-training-poses.safetensors");
  const auto error = [&] { return error_of([&] { Truth(scratch.folder(), Split::train); }); };
  CHECK(has(error(), "poses.safetensors"));
  put_poses(path, {turned(0), turned(20), turned(40)});
  CHECK(has(error(), "3, not 4"));
  TensorFile file;
  file.tensors.emplace_back("whole", Tensor(Shape{4, 3, 3}));
  write_safetensors(path, file);
  CHECK(has(error(), "(4, 3, 3)"));
}

TEST_CASE("how far faces are turned") {
  const Scratch scratch;
  std::vector<Pose> poses;
  const double degrees[] = {0, 35, -150, 179, 90};
  for (const double turn : degrees)
    poses.push_back(Pose::translation({3, -2, 0}) * Pose::rotation({0, 0, 1}, turn * radians) *
                    Pose::shear(0, 1, 0.1) * Pose::scaling({1.1, 0.9, 1}));
  std::filesystem::create_directories(scratch.path("faces"));
  put_poses(scratch.path("faces/rotated-poses.safetensors"), poses);
  const std::vector<double> turns = face_turns(scratch.folder(), "rotated");
  REQUIRE(turns.size() == 5);
  for (std::size_t i = 0; i < 5; ++i)
    CHECK(turns[i] == doctest::Approx(degrees[i]).epsilon(1e-4));
}

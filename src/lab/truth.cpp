#include "lab/truth.h"

#include <mereo/io.h>

#include <cmath>
#include <numbers>

namespace mereo::lab {

namespace {

/// "whole" (N, 4, 4) of a file of poses.
Tensor wholes(const std::string& path) {
  const Tensor poses = read_safetensors(path).get("whole");
  if (poses.shape().rank() != 3 || poses.shape()[1] != 4 || poses.shape()[2] != 4)
    throw Error(path, "poses of wholes are (N, 4, 4)", poses.shape().text());
  return poses;
}

} // namespace

Truth::Key Truth::key(const Dataset& pictures, std::int64_t i) {
  const Viewpoint& v = pictures.viewpoints.at(std::size_t(i));
  return {pictures.labels[std::size_t(i)], v.instance, v.elevation, v.azimuth, v.lighting};
}

Truth::Truth(const std::string& data_dir, Split split) {
  // Only the facts are wanted: the smaller the pictures, the sooner they are read.
  const Dataset all =
      load_dataset("toys", split, data_dir, {.channels = 1, .height = 1, .width = 1});
  const std::string path = data_dir + "/toys/toys-" +
                           (split == Split::train ? "training" : "testing") + "-poses.safetensors";
  const Tensor poses = wholes(path);
  if (poses.shape()[0] != all.count)
    throw Error(path, "does not have as many poses as there are pictures",
                std::to_string(poses.shape()[0]) + ", not " + std::to_string(all.count));
  rotations_ = Matrix(all.count, 9);
  for (std::int64_t i = 0; i < all.count; ++i) {
    place_[key(all, i)] = i;
    for (std::int64_t k = 0; k < 9; ++k)
      rotations_.row(i)[k] = double(poses.at({i, k / 3, k % 3}));
  }
}

Matrix Truth::rotations(const Dataset& pictures) const {
  std::vector<std::int64_t> places;
  for (std::int64_t i = 0; i < pictures.count; ++i) {
    const auto found = place_.find(key(pictures, i));
    if (found == place_.end())
      throw Error("Truth", "a picture is not of this part of toys", pictures.name);
    places.push_back(found->second);
  }
  return rotations_.chosen(places);
}

std::vector<double> face_turns(const std::string& data_dir, const std::string& set) {
  const Tensor poses = wholes(data_dir + "/faces/" + set + "-poses.safetensors");
  std::vector<double> degrees;
  for (std::int64_t i = 0; i < poses.shape()[0]; ++i) {
    // The pose is a move and a turn after a shear and sizes that keep the x axis where it is.
    const double turn = std::atan2(double(poses.at({i, 1, 0})), double(poses.at({i, 0, 0})));
    degrees.push_back(turn * 180 / std::numbers::pi);
  }
  return degrees;
}

} // namespace mereo::lab

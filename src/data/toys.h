// Toys in the manner of smallNORB: five categories of solids put together by rules, ten of each.
//
// Their frame: x ahead, y to the left, z up. The room's: the turntable is z = 0, and the camera
// looks from +x, so that at azimuth 0 a toy looks into it.
#pragma once

#include "data/toy_draws.h"

#include <mereo/data.h>
#include <mereo/graphics.h>

#include <array>
#include <vector>

namespace mereo {

// --- a toy of each category, of any size and anywhere; one file each

Part toy_animal(const Draws& draws);
Part toy_human(const Draws& draws);
Part toy_airplane(const Draws& draws);
Part toy_truck(const Draws& draws);
Part toy_car(const Draws& draws);

// --- their pictures

inline constexpr int toy_categories = 5, toy_elevations = 9, toy_azimuths = 18, toy_lightings = 6;
inline constexpr int toy_side = 96, toy_pixels = toy_side * toy_side;

/// "animal", "human", "airplane", "truck", "car".
const std::vector<std::string>& toy_category_names();

/// Which toy, made from which seed.
struct ToyChoice {
  int category = 0, instance = 0; // below toy_categories and toy_instances
  std::uint64_t seed = 1;
};

/// The toy, standing on z = 0 with the middle of its bounding box above the origin, all of it
/// within about 1 of that middle; poses of parts are rigid. Throws Error for a choice out of range.
Part make_toy(const ToyChoice& choice);

/// A toy on the turntable at one azimuth, with the ground around it and the six lightings.
struct ToyStage {
  ToyChoice choice;
  int azimuth;
  Pose pose;   // of the toy in the room
  Vec3 middle; // of its bounding box, in the room
  Scene scene;
  std::vector<Lighting> lightings; // (toy_lightings)
};

/// azimuth: 0 to 17, times 20 degrees.
ToyStage stage_toy(const Part& toy, const ToyChoice& choice, int azimuth);

/// The left and the right eye of a camera that looks at a point from an elevation in degrees, with
/// pictures of side x side.
std::array<Camera, 2> eyes_on(const Vec3& aim, double degrees, int side);

/// Those of the data set, at an elevation 0 to 8: 30 to 70 degrees. They aim near the toy's middle,
/// up to 3 pixels off.
std::array<Camera, 2> toy_eyes(const ToyStage& stage, int elevation);

/// Both eyes' pictures under all lightings, with a sensor's noise:
/// (toy_lightings, 2, toy_side, toy_side).
std::vector<std::uint8_t> photograph(const ToyStage& stage, int elevation);

} // namespace mereo

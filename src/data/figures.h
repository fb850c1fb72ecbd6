// Figures in a plane: faces, houses, cars, fish and clocks, all drawn from five kinds of parts, as
// lines or shaded. What tells one from another is where its parts are.
//
// A figure's frame: x to the right, y up, z towards the eye; the figure is within about 1 of its
// origin.
#pragma once

#include <mereo/graphics.h>
#include <mereo/random.h>

#include <array>
#include <string>
#include <vector>

namespace mereo {

enum class FigurePartKind { ellipse, box, triangle, bar, arc };

struct FigurePart {
  std::string name;
  FigurePartKind kind;
  double width, height; // in its own frame
  double x, y, degrees; // in the figure
  int layer;            // higher ones cover lower ones; 0 alone is what holds the others
};

/// "face", "house", "car", "fish", "clock".
const std::vector<std::string>& figure_names();

/// The parts of a figure as it should be. Throws Error for a number out of range.
const std::vector<FigurePart>& figure_parts(int figure);

/// How far from where they should be a figure's parts are.
enum class Arrangement { intact, scrambled };

/// The parts with each one's own small deviation of place, angle and size. Scrambled, every part
/// but the one that holds the others is also where no part like it should be.
std::vector<FigurePart> arrange(int figure, Arrangement arrangement, Random& random);

struct Figure {
  std::vector<FigurePart> parts;
  bool lines = true;         // or shaded
  std::vector<float> albedo; // of each part, when shaded
  Pose pose;                 // in the world, in whose plane z = 0 it lies
};

/// The pose of part i in the figure.
Pose part_pose(const Figure& figure, std::size_t i);

/// The figure in a scene, to be seen from above.
Scene scene_of(const Figure& figure);

} // namespace mereo

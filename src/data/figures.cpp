#include "data/figures.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace mereo {

namespace {

constexpr double pi = std::numbers::pi;
using Kind = FigurePartKind;

constexpr double stroke = 0.075; // width of a line
constexpr double layer_height = 0.01;

// --- the figures

const std::vector<std::vector<FigurePart>>& all_figures() {
  static const std::vector<std::vector<FigurePart>> figures{
      {{"outline", Kind::ellipse, 1.45, 1.85, 0, 0, 0, 0},
       {"hair", Kind::arc, 1.5, 0.5, 0, 0.62, 0, 1},
       {"left eye", Kind::ellipse, 0.34, 0.22, -0.33, 0.16, 0, 2},
       {"right eye", Kind::ellipse, 0.34, 0.22, 0.33, 0.16, 0, 2},
       {"left brow", Kind::bar, 0.4, 0.08, -0.33, 0.4, 8, 2},
       {"right brow", Kind::bar, 0.4, 0.08, 0.33, 0.4, -8, 2},
       {"nose", Kind::triangle, 0.24, 0.42, 0, -0.1, 0, 2},
       {"mouth", Kind::arc, 0.62, 0.22, 0, -0.52, 180, 2}},
      {{"walls", Kind::box, 1.4, 1.05, 0, -0.38, 0, 0},
       {"roof", Kind::triangle, 1.7, 0.75, 0, 0.52, 0, 1},
       {"door", Kind::box, 0.3, 0.52, 0, -0.62, 0, 2},
       {"left window", Kind::box, 0.3, 0.3, -0.44, -0.2, 0, 2},
       {"right window", Kind::box, 0.3, 0.3, 0.44, -0.2, 0, 2},
       {"attic window", Kind::ellipse, 0.24, 0.24, 0, 0.42, 0, 2},
       {"chimney", Kind::bar, 0.36, 0.14, 0.5, 0.76, 90, 2}},
      {{"body", Kind::box, 1.9, 0.52, 0, -0.12, 0, 0},
       {"cabin", Kind::arc, 1.15, 0.5, -0.06, 0.39, 0, 1},
       {"rear wheel", Kind::ellipse, 0.46, 0.46, -0.56, -0.4, 0, 2},
       {"front wheel", Kind::ellipse, 0.46, 0.46, 0.56, -0.4, 0, 2},
       {"rear window", Kind::box, 0.3, 0.22, -0.28, 0.32, 0, 2},
       {"front window", Kind::box, 0.3, 0.22, 0.16, 0.32, 0, 2},
       {"bumper", Kind::bar, 0.3, 0.08, 0.94, -0.28, 90, 2},
       {"lamp", Kind::ellipse, 0.16, 0.16, 0.8, 0, 0, 2}},
      {{"body", Kind::ellipse, 1.5, 0.85, -0.12, 0, 0, 0},
       {"tail", Kind::triangle, 0.7, 0.5, 0.78, 0, 90, 1},
       {"upper fin", Kind::triangle, 0.5, 0.34, -0.05, 0.52, 0, 1},
       {"lower fin", Kind::triangle, 0.4, 0.28, 0, -0.5, 180, 1},
       {"eye", Kind::ellipse, 0.17, 0.17, -0.55, 0.12, 0, 2},
       {"mouth", Kind::arc, 0.3, 0.12, -0.66, -0.16, 160, 2},
       {"gill", Kind::arc, 0.45, 0.14, -0.24, 0, -90, 2}},
      {{"rim", Kind::ellipse, 1.7, 1.7, 0, 0, 0, 0},
       {"hour hand", Kind::bar, 0.45, 0.1, 0.15, 0.15, 45, 2},
       {"minute hand", Kind::bar, 0.65, 0.08, -0.14, 0.26, 118, 2},
       {"hub", Kind::ellipse, 0.18, 0.18, 0, 0, 0, 2},
       {"twelve", Kind::bar, 0.2, 0.08, 0, 0.68, 90, 2},
       {"three", Kind::bar, 0.2, 0.08, 0.68, 0, 0, 2},
       {"six", Kind::bar, 0.2, 0.08, 0, -0.68, 90, 2},
       {"nine", Kind::bar, 0.2, 0.08, -0.68, 0, 0, 2},
       {"left foot", Kind::triangle, 0.3, 0.24, -0.5, -0.86, 0, 1},
       {"right foot", Kind::triangle, 0.3, 0.24, 0.5, -0.86, 0, 1}}};
  return figures;
}

bool alike(const FigurePart& a, const FigurePart& b) {
  return a.kind == b.kind && std::abs(a.width - b.width) < 0.15 * a.width;
}

double apart(double x, double y, const FigurePart& part) {
  return std::hypot(x - part.x, y - part.y);
}

/// A new place for part i: in the figure, far from where parts like it should be, not on top of
/// those already moved.
void scramble(const std::vector<FigurePart>& home, std::vector<FigurePart>& parts, std::size_t i,
              Random& random) {
  // Places are dense in a figure, so that some attempt succeeds; the wishes relax all the same.
  for (double wish = 1;; wish *= 0.98) {
    const double x = 1.7 * random.uniform() - 0.85, y = 1.7 * random.uniform() - 0.85;
    bool good = std::hypot(x, y) < 0.85;
    for (std::size_t k = 1; k < parts.size(); ++k) {
      good = good && !(alike(home[i], home[k]) && apart(x, y, home[k]) < 0.4);
      good = good && !(k < i && apart(x, y, parts[k]) < 0.35 * wish);
    }
    if (good) {
      parts[i].x = x;
      parts[i].y = y;
      return;
    }
  }
}

// --- their meshes

/// Around a part, anticlockwise, within [-1/2, 1/2]^2.
std::vector<Vec3> contour(Kind kind) {
  std::vector<Vec3> points;
  switch (kind) {
  case Kind::box:
  case Kind::bar:
    return {{-0.5, -0.5, 0}, {0.5, -0.5, 0}, {0.5, 0.5, 0}, {-0.5, 0.5, 0}};
  case Kind::triangle:
    return {{-0.5, -0.5, 0}, {0.5, -0.5, 0}, {0, 0.5, 0}};
  case Kind::ellipse:
    for (int i = 0; i < 28; ++i)
      points.push_back({0.5 * std::cos(2 * pi * i / 28), 0.5 * std::sin(2 * pi * i / 28), 0});
    return points;
  case Kind::arc: // an upper half of an ellipse
    for (int i = 0; i <= 14; ++i)
      points.push_back({0.5 * std::cos(pi * i / 14), std::sin(pi * i / 14) - 0.5, 0});
    return points;
  }
  return points;
}

std::int32_t add_corner(Mesh& mesh, const Vec3& at, const Vec3& normal, float albedo) {
  mesh.positions.push_back(at);
  mesh.normals.push_back(normal);
  mesh.albedo.push_back(albedo);
  return std::int32_t(mesh.positions.size()) - 1;
}

/// A white line along the contour, closed but for an arc's; a bar is one line itself.
Mesh line_mesh(const FigurePart& part) {
  std::vector<Vec3> points = contour(part.kind);
  bool closed = part.kind != Kind::arc;
  if (part.kind == Kind::bar) {
    points = {{-0.5, 0, 0}, {0.5, 0, 0}};
    closed = false;
  }
  for (Vec3& p : points)
    p = {p.x * part.width, p.y * part.height, 0};
  Mesh mesh;
  const Vec3 up{0, 0, 1};
  const std::size_t count = points.size(), segments = closed ? count : count - 1;
  for (std::size_t i = 0; i < segments; ++i) {
    // Each stretch is as much longer as half the line is wide, so that corners close.
    const Vec3 along = 0.5 * stroke * unit(points[(i + 1) % count] - points[i]);
    const Vec3 out{along.y, -along.x, 0}, a = points[i] - along,
                                          b = points[(i + 1) % count] + along;
    const std::int32_t first = add_corner(mesh, a + out, up, 1);
    add_corner(mesh, b + out, up, 1);
    add_corner(mesh, b - out, up, 1);
    add_corner(mesh, a - out, up, 1);
    mesh.triangles.push_back({first, first + 1, first + 2});
    mesh.triangles.push_back({first, first + 2, first + 3});
  }
  return mesh;
}

/// A cushion: flat in the middle, its normals turning outwards to the rim.
Mesh shaded_mesh(const FigurePart& part, float albedo) {
  const std::vector<Vec3> points = contour(part.kind);
  const double centre = part.kind == Kind::triangle ? -1.0 / 6 : 0;
  Mesh mesh;
  const std::int32_t middle = add_corner(mesh, {0, centre * part.height, 0}, {0, 0, 1}, albedo);
  for (const Vec3& p : points)
    add_corner(mesh, {p.x * part.width, p.y * part.height, 0},
               unit(1.4 * Vec3{p.x, p.y - centre, 0} + Vec3{0, 0, 0.7}), albedo);
  for (std::size_t i = 0; i < points.size(); ++i)
    mesh.triangles.push_back(
        {middle, middle + 1 + std::int32_t(i), middle + 1 + std::int32_t((i + 1) % points.size())});
  return mesh;
}

} // namespace

const std::vector<std::string>& figure_names() {
  static const std::vector<std::string> names{"face", "house", "car", "fish", "clock"};
  return names;
}

const std::vector<FigurePart>& figure_parts(int figure) {
  if (figure < 0 || figure >= int(all_figures().size()))
    throw Error("figure_parts", "there is no such figure", std::to_string(figure),
                "they are 0 to " + std::to_string(all_figures().size() - 1));
  return all_figures()[std::size_t(figure)];
}

std::vector<FigurePart> arrange(int figure, Arrangement arrangement, Random& random) {
  const std::vector<FigurePart>& home = figure_parts(figure);
  std::vector<FigurePart> parts = home;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (arrangement == Arrangement::scrambled && i > 0)
      scramble(home, parts, i, random);
    const auto within = [&](double most) { return most * (2.0 * random.uniform() - 1); };
    const double freedom = i == 0 ? 0.5 : 1; // what holds the others deviates less
    FigurePart& part = parts[i];
    part.x += within(0.05 * freedom);
    part.y += within(0.05 * freedom);
    part.degrees += within(9 * freedom);
    const double size = 1 + within(0.12 * freedom);
    part.width *= size * (1 + within(0.08));
    part.height *= size;
  }
  return parts;
}

Pose part_pose(const Figure& figure, std::size_t i) {
  const FigurePart& part = figure.parts.at(i);
  return Pose::translation({part.x, part.y, layer_height * part.layer}) *
         Pose::rotation({0, 0, 1}, part.degrees * pi / 180);
}

Scene scene_of(const Figure& figure) {
  Scene scene;
  for (std::size_t i = 0; i < figure.parts.size(); ++i)
    scene.add(figure.lines ? line_mesh(figure.parts[i])
                           : shaded_mesh(figure.parts[i], figure.albedo.at(i)),
              figure.pose * part_pose(figure, i));
  return scene;
}

} // namespace mereo

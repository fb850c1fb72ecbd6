#include "data/toys.h"

#include <numbers>

namespace mereo {

namespace {

constexpr double pi = std::numbers::pi;

constexpr int segments = 20; // of round solids: fine enough for 96 pixels
constexpr int supersampling = 3;

// About as in smallNORB: the toy fills two thirds of the picture, and eyes see some pixels of
// disparity between its near and its far end.
constexpr double distance = 9, baseline = 0.7, field_of_view = 0.24;

/// Where a lamp stands, seen from the camera (degrees: to the left, up), and how bright all is.
struct Lamp {
  double azimuth, elevation, brightness, ambient;
};
constexpr Lamp lamps[toy_lightings] = {{-35, 50, 0.65, 0.33}, {45, 42, 0.75, 0.24},
                                       {10, 80, 0.55, 0.36},  {-80, 30, 0.9, 0.24},
                                       {140, 45, 0.7, 0.30},  {20, 60, 0.3, 0.52}};

Vec3 towards(double azimuth, double elevation) {
  const double a = azimuth * pi / 180, e = elevation * pi / 180;
  return {std::cos(e) * std::cos(a), std::cos(e) * std::sin(a), std::sin(e)};
}

struct Bounds {
  Vec3 low, high;
  double radius; // of all around the middle
  Vec3 middle() const { return 0.5 * (low + high); }
};

Bounds bounds_of(const Part& toy) {
  Scene scene;
  scene.add(toy, {}, 1, segments);
  const auto& corners = scene.mesh().positions;
  Bounds b{corners.at(0), corners[0], 0};
  for (const Vec3& p : corners) {
    b.low = {std::min(b.low.x, p.x), std::min(b.low.y, p.y), std::min(b.low.z, p.z)};
    b.high = {std::max(b.high.x, p.x), std::max(b.high.y, p.y), std::max(b.high.z, p.z)};
  }
  for (const Vec3& p : corners)
    b.radius = std::max(b.radius, length(p - b.middle()));
  return b;
}

/// Scales a part in its frame: sizes and places, so that poses stay rigid.
void grow(Part& part, double factor) {
  part.solid.form = Pose::scaling({factor, factor, factor}) * part.solid.form;
  for (Part& inner : part.parts) {
    for (int row = 0; row < 3; ++row)
      inner.pose(row, 3) *= factor;
    grow(inner, factor);
  }
}

enum class Drawn { shape, ground, aim, noise }; // shape: see toy_draws.h

/// For what is drawn once an azimuth, or once an azimuth and elevation.
Random drawn(Drawn what, const ToyStage& stage, int elevation = 0) {
  const int toy = stage.choice.category * toy_instances + stage.choice.instance;
  const int view = (toy * toy_azimuths + stage.azimuth) * toy_elevations + elevation;
  return Random(stage.choice.seed, stream_of(Purpose::toy, int(what), view));
}

/// A wide grid of a light grey that varies softly, as waves of some length or so across it.
Mesh ground(Random random) {
  constexpr int cells = 32, waves = 5;
  constexpr double reach = 6;
  struct Wave {
    Vec3 along;
    double phase, height;
  };
  std::vector<Wave> pattern;
  for (int w = 0; w < waves; ++w) {
    const double heading = 2 * pi * random.uniform(), per_unit = 0.3 + 1.2 * random.uniform();
    pattern.push_back({per_unit * Vec3{std::cos(heading), std::sin(heading), 0},
                       2 * pi * random.uniform(), 0.03 * random.uniform()});
  }
  Mesh mesh;
  for (int i = 0; i <= cells; ++i)
    for (int j = 0; j <= cells; ++j) {
      const Vec3 at{reach * (2.0 * j / cells - 1), reach * (2.0 * i / cells - 1), 0};
      double albedo = 0.8;
      for (const Wave& wave : pattern)
        albedo += wave.height * std::sin(dot(wave.along, at) + wave.phase);
      mesh.positions.push_back(at);
      mesh.normals.push_back({0, 0, 1});
      mesh.albedo.push_back(float(albedo));
    }
  for (int i = 0; i < cells; ++i)
    for (int j = 0; j < cells; ++j) {
      const std::int32_t a = i * (cells + 1) + j, b = a + cells + 1;
      mesh.triangles.push_back({a, a + 1, b + 1});
      mesh.triangles.push_back({a, b + 1, b});
    }
  return mesh;
}

std::uint8_t exposed(float brightness, std::uint32_t bits) {
  // The sum of four bytes is near enough to normal: mean 510, deviation 147.8.
  const auto sum = float((bits & 255) + (bits >> 8 & 255) + (bits >> 16 & 255) + (bits >> 24));
  constexpr float deviation = 2.2f; // of the sensor, in grey levels
  const float level = 255 * brightness + deviation / 147.8f * (sum - 510);
  return std::uint8_t(std::clamp(level + 0.5f, 0.0f, 255.0f));
}

} // namespace

const std::vector<std::string>& toy_category_names() {
  static const std::vector<std::string> names{"animal", "human", "airplane", "truck", "car"};
  return names;
}

Part make_toy(const ToyChoice& choice) {
  using Maker = Part (*)(const Draws&);
  constexpr Maker makers[] = {toy_animal, toy_human, toy_airplane, toy_truck, toy_car};
  if (choice.category < 0 || choice.category >= toy_categories || choice.instance < 0 ||
      choice.instance >= toy_instances)
    throw Error("make_toy", "there is no such toy",
                "category " + std::to_string(choice.category) + ", instance " +
                    std::to_string(choice.instance),
                "5 categories of 10 instances, from 0");
  const Draws draws(choice.seed, choice.category, choice.instance);
  Part toy = makers[choice.category](draws);
  grow(toy, draws.between("size", 0.84, 1.06) / bounds_of(toy).radius);
  const Bounds bounds = bounds_of(toy);
  const Pose onto_table =
      Pose::translation({-bounds.middle().x, -bounds.middle().y, -bounds.low.z});
  for (Part& part : toy.parts)
    part.pose = onto_table * part.pose;
  return toy;
}

ToyStage stage_toy(const Part& toy, const ToyChoice& choice, int azimuth) {
  const double turned = 2 * pi * azimuth / toy_azimuths;
  ToyStage stage{choice,
                 azimuth,
                 Pose::rotation({0, 0, 1}, turned),
                 bounds_of(toy).middle(), // above the axis, so that turning leaves it there
                 {},
                 {}};
  const double paint =
      Draws(choice.seed, choice.category, choice.instance).between("paint", 0.34, 0.6);
  stage.scene.add(toy, stage.pose, paint, segments);
  const Scene alone = stage.scene;
  stage.scene.add(ground(drawn(Drawn::ground, stage)), {});
  for (const Lamp& lamp : lamps) {
    const Light key{towards(lamp.azimuth, lamp.elevation), lamp.brightness, {}};
    const Light fill{towards(lamp.azimuth + 160, 40), 0.2 * lamp.brightness, {}};
    stage.lightings.push_back({lamp.ambient, {with_shadows(key, alone, 256, 0.05), fill}});
  }
  return stage;
}

std::array<Camera, 2> eyes_on(const Vec3& aim, double degrees, int side) {
  const Pose view = Pose::look_at(aim + distance * towards(0, degrees), aim);
  return stereo_pair(Camera::perspective(view, side, side, field_of_view), baseline, distance);
}

std::array<Camera, 2> toy_eyes(const ToyStage& stage, int elevation) {
  Random random = drawn(Drawn::aim, stage, elevation);
  constexpr double pixel = distance * field_of_view / toy_side, most = 3 * pixel; // at the toy
  const double degrees = 30 + 5 * elevation;
  const double across = most * (2.0 * random.uniform() - 1);
  const double up = most * (2.0 * random.uniform() - 1);
  return eyes_on(stage.middle + across * Vec3{0, 1, 0} + up * towards(180, 90 - degrees), degrees,
                 toy_side);
}

std::vector<std::uint8_t> photograph(const ToyStage& stage, int elevation) {
  const auto eyes = toy_eyes(stage, elevation);
  Random noise = drawn(Drawn::noise, stage, elevation);
  std::vector<std::uint8_t> pictures(std::size_t(toy_lightings) * 2 * toy_pixels);
  std::vector<float> picture(toy_pixels);
  Surfaces surfaces;
  for (std::size_t eye = 0; eye < 2; ++eye) {
    rasterise(stage.scene, eyes[eye], supersampling, surfaces);
    for (std::size_t light = 0; light < toy_lightings; ++light) {
      shade(surfaces, stage.lightings[light], 0, picture);
      std::uint8_t* out = &pictures[(2 * light + eye) * toy_pixels];
      for (const float brightness : picture)
        *out++ = exposed(brightness, noise.next());
    }
  }
  return pictures;
}

} // namespace mereo

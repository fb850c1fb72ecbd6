// The sets of figures that test what a network knows of where parts belong.
#include "core/parallel.h"
#include "data/figures.h"
#include "data/streams.h"
#include "io/file.h"

#include <mereo/data.h>
#include <mereo/io.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace mereo {

namespace {

constexpr int side = 48;
constexpr double pixels_per_unit = 14; // at the size 1
constexpr std::int64_t most_parts = 10;

/// What a set does to its figures.
struct FigureSet {
  const char* name;
  Arrangement arrangement;
  double least_turn, most_turn;   // degrees, either way
  double least_shift, most_shift; // pixels, in any direction
};
constexpr FigureSet sets[] = {{"train", Arrangement::intact, 0, 15, 0, 3},
                              {"test", Arrangement::intact, 0, 15, 0, 3},
                              {"rotated", Arrangement::intact, 30, 180, 0, 3},
                              {"shifted", Arrangement::intact, 0, 15, 5, 8},
                              {"scrambled", Arrangement::scrambled, 0, 15, 0, 3}};

double between(double low, double high, Random& random) {
  return low + (high - low) * double(random.uniform());
}

/// Moved, turned, sized and leaning a little.
Pose whole_pose(const FigureSet& set, Random& random) {
  constexpr double pi = std::numbers::pi;
  const double turn = between(set.least_turn, set.most_turn, random) * (random.below(2) ? 1 : -1);
  const double shift = between(set.least_shift, set.most_shift, random) / pixels_per_unit;
  const double heading = between(0, 2 * pi, random), size = between(0.85, 1.08, random);
  return Pose::translation({shift * std::cos(heading), shift * std::sin(heading), 0}) *
         Pose::rotation({0, 0, 1}, turn * pi / 180) *
         Pose::shear(0, 1, between(-0.1, 0.1, random)) *
         Pose::scaling({size * between(0.92, 1.08, random), size, 1});
}

Figure draw_figure(const FigureSet& set, int label, Random& random) {
  Figure figure;
  figure.lines = random.below(2) == 0;
  figure.pose = whole_pose(set, random);
  figure.parts = arrange(label, set.arrangement, random);
  // What lies on another part is clearly brighter or darker.
  const double ground = between(0.5, 0.7, random);
  for (const FigurePart& part : figure.parts)
    figure.albedo.push_back(float(part.layer == 0        ? ground
                                  : random.below(2) == 0 ? between(0.2, ground - 0.25, random)
                                                         : between(ground + 0.25, 1, random)));
  return figure;
}

Lighting lighting_of(const Figure& figure, Random& random) {
  if (figure.lines)
    return {.ambient = 1, .lights = {}};
  const Vec3 lamp{between(-1, 1, random), between(0.2, 1, random), 1.2};
  return {.ambient = 0.35, .lights = {{lamp, 0.8, {}}}};
}

/// One set in the making.
struct Made {
  Dataset data;
  Tensor whole, parts, lines;

  explicit Made(std::int64_t count)
      : whole({count, 4, 4}), parts({count, most_parts, 4, 4}), lines({count}) {
    data.count = count;
    data.height = data.width = side;
    data.channels = 1;
    data.class_names = figure_names();
    data.classes = std::ssize(data.class_names);
    data.pixels.resize(std::size_t(count * side * side));
    data.labels.resize(std::size_t(count));
  }

  void draw(const FigureSet& set, std::int64_t i, Random random) {
    const int label = int(i % data.classes);
    const Figure figure = draw_figure(set, label, random);
    const Camera camera = Camera::orthographic(Pose::look_at({0, 0, 9}, {}, {0, 1, 0}), side, side,
                                               side / pixels_per_unit);
    Surfaces surfaces;
    rasterise(scene_of(figure), camera, 3, surfaces);
    std::vector<float> picture(side * side);
    shade(surfaces, lighting_of(figure, random), 0, picture);
    std::transform(picture.begin(), picture.end(), &data.pixels[std::size_t(i * side * side)],
                   [](float x) { return std::uint8_t(std::clamp(255 * x + 0.5f, 0.0f, 255.0f)); });
    data.labels[std::size_t(i)] = label;
    lines.data()[i] = figure.lines ? 1 : 0;
    const Pose to_pixels = Pose::scaling({camera.scale, camera.scale, camera.scale}) * camera.view;
    const auto put = [](const Pose& pose, real* out) {
      std::transform(pose.m.begin(), pose.m.end(), out, [](double x) { return real(x); });
    };
    put(to_pixels * figure.pose, whole.data() + 16 * i);
    for (std::size_t p = 0; p < figure.parts.size(); ++p)
      put(to_pixels * figure.pose * part_pose(figure, p),
          parts.data() + 16 * (most_parts * i + std::int64_t(p)));
  }

  void write(const std::string& prefix) {
    TensorFile file;
    for (std::size_t k = 0; k < data.class_names.size(); ++k) {
      std::string& names = file.metadata["parts." + data.class_names[k]];
      for (const FigurePart& part : figure_parts(int(k)))
        names += (names.empty() ? "" : ", ") + part.name;
    }
    file.tensors = {{"whole", whole}, {"parts", parts}, {"lines", lines}};
    write_safetensors(prefix + "-poses.safetensors", file);
    write_idx(prefix + "-images-idx3-ubyte", prefix + "-labels-idx1-ubyte", data);
  }
};

} // namespace

bool make_faces(const std::string& folder, const FacesOptions& options,
                const std::function<bool(std::int64_t, std::int64_t)>& progress) {
  if (options.train < 1 || options.test < 1)
    throw Error("make_faces", "each set needs a picture",
                std::to_string(options.train) + " and " + std::to_string(options.test));
  make_folder(folder);
  const std::int64_t all = options.train + (std::ssize(sets) - 1) * options.test;
  std::int64_t done = 0;
  for (std::size_t s = 0; s < std::size(sets); ++s) {
    const std::int64_t count = s == 0 ? options.train : options.test;
    Made made(count);
    constexpr std::int64_t at_once = 500;
    for (std::int64_t begin = 0; begin < count; begin += at_once) {
      const std::int64_t end = std::min(begin + at_once, count);
      parallel_for(end - begin, [&](std::int64_t k) {
        const std::int64_t i = begin + k;
        made.draw(sets[s], i, Random(options.seed, stream_of(Purpose::figure, std::int64_t(s), i)));
      });
      done += end - begin;
      if (progress && !progress(done, all))
        return false;
    }
    made.write(folder + "/" + sets[s].name);
  }
  return true;
}

} // namespace mereo

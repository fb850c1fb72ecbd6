// Faces and other figures of shared parts: what each of their sets does, and nothing else.
#include "error_of.h"
#include "scratch.h"

#include "data/figures.h"

#include <mereo/data.h>
#include <mereo/io.h>

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <numbers>

using namespace mereo;

namespace {

struct Threads {
  int before = threads();
  ~Threads() { set_threads(before); }
};

struct Made {
  Scratch scratch;
  Made() { make_faces(scratch.path("faces"), {.seed = 1, .train = 300, .test = 200}); }
  TensorFile truth(const std::string& set) const {
    return read_safetensors(scratch.path("faces/" + set + "-poses.safetensors"));
  }
};
const Made& made() {
  static const Made once;
  return once;
}

Pose pose_at(const Tensor& poses, std::int64_t index) {
  Pose pose;
  std::copy_n(poses.data() + 16 * index, 16, pose.m.begin());
  return pose;
}

/// By how many degrees a figure is turned: its x axis, which neither size nor shear turns.
double turned(const Pose& pose) {
  return std::abs(std::atan2(pose(1, 0), pose(0, 0))) * 180 / std::numbers::pi;
}

double moved_by(const Pose& pose) {
  return std::hypot(pose(0, 3), pose(1, 3));
}

/// How far part p is from where it should be in its whole.
double misplaced(const Pose& whole, const Pose& part, const FigurePart& home) {
  const Pose relation = inverse(whole) * part;
  return std::hypot(relation(0, 3) - home.x, relation(1, 3) - home.y);
}

} // namespace

TEST_CASE("faces: training pictures and each of the four test sets, by name") {
  const std::string& folder = made().scratch.folder();
  const Dataset train = load_dataset("faces", Split::train, folder);
  CHECK(train.count == 300);
  CHECK(train.class_names == std::vector<std::string>{"face", "house", "car", "fish", "clock"});
  for (std::int64_t i = 0; i < train.count; ++i)
    CHECK(train.labels[std::size_t(i)] == i % 5);
  std::vector<std::vector<std::uint8_t>> tests;
  for (const std::string name : {"faces", "faces-rotated", "faces-shifted", "faces-scrambled"}) {
    CHECK((load_dataset(name, Split::train, folder).pixels == train.pixels));
    const Dataset test = load_dataset(name, Split::test, folder);
    CHECK(test.count == 200);
    CHECK(test.height == 48);
    CHECK(test.name == name);
    CHECK(std::find(tests.begin(), tests.end(), test.pixels) == tests.end());
    tests.push_back(test.pixels);
  }
  CHECK(usual_view("faces-shifted").max_shift == 0);
  CHECK(error_of([] {
          load_dataset("faces", Split::train, "nowhere");
        }).find("build/render faces") != std::string::npos);
}

TEST_CASE("faces: sets turn, move and scramble as they say") {
  for (const std::string set : {"train", "test", "rotated", "shifted", "scrambled"}) {
    const TensorFile truth = made().truth(set);
    const Tensor &whole = truth.get("whole"), &parts = truth.get("parts");
    INFO(set);
    double least_turn = 180, most_turn = 0, least_shift = 99, most_shift = 0;
    double worst = 0; // misplaced part of an intact figure
    int home = 0;     // parts of scrambled figures that are not
    for (std::int64_t i = 0; i < whole.shape()[0]; ++i) {
      const Pose pose = pose_at(whole, i);
      least_turn = std::min(least_turn, turned(pose));
      most_turn = std::max(most_turn, turned(pose));
      least_shift = std::min(least_shift, moved_by(pose));
      most_shift = std::max(most_shift, moved_by(pose));
      const auto& figure = figure_parts(int(i % 5));
      for (std::size_t p = 0; p < figure.size(); ++p) {
        const Pose part = pose_at(parts, 10 * i + std::int64_t(p));
        const double off = misplaced(pose, part, figure[p]);
        if (set != "scrambled" || p == 0)
          worst = std::max(worst, off);
        else
          home += off < 0.3;
      }
      for (std::int64_t p = std::ssize(figure); p < 10; ++p)
        CHECK(pose_at(parts, 10 * i + p).m == std::array<double, 16>{});
    }
    CHECK(worst < 0.075);
    CHECK(home == 0);
    CHECK(least_turn >= (set == "rotated" ? 29.99 : 0));
    CHECK(most_turn <= (set == "rotated" ? 180 : 15.01));
    CHECK(most_turn > (set == "rotated" ? 170 : 14)); // upside-down is among them
    CHECK(least_shift >= (set == "shifted" ? 4.99 : 0));
    CHECK(most_shift <= (set == "shifted" ? 8.01 : 3.01));
  }
}

TEST_CASE("faces: a scrambled figure has the very parts of an intact one") {
  for (int figure = 0; figure < 5; ++figure)
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      Random random(seed, 9);
      const auto& home = figure_parts(figure);
      const auto parts = arrange(figure, Arrangement::scrambled, random);
      REQUIRE(parts.size() == home.size());
      for (std::size_t p = 0; p < parts.size(); ++p) {
        CHECK(parts[p].name == home[p].name);
        CHECK(parts[p].kind == home[p].kind);
        CHECK(parts[p].layer == home[p].layer);
        CHECK(parts[p].height == doctest::Approx(home[p].height).epsilon(0.13));
        CHECK(parts[p].width == doctest::Approx(home[p].width).epsilon(0.22));
        CHECK(std::abs(parts[p].degrees - home[p].degrees) <= 9);
      }
    }
  CHECK(error_of([] { figure_parts(5); }).find("0 to 4") != std::string::npos);
}

TEST_CASE("faces: parts are where the truth says, as far as pictures tell") {
  // A clock's rim, of which a line drawing has ink along the ellipse.
  const TensorFile truth = made().truth("test");
  const Dataset data = load_dataset("faces", Split::test, made().scratch.folder());
  int lines = 0, shaded = 0, inked = 0;
  for (std::int64_t i = 4; i < data.count; i += 5) {
    const Pose rim = pose_at(truth.get("parts"), 10 * i);
    const bool line = truth.get("lines").at({i}) == 1;
    lines += line;
    shaded += !line;
    for (int k = 0; k < 12 && line; ++k) {
      const double angle = 2 * std::numbers::pi * k / 12;
      const Vec3 at = rim.point({0.85 * std::cos(angle), 0.85 * std::sin(angle), 0});
      int brightest = 0;
      for (int dy = -1; dy <= 1; ++dy)
        for (int dx = -1; dx <= 1; ++dx) {
          const auto y = std::int64_t(std::floor(at.y + 24)) + dy,
                     x = std::int64_t(std::floor(at.x + 24)) + dx;
          if (y >= 0 && y < 48 && x >= 0 && x < 48)
            brightest = std::max(brightest, int(data.pixels[std::size_t((i * 48 + y) * 48 + x)]));
        }
      inked += brightest > 120;
    }
  }
  CHECK(lines > 8);
  CHECK(shaded > 8);
  CHECK(inked >= 12 * lines * 9 / 10); // sizes of parts deviate, of which poses do not tell
}

TEST_CASE("faces: the same on any number of threads; stopped; refused") {
  const Threads restored;
  std::string before;
  for (const int count : {1, 3}) {
    set_threads(count);
    const Scratch scratch;
    CHECK(make_faces(scratch.folder(), {.seed = 3, .train = 20, .test = 10}));
    std::string all;
    for (const std::string set : {"train", "test", "rotated", "shifted", "scrambled"})
      for (const char* file : {"-images-idx3-ubyte", "-labels-idx1-ubyte", "-poses.safetensors"})
        all += got(scratch.path(set + file));
    CHECK(all.size() > 60 * 48 * 48);
    if (!before.empty())
      CHECK((all == before));
    before = all;
  }
  const Scratch scratch;
  CHECK_FALSE(make_faces(scratch.folder(), {.seed = 3, .train = 20, .test = 10},
                         [](std::int64_t, std::int64_t) { return false; }));
  CHECK(scratch.files() == 0);
  CHECK(error_of([&] { make_faces(scratch.folder(), {.train = 0}); }).find("needs a picture") !=
        std::string::npos);
}

TEST_CASE("idx files written are read again") {
  const Scratch scratch;
  Dataset data = load_dataset("faces", Split::test, made().scratch.folder());
  write_idx(scratch.path("images"), scratch.path("labels"), data);
  const Dataset again = read_idx(scratch.path("images"), scratch.path("labels"), 5);
  CHECK((again.pixels == data.pixels));
  CHECK((again.labels == data.labels));
  CHECK(again.width == 48);
  data.channels = 2;
  data.count /= 2;
  data.labels.resize(std::size_t(data.count));
  CHECK(error_of([&] {
          write_idx(scratch.path("x"), scratch.path("y"), data);
        }).find("one channel") != std::string::npos);
  CHECK(scratch.files() == 2);
}

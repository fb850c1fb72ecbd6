#include "data/norb.h"
#include "error_of.h"
#include "norb_fixture.h"

#include <doctest/doctest.h>
#include <numeric>
#include <set>

using namespace mereo;
using namespace fixture;

namespace {

/// What a dat file holds, header and pixels.
struct Pairs {
  std::vector<std::int64_t> sizes;
  std::string pixels;
};

Pairs read_pairs(const std::string& path) {
  NorbReader reader(path, NorbElement::uint8, 4);
  Pairs pairs{reader.sizes(), {}};
  const auto product = [](std::int64_t a, std::int64_t b) { return a * b; };
  pairs.pixels.resize(std::size_t(
      std::accumulate(pairs.sizes.begin(), pairs.sizes.end(), std::int64_t(1), product)));
  for (std::size_t i = 0; i < pairs.pixels.size(); i += 3) // in pieces that fit no row
    reader.read(&pairs.pixels[i], std::min<std::size_t>(3, pairs.pixels.size() - i));
  reader.finish();
  return pairs;
}

/// Writes a part of a set: pictures of side x side whose label, facts and pixels follow from their
/// number, all 18 x 9 viewpoints in turn.
void put_set(const NorbPaths& paths, std::int64_t count, std::int64_t side) {
  NorbSetWriter writer(paths, count, side, side);
  for (std::int64_t i = 0; i < count; ++i) {
    const auto n = std::int32_t(i);
    const std::string text = pattern(std::size_t(2 * side * side), unsigned(i));
    const std::vector<std::uint8_t> pair(text.begin(), text.end());
    const std::int32_t label[] = {n % 5}, facts[] = {n % 10, n / 18 % 9, n % 18 * 2, n % 6};
    writer.append(pair, label, facts);
  }
  writer.commit();
}

} // namespace

TEST_CASE("NORB matrices are read, plain and gzip alike") {
  const Scratch scratch;
  const std::string path = scratch.path("m.mat"), pixels = pattern(2 * 2 * 3 * 5);
  for (const bool packed : {false, true}) {
    const auto file = [&](const std::string& bytes) {
      put(path, packed ? gzip_of(bytes) : bytes);
      return path;
    };
    const Pairs pairs = read_pairs(file(norb_dat(2, 3, 5, pixels)));
    CHECK(pairs.sizes == std::vector<std::int64_t>{2, 2, 3, 5});
    CHECK(pairs.pixels == pixels);
    const NorbNumbers cat = read_norb_numbers(file(norb_cat({4, 0, -1})), 1);
    CHECK(cat.sizes == std::vector<std::int64_t>{3});
    CHECK(cat.values == std::vector<std::int32_t>{4, 0, -1});
    const NorbNumbers info = read_norb_numbers(file(norb_info({9, 8, 34, 5, 0, 1, 2, 3})), 2);
    CHECK(info.sizes == std::vector<std::int64_t>{2, 4});
    CHECK(info.values == std::vector<std::int32_t>{9, 8, 34, 5, 0, 1, 2, 3});
  }
}

TEST_CASE("a NORB matrix that is another, or contradicts itself, is an error that names the file") {
  const Scratch scratch;
  const std::string path = scratch.path("m.mat");
  const auto complaint = [&](const std::string& bytes) {
    put(path, bytes);
    const std::string text = error_of([&] { read_norb_numbers(path, 1); });
    CHECK(text.find(path) != text.npos);
    return text;
  };
  const auto contains = [](const std::string& text, const char* piece) {
    return text.find(piece) != text.npos;
  };
  const std::string two = norb_numbers({1, 2});
  CHECK(contains(complaint(""), "too short"));
  CHECK(contains(complaint("<!DOCTYPE html><html>not found"), "not a NORB matrix"));
  CHECK(contains(complaint(norb_info({1, 2, 3, 4})), "not a NORB matrix"));
  CHECK(contains(complaint(norb_header(0x1e3d4c55, 1, {2, 1, 1}) + two), "not a NORB matrix"));
  CHECK(contains(complaint(norb_header(0x1e3d4c54, 1, {0, 1, 1})), "zero"));
  CHECK(contains(complaint(norb_header(0x1e3d4c54, 1, {~0u, 1, 1}) + two), "promises more"));
  CHECK(contains(complaint(norb_header(0x1e3d4c54, 1, {3, 1, 1}) + two), "shorter"));
  CHECK(contains(complaint(gzip_of(norb_header(0x1e3d4c54, 1, {3, 1, 1}) + two)), "shorter"));
  CHECK(contains(complaint(norb_header(0x1e3d4c54, 1, {1, 1, 1}) + two), "longer"));

  put(path, norb_header(0x1e3d4c55, 4, {1u << 31, 1u << 31, 1u << 31, 1u << 31}) + two);
  CHECK_THROWS_WITH_AS(read_pairs(path), doctest::Contains("promises more"), Error);
  CHECK_THROWS_AS(read_pairs(scratch.path("absent")), Error);
}

TEST_CASE("a damaged NORB matrix is an error or a load of the right size") {
  const Scratch scratch;
  const std::string path = scratch.path("m.mat"), bytes = norb_dat(2, 2, 3, pattern(24));
  const auto refused = [&](const std::string& what) {
    INFO(what);
    CHECK_THROWS_AS(read_pairs(path), Error);
  };
  const auto load = [&](const std::string& what) {
    INFO(what);
    std::size_t size = 24;
    try {
      size = read_pairs(path).pixels.size();
    } catch (const Error&) {
    }
    CHECK(size == 24);
  };
  for_every_cut(path, bytes, refused);
  for_every_flip(path, bytes, load);
  for_every_cut(path, gzip_of(bytes), refused);
  for_every_flip(path, gzip_of(bytes), load);
  put(path, bytes + "x");
  refused("a byte too many");
}

TEST_CASE("NORB files written are those of the description, byte by byte, once committed") {
  const Scratch scratch;
  const NorbPaths paths = norb_paths("toys", Split::test, scratch.folder());
  CHECK(paths.dat == scratch.path("toys-testing-dat.mat"));
  const std::string text = pattern(3 * 2 * 2 * 3);
  const std::vector<std::uint8_t> pixels(text.begin(), text.end());
  const std::vector<std::int32_t> labels{4, 0, 3}, facts{9, 8, 34, 5, 0, 0, 0, 0, 1, 2, 4, 3};
  {
    NorbSetWriter writer(paths, 3, 2, 3);
    const std::span pairs(pixels);
    writer.append(pairs.first(12), std::span(labels).first(1), std::span(facts).first(4));
    writer.append(pairs.subspan(12), std::span(labels).subspan(1), std::span(facts).subspan(4));
    CHECK(!std::filesystem::exists(paths.dat));
    writer.commit();
  }
  CHECK(got(paths.dat) == norb_dat(3, 2, 3, text));
  CHECK(got(paths.cat) == norb_cat({4, 0, 3}));
  CHECK(got(paths.info) == norb_info({9, 8, 34, 5, 0, 0, 0, 0, 1, 2, 4, 3}));
  CHECK(scratch.files() == 3);
}

TEST_CASE("a NORB set that is not complete leaves the old one, and nothing else") {
  const Scratch scratch;
  const NorbPaths paths = norb_paths("toys", Split::train, scratch.folder());
  put(paths.dat, "old");
  const std::vector<std::uint8_t> pair(8);
  const std::vector<std::int32_t> label(1), facts(4), long_facts(5);
  {
    NorbSetWriter writer(paths, 2, 2, 2);
    writer.append(pair, label, facts);
    CHECK_THROWS_AS(writer.append(pair, label, long_facts), Error);
    CHECK_THROWS_WITH_AS(writer.commit(), doctest::Contains("less was appended"), Error);
    writer.append(pair, label, facts);
    CHECK_THROWS_WITH_AS(writer.append(pair, label, facts), doctest::Contains("more was appended"),
                         Error);
  }
  CHECK(got(paths.dat) == "old");
  CHECK(scratch.files() == 1);
  NorbWriter numbers(scratch.path("n"), NorbElement::int32, {8});
  CHECK_THROWS_WITH_AS(numbers.append(pair), doctest::Contains("another type"), Error);
  CHECK_THROWS_AS(NorbSetWriter(paths, 0, 2, 2), Error);
  CHECK_THROWS_AS(NorbSetWriter(paths, 1 << 30, 1 << 30, 2), Error);
}

TEST_CASE("smallNORB's files keep their official names") {
  CHECK(norb_paths("smallnorb", Split::train, "d").dat ==
        "d/smallnorb-5x46789x9x18x6x2x96x96-training-dat.mat");
  CHECK(norb_paths("smallnorb", Split::test, "d").info ==
        "d/smallnorb-5x01235x9x18x6x2x96x96-testing-info.mat");
}

TEST_CASE("a NORB set is pairs as two channels, labels, class names and viewpoints") {
  const Scratch scratch;
  const NorbPaths paths = norb_paths("toys", Split::train, scratch.folder());
  put_set(paths, 200, 6); // several blocks, the last one short
  const Dataset data = read_norb(paths.dat, paths.cat, paths.info, {0, 6, 6});
  CHECK(data.count == 200);
  CHECK(data.image_size() == 6 * 6 * 2);
  CHECK(data.class_names[4] == "car");
  const Dataset left = read_norb(paths.dat, paths.cat, paths.info, {1, 6, 6});
  CHECK(left.channels == 1);
  int wrong = 0;
  for (std::size_t i = 0; i < 200; ++i) {
    const std::string pair = pattern(72, unsigned(i));
    for (std::size_t k = 0; k < 36; ++k) {
      wrong += data.pixels[i * 72 + 2 * k] != std::uint8_t(pair[k]);
      wrong += data.pixels[i * 72 + 2 * k + 1] != std::uint8_t(pair[36 + k]);
      wrong += left.pixels[i * 36 + k] != std::uint8_t(pair[k]);
    }
    wrong += data.labels[i] != std::int32_t(i % 5);
  }
  CHECK(wrong == 0);
  const Viewpoint& view = data.viewpoints[199];
  CHECK(view.instance == 9);
  CHECK(view.elevation == 199 / 18 % 9);
  CHECK(view.azimuth == 2 * (199 % 18));
  CHECK(view.lighting == 1);
  CHECK_THROWS_AS(read_norb(paths.dat, paths.cat, paths.info, {3, 6, 6}), Error);
  const auto none = [](const Viewpoint&) { return false; };
  CHECK_THROWS_WITH_AS(read_norb(paths.dat, paths.cat, paths.info, {}, none),
                       doctest::Contains("is empty"), Error);
}

TEST_CASE("facts of a picture that no NORB set has are an error that names the file") {
  const Scratch scratch;
  const NorbPaths paths = norb_paths("toys", Split::train, scratch.folder());
  put_set(paths, 1, 6);
  for (const std::string& wrong :
       {norb_info({10, 0, 0, 0}), norb_info({0, 9, 0, 0}), norb_info({0, 0, 36, 0}),
        norb_info({0, 0, 3, 0}), norb_info({0, 0, 0, 6}), norb_info({0, 0, 0, -1})}) {
    put(paths.info, wrong);
    CHECK_THROWS_WITH_AS(read_norb(paths.dat, paths.cat, paths.info),
                         doctest::Contains(paths.info.c_str()), Error);
  }
  put(paths.info, norb_info({9, 8, 34, 5}));
  CHECK(read_norb(paths.dat, paths.cat, paths.info).viewpoints[0].lighting == 5);
}

TEST_CASE("NORB pictures of 96x96 are halved by the mean of each 2x2 pixels") {
  const Scratch scratch;
  const NorbPaths paths = norb_paths("toys", Split::train, scratch.folder());
  put_set(paths, 3, 96);
  const Dataset data = read_norb(paths.dat, paths.cat, paths.info);
  CHECK(data.height == 48);
  CHECK(data.width == 48);
  int wrong = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    const std::string pair = pattern(2 * 96 * 96, unsigned(i));
    for (std::size_t c = 0; c < 2; ++c)
      for (std::size_t y = 0; y < 48; ++y)
        for (std::size_t x = 0; x < 48; ++x) {
          int sum = 0;
          for (const std::size_t at : {0, 1, 96, 97})
            sum += std::uint8_t(pair[c * 96 * 96 + 2 * y * 96 + 2 * x + at]);
          wrong += data.pixels[((i * 48 + y) * 48 + x) * 2 + c] != (sum + 2) / 4;
        }
  }
  CHECK(wrong == 0);
}

TEST_CASE("files of a NORB set that contradict each other are errors") {
  const Scratch scratch;
  const std::string dat = scratch.path("dat"), cat = scratch.path("cat"),
                    info = scratch.path("info");
  const auto complaint = [&] { return error_of([&] { read_norb(dat, cat, info, {2, 2, 2}); }); };
  const auto good = [&] {
    put(dat, norb_dat(2, 2, 2, pattern(16)));
    put(cat, norb_cat({4, 0}));
    put(info, norb_info({9, 8, 34, 5, 0, 0, 0, 0}));
  };
  good();
  CHECK(complaint().empty());
  for (const auto& text : {norb_cat({4}), norb_cat({4, 0, 1}), norb_cat({4, 5}), norb_cat({4, -1}),
                           norb_info({1, 0, 0, 0, 1, 0, 0, 0})}) {
    put(cat, text);
    CHECK(!complaint().empty());
  }
  good();
  for (const auto& text :
       {norb_info({0, 0, 0, 0}), norb_info({0, 9, 0, 0, 0, 0, 0, 0}),
        norb_info({0, 0, 3, 0, 0, 0, 0, 0}), norb_info({0, 0, 36, 0, 0, 0, 0, 0}),
        norb_info({-1, 0, 0, 0, 0, 0, 0, 0}),
        norb_header(0x1e3d4c54, 2, {4, 2, 1}) + norb_numbers({0, 0, 0, 0, 0, 0, 0, 0})}) {
    put(info, text);
    CHECK(complaint().starts_with(info));
  }
  good();
  put(dat, norb_header(0x1e3d4c55, 4, {2, 1, 2, 4}) + pattern(16));
  CHECK(complaint().find("not pairs") != std::string::npos);
}

TEST_CASE("NORB sets by name, and the novel and familiar viewpoints of both experiments") {
  const Scratch scratch;
  for (const std::string set : {"smallnorb", "toys"}) {
    const std::string folder = scratch.path(set);
    std::filesystem::create_directories(folder);
    const std::string hint = set == "toys" ? "build/render toys" : "tools/fetch.sh smallnorb";
    CHECK_THROWS_WITH_AS(load_dataset(set + "-azimuth", Split::familiar, scratch.folder()),
                         doctest::Contains(hint.c_str()), Error);
    for (const Split split : {Split::train, Split::test})
      put_set(norb_paths(set, split, folder), 2 * 18 * 9, 4);
    const NorbPaths test = norb_paths(set, Split::test, folder);
    put(test.dat + ".gz", gzip_of(got(test.dat)));
    std::filesystem::remove(test.dat);

    const auto load = [&](const std::string& ending, Split split) {
      const Dataset data = load_dataset(set + ending, split, scratch.folder(), {1, 2, 2});
      CHECK(data.name == set + ending);
      return data;
    };
    CHECK(load("", Split::train).count == 324);
    CHECK(load("", Split::test).count == 324);
    CHECK_THROWS_WITH_AS(load("", Split::familiar), doctest::Contains("no familiar part"), Error);
    const std::set<int> front{30, 32, 34, 0, 2, 4}, low{0, 1, 2};
    for (const Split split : {Split::train, Split::test, Split::familiar}) {
      const bool novel = split == Split::test;
      const Dataset azimuth = load("-azimuth", split), elevation = load("-elevation", split);
      CHECK(azimuth.count == (novel ? 216 : 108));
      CHECK(elevation.count == (novel ? 216 : 108));
      for (const Viewpoint& view : azimuth.viewpoints)
        CHECK(front.contains(view.azimuth) != novel);
      for (const Viewpoint& view : elevation.viewpoints)
        CHECK(low.contains(view.elevation) != novel);
    }
  }
  CHECK_THROWS_AS(load_dataset("smallnorb-lighting", Split::train, scratch.folder()), Error);
  CHECK_THROWS_AS(load_dataset("mnist", Split::familiar, scratch.folder()), Error);
}

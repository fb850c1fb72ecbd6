#include "allocations.h"
#include "data/view.h"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <map>
#include <set>

using namespace mereo;

namespace {

constexpr std::int64_t H = 12, W = 10, C = 2;
using Pixels = std::vector<real>;

/// Noise on slopes that differ from channel to channel.
Dataset sample(std::int64_t count = 23) {
  Dataset data;
  data.name = "sample";
  data.count = count;
  data.height = H;
  data.width = W;
  data.channels = C;
  data.classes = 1;
  data.class_names = {"a"};
  data.labels.resize(std::size_t(count));
  for (std::int64_t i = 0; i < count * H * W * C; ++i)
    data.pixels.push_back(std::uint8_t(20 + 60 * (i % C) + i / C % W * 5 + i * 37 % 41));
  data.check();
  return data;
}

/// Every picture of one epoch by its index.
std::map<std::int64_t, Pixels> pictures(Loader& loader, std::int64_t epoch) {
  std::map<std::int64_t, Pixels> all;
  loader.start_epoch(epoch);
  for (Batch batch; loader.next(batch);)
    for (std::size_t i = 0; i < batch.indices.size(); ++i) {
      const auto pixels = batch.images.rows(std::int64_t(i), std::int64_t(i) + 1).values();
      all[batch.indices[i]].assign(pixels.begin(), pixels.end());
    }
  return all;
}

Pixels whole(const Dataset& data, std::int64_t i) {
  Pixels pixels(std::size_t(data.image_size()));
  data.copy_image(i, pixels.data());
  return pixels;
}

/// side x side of a picture, straight from the definition.
Pixels cut_out(const Pixels& picture, std::int64_t top, std::int64_t left, std::int64_t side) {
  Pixels out;
  for (std::int64_t y = top; y < top + side; ++y)
    for (std::int64_t x = left; x < left + side; ++x)
      for (std::int64_t c = 0; c < C; ++c)
        out.push_back(picture[std::size_t((y * W + x) * C + c)]);
  return out;
}

double mean_of(const Pixels& pixels, std::size_t first = 0, std::size_t step = 1) {
  double sum = 0, count = 0;
  for (std::size_t i = first; i < pixels.size(); i += step, ++count)
    sum += pixels[i];
  return sum / count;
}

double deviation_of(const Pixels& pixels) {
  double sum = 0;
  for (const real x : pixels)
    sum += std::pow(x - mean_of(pixels), 2);
  return std::sqrt(sum / double(pixels.size()));
}

double largest_difference(const Pixels& a, const Pixels& b) {
  REQUIRE(a.size() == b.size());
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    largest = std::max(largest, std::abs(double(a[i]) - double(b[i])));
  return largest;
}

const View everything{
    .max_shift = 1, .brightness = 0.25, .contrast = 0.8, .crop = 7, .standardize = true};

} // namespace

TEST_CASE("training crops are cut out exactly, from every place") {
  const Dataset data = sample();
  Loader loader(data, all_indices(data.count), {.batch = 6, .view = {.crop = 7}});
  std::map<std::pair<int, int>, int> seen;
  for (std::int64_t epoch = 0; epoch < 40; ++epoch)
    for (const auto& [index, pixels] : pictures(loader, epoch)) {
      int matches = 0;
      for (int top = 0; top <= H - 7; ++top)
        for (int left = 0; left <= W - 7; ++left)
          if (pixels == cut_out(whole(data, index), top, left, 7))
            ++seen[{top, left}], ++matches;
      CHECK(matches == 1);
    }
  CHECK(seen.size() == 6 * 4); // 920 crops: 38 expected of each, standard deviation 6
  for (const auto& [place, count] : seen)
    CHECK(std::abs(count - 38) < 30);
}

TEST_CASE("without augmentation crops are the middle, and nothing else is changed") {
  const Dataset data = sample();
  Loader loader(data, all_indices(data.count),
                {.batch = 6,
                 .shuffle = false,
                 .view = {.max_shift = 1, .brightness = 0.25, .contrast = 0.8, .crop = 7},
                 .augment = false});
  for (const auto& [index, pixels] : pictures(loader, 3))
    CHECK(pixels == cut_out(whole(data, index), 2, 1, 7)); // (12 - 7) / 2, (10 - 7) / 2
}

TEST_CASE("the thirteen crops are the middle and twelve along the diagonals") {
  std::set<std::pair<int, int>> offsets;
  for (const CropOffset& crop : thirteen_crops())
    offsets.insert({crop.dy, crop.dx});
  CHECK(offsets == std::set<std::pair<int, int>>{{0, 0},
                                                 {-1, -1},
                                                 {-1, 1},
                                                 {1, -1},
                                                 {1, 1},
                                                 {-2, -2},
                                                 {-2, 2},
                                                 {2, -2},
                                                 {2, 2},
                                                 {-3, -3},
                                                 {-3, 3},
                                                 {3, -3},
                                                 {3, 3}});
  CHECK(thirteen_crops().size() == 13);
  CHECK(thirteen_crops().front().dy == 0);

  // Each of 4x4 in 12x10, the middle one at (4, 3).
  const Dataset data = sample(2);
  Tensor both(Shape{2, H, W, C});
  for (std::int64_t i = 0; i < 2; ++i)
    data.copy_image(i, both.rows(i, i + 1).data());
  for (const CropOffset& crop : thirteen_crops()) {
    const Tensor seen = apply_view(both, {.crop = 4}, crop);
    CHECK(seen.shape() == Shape{2, 4, 4, C});
    for (std::int64_t i = 0; i < 2; ++i) {
      const auto pixels = seen.rows(i, i + 1).values();
      CHECK(Pixels(pixels.begin(), pixels.end()) ==
            cut_out(whole(data, i), 4 + crop.dy, 3 + crop.dx, 4));
    }
  }
  CHECK_THROWS_WITH_AS(apply_view(both, {.crop = 5}, {0, -3}), doctest::Contains("does not lie"),
                       Error);
  CHECK_THROWS_AS(apply_view(both, {.crop = 11}), Error);
  CHECK_THROWS_AS(apply_view(both, {}, {1, 0}), Error);
  CHECK_THROWS_AS(apply_view(both.reshape({2 * H, W, C}), {}), Error);
}

TEST_CASE("standardised pictures have mean 0 and deviation 1 over all channels") {
  const Dataset data = sample();
  for (const std::int64_t crop : {0, 7}) {
    Loader loader(data, all_indices(data.count),
                  {.batch = 6, .view = {.crop = crop, .standardize = true}, .augment = false});
    for (const auto& [index, pixels] : pictures(loader, 0)) {
      CHECK(std::abs(mean_of(pixels)) < 1e-6);
      CHECK(deviation_of(pixels) == doctest::Approx(1).epsilon(1e-6));
      CHECK(std::abs(mean_of(pixels, 0, 2) - mean_of(pixels, 1, 2)) > 1); // one mean for both
      const Pixels before = crop > 0 ? cut_out(whole(data, index), 2, 1, 7) : whole(data, index);
      Pixels naive;
      for (const real x : before)
        naive.push_back(real((x - mean_of(before)) / deviation_of(before)));
      CHECK(largest_difference(pixels, naive) < 1e-5);
    }
  }
}

TEST_CASE("a picture of one grey is standardised to zero, faint noise not to strong") {
  Pixels grey(H * W * C, real(0.3)), faint = grey;
  standardize(H * W * C, grey.data());
  for (const real x : grey)
    CHECK(std::abs(x) < 1e-4);
  faint[0] += real(1e-6); // far below a grey level
  standardize(H * W * C, faint.data());
  for (const real x : faint)
    CHECK(std::abs(x) < 0.01);
}

TEST_CASE("random brightness adds one number to a picture, all over its range") {
  const Dataset data = sample();
  Loader loader(data, all_indices(data.count), {.batch = 6, .view = {.brightness = 0.25}});
  double lowest = 1, highest = -1;
  for (std::int64_t epoch = 0; epoch < 10; ++epoch)
    for (const auto& [index, pixels] : pictures(loader, epoch)) {
      const Pixels before = whole(data, index);
      const real added = pixels[0] - before[0];
      Pixels expected = before;
      for (real& x : expected)
        x += added;
      CHECK(largest_difference(pixels, expected) < 1e-6);
      lowest = std::min(lowest, double(added));
      highest = std::max(highest, double(added));
    }
  CHECK(lowest > -0.2501);
  CHECK(lowest < -0.24);
  CHECK(highest > 0.24);
  CHECK(highest < 0.2501);
}

TEST_CASE("random contrast scales the distance from each channel's mean, by one factor") {
  const Dataset data = sample();
  Loader loader(data, all_indices(data.count), {.batch = 6, .view = {.contrast = 0.8}});
  double lowest = 9, highest = 0;
  for (std::int64_t epoch = 0; epoch < 10; ++epoch)
    for (const auto& [index, pixels] : pictures(loader, epoch)) {
      const Pixels before = whole(data, index);
      const double means[] = {mean_of(before, 0, 2), mean_of(before, 1, 2)};
      const double factor = (pixels[0] - means[0]) / (before[0] - means[0]);
      Pixels expected;
      for (std::size_t i = 0; i < before.size(); ++i)
        expected.push_back(real((before[i] - means[i % 2]) * factor + means[i % 2]));
      CHECK(largest_difference(pixels, expected) < 1e-5);
      lowest = std::min(lowest, factor);
      highest = std::max(highest, factor);
    }
  CHECK(lowest > 0.199);
  CHECK(lowest < 0.25);
  CHECK(highest > 1.75);
  CHECK(highest < 1.801);
}

TEST_CASE("the parts of a view come in their order: shift, brightness, contrast, crop, standard") {
  const Dataset data = sample();
  LoaderOptions options{.batch = 6, .view = everything, .seed = 5};
  for (const bool standardised : {false, true}) {
    options.view.standardize = standardised;
    Loader loader(data, all_indices(data.count), options);
    for (const auto& [index, pixels] : pictures(loader, 2)) {
      const Chance chance = draw(options.view, H, W, 5, 2, index);
      Pixels naive(H * W * C);
      data.copy_image(index, naive.data(), chance.dy, chance.dx);
      for (real& x : naive)
        x += chance.brightness;
      const double means[] = {mean_of(naive, 0, 2), mean_of(naive, 1, 2)};
      for (std::size_t i = 0; i < naive.size(); ++i)
        naive[i] = real((naive[i] - means[i % 2]) * chance.contrast + means[i % 2]);
      naive = cut_out(naive, chance.top, chance.left, 7);
      const double mean = mean_of(naive), deviation = deviation_of(naive);
      for (real& x : naive)
        x = standardised ? real((x - mean) / deviation) : x;
      CHECK(largest_difference(pixels, naive) < 1e-5);
    }
  }
}

TEST_CASE("what is random in a view depends on seed, epoch and index alone") {
  const Dataset data = sample();
  Loader loader(data, all_indices(data.count), {.batch = 6, .view = everything});
  Loader other(data, all_indices(data.count),
               {.batch = 23, .shuffle = false, .view = everything, .prefetch = false});
  Loader seeded(data, all_indices(data.count), {.batch = 6, .view = everything, .seed = 2});
  const auto first = pictures(loader, 4), second = pictures(loader, 5);
  CHECK(first == pictures(other, 4));
  CHECK(second == pictures(other, 5));
  for (const auto& [index, pixels] : first) {
    CHECK(pixels != second.at(index));
    CHECK(pixels != pictures(seeded, 4).at(index));
  }

  // A restored position: all that follows is the same.
  Batch batch, again;
  loader.start_epoch(4);
  for (int i = 0; i < 2; ++i)
    REQUIRE(loader.next(batch));
  other.start_epoch(9);
  Loader resumed(data, all_indices(data.count), {.batch = 6, .view = everything});
  resumed.restore(loader.position());
  while (loader.next(batch)) {
    REQUIRE(resumed.next(again));
    CHECK(batch.indices == again.indices);
    CHECK(std::ranges::equal(batch.images.values(), again.images.values()));
  }
  CHECK(!resumed.next(again));
}

TEST_CASE("a view costs a loader no allocation" * doctest::skip(!allocations::counted)) {
  const Dataset data = sample();
  Loader loader(data, all_indices(data.count), {.batch = 6, .view = everything});
  Batch batch;
  std::int64_t count = 0;
  for (std::int64_t epoch = 0; epoch < 4; ++epoch) {
    if (epoch == 2)
      count = allocations::made();
    loader.start_epoch(epoch);
    while (loader.next(batch)) {
    }
  }
  CHECK(allocations::made() == count);
}

TEST_CASE("a view out of range is an error") {
  const auto refused = [](const View& view) { CHECK_THROWS_AS(view.check(H, W), Error); };
  CHECK_NOTHROW(everything.check(H, W));
  CHECK_NOTHROW((View{.crop = W}).check(H, W));
  refused({.max_shift = -1});
  refused({.max_shift = W + 1});
  refused({.brightness = -0.1});
  refused({.brightness = 1.1});
  refused({.brightness = std::nan("")});
  refused({.contrast = -0.1});
  refused({.contrast = 1.1});
  refused({.contrast = std::nan("")});
  refused({.crop = -1});
  refused({.crop = W + 1});
}

TEST_CASE(
    "the usual views: NORB sets as in the authors' code, what is placed as it is, others shifted") {
  for (const std::string& name : dataset_names()) {
    const View view = usual_view(name);
    const bool norb = name.starts_with("smallnorb") || name.starts_with("toys");
    const bool placed = norb || name.starts_with("faces") || name == "multi-mnist" ||
                        name == "affine-mnist" ||
                        name == "affnist"; // where things are is what they test
    CHECK(view.max_shift == (placed ? 0 : 2));
    CHECK(view.crop == (norb ? 32 : 0));
    CHECK(view.standardize == norb);
    CHECK(view.brightness == doctest::Approx(norb ? 63.0 / 255 : 0));
    CHECK(view.contrast == (norb ? 0.8 : 0));
    CHECK(view.keeps_range() != norb);
    CHECK(view.still().keeps_range() != norb);
  }
}

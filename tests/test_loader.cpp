#include <mereo/data.h>

#include <algorithm>
#include <cstdlib>
#include <doctest/doctest.h>
#include <map>
#include <set>

using namespace mereo;

namespace {

Dataset sample(std::int64_t count = 23) {
  Dataset data;
  data.name = "sample";
  data.count = count;
  data.height = 5;
  data.width = 4;
  data.channels = 2;
  data.classes = 3;
  data.class_names = {"a", "b", "c"};
  for (std::int64_t i = 0; i < count * data.image_size(); ++i)
    data.pixels.push_back(std::uint8_t(1 + i * 37 % 255)); // never 0, which is what a shift brings
  for (std::int64_t i = 0; i < count; ++i)
    data.labels.push_back(std::int32_t(i % 3));
  data.check();
  return data;
}

/// What next() gave, in memory of its own.
struct Copy {
  std::vector<std::int64_t> indices;
  std::vector<std::int32_t> labels;
  std::vector<real> pixels;
  bool operator==(const Copy&) const = default;
};

std::vector<Copy> rest_of_epoch(Loader& loader) {
  std::vector<Copy> copies;
  for (Batch batch; loader.next(batch);)
    copies.push_back({batch.indices,
                      batch.labels,
                      {batch.images.values().begin(), batch.images.values().end()}});
  return copies;
}

/// Every picture by its index: order and batch borders forgotten.
std::map<std::int64_t, std::vector<real>> by_index(const std::vector<Copy>& copies) {
  std::map<std::int64_t, std::vector<real>> pictures;
  for (const Copy& copy : copies) {
    const std::size_t size = copy.pixels.size() / copy.indices.size();
    for (std::size_t i = 0; i < copy.indices.size(); ++i)
      pictures[copy.indices[i]].assign(copy.pixels.begin() + std::ptrdiff_t(i * size),
                                       copy.pixels.begin() + std::ptrdiff_t((i + 1) * size));
  }
  return pictures;
}

std::vector<std::int64_t> indices_of(const std::vector<Copy>& copies) {
  std::vector<std::int64_t> indices;
  for (const Copy& copy : copies)
    indices.insert(indices.end(), copy.indices.begin(), copy.indices.end());
  return indices;
}

/// The picture moved by (dy, dx), straight from the definition.
std::vector<real> moved(const Dataset& data, std::int64_t i, std::int64_t dy, std::int64_t dx) {
  std::vector<real> out;
  for (std::int64_t y = 0; y < data.height; ++y)
    for (std::int64_t x = 0; x < data.width; ++x)
      for (std::int64_t c = 0; c < data.channels; ++c) {
        const std::int64_t from_y = y - dy, from_x = x - dx;
        const bool inside =
            from_y >= 0 && from_y < data.height && from_x >= 0 && from_x < data.width;
        const std::int64_t at =
            ((i * data.height + from_y) * data.width + from_x) * data.channels + c;
        out.push_back(inside ? real(data.pixels[std::size_t(at)]) / 255 : 0);
      }
  return out;
}

} // namespace

TEST_CASE("a picture is copied moved by any distance, zero where nothing comes from") {
  const Dataset data = sample(2);
  std::vector<real> out(std::size_t(data.image_size()));
  for (std::int64_t dy = -6; dy <= 6; ++dy)
    for (std::int64_t dx = -6; dx <= 6; ++dx) {
      std::fill(out.begin(), out.end(), real(-1));
      data.copy_image(1, out.data(), dy, dx);
      CHECK(out == moved(data, 1, dy, dx));
    }
  CHECK_THROWS_AS(data.copy_image(2, out.data()), Error);
  CHECK_THROWS_AS(data.copy_image(-1, out.data()), Error);
}

TEST_CASE("a data set that contradicts itself is found out") {
  const auto broken = [](auto change) {
    Dataset data = sample();
    change(data);
    CHECK_THROWS_AS(data.check(), Error);
  };
  broken([](Dataset& d) { d.labels[5] = 3; });
  broken([](Dataset& d) { d.labels[5] = -1; });
  broken([](Dataset& d) { d.labels.pop_back(); });
  broken([](Dataset& d) { d.pixels.pop_back(); });
  broken([](Dataset& d) { d.class_names.pop_back(); });
  broken([](Dataset& d) { d.count = 0; });
  broken([](Dataset& d) { d.height = std::int64_t{1} << 62; });
}

TEST_CASE("batches hold the pictures, labels and indices in order, the last one what is left") {
  const Dataset data = sample();
  Loader loader(data, all_indices(data.count), {.batch = 5, .shuffle = false});
  CHECK(loader.batches() == 5);
  CHECK(loader.samples() == 23);
  Batch batch;
  for (std::int64_t b = 0; b < 5; ++b) {
    REQUIRE(loader.next(batch));
    const std::int64_t size = b < 4 ? 5 : 3;
    REQUIRE(batch.images.shape() == Shape{size, 5, 4, 2});
    REQUIRE(std::int64_t(batch.labels.size()) == size);
    REQUIRE(std::int64_t(batch.indices.size()) == size);
    for (std::int64_t i = 0; i < size; ++i) {
      CHECK(batch.indices[std::size_t(i)] == b * 5 + i);
      CHECK(batch.labels[std::size_t(i)] == (b * 5 + i) % 3);
      const auto pixels = batch.images.rows(i, i + 1).values();
      CHECK(std::vector<real>(pixels.begin(), pixels.end()) == moved(data, b * 5 + i, 0, 0));
    }
  }
  CHECK(!loader.next(batch));
  CHECK(!loader.next(batch));

  Loader dropping(data, all_indices(data.count), {.batch = 5, .drop_last = true});
  CHECK(dropping.batches() == 4);
  CHECK(dropping.samples() == 20);
  CHECK(rest_of_epoch(dropping).size() == 4);
}

TEST_CASE("each epoch is another permutation of the chosen pictures, the same for the same seed") {
  const Dataset data = sample();
  const std::vector<std::int64_t> chosen = {1, 4, 5, 7, 8, 9, 12, 15, 20, 22};
  Loader a(data, chosen, {.batch = 3}), b(data, chosen, {.batch = 4});
  std::set<std::vector<std::int64_t>> orders;
  for (std::int64_t epoch = 0; epoch < 20; ++epoch) {
    a.start_epoch(epoch);
    b.start_epoch(epoch);
    std::vector<std::int64_t> order = indices_of(rest_of_epoch(a));
    CHECK(order == indices_of(rest_of_epoch(b)));
    orders.insert(order);
    std::sort(order.begin(), order.end());
    CHECK(order == chosen);
  }
  CHECK(orders.size() == 20);
  Loader other(data, chosen, {.batch = 3, .seed = 2});
  CHECK(orders.count(indices_of(rest_of_epoch(other))) == 0);
}

TEST_CASE("every place of the shuffled order gets every picture equally often") {
  const Dataset data = sample(4);
  Loader loader(data, all_indices(4), {.batch = 4, .prefetch = false});
  int counts[4][4] = {};
  Batch batch;
  for (std::int64_t epoch = 0; epoch < 4000; ++epoch) {
    loader.start_epoch(epoch);
    REQUIRE(loader.next(batch));
    for (std::size_t place = 0; place < 4; ++place)
      ++counts[place][batch.indices[place]];
  }
  for (const auto& row : counts) // expected 1000, standard deviation 27
    for (const int count : row)
      CHECK(std::abs(count - 1000) < 140);
}

TEST_CASE("shifts are exact, reach every offset, and do not depend on batches or prefetching") {
  const Dataset data = sample();
  Loader loader(data, all_indices(data.count), {.batch = 6, .view = {.max_shift = 2}});
  Loader other(data, all_indices(data.count),
               {.batch = 7, .shuffle = false, .view = {.max_shift = 2}, .prefetch = false});
  std::map<std::pair<int, int>, int> seen;
  for (std::int64_t epoch = 0; epoch < 40; ++epoch) {
    loader.start_epoch(epoch);
    other.start_epoch(epoch);
    const auto pictures = by_index(rest_of_epoch(loader));
    CHECK(pictures == by_index(rest_of_epoch(other)));
    for (const auto& [index, pixels] : pictures) {
      int matches = 0;
      for (int dy = -2; dy <= 2; ++dy)
        for (int dx = -2; dx <= 2; ++dx)
          if (pixels == moved(data, index, dy, dx))
            ++seen[{dy, dx}], ++matches;
      CHECK(matches == 1);
    }
  }
  CHECK(seen.size() == 25); // 920 shifts: 37 expected of each, standard deviation 6
  for (const auto& [offset, count] : seen)
    CHECK(std::abs(count - 37) < 30);
}

TEST_CASE("a restored position gives exactly the batches that would have followed") {
  const Dataset data = sample();
  const LoaderOptions options = {.batch = 4, .view = {.max_shift = 1}};
  Loader unbroken(data, all_indices(data.count), options);
  unbroken.start_epoch(3);
  const std::vector<Copy> all = rest_of_epoch(unbroken);
  REQUIRE(all.size() == 6);
  for (std::int64_t stop = 0; stop <= 6; ++stop) {
    Loader first(data, all_indices(data.count), options);
    first.start_epoch(3);
    Batch batch;
    for (std::int64_t i = 0; i < stop; ++i)
      REQUIRE(first.next(batch));
    CHECK(first.position() == LoaderPosition{3, stop});

    Loader second(data, all_indices(data.count), options);
    REQUIRE(second.next(batch)); // what it did before does not matter
    second.restore(first.position());
    CHECK(rest_of_epoch(second) == std::vector<Copy>(all.begin() + stop, all.end()));
    CHECK(rest_of_epoch(first) == std::vector<Copy>(all.begin() + stop, all.end()));
  }
}

TEST_CASE("prefetching changes nothing but the time") {
  const Dataset data = sample(50);
  Loader with(data, all_indices(50), {.batch = 7, .view = {.max_shift = 2}, .prefetch = true});
  Loader without(data, all_indices(50), {.batch = 7, .view = {.max_shift = 2}, .prefetch = false});
  for (std::int64_t epoch = 0; epoch < 5; ++epoch) {
    with.start_epoch(epoch);
    without.start_epoch(epoch);
    CHECK(rest_of_epoch(with) == rest_of_epoch(without));
  }
}

TEST_CASE("a batch stays whole while the next one is prefetched, in two buffers for good") {
  const Dataset data = sample(50);
  Loader loader(data, all_indices(50), {.batch = 5});
  std::set<const real*> buffers;
  Batch batch;
  for (std::int64_t epoch = 0; epoch < 3; ++epoch) {
    loader.start_epoch(epoch);
    while (loader.next(batch)) {
      buffers.insert(batch.images.data());
      for (std::int64_t i = 0; i < 5; ++i) {
        const auto pixels = batch.images.rows(i, i + 1).values();
        CHECK(std::vector<real>(pixels.begin(), pixels.end()) ==
              moved(data, batch.indices[std::size_t(i)], 0, 0));
      }
    }
  }
  CHECK(buffers.size() == 2);
}

TEST_CASE("a loader can be dropped at any moment") {
  const Dataset data = sample(200);
  for (int taken = 0; taken < 20; ++taken) {
    Loader loader(data, all_indices(200), {.batch = 10, .view = {.max_shift = 1}});
    Batch batch;
    for (int i = 0; i < taken; ++i)
      loader.next(batch);
    if (taken % 3 == 0)
      loader.start_epoch(1);
  }
}

TEST_CASE("what goes wrong on the loader's thread is thrown by next()") {
  Dataset data = sample();
  Loader loader(data, all_indices(data.count), {.batch = 23});
  const std::vector<std::uint8_t> pixels = data.pixels;
  data.pixels.resize(10);
  Batch batch;
  CHECK_THROWS_AS(loader.next(batch), Error);
  CHECK(loader.position() == LoaderPosition{0, 0});
  data.pixels = pixels;
  CHECK(loader.next(batch));
}

TEST_CASE("a loader refuses what makes no sense, and has nothing to give without pictures") {
  const Dataset data = sample();
  CHECK_THROWS_AS(Loader(data, {0, 23}, {}), Error);
  CHECK_THROWS_AS(Loader(data, {-1}, {}), Error);
  CHECK_THROWS_AS(Loader(data, {0}, {.batch = 0}), Error);
  CHECK_THROWS_AS(Loader(data, {0}, {.view = {.max_shift = -1}}), Error);
  CHECK_THROWS_AS(Loader(data, {0}, {.view = {.max_shift = 5}}), Error);
  Loader empty(data, {}, {});
  Batch batch;
  CHECK(empty.batches() == 0);
  CHECK(!empty.next(batch));
  Loader loader(data, all_indices(23), {.batch = 5});
  CHECK_THROWS_AS(loader.start_epoch(-1), Error);
  CHECK_THROWS_AS(loader.restore({0, 6}), Error);
  CHECK_THROWS_AS(loader.restore({0, -1}), Error);
}

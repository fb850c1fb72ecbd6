// Mini-batches in which one factor varies.
#include "blobs.h"
#include "error_of.h"

#include <mereo/factors.h>

#include <doctest/doctest.h>

#include <map>
#include <set>

using namespace mereo;

namespace {

/// Values that each factor takes in a batch; shape is class and instance.
std::array<std::size_t, factor_count> variety(const Dataset& data, const Batch& batch) {
  std::set<std::int64_t> seen[factor_count];
  for (const std::int64_t i : batch.indices) {
    const Viewpoint& view = data.viewpoints[std::size_t(i)];
    seen[0].insert(view.azimuth);
    seen[1].insert(view.elevation);
    seen[2].insert(view.lighting);
    seen[3].insert(data.labels[std::size_t(i)] * 100 + view.instance);
  }
  return {seen[0].size(), seen[1].size(), seen[2].size(), seen[3].size()};
}

} // namespace

TEST_CASE("in a mini-batch one factor varies, and takes each of its values once") {
  const Dataset data = fixture::blobs();
  const FactorSampler sampler(data, {.batch = 20, .weights = {1, 1, 1, 1}});
  const std::array<std::size_t, factor_count> all = {18, 3, 2, 4};
  std::map<Factor, int> met;
  Batch batch;
  for (std::int64_t number = 0; number < 100; ++number) {
    const Factor factor = sampler.batch(number, batch);
    ++met[factor];
    std::array<std::size_t, factor_count> want = {1, 1, 1, 1};
    want[std::size_t(factor)] = all[std::size_t(factor)];
    CHECK(variety(data, batch) == want);
    CHECK(batch.indices.size() == all[std::size_t(factor)]);
    REQUIRE(batch.images.shape() == Shape{std::int64_t(batch.indices.size()), 16, 16, 1});
    for (std::size_t b = 0; b < batch.indices.size(); ++b) {
      const auto index = std::size_t(batch.indices[b]);
      CHECK(batch.labels[b] == data.labels[index]);
      CHECK(batch.images.data()[b * 256 + 100] == data.pixels[index * 256 + 100] / real(255));
    }
  }
  CHECK(met.size() == factor_count);
}

TEST_CASE("a mini-batch is cut to its size, and depends on its number and the seed alone") {
  const Dataset data = fixture::blobs();
  const FactorSampler sampler(data, {.batch = 5, .weights = {1, 0, 0, 0}});
  Batch first, again, other;
  sampler.batch(7, first);
  CHECK(first.indices.size() == 5);
  CHECK(variety(data, first)[0] == 5);
  sampler.batch(8, other);
  CHECK(other.indices != first.indices);
  sampler.batch(7, again);
  CHECK(again.indices == first.indices);
  FactorSampler(data, {.batch = 5, .weights = {1, 0, 0, 0}, .seed = 2}).batch(7, other);
  CHECK(other.indices != first.indices);
}

TEST_CASE("kinds of mini-batches come in the ratio of their weights") {
  const Dataset data = fixture::blobs();
  const FactorSampler sampler(data, {.batch = 2, .weights = {1, 0, 2, 5}});
  std::array<int, factor_count> met = {};
  Batch batch;
  for (std::int64_t number = 0; number < 4000; ++number)
    ++met[std::size_t(sampler.batch(number, batch))];
  const std::array<double, factor_count> want = {500, 0, 1000, 2500};
  for (std::size_t f = 0; f < factor_count; ++f)
    CHECK(std::abs(met[f] - want[f]) <= 4 * std::sqrt(want[f]));
}

TEST_CASE("a sampler of factors says what it cannot do") {
  Dataset data = fixture::blobs();
  const auto error = [&](const FactorOptions& options) {
    return error_of([&] { FactorSampler(data, options); });
  };
  CHECK(error({}).empty());
  CHECK_FALSE(error({.batch = 1}).empty());
  CHECK_FALSE(error({.weights = {0, 0, 0, 0}}).empty());
  CHECK_FALSE(error({.weights = {1, -1, 1, 1}}).empty());
  CHECK_FALSE(error({.weights = {1, NAN, 1, 1}}).empty());
  const FactorSampler sampler(data, {});
  Batch batch;
  CHECK_FALSE(error_of([&] { sampler.batch(-1, batch); }).empty());
  data.viewpoints.clear();
  CHECK(error({}).find("viewpoints") != std::string::npos);
}

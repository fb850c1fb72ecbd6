#include "data/streams.h"

#include <mereo/factors.h>
#include <mereo/random.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace mereo {

FactorSampler::Key FactorSampler::key_of(const Viewpoint& view, std::int32_t label, Factor free) {
  Key key = {view.azimuth, view.elevation, view.lighting, label, view.instance};
  key[std::size_t(free)] = 0;
  if (free == Factor::shape)
    key[4] = 0;
  return key;
}

FactorSampler::FactorSampler(const Dataset& dataset, const FactorOptions& options)
    : data_(dataset), options_(options) {
  dataset.check();
  const auto fail = [&](const char* problem, const std::string& values) {
    throw Error("FactorSampler", problem, values);
  };
  if (dataset.viewpoints.empty())
    fail("nothing is known of the viewpoints of these pictures", dataset.name);
  if (options.batch < 2)
    fail("a batch in which something varies has two pictures", std::to_string(options.batch));
  for (const double weight : options.weights)
    if (!(weight >= 0) || !std::isfinite(weight))
      fail("a weight is negative", std::to_string(weight));
  if (std::accumulate(options.weights.begin(), options.weights.end(), 0.0) <= 0)
    fail("all weights are zero", "");
  for (std::size_t f = 0; f < factor_count; ++f) {
    Groups& groups = groups_[f];
    for (std::size_t i = 0; i < dataset.viewpoints.size(); ++i)
      groups.keys.push_back(key_of(dataset.viewpoints[i], dataset.labels[i], Factor(f)));
    groups.ordered = all_indices(dataset.count);
    std::stable_sort(groups.ordered.begin(), groups.ordered.end(), [&](auto a, auto b) {
      return groups.keys[std::size_t(a)] < groups.keys[std::size_t(b)];
    });
  }
}

Factor FactorSampler::choose(double uniform) const {
  const auto& weights = options_.weights;
  double left = uniform * std::accumulate(weights.begin(), weights.end(), 0.0);
  std::size_t last = 0;
  for (std::size_t f = 0; f < factor_count; ++f) {
    if (weights[f] == 0)
      continue;
    last = f;
    if (left < weights[f])
      break;
    left -= weights[f];
  }
  return Factor(last);
}

Factor FactorSampler::batch(std::int64_t number, Batch& batch) const {
  if (number < 0 || number >= std::int64_t{1} << 32)
    throw Error("FactorSampler", "there is no such batch", std::to_string(number));
  Random random(options_.seed, stream_of(Purpose::factor, 0, number));
  const Factor factor = choose(double(random.uniform()));
  const Groups& groups = groups_[std::size_t(factor)];
  const std::int64_t drawn = random.below(std::uint32_t(data_.count));
  const auto [begin, end] = std::equal_range(
      groups.ordered.begin(), groups.ordered.end(), drawn, [&](std::int64_t a, std::int64_t b) {
        return groups.keys[std::size_t(a)] < groups.keys[std::size_t(b)];
      });
  batch.indices.assign(begin, end);
  const std::int64_t B = std::min<std::int64_t>(options_.batch, std::ssize(batch.indices));
  for (std::int64_t i = 0; i < B; ++i) { // Fisher-Yates, from the front
    const std::int64_t left = std::ssize(batch.indices) - i;
    std::swap(batch.indices[std::size_t(i)],
              batch.indices[std::size_t(i + random.below(std::uint32_t(left)))]);
  }
  batch.indices.resize(std::size_t(B));
  batch.labels.clear();
  const Shape shape{B, data_.height, data_.width, data_.channels};
  if (batch.images.empty() || !(batch.images.shape() == shape))
    batch.images = Tensor(shape);
  for (std::int64_t i = 0; i < B; ++i) {
    const std::int64_t index = batch.indices[std::size_t(i)];
    batch.labels.push_back(data_.labels[std::size_t(index)]);
    data_.copy_image(index, batch.images.data() + i * data_.image_size());
  }
  return factor;
}

} // namespace mereo

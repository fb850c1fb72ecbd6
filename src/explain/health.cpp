#include "explain/health.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace mereo {

namespace {

/// The sums behind a LayerHealth.
struct LayerSums {
  std::vector<bool> alive;
  std::int64_t off = 0, capsules = 0;
  std::vector<double> entropy; // of each iteration, and of all weights
  double weight = 0;

  void add(const RoutedLayer& layer) {
    const Tensor& a = layer.child_activations;
    const std::int64_t I = a.shape()[2];
    alive.resize(std::size_t(I));
    entropy.resize(layer.couplings.size());
    for (std::int64_t n = 0; n < a.elements(); ++n) {
      const bool on = a.data()[n] > capsule_on;
      if (on)
        alive[std::size_t(n % I)] = true;
      off += !on;
    }
    capsules += a.elements();
    for (std::int64_t child = 0; child < a.elements(); ++child)
      add_couplings(layer, child);
  }

  /// Relative to that of equal couplings over the child's parents; children that have one parent
  /// or none have nothing to decide.
  void add_couplings(const RoutedLayer& layer, std::int64_t child) {
    const double activation = double(layer.child_activations.data()[child]);
    bool counts = false;
    for (std::size_t t = 0; t < layer.couplings.size(); ++t) {
      const Tensor& all = layer.couplings[t];
      const std::int64_t size = all.elements() / layer.child_activations.elements();
      const std::int64_t parents = parents_of(layer.couplings[0], child, size);
      if (parents < 2)
        continue;
      counts = true;
      double sum = 0, bits = 0;
      for (std::int64_t n = child * size; n < (child + 1) * size; ++n)
        sum += double(all.data()[n]);
      for (std::int64_t n = child * size; n < (child + 1) * size && sum > 0; ++n)
        if (const double c = double(all.data()[n]) / sum; c > 0)
          bits -= c * std::log2(c);
      entropy[t] += activation * bits / std::log2(double(parents));
    }
    weight += counts ? activation : 0;
  }

  /// At first every parent has a coupling, all the same.
  static std::int64_t parents_of(const Tensor& first, std::int64_t child, std::int64_t size) {
    const real* c = first.data() + child * size;
    return std::count_if(c, c + size, [](real x) { return x > 0; });
  }

  LayerHealth health(const std::string& name) const {
    LayerHealth layer = {.name = name, .types = std::ssize(alive), .dead = {}, .entropy = {}};
    for (std::size_t i = 0; i < alive.size(); ++i)
      if (!alive[i])
        layer.dead.push_back(std::int64_t(i));
    layer.sparsity = capsules ? double(off) / double(capsules) : 0;
    for (const double e : entropy)
      layer.entropy.push_back(e / weight);
    return layer;
  }
};

Quantiles quantiles(std::vector<double>& values) {
  Quantiles q = {};
  if (values.empty())
    return q;
  std::sort(values.begin(), values.end());
  for (std::size_t n = 0; n < q.size(); ++n)
    q[n] = values[n * (values.size() - 1) / (q.size() - 1)];
  return q;
}

constexpr std::string_view iterations_key = "routing_iterations";

} // namespace

std::unique_ptr<Model> with_iterations(Model& model, std::int64_t iterations) {
  Fields config = parse_json_object(model.config());
  for (auto& [key, value] : config)
    if (key == iterations_key)
      value = iterations;
  std::unique_ptr<Model> other = make_model(model.name(), to_json(config), 1);
  const std::span<real> from = model.parameters().values();
  std::copy(from.begin(), from.end(), other->parameters().values().begin());
  return other;
}

Health examine(const LoadedModel& loaded, const Dataset& data,
               std::span<const std::int64_t> indices,
               const std::function<void(std::int64_t, std::int64_t)>& progress) {
  Model& model = *loaded.model;
  check_fits(model.input(), data, loaded.info.view);
  Health health = {.images = std::ssize(indices), .layers = {}, .classes = {}, .error_percent = {}};
  const auto K = std::size_t(data.classes);
  std::vector<LayerSums> sums;
  std::vector<std::string> names;
  std::vector<std::vector<double>> present(K), absent(K);
  Tape tape;
  Loader loader(data, {indices.begin(), indices.end()},
                {.batch = 1, .shuffle = false, .view = loaded.info.view, .augment = false});
  std::int64_t done = 0;
  for (Batch batch; loader.next(batch);) {
    tape.reset();
    const Inspection seen = model.inspect(tape, batch.images);
    sums.resize(seen.layers.size());
    names.resize(seen.layers.size());
    for (std::size_t l = 0; l < seen.layers.size(); ++l) {
      sums[l].add(seen.layers[l]);
      names[l] = seen.layers[l].name;
    }
    for (std::size_t k = 0; k < K; ++k) {
      const bool there = std::ranges::find(batch.labels, std::int32_t(k)) != batch.labels.end();
      (there ? present : absent)[k].push_back(double(seen.outputs.scores.data()[k]));
    }
    if (!seen.layers.empty())
      health.iterations = seen.layers.back().couplings.size();
    if (progress)
      progress(++done, health.images);
  }
  for (std::size_t l = 0; l < sums.size(); ++l)
    health.layers.push_back(sums[l].health(names[l]));
  for (std::size_t k = 0; k < K; ++k) {
    const std::int64_t images = std::ssize(present[k]);
    health.classes.push_back({images, quantiles(present[k]), quantiles(absent[k])});
  }
  const Fields config = parse_json_object(model.config());
  for (std::size_t r = 1; r <= health.iterations + 1 && find(config, iterations_key); ++r) {
    const std::unique_ptr<Model> other = with_iterations(model, std::int64_t(r));
    other->freeze(64);
    health.error_percent.push_back(
        evaluate(*other, data,
                 {.batch = 64, .view = loaded.info.view, .indices = indices, .tape = &tape})
            .error_percent());
  }
  return health;
}

} // namespace mereo

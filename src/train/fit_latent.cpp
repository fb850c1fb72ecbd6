// R2 of a factor as a function of one latent, which is piecewise constant: azimuths lie on a
// circle, and a latent may run around it in its own way.
#include <mereo/inverse_graphics.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

namespace mereo {

namespace {

constexpr std::int64_t batch_size = 64;

std::int64_t lightings(const Dataset& data) {
  return 1 + std::ranges::max(data.viewpoints, {}, &Viewpoint::lighting).lighting;
}

/// What is to be told, a few numbers; lighting is one of so many.
std::vector<double> target(const Dataset& data, std::int64_t picture, Factor factor,
                           std::int64_t lightings) {
  const Viewpoint& view = data.viewpoints[std::size_t(picture)];
  const auto one_of = [](std::int64_t which, std::int64_t count) {
    std::vector<double> truth(std::size_t(count), 0.0);
    truth.at(std::size_t(which)) = 1;
    return truth;
  };
  constexpr double radians = std::numbers::pi / 180;
  switch (factor) {
  case Factor::azimuth:
    return {std::sin(10 * view.azimuth * radians), std::cos(10 * view.azimuth * radians)};
  case Factor::elevation:
    return {30.0 + 5.0 * view.elevation};
  case Factor::lighting:
    return one_of(view.lighting, lightings);
  case Factor::shape:
    break;
  }
  return one_of(data.labels[std::size_t(picture)], data.classes);
}

std::vector<double> mean_of(const std::vector<std::vector<double>>& rows) {
  std::vector<double> mean(rows.at(0).size());
  for (const auto& row : rows)
    for (std::size_t i = 0; i < mean.size(); ++i)
      mean[i] += row[i] / double(rows.size());
  return mean;
}

double squared_distance(const std::vector<double>& a, const std::vector<double>& b) {
  return std::transform_reduce(a.begin(), a.end(), b.begin(), 0.0, std::plus(),
                               [](double x, double y) { return (x - y) * (x - y); });
}

} // namespace

EncodedSet encode_set(const DcIgn& network, const Dataset& data, std::int64_t pictures) {
  const std::int64_t count = std::min(pictures, data.count), N = network.config().latents;
  if (count < 1 || data.viewpoints.empty())
    throw Error("encode_set", "there must be pictures whose viewpoints are known", data.name);
  EncodedSet set{&data, {}, Tensor({count, N})};
  for (std::int64_t i = 0; i < count; ++i)
    set.pictures.push_back(i * data.count / count);
  Tape tape;
  const std::int64_t size = data.image_size();
  const Tensor images({batch_size, data.height, data.width, data.channels});
  for (std::int64_t begin = 0; begin < count; begin += batch_size) {
    const std::int64_t B = std::min(batch_size, count - begin);
    for (std::int64_t b = 0; b < B; ++b)
      data.copy_image(set.pictures[std::size_t(begin + b)], images.data() + b * size);
    tape.reset();
    const Variable mean = network.encode(tape, images.rows(0, B), Mode::evaluation).mean;
    std::copy_n(mean.data(), B * N, set.latents.data() + begin * N);
  }
  return set;
}

std::int64_t most_varying_latent(const DcIgn& network, const Dataset& data, Factor factor) {
  FactorOptions options;
  options.weights = {};
  options.weights[std::size_t(factor)] = 1;
  const FactorSampler sampler(data, options);
  std::vector<double> variance(std::size_t(network.config().latents));
  Tape tape;
  Batch batch;
  for (std::int64_t number = 0; number < 32; ++number) {
    sampler.batch(number, batch);
    tape.reset();
    const Variable mean = network.encode(tape, batch.images, Mode::evaluation).mean;
    const std::int64_t B = mean.shape()[0], N = mean.shape()[1];
    for (std::int64_t k = 0; k < N; ++k) {
      double sum = 0, squares = 0;
      for (std::int64_t b = 0; b < B; ++b) {
        const double x = mean.data()[b * N + k];
        sum += x;
        squares += x * x;
      }
      variance[std::size_t(k)] += squares - sum * sum / double(B);
    }
  }
  return std::max_element(variance.begin(), variance.end()) - variance.begin();
}

double fit_latent(const EncodedSet& training, const EncodedSet& test, Factor factor,
                  std::int64_t latent, std::int64_t bins) {
  const auto fail = [](const char* problem, const std::string& values) {
    throw Error("fit_latent", problem, values);
  };
  for (const EncodedSet* set : {&training, &test})
    if (latent < 0 || latent >= set->latents.shape()[1])
      fail("there is no such latent", std::to_string(latent));
  if (bins < 2)
    fail("there must be two bins or more", std::to_string(bins));

  const std::int64_t lights = std::max(lightings(*training.data), lightings(*test.data));
  std::vector<std::int64_t> order = all_indices(std::ssize(training.pictures));
  const auto latent_of = [&](const EncodedSet& set, std::int64_t i) {
    return set.latents.at({i, latent});
  };
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return latent_of(training, a) < latent_of(training, b);
  });
  std::vector<real> lower; // of each bin, the smallest latent
  std::vector<std::vector<std::vector<double>>> targets;
  for (std::int64_t i = 0; i < std::ssize(order); ++i) {
    const std::int64_t picture = order[std::size_t(i)];
    const real x = latent_of(training, picture);
    // Equal latents belong together, so that one that never varies has a single bin.
    const bool full = std::ssize(targets) * std::ssize(order) <= i * bins;
    if (targets.empty() || (full && x > latent_of(training, order[std::size_t(i - 1)]))) {
      lower.push_back(x);
      targets.emplace_back();
    }
    targets.back().push_back(
        target(*training.data, training.pictures[std::size_t(picture)], factor, lights));
  }
  std::vector<std::vector<double>> means;
  for (const auto& bin : targets)
    means.push_back(mean_of(bin));

  std::vector<std::vector<double>> truths;
  for (const std::int64_t picture : test.pictures)
    truths.push_back(target(*test.data, picture, factor, lights));
  const std::vector<double> mean = mean_of(truths);
  double residual = 0, total = 0;
  for (std::int64_t i = 0; i < std::ssize(truths); ++i) {
    const auto above = std::upper_bound(lower.begin() + 1, lower.end(), latent_of(test, i));
    const auto& truth = truths[std::size_t(i)];
    residual += squared_distance(truth, means[std::size_t(above - lower.begin() - 1)]);
    total += squared_distance(truth, mean);
  }
  if (total == 0)
    fail("the factor does not vary in the pictures to judge by", test.data->name);
  return 1 - residual / total;
}

} // namespace mereo

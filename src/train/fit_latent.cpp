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

/// The means (pictures, latents) of so many pictures, spread evenly, and which ones they are.
struct Codes {
  std::vector<std::int64_t> pictures;
  std::vector<std::vector<real>> latents;
};

Codes encode(const DcIgn& network, const Dataset& data, std::int64_t count) {
  Codes codes;
  count = std::min(count, data.count);
  for (std::int64_t i = 0; i < count; ++i)
    codes.pictures.push_back(i * data.count / count);
  Tape tape;
  const std::int64_t size = data.image_size();
  const Tensor images({batch_size, data.height, data.width, data.channels});
  for (std::int64_t begin = 0; begin < count; begin += batch_size) {
    const std::int64_t B = std::min(batch_size, count - begin);
    for (std::int64_t b = 0; b < B; ++b)
      data.copy_image(codes.pictures[std::size_t(begin + b)], images.data() + b * size);
    tape.reset();
    const Variable mean = network.encode(tape, images.rows(0, B), Mode::evaluation).mean;
    const std::int64_t N = mean.shape()[1];
    for (std::int64_t b = 0; b < B; ++b)
      codes.latents.emplace_back(mean.data() + b * N, mean.data() + (b + 1) * N);
  }
  return codes;
}

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

/// The latent of largest variance within mini-batches in which only this factor varies.
std::int64_t most_varying(const DcIgn& network, const Dataset& data, Factor factor) {
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

LatentFit fit_latent(DcIgn& network, const Dataset& training, const Dataset& test, Factor factor,
                     const LatentFitOptions& options) {
  const auto fail = [](const char* problem, const std::string& values) {
    throw Error("fit_latent", problem, values);
  };
  for (const Dataset* data : {&training, &test})
    if (data->count == 0 || data->viewpoints.empty())
      fail("nothing is known of the viewpoints of these pictures", data->name);
  const std::int64_t N = network.config().latents;
  if (options.latent < -1 || options.latent >= N)
    fail("there is no such latent", std::to_string(options.latent));
  if (options.bins < 2 || options.pictures < options.bins)
    fail("there must be two bins or more, and a picture for each",
         std::to_string(options.bins) + " bins, " + std::to_string(options.pictures) + " pictures");

  const std::int64_t lights = std::max(lightings(training), lightings(test));
  LatentFit fit;
  fit.latent = options.latent >= 0 ? options.latent : most_varying(network, training, factor);
  const Codes known = encode(network, training, options.pictures);
  std::vector<std::int64_t> order = all_indices(std::ssize(known.pictures));
  const auto latent_of = [&](const Codes& codes, std::int64_t i) {
    return codes.latents[std::size_t(i)][std::size_t(fit.latent)];
  };
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return latent_of(known, a) < latent_of(known, b);
  });
  std::vector<real> lower; // of each bin, the smallest latent
  std::vector<std::vector<std::vector<double>>> targets;
  for (std::int64_t i = 0; i < std::ssize(order); ++i) {
    const std::int64_t picture = order[std::size_t(i)];
    const real latent = latent_of(known, picture);
    // Equal latents belong together, so that one that never varies has a single bin.
    const bool full = std::ssize(targets) * std::ssize(order) <= i * options.bins;
    if (targets.empty() || (full && latent > latent_of(known, order[std::size_t(i - 1)]))) {
      lower.push_back(latent);
      targets.emplace_back();
    }
    targets.back().push_back(
        target(training, known.pictures[std::size_t(picture)], factor, lights));
  }
  std::vector<std::vector<double>> means;
  for (const auto& bin : targets)
    means.push_back(mean_of(bin));

  const Codes asked = encode(network, test, options.pictures);
  std::vector<std::vector<double>> truths;
  for (const std::int64_t picture : asked.pictures)
    truths.push_back(target(test, picture, factor, lights));
  const std::vector<double> mean = mean_of(truths);
  double residual = 0, total = 0;
  for (std::int64_t i = 0; i < std::ssize(truths); ++i) {
    const auto above = std::upper_bound(lower.begin() + 1, lower.end(), latent_of(asked, i));
    const auto& truth = truths[std::size_t(i)];
    residual += squared_distance(truth, means[std::size_t(above - lower.begin() - 1)]);
    total += squared_distance(truth, mean);
  }
  if (total == 0)
    fail("the factor does not vary in the pictures to judge by", test.name);
  fit.r2 = 1 - residual / total;
  return fit;
}

} // namespace mereo

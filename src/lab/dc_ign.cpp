// Whether single latents come to stand for what single mini-batches vary: Kulkarni, Whitney, Kohli,
// Tenenbaum 2015, on toys.
#include "lab/experiments.h"

#include <mereo/inverse_graphics.h>
#include <mereo/ops.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <utility>

namespace mereo::lab {

namespace {

/// Azimuths from 60 degrees left of the front to 40 degrees right of it. Over a full turn a toy's
/// silhouette comes twice, and a latent that follows it says nothing of sine and cosine.
constexpr const char* data_name = "toys-azimuth";
constexpr std::pair<Factor, const char*> factors[] = {
    {Factor::azimuth, "azimuth"}, {Factor::elevation, "elevation"}, {Factor::lighting, "lighting"}};
constexpr std::int64_t batch = 20; // pictures at most

/// How much darker than the picture's edge each pixel is, twofold: black around the toy. Of a grey
/// background the cross-entropy of pixels is large whatever is decoded, and little beside it is
/// left for the latents to tell.
void cut_out(Dataset& data) {
  const std::int64_t size = data.image_size();
  for (std::int64_t i = 0; i < data.count; ++i) {
    std::uint8_t* picture = data.pixels.data() + i * size;
    std::vector<std::uint8_t> edge(picture, picture + data.width); // the first row, then the last
    edge.insert(edge.end(), picture + size - data.width, picture + size);
    std::ranges::nth_element(edge, edge.begin() + data.width);
    const int background = edge[std::size_t(data.width)];
    for (std::uint8_t* pixel = picture; pixel < picture + size; ++pixel)
      *pixel = std::uint8_t(std::clamp(2 * (background - *pixel), 0, 255));
  }
}

struct Sets {
  Dataset training, test;
};

Sets load(Lab& lab, std::int64_t size) {
  const PictureOptions pictures{.channels = 1, .height = size, .width = size};
  Sets sets{lab.data(data_name, Split::train, 0, pictures),
            lab.data(data_name, Split::familiar, 0, pictures)};
  cut_out(sets.training);
  cut_out(sets.test);
  return sets;
}

DcIgnConfig config(bool small) {
  DcIgnConfig config;
  config.padding = Padding::same;
  if (small) {
    config.size = 32;
    config.latents = 30;
    config.encoder = {24, 24, 24};
    config.decoder = {24, 24, 24, 24};
    config.decoder_kernel = 5;
  } else {
    config.size = 96;
  }
  return config;
}

/// Of the latent that has the factor, or else of the one that varies most with it: how well it
/// tells the factor, of the toys of training and of others.
Values judge(DcIgn& network, const Sets& sets, bool clamped) {
  Values values;
  for (const auto& [factor, name] : factors) {
    const LatentFitOptions fit{.latent = clamped ? std::int64_t(factor) : -1};
    const auto r2 = [&, factor = factor](const Dataset& told) {
      return fit_latent(network, sets.training, told, factor, fit).r2;
    };
    values[name] = r2(sets.training);
    values[name + std::string(", new toys")] = r2(sets.test);
  }
  return values;
}

/// Rows of pictures decoded with one of the first three latents from -2 to 2, the others being
/// those of a test picture.
void draw_latents(DcIgn& network, const Dataset& data, const std::string& path) {
  constexpr std::int64_t columns = 11;
  const std::int64_t size = network.config().size, latents = network.config().latents;
  const Tensor picture({1, size, size, 1});
  data.copy_image(data.count / 2, picture.data());
  Tape tape;
  const Tensor code = network.encode(tape, picture, Mode::evaluation).mean.value();
  const Tensor z({std::ssize(factors) * columns, latents});
  for (std::int64_t row = 0; row < z.shape()[0]; ++row) {
    std::copy_n(code.data(), latents, z.data() + row * latents);
    z.data()[row * latents + row / columns] = real(row % columns - columns / 2) * real(0.4);
  }
  const Variable decoded = sigmoid(tape, network.decode(tape, tape.constant(z), Mode::evaluation));
  write_png(path, contact_sheet(decoded.value().reshape({z.shape()[0], size, size, 1}), columns));
}

using Clock = std::chrono::steady_clock;

TrainProgress progress(std::int64_t step, std::int64_t steps, double loss,
                       Clock::time_point start) {
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  constexpr double none = std::numeric_limits<double>::quiet_NaN();
  TrainProgress progress{};
  progress.epochs = 1;
  progress.batch = progress.step = step;
  progress.batches = steps;
  progress.loss = progress.mean_loss = loss;
  progress.mean_error_percent = progress.validation_error_percent = none;
  progress.images_per_second = none; // mini-batches differ in size
  progress.seconds_left = seconds / double(step) * double(steps - step);
  return progress;
}

Values train_and_judge(Lab& lab, const Sets& sets, std::uint64_t seed, bool clamped,
                       std::int64_t steps, const std::string& folder) {
  DcIgn network(config(lab.small()), seed);
  DcIgnTraining training{.steps = steps, .clamp = clamped};
  training.batches.batch = batch;
  training.batches.seed = seed;
  training.batches.weights = {1, 1, 1, 1};
  if (lab.small())
    training.learning_rate = 1e-3;
  const auto start = Clock::now();
  train_dc_ign(network, sets.training, training, [&](std::int64_t step, double loss) {
    lab.listener().stepped(progress(step, steps, loss, start));
    return !lab.listener().stop();
  });
  if (lab.listener().stop())
    throw Stopped();
  draw_latents(network, sets.test, folder + "/latents.png");
  return judge(network, sets, clamped);
}

} // namespace

Report dc_ign(Lab& lab) {
  const Sets sets = load(lab, config(lab.small()).size);
  const std::int64_t asked = lab.options().epochs, epochs = asked ? asked : lab.small() ? 12 : 150;
  const std::int64_t steps = std::max<std::int64_t>(1, epochs * sets.training.count / batch);
  Report report{.title = "mini-batches",
                .method = "DC-IGN on toys seen from the front, one picture of each pair, its "
                          "background taken away. Share of the variance (R²) of azimuth, elevation "
                          "and kind of lighting that one latent tells, of the toys of training and "
                          "of others: where latents are clamped, the one that training left free "
                          "for it; otherwise the one that varies most when only this factor does.",
                .columns = {}};
  for (const auto& [factor, name] : factors)
    for (const char* toys : {"", ", new toys"})
      report.columns.push_back({std::string(name) + toys, 2});
  for (const auto& [name, clamped] : {std::pair{"dc-ign", true}, {"dc-ign-free", false}}) {
    std::vector<Judgement> judged;
    for (const std::uint64_t seed : lab.seeds())
      judged.push_back({steps, lab.measure(name, seed, data_name, steps,
                                           [&, clamped = clamped](const std::string& folder) {
                                             return train_and_judge(lab, sets, seed, clamped, steps,
                                                                    folder);
                                           })});
    std::vector<std::string> values;
    for (const Column& column : report.columns)
      values.push_back(column.name);
    report.rows.push_back({clamped ? "all latents but one clamped" : "the same, nothing clamped",
                           cells(judged, values)});
  }
  report.charts = {bars(report, "what one latent tells of new toys", "R²",
                        {"azimuth, new toys", "elevation, new toys", "lighting, new toys"})};
  return report;
}

} // namespace mereo::lab

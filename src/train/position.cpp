// How well the first two elements of a class capsule tell where its whole is.
#include "core/linear_map.h"

#include <mereo/train.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace mereo {

namespace {

/// To the right and down.
struct Point {
  double at[2] = {};
};

/// The middle of a picture's brightness; not a number where nothing is bright.
Point middle_of(const real* picture, const InputShape& shape) {
  constexpr real dark = real(0.1); // a decoder's black is not quite black
  double mass = 0;
  Point middle;
  for (std::int64_t y = 0; y < shape.height; ++y)
    for (std::int64_t x = 0; x < shape.width; ++x)
      for (std::int64_t c = 0; c < shape.channels; ++c) {
        const real value = *picture++;
        if (!(value > dark))
          continue;
        mass += value;
        middle.at[0] += value * double(x);
        middle.at[1] += value * double(y);
      }
  return {{middle.at[0] / mass, middle.at[1] / mass}};
}

/// What the capsule of a picture's class tells, and where the picture's middle is.
struct Sample {
  std::int32_t label = 0;
  Point told, middle;
};

Matrix points(const std::vector<Sample>& samples, Point Sample::*which) {
  Matrix matrix(std::ssize(samples), 2);
  for (std::size_t i = 0; i < samples.size(); ++i)
    std::copy_n((samples[i].*which).at, 2, matrix.row(std::int64_t(i)));
  return matrix;
}

/// Fitted to every second sample of a class, told of its others.
void tell_shares(const std::vector<Sample>& samples, std::int64_t classes, double shares[2]) {
  constexpr double ridge = 1e-9; // so that elements which say the same may both be used
  double missed[2] = {}, all[2] = {};
  for (std::int32_t k = 0; k < classes; ++k) {
    std::vector<Sample> halves[2];
    for (const Sample& s : samples)
      if (s.label == k)
        halves[halves[0].size() > halves[1].size()].push_back(s);
    if (halves[1].empty())
      continue;
    const Matrix middles = points(halves[0], &Sample::middle);
    const Matrix truth = points(halves[1], &Sample::middle);
    const Matrix guess = halves[0].size() < 2
                             ? middles // of one sample: the same for all
                             : LinearMap(points(halves[0], &Sample::told), middles, ridge)
                                   .apply(points(halves[1], &Sample::told));
    const std::vector<double> mean = truth.column_means();
    for (std::int64_t i = 0; i < truth.rows; ++i)
      for (int axis = 0; axis < 2; ++axis) {
        missed[axis] += std::pow(truth.row(i)[axis] - guess.row(i)[axis], 2);
        all[axis] += std::pow(truth.row(i)[axis] - mean[std::size_t(axis)], 2);
      }
  }
  for (int axis = 0; axis < 2; ++axis)
    shares[axis] = 1 - missed[axis] / all[axis];
}

/// How far reconstructions move when so much is added to one of the capsules' first two elements.
std::vector<double> moves_of(CapsNet& network, Tape& tape, const Outputs& outputs,
                             std::span<const std::int32_t> labels, int axis, real added) {
  const Tensor poses = outputs.capsules.value().clone();
  const std::int64_t J = poses.shape()[1], E = poses.shape()[2];
  const auto decode = [&] {
    return network.decode(tape, tape.constant(poses), labels, Mode::evaluation);
  };
  const Variable before = decode();
  for (std::size_t b = 0; b < labels.size(); ++b)
    poses.data()[(std::int64_t(b) * J + labels[b]) * E + axis] += added;
  const Variable after = decode();
  std::vector<double> moves;
  for (std::int64_t b = 0; b < std::ssize(labels); ++b) {
    const std::int64_t at = b * before.shape()[1];
    const double move = middle_of(after.data() + at, network.input()).at[axis] -
                        middle_of(before.data() + at, network.input()).at[axis];
    if (std::isfinite(move))
      moves.push_back(move);
  }
  return moves;
}

} // namespace

PositionReport measure_position(Model& model, const Dataset& data, const PositionOptions& options) {
  auto* const network = dynamic_cast<CapsNet*>(&model);
  if (!network || !network->reconstructs() || network->input().labels_per_image > 1)
    throw Error("measure_position", "it takes a capsnet with a decoder, and one label a picture",
                model.name());
  data.check();
  check_fits(model.input(), data, options.view);
  if (data.count < 2)
    throw Error("measure_position", "there must be two pictures at least");
  View view = options.view.still();
  view.max_shift = options.max_shift;
  Loader loader(data, all_indices(data.count),
                {.batch = options.batch, .shuffle = false, .view = view, .seed = options.seed});
  std::vector<Sample> samples;
  std::vector<double> moves[2];
  Tape tape;
  for (Batch batch; loader.next(batch);) {
    tape.reset();
    const Outputs outputs = model.forward(tape, batch.images, {}, Mode::evaluation);
    const std::int64_t pixels = outputs.reconstruction.shape()[1];
    const std::int64_t J = outputs.capsules.shape()[1], E = outputs.capsules.shape()[2];
    for (std::int64_t b = 0; b < std::ssize(batch.labels); ++b) {
      const std::int32_t label = batch.labels[std::size_t(b)];
      const real* const pose = outputs.capsules.data() + (b * J + label) * E;
      const Point middle = middle_of(batch.images.data() + b * pixels, model.input());
      if (std::isfinite(middle.at[0]))
        samples.push_back({label, {{double(pose[0]), E > 1 ? double(pose[1]) : 0}}, middle});
    }
    for (int axis = 0; axis < 2 && axis < E; ++axis) {
      const std::vector<double> more = moves_of(*network, tape, outputs, batch.labels, axis,
                                                real(options.pixels * network->coordinate_scale()));
      moves[axis].insert(moves[axis].end(), more.begin(), more.end());
    }
  }
  PositionReport report{.count = std::ssize(samples)};
  tell_shares(samples, data.classes, report.r_squared);
  for (int axis = 0; axis < 2; ++axis) {
    const std::vector<double>& all = moves[axis];
    const double count = double(all.size()); // none where all is dark: no number comes out
    report.moved[axis] = std::accumulate(all.begin(), all.end(), 0.0) / count;
    double squares = 0;
    for (const double move : all)
      squares += std::pow(move - report.moved[axis], 2);
    report.deviation[axis] = std::sqrt(squares / count);
  }
  return report;
}

} // namespace mereo

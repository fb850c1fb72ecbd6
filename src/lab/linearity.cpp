// "Pixels change drastically, poses change linearly": whether the true rotation of a toy is a
// linear function of its class capsule's pose, also where viewpoints were never seen.
#include "lab/experiments.h"
#include "lab/networks.h"
#include "lab/statistics.h"
#include "lab/truth.h"

#include <functional>

namespace mereo::lab {

namespace {

/// What of a picture is to tell the rotation: a row of features each.
using Features = std::function<Matrix(const Dataset& data)>;

/// Pixels as the network sees them, averaged over squares of four: (N, pixels / 4).
Matrix pixels(const Dataset& data, const View& view) {
  const std::int64_t side = view.seen(data.height) / 2, C = data.channels;
  Matrix features(data.count, side * side * C);
  const Tensor picture(Shape{1, data.height, data.width, C});
  for (std::int64_t i = 0; i < data.count; ++i) {
    data.copy_image(i, picture.data());
    const Tensor seen = apply_view(picture, view);
    for (std::int64_t y = 0; y < 2 * side; ++y)
      for (std::int64_t x = 0; x < 2 * side; ++x)
        for (std::int64_t c = 0; c < C; ++c)
          features.row(i)[((y / 2) * side + x / 2) * C + c] += seen.at({0, y, x, c}) / 4;
  }
  return features;
}

/// The pose of the true class's capsule, or what the class scores are computed from: (N, size).
Matrix network_features(Model& model, const View& view, const Dataset& data) {
  Loader loader(data, all_indices(data.count), {.shuffle = false, .view = view, .augment = false});
  Matrix features;
  Batch batch;
  Tape tape;
  while (loader.next(batch)) {
    tape.reset();
    const Outputs outputs = model.forward(tape, batch.images, {}, Mode::evaluation);
    const bool capsules = !outputs.capsules.empty();
    const Variable& from = capsules ? outputs.capsules : outputs.features;
    const std::int64_t size = from.shape()[-1];
    if (features.rows == 0)
      features = Matrix(data.count, size);
    for (std::size_t b = 0; b < batch.indices.size(); ++b) {
      const std::int64_t row =
          capsules ? std::int64_t(b) * from.shape()[1] + batch.labels[b] : std::int64_t(b);
      std::copy_n(from.data() + row * size, size, features.row(batch.indices[b]));
    }
  }
  return features;
}

struct Sets {
  Dataset training, familiar, novel;
  Matrix training_truth, familiar_truth, novel_truth; // (N, 9)
};

/// Adds what a class's map tells of pictures: a share of R squared and of the mean angle.
void judge(const LinearMap& map, const Matrix& features, const Matrix& truth, double share,
           double& r2, double& angle) {
  const Matrix told = map.apply(features);
  r2 += share * r_squared(truth, told);
  for (std::int64_t i = 0; i < told.rows; ++i)
    angle += share / double(told.rows) *
             angle_between(nearest_rotation({told.row(i), 9}), {truth.row(i), 9});
}

std::vector<std::int64_t> of_class(const Dataset& data, std::int32_t k) {
  std::vector<std::int64_t> indices;
  for (std::int64_t i = 0; i < data.count; ++i)
    if (data.labels[std::size_t(i)] == k)
      indices.push_back(i);
  return indices;
}

/// Every class has a frame, and so a map, of its own; what they tell is averaged.
Values fit(const Sets& sets, const Features& features) {
  const Matrix training = features(sets.training), familiar = features(sets.familiar),
               novel = features(sets.novel);
  Values told;
  for (std::int32_t k = 0; k < sets.training.classes; ++k) {
    const auto train = of_class(sets.training, k), near = of_class(sets.familiar, k),
               far = of_class(sets.novel, k);
    const LinearMap map = fit_linear(training.chosen(train), sets.training_truth.chosen(train));
    const double share = 1 / double(sets.training.classes);
    judge(map, familiar.chosen(near), sets.familiar_truth.chosen(near), share, told["familiar_r2"],
          told["familiar_angle"]);
    judge(map, novel.chosen(far), sets.novel_truth.chosen(far), share, told["novel_r2"],
          told["novel_angle"]);
  }
  return told;
}

Sets load(Lab& lab, const std::string& data) {
  const std::int64_t limit = lab.small() ? viewpoint_test_limit : 0;
  Sets sets{lab.data(data, Split::train),
            lab.data(data, Split::familiar, limit),
            lab.data(data, Split::test, limit),
            {},
            {},
            {}};
  const Truth training(lab.options().data_dir, Split::train);
  const Truth test(lab.options().data_dir, Split::test);
  sets.training_truth = training.rotations(sets.training);
  sets.familiar_truth = test.rotations(sets.familiar);
  sets.novel_truth = test.rotations(sets.novel);
  return sets;
}

void add_rows(Report& report, Lab& lab, const std::string& data) {
  const Sets sets = load(lab, data);
  Network small_cnn = cnn(lab, data);
  small_cnn.name = "cnn-16";
  // Of 16 features, half were too many to drop.
  small_cnn.config = changed(small_cnn.config, {{"dense", "1024,16"}, {"dropout", 0.0}});
  const auto add = [&](const std::string& name, const std::vector<Judgement>& told) {
    report.rows.push_back(
        {name + ", " + data.substr(data.find('-') + 1),
         cells(told, {"familiar_r2", "novel_r2", "familiar_angle", "novel_angle"})});
  };
  for (const Network& network : {matrix_capsnet(lab, data), capsnet(lab, data), small_cnn}) {
    std::vector<Judgement> told;
    for (const std::uint64_t seed : lab.seeds()) {
      const Trained trained =
          train_for_viewpoints(lab, network, seed, sets.training, sets.familiar, sets.novel);
      told.push_back({0, lab.measure(trained, "linearity", [&] {
                        return fit(sets, [&](const Dataset& pictures) {
                          return network_features(*trained.model, trained.view, pictures);
                        });
                      })});
    }
    add(network.name, told);
  }
  const View view = usual_view(data).still();
  add("pixels", {{0, fit(sets, [&](const Dataset& pictures) { return pixels(pictures, view); })}});
}

} // namespace

Report linearity(Lab& lab) {
  Report report{
      .title = "features, viewpoints",
      .method =
          "A linear map by least squares, for each class, from features to the true rotation of "
          "the toy (nine numbers), fitted to the pictures and viewpoints of training, told of toys "
          "not in training: share of the variance, and angle to the true rotation in degrees. "
          "Features: the pose of the true class's capsule (16 numbers), the last features of a CNN "
          "(16), pixels (512, averaged over squares of four).",
      .columns = {{"familiar: R²", 2}, {"novel: R²", 2}, {"familiar: angle"}, {"novel: angle"}}};
  for (const char* data : {"toys-azimuth", "toys-elevation"})
    add_rows(report, lab, data);
  for (const char* end : {", azimuth", ", elevation"})
    report.charts.push_back(bars(report, std::string("told rotation of toys") + end, "degrees",
                                 {"familiar: angle", "novel: angle"}, end));
  return report;
}

} // namespace mereo::lab

// Adversarial pictures of toys: Hinton, Sabour, Frosst 2018, section 5.3.
#include "lab/adversarial.h"
#include "lab/experiments.h"
#include "lab/networks.h"
#include "lab/statistics.h"

#include <algorithm>

namespace mereo::lab {

namespace {

/// Most that a pixel is changed by.
constexpr double sizes[] = {0.01, 0.03, 0.1};
constexpr int iterations = 10; // of BIM

/// Pictures of a data set as they are cut out for the network, in [0, 1], batch by batch.
class Pictures {
public:
  Pictures(const Dataset& data, const View& view)
      : loader_(data, all_indices(data.count),
                {.batch = 64, .shuffle = false, .view = {.crop = view.crop}, .augment = false}) {}
  bool next(Batch& batch) { return loader_.next(batch); }

private:
  Loader loader_;
};

/// What is asked of a trained network; pictures are standardised as it has them.
class Target {
public:
  Target(Lab& lab, Model& model, const View& view, const Dataset& data)
      : lab_(lab), model_(model), view_(view), data_(data) {}

  /// Per cent of the pictures still told rightly.
  double accuracy(const Attack& attack) {
    double right = 0;
    for_all([&](const Batch& batch) {
      const auto predicted =
          predict(attacked(model_, tape_, batch.images, batch.labels, attack, view_.standardize));
      for (std::size_t i = 0; i < predicted.size(); ++i)
        right += predicted[i] == batch.labels[i];
    });
    return 100 * right / double(data_.count);
  }

  /// Per cent of the pictures taken for the class they were to be taken for, mean over all the
  /// classes that they are not of.
  double success(Attack attack) {
    attack.targeted = true;
    double taken = 0;
    const auto classes = std::int32_t(data_.classes);
    for (std::int32_t away = 1; away < classes; ++away)
      for_all([&](const Batch& batch) {
        std::vector<std::int32_t> wanted = batch.labels;
        for (std::int32_t& label : wanted)
          label = (label + away) % classes;
        const auto predicted =
            predict(attacked(model_, tape_, batch.images, wanted, attack, view_.standardize));
        for (std::size_t i = 0; i < predicted.size(); ++i)
          taken += predicted[i] == wanted[i];
      });
    return 100 * taken / double(data_.count * (classes - 1));
  }

  /// Of the gradient of the loss: the per cent of exact zeros, and the mean size.
  Values gradient() {
    double zeros = 0, size = 0, pictures = 0;
    for_all([&](const Batch& batch) {
      const PixelGradient g =
          pixel_gradient(model_, tape_, batch.images, batch.labels, {}, view_.standardize);
      const auto B = double(batch.labels.size());
      size += g.mean_size * B * B; // of the loss of each picture, not of their mean
      zeros += g.zero_share * B;
      pictures += B;
    });
    return {{"zeros", 100 * zeros / pictures}, {"size", size / pictures}};
  }

private:
  template <class Body> void for_all(const Body& body) {
    Pictures pictures(data_, view_);
    Batch batch;
    while (pictures.next(batch)) {
      body(batch);
      if (lab_.listener().stop())
        throw Stopped();
    }
  }

  std::vector<std::int32_t> predict(const Tensor& pictures) {
    tape_.reset();
    const Tensor seen = view_.standardize ? apply_view(pictures, {.standardize = true}) : pictures;
    std::vector<std::int32_t> predicted;
    predictions(model_.forward(tape_, seen, {}, Mode::evaluation).scores, predicted);
    return predicted;
  }

  Lab& lab_;
  Model& model_;
  const View& view_;
  const Dataset& data_;
  Tape tape_;
};

std::string name_of(const char* kind, double size) {
  char text[64];
  std::snprintf(text, sizeof text, "%s %g", kind, size);
  return text;
}

/// Accuracy under attacks of growing size: a line for each network.
Chart lines(const char* kind, const std::vector<Network>& networks,
            const std::vector<std::vector<Judgement>>& measured) {
  Chart chart{.title = kind, .x_label = "change of a pixel", .y_label = "accuracy %", .series = {}};
  for (std::size_t n = 0; n < networks.size(); ++n) {
    Series series{.name = networks[n].name, .x = {}, .y = {}};
    const auto add = [&](double size, const std::string& value) {
      const Summary s = summarise(cells(measured[n], {value})[0].values);
      series.x.push_back(size);
      series.y.push_back(s.mean);
      series.spread.push_back(s.count > 1 ? s.deviation : 0);
    };
    add(0, "clean");
    for (const double size : sizes)
      add(size, name_of(kind, size));
    chart.series.push_back(series);
  }
  return chart;
}

/// All that is measured of one network.
Values measure(Target target) {
  Values values = target.gradient();
  values["clean"] = target.accuracy({.size = 0});
  for (const double size : sizes) {
    const Attack once{.size = size}, often{.size = size, .steps = iterations};
    Attack scores = often;
    scores.ascent = Ascent::scores;
    values[name_of("FGSM", size)] = target.accuracy(once);
    values[name_of("BIM", size)] = target.accuracy(often);
    values[name_of("BIM on scores", size)] = target.accuracy(scores);
    values[name_of("to a class, FGSM", size)] = target.success(once);
    values[name_of("to a class, BIM", size)] = target.success(often);
  }
  return values;
}

} // namespace

Report attack(Lab& lab) {
  const Dataset training = lab.data("toys", Split::train);
  const Dataset test = lab.data("toys", Split::test, lab.small() ? toys_test_limit : 0);
  const Dataset victims = lab.data("toys", Split::test, lab.small() ? 250 : 2000);
  const std::vector<Network> networks = {matrix_capsnet(lab, "toys"), capsnet(lab, "toys"),
                                         cnn(lab, "toys")};
  Report report{
      .title = "measured on toys",
      .method =
          "Accuracy in per cent when no pixel is changed by more than so much (white is 1), by "
          "the fast gradient sign method (FGSM) and in ten steps (BIM), along the gradient of "
          "the loss or of the largest wrong score minus the right one; and how often a "
          "picture is taken for a class it was to be taken for (chance: 20 % of a network "
          "that guesses). Below: the share of gradients by a pixel that are exactly zero, "
          "and their mean size.",
  };
  std::vector<std::vector<Judgement>> measured; // of each network, by seed
  for (const Network& network : networks) {
    report.columns.push_back({network.name});
    measured.emplace_back();
    for (const std::uint64_t seed : lab.seeds()) {
      const Trained trained = train_and_test(lab, network, seed, training, test);
      measured.back().push_back({0, lab.measure(trained, "attack", [&] {
                                   return measure(
                                       Target(lab, *trained.model, trained.view, victims));
                                 })});
    }
  }
  std::vector<std::pair<std::string, std::string>> rows = {{"clean", "accuracy, not attacked"}};
  for (const char* kind : {"FGSM", "BIM", "BIM on scores", "to a class, FGSM", "to a class, BIM"})
    for (const double size : sizes)
      rows.emplace_back(name_of(kind, size), name_of(kind, size));
  rows.emplace_back("zeros", "gradients that are zero %");
  rows.emplace_back("size", "mean size of a gradient");
  for (const auto& [value, shown] : rows) {
    Row row{shown, {}, value == "size" ? 6 : 1};
    for (const auto& judgements : measured)
      row.cells.push_back(cells(judgements, {value})[0]);
    report.rows.push_back(row);
  }
  for (const char* kind : {"FGSM", "BIM"})
    report.charts.push_back(lines(kind, networks, measured));
  return report;
}

} // namespace mereo::lab

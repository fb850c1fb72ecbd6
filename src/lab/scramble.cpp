// Faces whose parts are all there but in the wrong places, and faces upside down: whether the
// activation of the class face tells them from faces.
#include "lab/experiments.h"
#include "lab/networks.h"
#include "lab/statistics.h"
#include "lab/truth.h"

#include <algorithm>
#include <cmath>

namespace mereo::lab {

namespace {

constexpr std::int32_t face = 0; // the class

/// Scores that pictures have for the class face.
std::vector<double> face_scores(Model& model, const View& view, const Dataset& data,
                                const std::vector<std::int64_t>& which) {
  Loader loader(data, which, {.shuffle = false, .view = view, .augment = false});
  std::vector<double> scores;
  Batch batch;
  Tape tape;
  while (loader.next(batch)) {
    tape.reset();
    const Variable all = model.forward(tape, batch.images, {}, Mode::evaluation).scores;
    for (std::int64_t b = 0; b < all.shape()[0]; ++b)
      scores.push_back(double(all.data()[b * all.shape()[1] + face]));
  }
  return scores;
}

/// Pictures of faces, all of them or those that are turned by at least so many degrees.
std::vector<std::int64_t> faces_of(const Dataset& data, const std::vector<double>& turns = {},
                                   double at_least = 0) {
  std::vector<std::int64_t> which;
  for (std::int64_t i = 0; i < data.count; ++i)
    if (data.labels[std::size_t(i)] == face &&
        (turns.empty() || std::abs(turns[std::size_t(i)]) >= at_least))
      which.push_back(i);
  return which;
}

struct Sets {
  Dataset intact, scrambled, rotated;
  std::vector<std::int64_t> faces, broken, upside_down;
};

Sets load(Lab& lab) {
  Sets sets{lab.data("faces", Split::test),
            lab.data("faces-scrambled", Split::test),
            load_dataset("faces-rotated", Split::test, lab.options().data_dir),
            {},
            {},
            {}};
  sets.faces = faces_of(sets.intact);
  sets.broken = faces_of(sets.scrambled);
  sets.upside_down = faces_of(sets.rotated, face_turns(lab.options().data_dir, "rotated"), 150);
  return sets;
}

double mean(const std::vector<double>& values) {
  return summarise(values).mean;
}

Values judge(Lab& lab, const Sets& sets, Model& model, const View& view) {
  const auto intact = face_scores(model, view, sets.intact, sets.faces);
  const auto broken = face_scores(model, view, sets.scrambled, sets.broken);
  const auto turned = face_scores(model, view, sets.rotated, sets.upside_down);
  return {{"error", error_percent(lab, model, view, sets.intact)},
          {"intact", mean(intact)},
          {"scrambled", mean(broken)},
          {"upside_down", mean(turned)},
          {"auroc_scrambled", auroc(intact, broken)},
          {"auroc_upside_down", auroc(intact, turned)}};
}

} // namespace

Report scramble(Lab& lab) {
  const Dataset training = lab.data("faces", Split::train);
  const Sets sets = load(lab);
  std::vector<Network> networks = {matrix_capsnet(lab, "faces"), capsnet(lab, "faces"),
                                   cnn(lab, "faces")};
  std::vector<Curves> curves;
  for (const Network& network : networks) {
    curves.emplace_back();
    for (const std::uint64_t seed : lab.seeds())
      curves.back().push_back(
          lab.train(
                 network, seed, training,
                 [&](Model& model, const View& view) { return judge(lab, sets, model, view); },
                 std::max<std::int64_t>(1, training.count / network.options.batch / 2))
              .judgements);
  }
  Report report{.title = "network",
                .method = "What the class face has for an activation: of intact faces, of faces "
                          "whose parts are in the wrong places, of faces turned by 150 degrees or "
                          "more; and how well it tells the intact ones from the others (area under "
                          "the ROC curve: 0.5 is chance, 1 is perfect). All networks when their "
                          "error on intact pictures of five classes is first as low as the worst "
                          "of them gets. Trained on intact pictures, turned by up to 15 degrees.",
                .columns = {{"error, intact %", 2},
                            {"AUROC, scrambled", 3},
                            {"AUROC, upside down", 3},
                            {"activation, intact", 3},
                            {"activation, scrambled", 3},
                            {"activation, upside down", 3}}};
  for (std::size_t n = 0; n < networks.size(); ++n)
    report.rows.push_back({networks[n].name, cells(matched(curves[n], curves, "error"),
                                                   {"error", "auroc_scrambled", "auroc_upside_down",
                                                    "intact", "scrambled", "upside_down"})});
  report.charts = {bars(report, "faces told from others", "area under the ROC curve",
                        {"AUROC, scrambled", "AUROC, upside down"})};
  return report;
}

} // namespace mereo::lab

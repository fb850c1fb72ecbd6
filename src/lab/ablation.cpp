// What the parts of capsule networks bring: Hinton, Sabour, Frosst 2018, table 1, on toys, and
// Sabour, Frosst, Hinton 2017, table 1, on MNIST.
#include "lab/experiments.h"
#include "lab/networks.h"

#include <limits>

namespace mereo::lab {

namespace {

struct Setting {
  const char* name;  // of its runs; that of the model where nothing differs, for all experiments
  const char* shown; // with its data set in brackets
  Fields config;
  const char* paper; // error in per cent
};

Fields iterations(std::int64_t count) {
  return {{"routing_iterations", count}};
}

/// A small budget leaves out two rows. The paper's errors are on smallNORB.
std::vector<Setting> matrix_settings(bool small) {
  const Fields::value_type vector{"pose", "vector"}, bare{"coordinate_scale", 0.0},
      whole{"routing_likelihood", 1.0};
  const Fields costly = {{"routing_beta_u_start", 2.0}, {"routing_half_active_share", 0.0}};
  std::vector<Setting> settings = {
      {"matrix-capsnet", "nothing left out (toys)", {}, "1.8"},
      {"1-iteration", "1 iteration (toys)", iterations(1), "9.7"},
      {"2-iterations", "2 iterations (toys)", iterations(2), "2.2"},
      {"whole-likelihood", "whole likelihood (toys)", {whole}, ""},
      {"costly-mass", "mass costs at the start (toys)", costly, ""},
      {"vector", "vector poses (toys)", {vector}, "2.9"},
      {"no-coordinates", "no coordinates (toys)", {bare}, "2.6"},
      {"margin", "margin loss (toys)", {{"loss", "margin"}}, "3.2"},
      {"cross-entropy", "cross-entropy (toys)", {{"loss", "cross-entropy"}}, "5.8"}};
  if (!small) {
    settings.push_back({"5-iterations", "5 iterations (toys)", iterations(5), "3.9"});
    settings.push_back(
        {"vector-no-coordinates", "vector, no coordinates (toys)", {vector, bare}, "3.2"});
  }
  return settings;
}

std::vector<Setting> capsnet_settings() {
  const Fields::value_type blind{"decoder", std::int64_t(false)},
      once = iterations(1)[0], shift{"coordinate_shift", std::int64_t(3)},
      weight{"reconstruction_weight", 0.01}; // that of the authors' code
  return {{"capsnet", "nothing left out (mnist)", {}, "0.25"},
          {"no-reconstruction", "no reconstruction (mnist)", {blind}, "0.35"},
          {"1-iteration", "1 iteration (mnist)", {once}, "0.29"},
          {"neither", "1 iteration, no reconstruction (mnist)", {once, blind}, "0.34"},
          {"coordinates", "coordinate addition (mnist)", {shift}, ""},
          {"weight", "reconstruction weighs 0.01 (mnist)", {weight}, ""},
          {"coordinates-weight", "- and coordinate addition (mnist)", {weight, shift}, ""}};
}

/// What the first two elements of capsules that are decoded know of positions; numbers that are
/// none for a network without a decoder.
Values position_of(Lab& lab, const Trained& trained, const Dataset& test) {
  constexpr double none = std::numeric_limits<double>::quiet_NaN();
  if (!trained.model->reconstructs())
    return {{"position", none}, {"moved", none}};
  return lab.measure(trained, "position", [&]() -> Values {
    const PositionReport report = measure_position(*trained.model, test, {.view = trained.view});
    return {{"position", (report.r_squared[0] + report.r_squared[1]) / 2},
            {"moved", (report.moved[0] + report.moved[1]) / 2}};
  });
}

void add_rows(Report& report, Lab& lab, const Network& base, const std::vector<Setting>& settings,
              const Dataset& training, const Dataset& test) {
  for (const Setting& setting : settings) {
    Network network = base;
    network.name = setting.name;
    network.config = changed(network.config, setting.config);
    std::vector<Judgement> judgements;
    for (const std::uint64_t seed : lab.seeds()) {
      const Trained trained = train_and_test(lab, network, seed, training, test);
      judgements.push_back({0, position_of(lab, trained, test)});
      judgements.back().values["test"] = trained["test"];
    }
    Row row{setting.shown, cells(judgements, {"test", "position", "moved"})};
    row.cells.insert(row.cells.begin() + 1, Cell(setting.paper));
    report.rows.push_back(row);
  }
}

} // namespace

Trained train_and_test(Lab& lab, const Network& network, std::uint64_t seed,
                       const Dataset& training, const Dataset& test) {
  return lab.train(network, seed, training, [&](Model& model, const View& view) -> Values {
    return {{"test", error_percent(lab, model, view, test)}};
  });
}

Report ablation(Lab& lab) {
  Report report{.title = "without a part",
                .method =
                    "Test error in per cent: matrix capsules on toys (three iterations, matrix "
                    "poses, coordinate addition, spread loss, couplings by half the log "
                    "likelihood where the paper has all of it), CapsNet on MNIST (three "
                    "iterations, reconstruction with a weight of 0.0005), and networks that differ "
                    "from them in what the row says. The paper's matrix capsules were tested on "
                    "smallNORB. Of networks that reconstruct also: the share of the variance of "
                    "positions that the first two elements of a capsule tell, and by how many "
                    "pixels the reconstruction moves when three are added to them.",
                .columns = {{"test error %", 2}, {"paper %"}, {"R² of position", 2}, {"moved", 2}}};
  // All data before any training, so that what is missing is missed at once.
  const Dataset toys = lab.data("toys", Split::train);
  const Dataset new_toys = lab.data("toys", Split::test, lab.small() ? toys_test_limit : 0);
  const Dataset digits = lab.data("mnist", Split::train),
                new_digits = lab.data("mnist", Split::test);
  const Network matrix = matrix_capsnet(lab, "toys");
  add_rows(report, lab, matrix, matrix_settings(lab.small()), toys, new_toys);
  add_rows(report, lab, capsnet(lab, "mnist"), capsnet_settings(), digits, new_digits);
  report.charts = {
      bars(report, "matrix capsules on toys", "test error %", {"test error %"}, " (toys)"),
      bars(report, "CapsNet on MNIST", "test error %", {"test error %"}, " (mnist)")};
  return report;
}

} // namespace mereo::lab

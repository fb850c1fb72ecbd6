// What the parts of matrix capsules bring: Hinton, Sabour, Frosst 2018, table 1, on toys.
#include "lab/experiments.h"
#include "lab/networks.h"

namespace mereo::lab {

namespace {

struct Setting {
  const char* name; // of its runs
  const char* shown;
  Fields config;
  const char* paper; // error on smallNORB, per cent
};

/// A small budget leaves out two rows.
std::vector<Setting> settings(bool small) {
  const Fields::value_type vector{"pose", "vector"}, bare{"coordinate_scale", 0.0};
  const auto iterations = [](std::int64_t count) { return Fields{{"routing_iterations", count}}; };
  std::vector<Setting> settings = {
      {"matrix-capsnet", "all as in the paper", {}, "1.8"},
      {"1-iteration", "1 iteration", iterations(1), "9.7"},
      {"2-iterations", "2 iterations", iterations(2), "2.2"},
      {"vector", "vector poses", {vector}, "2.9"},
      {"no-coordinates", "no coordinates", {bare}, "2.6"},
      {"margin", "margin loss", {{"loss", "margin"}}, "3.2"},
      {"cross-entropy", "cross-entropy", {{"loss", "cross-entropy"}}, "5.8"}};
  if (!small) {
    settings.push_back({"5-iterations", "5 iterations", iterations(5), "3.9"});
    settings.push_back({"vector-no-coordinates", "vector, no coordinates", {vector, bare}, "3.2"});
  }
  return settings;
}

} // namespace

Trained train_on_toys(Lab& lab, const Network& network, std::uint64_t seed, const Dataset& training,
                      const Dataset& test) {
  return lab.train(network, seed, training, [&](Model& model, const View& view) -> Values {
    return {{"test", error_percent(lab, model, view, test)}};
  });
}

Report ablation(Lab& lab) {
  const Dataset training = lab.data("toys", Split::train);
  const Dataset test = lab.data("toys", Split::test, lab.small() ? toys_test_limit : 0);
  Report report{.title = "matrix capsules with",
                .method =
                    "Test error on toys, per cent, of the network with three iterations, matrix "
                    "poses, coordinate addition and the spread loss, and of others that "
                    "differ from it in what the row says. The paper's are on smallNORB.",
                .columns = {{"test error %", 1}, {"paper %"}}};
  for (const Setting& setting : settings(lab.small())) {
    Network network = matrix_capsnet(lab, "toys");
    network.name = setting.name;
    network.config = changed(network.config, setting.config);
    Curves curves;
    for (const std::uint64_t seed : lab.seeds())
      curves.push_back(train_on_toys(lab, network, seed, training, test).judgements);
    Row row{setting.shown, cells(last(curves), {"test"})};
    row.cells.emplace_back(setting.paper);
    report.rows.push_back(row);
  }
  report.charts = {bars(report, "matrix capsules on toys", "test error %", {"test error %"})};
  return report;
}

} // namespace mereo::lab

// What the parts of matrix capsules bring: Hinton, Sabour, Frosst 2018, table 1, on toys.
#include "lab/experiments.h"
#include "lab/networks.h"

namespace mereo::lab {

namespace {

struct Setting {
  const char* name;
  const char* shown;
  Fields config;
  const char* paper; // error on smallNORB, per cent
};

std::vector<Setting> settings() {
  const Fields::value_type vector{"pose", "vector"}, bare{"coordinate_scale", 0.0};
  const auto iterations = [](std::int64_t count) { return Fields{{"routing_iterations", count}}; };
  return {{"matrix-capsnet", "3 iterations, matrix, spread loss, coordinates", {}, "1.8"},
          {"1-iteration", "1 iteration", iterations(1), "9.7"},
          {"2-iterations", "2 iterations", iterations(2), "2.2"},
          {"5-iterations", "5 iterations", iterations(5), "3.9"},
          {"vector", "vector poses", {vector}, "2.9"},
          {"no-coordinates", "no coordinates", {bare}, "2.6"},
          {"vector-no-coordinates", "vector poses, no coordinates", {vector, bare}, "3.2"},
          {"margin", "margin loss", {{"loss", "margin"}}, "3.2"},
          {"cross-entropy", "cross-entropy", {{"loss", "cross-entropy"}}, "5.8"}};
}

} // namespace

Report ablation(Lab& lab) {
  const Dataset training = lab.data("toys", Split::train);
  const Dataset test = lab.data("toys", Split::test, lab.small() ? 8100 : 0);
  Report report{.title = "matrix capsules with",
                .method =
                    "Test error on toys, per cent: one network, and others that differ from it "
                    "in what the row says. The paper's are on smallNORB.",
                .columns = {{"test error %", 1}, {"paper %"}}};
  for (const Setting& setting : settings()) {
    Network network = matrix_capsnet(lab, "toys");
    network.name = setting.name;
    network.config.insert(network.config.end(), setting.config.begin(), setting.config.end());
    std::vector<double> errors;
    for (const std::uint64_t seed : lab.seeds()) {
      const Trained trained =
          lab.train(network, seed, training, [&](Model& model, const View& view) -> Values {
            return {{"test", error_percent(lab, model, view, test)}};
          });
      errors.push_back(trained["test"]);
    }
    report.rows.push_back({setting.shown, {errors, setting.paper}});
  }
  return report;
}

} // namespace mereo::lab

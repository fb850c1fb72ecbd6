// Digits that were only moved in training, and are turned, sheared and resized in the test: Sabour,
// Frosst, Hinton 2017, section 5.2, on MNIST with random affine maps.
#include "lab/experiments.h"
#include "lab/networks.h"

#include <algorithm>

namespace mereo::lab {

Report affine(Lab& lab) {
  const std::string data = "affine-mnist";
  const std::int64_t limit = lab.small() ? 2000 : 0;
  const Dataset training = lab.data(data, Split::train);
  const Dataset moved = lab.data(data, Split::familiar, limit);
  const Dataset turned = lab.data(data, Split::test, limit);
  const auto judge = [&](Model& model, const View& view) -> Values {
    return {{"moved", error_percent(lab, model, view, moved)},
            {"affine", 100 - error_percent(lab, model, view, turned)}};
  };
  const std::vector<Network> networks = {capsnet(lab, data), cnn(lab, data)};
  std::vector<Curves> curves;
  for (const Network& network : networks) {
    curves.emplace_back();
    // Often, as accuracy on moved digits rises fast.
    const std::int64_t every =
        std::max<std::int64_t>(1, training.count / network.options.batch / 4);
    for (const std::uint64_t seed : lab.seeds())
      curves.back().push_back(lab.train(network, seed, training, judge, every).judgements);
  }
  Report report{.title = "network",
                .method =
                    "Digits of MNIST on 40x40 pixels, moved at random in training. Accuracy on "
                    "test digits under random affine maps, at the end, and when the error on "
                    "moved test digits is first as low as the worse network gets.",
                .columns = {{"error, moved %", 2},
                            {"accuracy, affine %"},
                            {"matched: error, moved %", 2},
                            {"matched: accuracy, affine %"},
                            {"paper: accuracy, affNIST %"}}};
  for (std::size_t n = 0; n < networks.size(); ++n) {
    Row row{networks[n].name, cells(last(curves[n]), {"moved", "affine"})};
    for (const Cell& cell : cells(matched(curves[n], curves, "moved"), {"moved", "affine"}))
      row.cells.push_back(cell);
    row.cells.emplace_back(n == 0 ? "79" : "66");
    report.rows.push_back(row);
  }
  report.charts = {bars(report, "digits under affine maps", "accuracy %",
                        {"accuracy, affine %", "matched: accuracy, affine %"})};
  return report;
}

} // namespace mereo::lab

// Viewpoints that were never seen in training: Hinton, Sabour, Frosst 2018, section 5.2, on toys.
#include "lab/experiments.h"
#include "lab/networks.h"

namespace mereo::lab {

namespace {

void add_rows(Report& report, Lab& lab, const std::string& data) {
  const Dataset training = lab.data(data, Split::train);
  const std::int64_t limit = lab.small() ? viewpoint_test_limit : 0;
  const Dataset familiar = lab.data(data, Split::familiar, limit);
  const Dataset novel = lab.data(data, Split::test, limit);
  Curves cnns;
  for (const Network& network : {cnn(lab, data), matrix_capsnet(lab, data), capsnet(lab, data)}) {
    Curves curves;
    for (const std::uint64_t seed : lab.seeds())
      curves.push_back(
          train_for_viewpoints(lab, network, seed, training, familiar, novel).judgements);
    Row row{network.name + ", " + data.substr(data.find('-') + 1),
            cells(last(curves), {"familiar", "novel"})};
    if (cnns.empty()) {
      cnns = curves;
      row.cells.insert(row.cells.end(), 4, "");
    } else {
      for (const Curves* of : {&curves, &cnns})
        for (const Cell& cell :
             cells(matched(*of, {curves, cnns}, "familiar"), {"familiar", "novel"}))
          row.cells.push_back(cell);
    }
    report.rows.push_back(row);
  }
}

} // namespace

Trained train_for_viewpoints(Lab& lab, const Network& network, std::uint64_t seed,
                             const Dataset& training, const Dataset& familiar,
                             const Dataset& novel) {
  const auto judge = [&](Model& model, const View& view) -> Values {
    return {{"familiar", error_percent(lab, model, view, familiar)},
            {"novel", error_percent(lab, model, view, novel)}};
  };
  return lab.train(network, seed, training, judge, training.count / network.options.batch);
}

Report viewpoint(Lab& lab) {
  Report report{
      .title = "network, novel",
      .method =
          "Test error on toys, per cent, on the third of the azimuths (elevations) that training "
          "has and on the others: at the end of training, and when the network and the CNN are "
          "first as good on familiar viewpoints as the worse of them becomes. The paper, on "
          "smallNORB, reports about 30 % fewer errors for matrix capsules when matched.",
      .columns = {{"familiar %"},
                  {"novel %"},
                  {"matched: familiar %"},
                  {"matched: novel %"},
                  {"CNN's familiar %"},
                  {"CNN's novel %"}}};
  for (const char* data : {"toys-azimuth", "toys-elevation"})
    add_rows(report, lab, data);
  for (const char* end : {", azimuth", ", elevation"})
    report.charts.push_back(
        bars(report, std::string("toys") + end, "test error %", {"familiar %", "novel %"}, end));
  return report;
}

} // namespace mereo::lab

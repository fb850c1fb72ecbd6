// Two digits on top of each other: Sabour, Frosst, Hinton 2017, section 6.
#include "lab/experiments.h"
#include "lab/networks.h"

namespace mereo::lab {

Report overlap(Lab& lab) {
  const std::string data = "multi-mnist";
  const Dataset training = lab.data(data, Split::train), test = lab.data(data, Split::test);
  Report report{.title = "network",
                .method =
                    "Pairs of overlapping digits of MNIST on 36x36 pixels. Error: test pictures "
                    "of which not both digits are told.",
                .columns = {{"error %", 2}, {"paper %"}}};
  for (const auto& [network, paper] :
       {std::pair{capsnet(lab, data), "5.2"}, std::pair{cnn(lab, data), "8.1"}}) {
    Curves curves;
    for (const std::uint64_t seed : lab.seeds())
      curves.push_back(train_and_test(lab, network, seed, training, test).judgements);
    Row row{network.name, cells(last(curves), {"test"})};
    row.cells.emplace_back(paper);
    report.rows.push_back(row);
  }
  report.charts = {bars(report, "two digits", "error %", {"error %"})};
  return report;
}

} // namespace mereo::lab

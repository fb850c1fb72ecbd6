// Viewpoints that were never seen in training: Hinton, Sabour, Frosst 2018, section 5.2, on toys.
#include "lab/experiments.h"
#include "lab/networks.h"

#include <algorithm>

namespace mereo::lab {

namespace {

using Curves = std::vector<std::vector<Judgement>>; // of each seed

struct Compared {
  Network network;
  Curves curves = {};
};

std::vector<double> at_end(const Curves& curves, const std::string& value) {
  std::vector<double> values;
  for (const auto& curve : curves)
    values.push_back(curve.back().values.at(value));
  return values;
}

/// Of every seed, the familiar and the novel error of two networks when both are as good on
/// familiar viewpoints as the worse of them ever becomes.
struct Matched {
  std::vector<double> familiar, novel, other_familiar, other_novel;
};

Matched match(const Curves& ours, const Curves& theirs) {
  Matched matched;
  for (std::size_t seed = 0; seed < ours.size(); ++seed) {
    const double worse = std::max(least(ours[seed], "familiar"), least(theirs[seed], "familiar"));
    const Judgement& a = *first_within(ours[seed], "familiar", worse);
    const Judgement& b = *first_within(theirs[seed], "familiar", worse);
    matched.familiar.push_back(a.values.at("familiar"));
    matched.novel.push_back(a.values.at("novel"));
    matched.other_familiar.push_back(b.values.at("familiar"));
    matched.other_novel.push_back(b.values.at("novel"));
  }
  return matched;
}

void add_rows(Report& report, Lab& lab, const std::string& data) {
  const Dataset training = lab.data(data, Split::train);
  const std::int64_t limit = lab.small() ? 2700 : 0;
  const Dataset familiar = lab.data(data, Split::familiar, limit);
  const Dataset novel = lab.data(data, Split::test, limit);
  std::vector<Compared> all;
  for (const Network& network : {matrix_capsnet(lab, data), capsnet(lab, data)}) {
    all.push_back({network});
    for (const std::uint64_t seed : lab.seeds())
      all.back().curves.push_back(
          train_for_viewpoints(lab, network, seed, training, familiar, novel).judgements);
  }
  for (const Compared& one : all) {
    Row row{one.network.name + ", " + data.substr(data.find('-') + 1),
            {at_end(one.curves, "familiar"), at_end(one.curves, "novel")}};
    if (&one == &all[0]) {
      row.cells.insert(row.cells.end(), 4, "");
    } else {
      const Matched matched = match(one.curves, all[0].curves);
      for (const auto& values :
           {matched.familiar, matched.novel, matched.other_familiar, matched.other_novel})
        row.cells.emplace_back(values);
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
  return report;
}

} // namespace mereo::lab

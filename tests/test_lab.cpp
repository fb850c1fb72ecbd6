#include "error_of.h"
#include "lab/experiments.h"
#include "train_fixture.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

using namespace mereo;
using namespace mereo::lab;

namespace {

constexpr double missing = std::numeric_limits<double>::quiet_NaN();

Report small_report() {
  return {.title = "network",
          .method = "How.",
          .columns = {{"error %"}, {"paper"}, {"gain", 2}},
          .rows = {{"one",
                    {std::vector<double>{1, 2, 3}, "±5",
                     std::vector<double>{missing, missing, missing}}},
                   {"another",
                    {std::vector<double>{10, missing, 12}, "", std::vector<double>{4, 4, 4}}}},
          .experiment = "test",
          .command = "lab test",
          .seeds = 3,
          .seconds = 600};
}

Network tiny_network() {
  Network network{.name = "tiny",
                  .model = "capsnet",
                  .config = {{"kernel", std::int64_t(5)},
                             {"conv_filters", std::int64_t(4)},
                             {"primary_types", std::int64_t(2)},
                             {"decoder", std::int64_t(0)}}};
  network.options.epochs = 2;
  network.options.batch = 8;
  network.options.view = {};
  return network;
}

/// Asks to stop when it has heard of so many steps.
struct Stopper : LabListener {
  std::int64_t after = -1, steps = 0;
  std::vector<std::string> networks;
  void network(const std::string& name, const std::string& data, std::uint64_t seed) override {
    networks.push_back(name + " " + data + " " + std::to_string(seed));
  }
  void stepped(const TrainProgress&) override { ++steps; }
  bool stop() override { return after >= 0 && steps >= after; }
};

} // namespace

TEST_CASE("a table of mean and deviation, columns aligned") {
  CHECK(table_text(small_report()) == "| network | error %             | paper | gain        |\n"
                                      "| ------- | ------------------- | ----- | ----------- |\n"
                                      "| one     | 2.0 ± 1.0           | ±5    | -           |\n"
                                      "| another | 11.0 ± 1.4 (2 of 3) |       | 4.00 ± 0.00 |\n");
  CHECK(cell_text(std::vector<double>{1.25}, 1) == "1.2");
  Report broken = small_report();
  broken.rows[1].cells.pop_back();
  CHECK(has(error_of([&] { table_text(broken); }), "another"));
  CHECK(has(markdown(small_report()), "`lab test`, 3 seeds, 10 minutes"));
}

TEST_CASE("results as JSON have all numbers") {
  const std::string text = json(small_report());
  CHECK(has(text, "\"network\": \"another\""));
  CHECK(has(text, "10.0,\n     null,\n     12.0"));
  CHECK(has(text, "\"paper\": \"±5\""));
}

TEST_CASE("bars of a table") {
  const Chart chart = bars(small_report(), "title", "per cent", {"error %"}, "other");
  CHECK(chart.categories == std::vector<std::string>{"an"});
  REQUIRE(chart.series.size() == 1);
  CHECK(chart.series[0].y == std::vector<double>{11});
  CHECK(chart.series[0].spread[0] == doctest::Approx(std::sqrt(2.0)));
  CHECK(bars(small_report(), "title", "", {"error %"}).categories.size() == 2);
  CHECK(has(error_of([] { bars(small_report(), "title", "", {"paper"}); }), "texts"));
  CHECK(has(error_of([] { bars(small_report(), "title", "", {"papers"}); }), "no column"));
}

TEST_CASE("results take their place in a document") {
  const std::string begin = "<!-- lab: begin -->\n", end = "<!-- lab: end -->\n";
  CHECK(replace_results("a\n" + begin + "old\n" + end + "b\n", "new\n") ==
        "a\n" + begin + "new\n" + end + "b\n");
  for (const std::string& document :
       {std::string("a\n"), begin, end + begin, begin + begin + end, begin + end + end})
    CHECK(has(error_of([&] { replace_results(document, "new\n"); }), "no place"));
}

TEST_CASE("a judged curve is searched") {
  const Curve curve = {
      {1, {{"error", 9}}}, {2, {{"error", 5}}}, {3, {{"error", 6}}}, {4, {{"error", 4}}}};
  CHECK(first_within(curve, "error", 6)->step == 2);
  CHECK(first_within(curve, "error", 5)->step == 2);
  CHECK(first_within(curve, "error", 4.5)->step == 4);
  CHECK(first_within(curve, "error", 3) == nullptr);
  CHECK(least(curve, "error") == 4);
}

TEST_CASE("networks are compared when they are equally good") {
  const Curves good = {{{1, {{"error", 5}, {"other", 1}}}, {2, {{"error", 2}, {"other", 2}}}},
                       {{1, {{"error", 5}, {"other", 3}}}, {2, {{"error", 2}, {"other", 4}}}}};
  const Curves bad = {{{1, {{"error", 9}, {"other", 5}}}, {2, {{"error", 6}, {"other", 6}}}},
                      {{1, {{"error", 3}, {"other", 7}}}, {2, {{"error", 4}, {"other", 8}}}}};
  // With the first seed the bad ones get to 6, the good ones are there at once; with the second the
  // bad ones get to 3, and the good ones have to go on.
  const auto others = [](const std::vector<Judgement>& judgements) {
    return cells(judgements, {"other"}).at(0).values;
  };
  CHECK(others(matched(good, {good, bad}, "error")) == std::vector<double>{1, 4});
  CHECK(others(matched(bad, {good, bad}, "error")) == std::vector<double>{6, 7});
  CHECK(others(last(bad)) == std::vector<double>{6, 8});
}

TEST_CASE("the lab trains once, continues what was stopped, and remembers what was judged") {
  const Dataset data = fixture::bars(48);
  const auto judge_into = [](int& asked) {
    return [&asked](Model& model, const View&) -> Values {
      ++asked;
      return {{"parameter", double(model.parameters().values()[0])}};
    };
  };
  Scratch scratch;
  const auto lab_in = [&](const char* folder) {
    LabOptions options;
    options.folder = scratch.path(folder);
    return options;
  };
  // 6 steps an epoch, judged after 5, 10 and, as the end, 12.
  int asked = 0;
  Stopper whole;
  Lab lab(lab_in("whole"), whole);
  const Trained trained = lab.train(tiny_network(), 7, data, judge_into(asked), 5);
  CHECK(asked == 3);
  REQUIRE(trained.judgements.size() == 3);
  CHECK(trained.judgements[1].step == 10);
  CHECK(trained["parameter"] == double(trained.model->parameters().values()[0]));
  CHECK(whole.networks == std::vector<std::string>{"tiny bars 7"});
  CHECK(lab.seconds() > 0);

  // Once more: nothing is left to be done.
  Stopper again;
  const Trained same =
      Lab(lab_in("whole"), again).train(tiny_network(), 7, data, judge_into(asked), 5);
  CHECK(asked == 3);
  CHECK(again.steps == 0);
  CHECK(same["parameter"] == trained["parameter"]);

  // Stopped after 7 steps, and continued to the same network.
  int pieces = 0;
  Stopper stopper;
  stopper.after = 7;
  CHECK_THROWS_AS(
      Lab(lab_in("part"), stopper).train(tiny_network(), 7, data, judge_into(pieces), 5), Stopped);
  CHECK(pieces == 1);
  Stopper rest;
  const Trained continued =
      Lab(lab_in("part"), rest).train(tiny_network(), 7, data, judge_into(pieces), 5);
  CHECK(rest.steps == 5);
  CHECK(pieces == 3);
  CHECK(continued["parameter"] == trained["parameter"]);
  REQUIRE(continued.judgements.size() == 3);
  CHECK(continued.judgements[1].values.at("parameter") ==
        trained.judgements[1].values.at("parameter"));

  // Stopped while it was judged, after 5 steps, and again before that was made good.
  Stopper hasty;
  hasty.after = 5;
  int late = 0;
  CHECK_THROWS_AS(Lab(lab_in("judged"), hasty).train(tiny_network(), 7, data, judge_into(late), 5),
                  Stopped);
  hasty.after = 0;
  CHECK_THROWS_AS(Lab(lab_in("judged"), hasty).train(tiny_network(), 7, data, judge_into(late), 5),
                  Stopped);
  Stopper patient;
  const Trained made_good =
      Lab(lab_in("judged"), patient).train(tiny_network(), 7, data, judge_into(late), 5);
  CHECK(patient.steps == 7);
  REQUIRE(made_good.judgements.size() == 3);
  CHECK(made_good.judgements[0].values.at("parameter") ==
        trained.judgements[0].values.at("parameter"));

  // Judged on other pictures, it is judged anew, but not on a way that is past; trained otherwise,
  // it is refused.
  LabOptions other = lab_in("whole");
  other.test_limit = 10;
  Lab(other, again).train(tiny_network(), 7, data, judge_into(asked));
  CHECK(asked == 4);
  CHECK(
      has(error_of([&] { Lab(other, again).train(tiny_network(), 7, data, judge_into(asked), 5); }),
          "0 of 2 times"));
  Network changed = tiny_network();
  changed.options.batch = 4;
  CHECK(
      has(error_of([&] { Lab(lab_in("whole"), again).train(changed, 7, data, judge_into(asked)); }),
          "another batch"));
}

TEST_CASE("every experiment has a name of its own and says what it asks") {
  for (const Experiment& one : experiments()) {
    CHECK(std::string(one.question).ends_with("?"));
    for (const Experiment& other : experiments())
      CHECK((&one == &other) == (std::string(one.name) == other.name));
  }
}

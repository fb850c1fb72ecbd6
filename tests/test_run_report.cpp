// What a run folder shows: charts of the history, the page, both whole whatever happened before.
#include "error_of.h"
#include "train_fixture.h"

#include "train/run_report.h"

#include <doctest/doctest.h>

#include <cmath>
#include <regex>

using namespace fixture;

namespace {

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != text.npos; at = text.find(part, at + 1))
    ++found;
  return found;
}

Fields epoch_line(std::int64_t epoch, double error) {
  return {{"event", "epoch"},
          {"epoch", epoch},
          {"step", epoch * 10},
          {"loss", 1.0 / double(epoch)},
          {"margin", 0.5 / double(epoch)},
          {"reconstruction", std::int64_t{0}},
          {"training_error_percent", 2 * error},
          {"validation_error_percent", error},
          {"validation_loss", 0.25},
          {"learning_rate", 1e-3},
          {"images_per_second", std::nan("")},
          {"seconds", 60.0}};
}

Fields step_line(std::int64_t step, double loss) {
  return {{"event", "step"}, {"step", step}, {"loss", loss}, {"learning_rate", 1e-3}};
}

/// Stops in the middle of the third epoch.
void train_to_the_middle(const std::string& folder) {
  Recorder recorder;
  recorder.stop_after_step = 15;
  CapsNet model(tiny_config(), 7);
  REQUIRE(train(model, bars(60), tiny_options(folder), recorder).stopped);
}

void resume(const std::string& folder) {
  TrainOptions options = tiny_options(folder);
  options.resume = true;
  Recorder recorder;
  CapsNet model(tiny_config(), 7);
  REQUIRE_FALSE(train(model, bars(60), options, recorder).stopped);
}

} // namespace

TEST_CASE("charts of a history: one series for each kind of line that tells something") {
  const std::vector<Fields> history = {step_line(5, 2),    epoch_line(1, 8),
                                       step_line(15, 0.5), {{"event", "other"}, {"step", 16}},
                                       {{"step", "text"}}, epoch_line(2, 4)};
  const std::vector<Chart> charts = history_charts(history);
  REQUIRE(charts.size() == 6);
  const Chart &loss = charts[0], &parts = charts[1], &error = charts[2], &rate = charts[3];
  REQUIRE(loss.series.size() == 3);
  CHECK(loss.series[0].x == std::vector<double>{5, 15});
  CHECK(loss.series[0].y == std::vector<double>{2, 0.5});
  CHECK(loss.series[1].x == std::vector<double>{10, 20});
  CHECK(loss.series[1].y == std::vector<double>{1, 0.5});
  CHECK(loss.series[2].y == std::vector<double>{0.25, 0.25});
  CHECK_FALSE(loss.logarithmic);
  REQUIRE(parts.series.size() == 1); // no decoder, no reconstruction
  CHECK(parts.series[0].name == "margin");
  REQUIRE(error.series.size() == 2);
  CHECK(error.series[0].y == std::vector<double>{8, 4});
  CHECK(error.series[1].y == std::vector<double>{16, 8});
  REQUIRE(rate.series.size() == 1);
  CHECK(rate.series[0].x == std::vector<double>{5, 10, 15, 20});
  CHECK(charts[4].series.empty()); // images_per_second is null in both
}

TEST_CASE("charts of long histories: means of runs of points; orders of magnitude as powers") {
  std::vector<Fields> history;
  for (std::int64_t step = 1; step <= 1000; ++step)
    history.push_back(step_line(step, 2000.0 - double(step)));
  const Chart loss = history_charts(history)[0];
  REQUIRE(loss.series.size() == 1);
  CHECK(loss.series[0].y.size() == 334);
  CHECK(loss.series[0].x.front() == 2);
  CHECK(loss.series[0].y.front() == 1998);
  CHECK(loss.series[0].x.back() == 1000);
  CHECK_FALSE(loss.logarithmic);
  for (std::int64_t step = 1001; step <= 1010; ++step)
    history.push_back(step_line(step, 1));
  CHECK(history_charts(history)[0].logarithmic);
}

TEST_CASE("a run folder has its report and curves from the first epoch on") {
  const Scratch scratch;
  const std::string folder = scratch.path("run");
  train_to_the_middle(folder);
  const std::string page = got(folder + "/report.html");
  CHECK(page.find("<title>capsnet on bars</title>") != page.npos);
  CHECK(page.find("2 of 4 epochs, 12 steps") != page.npos);
  CHECK(count(page, "<svg ") == 6);
  CHECK(count(page, "role=\"img\" ") == 6);
  CHECK(page.find("aria-label=\"Error, %: lines by epoch; validation from") != page.npos);
  CHECK(page.find("<img class=\"pixels\" alt=\"Two rows") != page.npos);
  CHECK(page.find("src=\"data:image/png;base64,iVBORw0KGgo") != page.npos);
  CHECK(page.find("<th scope=\"row\">model.primary_types</th>\n<td>4</td>") != page.npos);
  // Nothing from elsewhere.
  CHECK(count(page, "src=") == 1);
  for (const char* foreign : {"<script", "<link", "@import", "url(", "href"})
    CHECK(page.find(foreign) == page.npos);
  const Image curves = read_image(folder + "/curves.png");
  CHECK(curves.channels == 3);
  CHECK(curves.width == 1260);
}

TEST_CASE("after a resume that forgets lines the report is that of a run never stopped") {
  const Scratch scratch;
  const std::string whole = scratch.path("whole"), parts = scratch.path("parts");
  Recorder recorder;
  CapsNet model(tiny_config(), 7);
  train(model, bars(60), tiny_options(whole), recorder);
  train_to_the_middle(parts);
  // As a run leaves it that is killed after lines which its last checkpoint does not know.
  append_json_line(parts + "/history.jsonl", epoch_line(3, 77.77));
  write_run_report(parts);
  REQUIRE(got(parts + "/report.html").find("77.77") != std::string::npos);
  resume(parts);
  // Times apart, and what is drawn of them.
  const auto report = [](const std::string& folder) {
    std::string page = got(folder + "/report.html");
    page = std::regex_replace(page, std::regex("[0-9.]+ minutes"), "T minutes");
    page = std::regex_replace(page, std::regex("<td>[^<]*</td>\n<td>[^<]*</td>\n</tr>"), "</tr>");
    const auto begin = page.find("aria-label=\"Images per second");
    return page.erase(begin, page.find("</svg>", begin) - begin);
  };
  CHECK(report(parts) == report(whole));
  CHECK(count(report(parts), "<th scope=\"row\">3</th>") == 1);
}

TEST_CASE("a resume with nothing left to do mends the report all the same") {
  const Scratch scratch;
  const std::string folder = scratch.path("run");
  train_to_the_middle(folder);
  resume(folder);
  write_file_atomically(folder + "/report.html", "half");
  std::filesystem::remove(folder + "/curves.png");
  resume(folder);
  CHECK(got(folder + "/report.html").ends_with("</html>\n"));
  CHECK(read_image(folder + "/curves.png").width == 1260);
}

TEST_CASE("names in a run's files are text in its report, and the test error is told") {
  const Scratch scratch;
  const std::string folder = scratch.folder(), evil = "<script>alert('x')</script>";
  put(folder + "/config.json", to_json({{"model", evil}, {"data", "a&b"}, {evil, evil}}));
  put(folder + "/test.json", R"({"epochs": 2, "last_test_error_percent": 1.5})");
  append_json_line(folder + "/history.jsonl", epoch_line(1, 3));
  append_json_line(folder + "/history.jsonl", epoch_line(2, 3));
  append_json_line(folder + "/history.jsonl", {{"event", "epoch"}, {"loss", evil}});
  write_run_report(folder);
  const std::string page = got(folder + "/report.html");
  CHECK(page.find("<script") == page.npos);
  CHECK(count(page, "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;") == 7);
  CHECK(page.find("a&amp;b") != page.npos);
  CHECK(page.find("test error 1.50 % of epoch 2, the last") != page.npos);
  CHECK(page.find("the lowest 3.00 %, after epoch 1") != page.npos);
}

TEST_CASE("files that cannot be read are named") {
  const Scratch scratch;
  const std::string folder = scratch.folder();
  const auto complaint = [&] { return error_of([&] { write_run_report(folder); }); };
  CHECK(complaint() == ""); // nothing is there yet
  put(folder + "/config.json", "{");
  CHECK(complaint().starts_with(folder + "/config.json: "));
  std::filesystem::remove(folder + "/config.json");
  put(folder + "/history.jsonl", "{}\n[]\n");
  CHECK(complaint().starts_with(folder + "/history.jsonl: line 2"));
}

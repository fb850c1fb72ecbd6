#include "train/run_report.h"

#include "report/html.h"
#include "report/numbers.h"
#include "report/page.h"
#include "train/fields.h"

#include <cmath>
#include <filesystem>
#include <optional>

namespace mereo {

namespace {

/// Nothing when there is no such file.
std::optional<std::string> read_if_there(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored))
    return {};
  return read_file(path);
}

Fields read_object(const std::string& path) {
  const std::optional<std::string> text = read_if_there(path);
  if (!text)
    return {};
  try {
    return parse_json_object(*text);
  } catch (const Error& error) {
    throw Error(path, error.problem, error.values);
  }
}

bool is_epoch(const Fields& line) {
  const FieldValue* event = find(line, "event");
  return event && *event == FieldValue("epoch");
}

/// Text as it is, numbers short; "-" for what is not there.
std::string show(const Fields& fields, std::string_view name) {
  const FieldValue* value = find(fields, name);
  if (!value)
    return "-";
  if (const auto* number = std::get_if<double>(value))
    return short_number(*number, 4);
  if (const auto* text = std::get_if<std::string>(value))
    return *text;
  return std::to_string(std::get<std::int64_t>(*value));
}

/// "-" for a network without a decoder.
std::string reconstruction(const Fields& epoch) {
  return number_or_nan(epoch, "reconstruction") == 0 ? "-" : show(epoch, "reconstruction");
}

std::string percent(const Fields& fields, std::string_view name) {
  return fixed_number(number_or_nan(fields, name), 2);
}

/// The first epoch of those with the lowest validation error, then loss; null without validation.
const Fields* best_epoch(const std::vector<Fields>& epochs) {
  const Fields* best = nullptr;
  std::pair<double, double> lowest;
  for (const Fields& epoch : epochs) {
    const std::pair now = {number_or_nan(epoch, "validation_error_percent"),
                           number_or_nan(epoch, "validation_loss")};
    if (std::isnan(now.first) || (best && !(now < lowest)))
      continue;
    best = &epoch;
    lowest = now;
  }
  return best;
}

void put_summary(Html& html, const Fields& config, const std::vector<Fields>& epochs,
                 const Fields& test) {
  const auto list = html.in("ul");
  const auto item = [&](const std::string& text) { html.put("li", text); };
  if (epochs.empty()) {
    item("No epoch is done yet.");
    return;
  }
  const Fields& last = epochs.back();
  item(show(last, "epoch") + " of " + show(config, "epochs") + " epochs, " + show(last, "step") +
       " steps, " + fixed_number(number_or_nan(last, "seconds") / 60, 1) + " minutes");
  if (const Fields* best = best_epoch(epochs))
    item("validation error " + percent(last, "validation_error_percent") + " %; the lowest " +
         percent(*best, "validation_error_percent") + " %, after epoch " + show(*best, "epoch"));
  item("training loss " + show(last, "loss") + ", error " +
       percent(last, "training_error_percent") + " %");
  if (find(test, "best_test_error_percent"))
    item("test error " + percent(test, "best_test_error_percent") + " % of epoch " +
         show(test, "best_epoch") + ", the best by validation");
  if (find(test, "last_test_error_percent"))
    item("test error " + percent(test, "last_test_error_percent") + " % of epoch " +
         show(test, "epochs") + ", the last");
}

void put_charts(Html& html, const std::vector<Chart>& charts) {
  if (charts.empty())
    return;
  html.put("h2", "How it went");
  const auto grid = html.in("div", {{"class", "grid"}});
  for (const Chart& chart : charts) {
    const auto figure = html.in("figure");
    html.raw(chart_svg(chart));
  }
}

void put_pictures(Html& html, const std::string& path) {
  const std::optional<std::string> png = read_if_there(path);
  if (!png)
    return;
  html.put("h2", "What it makes of pictures");
  const auto figure = html.in("figure");
  {
    const auto wide = html.in("div", {{"class", "wide"}});
    html.single("img", {{"class", "pixels"},
                        {"alt", "Two rows: pictures, and below each what the network makes of it"},
                        {"src", png_uri(*png)}});
  }
  html.put("figcaption", "Above as seen, below as reconstructed from the capsule of the predicted "
                         "class.");
}

void put_epochs(Html& html, const std::vector<Fields>& epochs) {
  if (epochs.empty())
    return;
  html.put("h2", "Epochs");
  const auto wide = html.in(
      "div", {{"class", "wide"}, {"tabindex", "0"}, {"role", "region"}, {"aria-label", "Epochs"}});
  const auto table = html.in("table");
  {
    const auto row = html.in("tr");
    for (const char* name :
         {"epoch", "steps", "loss", "margin", "reconstruction", "training error, %",
          "validation error, %", "validation loss", "learning rate", "images/s", "seconds"})
      html.put("th", name, {{"scope", "col"}});
  }
  for (const Fields& epoch : epochs) {
    const auto row = html.in("tr");
    html.put("th", show(epoch, "epoch"), {{"scope", "row"}});
    html.put("td", show(epoch, "step"));
    for (const char* name : {"loss", "margin"})
      html.put("td", show(epoch, name));
    html.put("td", reconstruction(epoch));
    for (const char* name : {"training_error_percent", "validation_error_percent"})
      html.put("td", percent(epoch, name));
    for (const char* name : {"validation_loss", "learning_rate", "images_per_second", "seconds"})
      html.put("td", show(epoch, name));
  }
}

void put_configuration(Html& html, const Fields& config) {
  html.put("h2", "Configuration");
  const auto details = html.in("details");
  html.put("summary", "options and network, as in config.json");
  const auto table = html.in("table", {{"class", "config"}});
  for (const auto& [name, value] : config) {
    const auto row = html.in("tr");
    html.put("th", name, {{"scope", "row"}});
    const auto* text = std::get_if<std::string>(&value);
    html.put("td", text ? *text : value_text(value));
  }
}

} // namespace

void write_run_report(const std::string& directory) {
  const std::vector<Fields> history = read_json_lines(directory + "/history.jsonl");
  const std::vector<Chart> charts = history_charts(history);
  const std::string curves = directory + "/curves.png";
  std::error_code ignored;
  if (charts.empty())
    std::filesystem::remove(curves, ignored); // of a run before this one
  else
    write_png(curves, charts_picture(charts, 2));

  std::vector<Fields> epochs;
  for (const Fields& line : history)
    if (is_epoch(line))
      epochs.push_back(line);
  const Fields config = read_object(directory + "/config.json");
  Html html;
  put_summary(html, config, epochs, read_object(directory + "/test.json"));
  put_charts(html, charts);
  put_pictures(html, directory + "/reconstructions.png");
  put_epochs(html, epochs);
  put_configuration(html, config);
  const std::string name = show(config, "model") + " on " + show(config, "data");
  write_file_atomically(directory + "/report.html",
                        html_page(name, html.page(),
                                  "img.pixels { width: 100%; min-width: 40rem; image-rendering: "
                                  "pixelated; }\n"
                                  ".config { font-size: 0.85rem; }\n"
                                  ".config th { font-weight: 400; overflow-wrap: anywhere; }\n"
                                  ".config td { white-space: normal; }\n"));
}

} // namespace mereo

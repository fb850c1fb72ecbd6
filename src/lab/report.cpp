#include "lab/report.h"

#include "lab/statistics.h"
#include "report/numbers.h"

#include <mereo/core.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace mereo::lab {

namespace {

/// Letters, not bytes: continuation bytes of UTF-8 do not count.
std::size_t width(const std::string& text) {
  return std::size_t(
      std::ranges::count_if(text, [](char c) { return (std::uint8_t(c) & 0xc0) != 0x80; }));
}

std::string line(const std::vector<std::string>& cells, const std::vector<std::size_t>& widths) {
  std::string text = "|";
  for (std::size_t c = 0; c < cells.size(); ++c)
    text += " " + cells[c] + std::string(widths[c] - width(cells[c]), ' ') + " |";
  return text + "\n";
}

} // namespace

std::string cell_text(const Cell& cell, int decimals) {
  if (cell.values.empty())
    return cell.text;
  const Summary s = summarise(cell.values);
  if (s.count == 0)
    return "-";
  std::string text = fixed_number(s.mean, decimals);
  if (s.count > 1)
    text += " ± " + fixed_number(s.deviation, decimals);
  if (s.count < std::int64_t(cell.values.size()))
    text += " (" + std::to_string(s.count) + " of " + std::to_string(cell.values.size()) + ")";
  return text;
}

std::string table_text(const Report& report) {
  std::vector<std::vector<std::string>> lines = {{report.title}};
  for (const Column& column : report.columns)
    lines[0].push_back(column.name);
  for (const Row& row : report.rows) {
    if (row.cells.size() != report.columns.size())
      throw Error("table_text", "a row has not a cell for each column", row.name);
    lines.push_back({row.name});
    for (std::size_t c = 0; c < row.cells.size(); ++c)
      lines.back().push_back(cell_text(
          row.cells[c], row.decimals >= 0 ? row.decimals : report.columns.at(c).decimals));
  }
  std::vector<std::size_t> widths(lines[0].size(), 3);
  for (const auto& cells : lines)
    for (std::size_t c = 0; c < cells.size(); ++c)
      widths.at(c) = std::max(widths[c], width(cells[c]));
  std::vector<std::string> rule;
  for (const std::size_t w : widths)
    rule.emplace_back(w, '-');
  lines.insert(lines.begin() + 1, rule);
  std::string text;
  for (const auto& cells : lines)
    text += line(cells, widths);
  return text;
}

std::string markdown(const Report& report) {
  return report.method + "\n\n" + table_text(report) + "\n`" + report.command + "`, " +
         std::to_string(report.seeds) + (report.seeds == 1 ? " seed, " : " seeds, ") +
         fixed_number(report.seconds / 60, 0) + " minutes\n";
}

std::string json(const Report& report) {
  nlohmann::ordered_json root = {
      {"experiment", report.experiment}, {"command", report.command},
      {"seeds", report.seeds},           {"seconds", report.seconds},
      {"method", report.method},         {"rows", nlohmann::ordered_json::array()}};
  for (const Row& row : report.rows) {
    nlohmann::ordered_json cells;
    for (std::size_t c = 0; c < row.cells.size(); ++c)
      if (const Cell& cell = row.cells[c]; cell.values.empty())
        cells[report.columns.at(c).name] = cell.text;
      else
        cells[report.columns.at(c).name] = cell.values; // a NaN becomes null
    root["rows"].push_back({{report.title, row.name}, {"measured", cells}});
  }
  return root.dump(1) + "\n";
}

Chart bars(const Report& report, const std::string& title, const std::string& y_label,
           const std::vector<std::string>& columns, const std::string& end) {
  Chart chart{.title = title, .x_label = "", .y_label = y_label, .series = {}};
  for (const std::string& name : columns) {
    const auto column = std::ranges::find(report.columns, name, &Column::name);
    if (column == report.columns.end())
      throw Error("bars", "there is no column of this name", name);
    const auto c = std::size_t(column - report.columns.begin());
    Series series{.name = name, .x = {}, .y = {}};
    chart.categories.clear();
    for (const Row& row : report.rows) {
      if (!row.name.ends_with(end))
        continue;
      const Summary s = summarise(row.cells.at(c).values);
      if (row.cells[c].values.empty())
        throw Error("bars", "the column has texts", name);
      chart.categories.push_back(row.name.substr(0, row.name.size() - end.size()));
      series.x.push_back(double(series.x.size()));
      series.y.push_back(s.mean);
      series.spread.push_back(s.count > 1 ? s.deviation : 0);
    }
    chart.series.push_back(series);
  }
  return chart;
}

Image figure(const Report& report) {
  std::size_t categories = 0;
  for (const Chart& chart : report.charts)
    categories = std::max(categories, chart.categories.size());
  const double width = std::max(420.0, 100.0 * double(categories));
  return charts_picture(report.charts, width > 500 || report.charts.size() < 2 ? 1 : 2, width);
}

std::string replace_results(const std::string& document, const std::string& results) {
  const std::string begin = "<!-- lab: begin -->\n", end = "<!-- lab: end -->\n";
  const auto from = document.find(begin), to = document.find(end);
  if (from == document.npos || to == document.npos || to < from ||
      document.find(begin, from + 1) != document.npos ||
      document.find(end, to + 1) != document.npos)
    throw Error(
        "replace_results", "the results have no place in the document", "",
        "it needs the lines <!-- lab: begin --> and <!-- lab: end -->, once, in this order");
  return document.substr(0, from + begin.size()) + results + document.substr(to);
}

} // namespace mereo::lab

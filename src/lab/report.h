// What an experiment found: a table with a row for each network or setting, and its figure.
#pragma once

#include "report/chart.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace mereo::lab {

/// A text, or numbers, one a seed.
struct Cell {
  std::string text = {};
  std::vector<double> values = {};

  Cell(std::string text) : text(std::move(text)) {}
  Cell(const char* text) : text(text) {}
  Cell(std::vector<double> values) : values(std::move(values)) {}
};

struct Column {
  std::string name;
  int decimals = 1;
};

struct Row {
  std::string name;
  std::vector<Cell> cells = {}; // one a column
  int decimals = -1;            // instead of the columns'
};

struct Report {
  std::string title;  // of the table's first column
  std::string method; // what was trained and measured
  std::vector<Column> columns = {};
  std::vector<Row> rows = {};
  std::vector<Chart> charts = {}; // of the figure

  // What the lab adds.
  std::string experiment = {}, command = {};
  std::int64_t seeds = 0;
  double seconds = 0;
};

/// "3.2 ± 0.4": mean and deviation over the seeds; the mean alone of a single one; "-" for none
/// that is a number. Where some are not, their share follows: "3.2 ± 0.4 (2 of 3)".
std::string cell_text(const Cell& cell, int decimals);

/// The table alone, columns aligned. Throws Error for a row with more or fewer cells than columns.
std::string table_text(const Report& report);
/// Method, table, command and time.
std::string markdown(const Report& report);
/// All numbers, by seed.
std::string json(const Report& report);

/// Bars of some columns, with the deviations as whiskers, side by side for each row whose name ends
/// so, without that end. Throws Error for a column that is not there or has texts.
Chart bars(const Report& report, const std::string& title, const std::string& y_label,
           const std::vector<std::string>& columns, const std::string& end = "");

/// The charts, as wide as their bars' names want, side by side where there is room.
Image figure(const Report& report);

/// The text between the lines "<!-- lab: begin -->" and "<!-- lab: end -->" becomes this. Throws
/// Error unless both are there once, in this order.
std::string replace_results(const std::string& document, const std::string& results);

} // namespace mereo::lab

// Line and bar charts. Series differ by colour (Okabe and Ito's palette, which colour-blind people
// tell apart) and by dashes or order as well.
#pragma once

#include "report/canvas.h"

#include <span>
#include <string>
#include <vector>

namespace mereo {

struct Series {
  std::string name;
  std::vector<double> x, y;        // of equal length; y that is not finite leaves a gap
  std::vector<double> spread = {}; // half the length of a whisker for each y; empty: none
  double width = 2;                // of the line
};

struct Chart {
  std::string title, x_label, y_label;
  std::vector<Series> series;
  /// Bars, the series side by side in each category (their x is not looked at); empty: lines.
  std::vector<std::string> categories = {};
  /// A y axis of powers, where there are no bars and every y is above 0.
  bool logarithmic = false;
  /// Whether the y axis has to show 0; bars always do.
  bool from_zero = true;
};

/// What the chart shows, in words, for those who do not see it.
std::string describe(const Chart& chart);

/// Draws in width x height units from the corner at the top left. Throws Error, naming the chart,
/// when the lengths of a series, or of it and the categories, differ.
void draw_chart(const Chart& chart, Canvas& canvas, Point corner, double width, double height);

/// An SVG element for a page.
std::string chart_svg(const Chart& chart, double width = 420, double height = 280);

/// Charts in rows of `columns`, each of width x height units of `scale` pixels: see write_png().
Image charts_picture(std::span<const Chart> charts, int columns, double width = 420,
                     double height = 280, double scale = 1.5);

} // namespace mereo

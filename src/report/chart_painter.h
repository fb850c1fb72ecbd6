// Draws one chart: from the outside in, each part takes its room from what is left.
#pragma once

#include "report/axis.h"
#include "report/chart.h"

namespace mereo {

class ChartPainter {
public:
  /// As draw_chart() takes them; the lengths of all series are right.
  ChartPainter(const Chart& chart, Canvas& canvas, Point corner, double width, double height);

  void paint();

private:
  void paint_title();
  /// A sample and a name for each series, as many to a row as it holds.
  void paint_legend();
  void paint_grid();
  void paint_whisker(const Series& series, std::size_t i, double x);
  double height_of(double value) const;

  void paint_lines();
  void paint_series(std::size_t index, const Axis& x);

  void paint_bars();
  void paint_bar(std::size_t index, std::size_t category, double x, double width);
  /// Lines of whole words that fit a width; a longer word is cut.
  std::vector<std::string> wrapped(const std::string& text, double width) const;

  const Chart& chart_;
  Canvas& canvas_;
  const Axis y_;
  double left_, right_, top_, bottom_; // of what is left
};

} // namespace mereo

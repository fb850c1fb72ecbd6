#include "report/chart_painter.h"
#include "report/numbers.h"

#include <algorithm>

namespace mereo {

namespace {

void check(const Chart& chart) {
  const auto refuse = [&](const Series& series, const std::string& values) {
    throw Error("chart " + chart.title, "the lengths of series " + series.name + " differ", values);
  };
  for (const Series& series : chart.series) {
    const std::size_t count = series.y.size();
    if (chart.categories.empty() && series.x.size() != count)
      refuse(series, std::to_string(series.x.size()) + " x, " + std::to_string(count) + " y");
    if (!chart.categories.empty() && chart.categories.size() != count)
      refuse(series, std::to_string(chart.categories.size()) + " categories, " +
                         std::to_string(count) + " y");
    if (!series.spread.empty() && series.spread.size() != count)
      refuse(series,
             std::to_string(count) + " y, " + std::to_string(series.spread.size()) + " spreads");
  }
}

} // namespace

std::string describe(const Chart& chart) {
  std::string text = chart.title + (chart.categories.empty() ? ": lines" : ": bars");
  if (!chart.x_label.empty())
    text += " by " + chart.x_label;
  for (const Series& series : chart.series) {
    text += series.name.empty() ? ";" : "; " + series.name;
    if (!chart.categories.empty()) {
      for (std::size_t i = 0; i < std::min(series.y.size(), chart.categories.size()); ++i)
        text += (i == 0 ? ": " : ", ") + chart.categories[i] + " " + short_number(series.y[i], 4);
      continue;
    }
    Range range;
    std::size_t first = series.y.size(), last = 0;
    for (std::size_t i = 0; i < series.y.size(); ++i)
      if (drawable(series.y[i])) {
        range.take(series.y[i]);
        first = std::min(first, i);
        last = i;
      }
    if (range.empty()) {
      text += ": nothing";
      continue;
    }
    text += " from " + short_number(series.y[first], 4) + " to " + short_number(series.y[last], 4) +
            ", lowest " + short_number(range.low, 4) + ", highest " + short_number(range.high, 4);
  }
  return text;
}

void draw_chart(const Chart& chart, Canvas& canvas, Point corner, double width, double height) {
  check(chart);
  ChartPainter(chart, canvas, corner, width, height).paint();
}

std::string chart_svg(const Chart& chart, double width, double height) {
  SvgCanvas canvas(width, height, describe(chart));
  draw_chart(chart, canvas, {0, 0}, width, height);
  return canvas.svg();
}

Image charts_picture(std::span<const Chart> charts, int columns, double width, double height,
                     double scale) {
  const std::size_t across = std::clamp<std::size_t>(charts.size(), 1, std::size_t(columns));
  const std::size_t rows = (charts.size() + across - 1) / across;
  PixelCanvas canvas(width * double(across), height * double(rows), scale);
  for (std::size_t i = 0; i < charts.size(); ++i)
    draw_chart(charts[i], canvas, {width * double(i % across), height * double(i / across)}, width,
               height);
  return canvas.image();
}

} // namespace mereo

#include "report/chart_painter.h"
#include "report/numbers.h"

#include <algorithm>
#include <cmath>

namespace mereo {

namespace {

constexpr Colour ink = {26, 26, 26}, pale = {85, 85, 85}, grid = {221, 221, 221};
// Okabe and Ito's, with orange and sky blue dark enough for lines on white.
constexpr Colour palette[] = {{0, 114, 178}, {213, 94, 0},   {0, 158, 115}, {204, 121, 167},
                              {181, 128, 0}, {58, 149, 201}, {0, 0, 0}};
constexpr double title_size = 15, label_size = 13, margin = 10;

Colour colour_of(std::size_t series) {
  return palette[series % std::size(palette)];
}

std::vector<double> dashes_of(std::size_t series) {
  const std::vector<double> patterns[] = {{}, {8, 5}, {1, 5}, {9, 5, 1, 5}};
  return patterns[series % std::size(patterns)];
}

double spread_at(const Series& series, std::size_t i) {
  return series.spread.empty() || !drawable(series.spread[i]) ? 0 : series.spread[i];
}

Range range_of_y(const Chart& chart) {
  Range range;
  for (const Series& series : chart.series)
    for (std::size_t i = 0; i < series.y.size(); ++i) {
      range.take(series.y[i] - spread_at(series, i));
      range.take(series.y[i] + spread_at(series, i));
    }
  return range;
}

Axis axis_of_y(const Chart& chart) {
  Range range = range_of_y(chart);
  if (range.empty())
    return linear_axis(0, 1, 5);
  if (chart.logarithmic && chart.categories.empty() && range.low > 1 / largest_value)
    return logarithmic_axis(range.low, range.high, 6);
  if (chart.from_zero || !chart.categories.empty())
    range.take(0);
  return linear_axis(range.low, range.high, 5);
}

Axis axis_of_x(const Chart& chart, double width) {
  Range range;
  bool whole = true;
  for (const Series& series : chart.series)
    for (const double x : series.x) {
      range.take(x);
      whole = whole && x == std::floor(x);
    }
  if (range.empty())
    return linear_axis(0, 1, 5);
  return linear_axis(range.low, range.high, std::max(2, int(width / 60)), whole);
}

} // namespace

ChartPainter::ChartPainter(const Chart& chart, Canvas& canvas, Point corner, double width,
                           double height)
    : chart_(chart), canvas_(canvas), y_(axis_of_y(chart)), left_(corner.x + margin),
      right_(corner.x + width - margin), top_(corner.y + margin),
      bottom_(corner.y + height - margin) {}

void ChartPainter::paint() {
  paint_title();
  paint_legend();
  if (!chart_.y_label.empty()) {
    top_ += label_size;
    canvas_.text({left_, top_}, chart_.y_label, label_size, Anchor::start, pale);
  }
  if (!chart_.x_label.empty()) {
    canvas_.text({right_, bottom_ - 1}, chart_.x_label, label_size, Anchor::end, pale);
    bottom_ -= label_size + 5;
  }
  top_ += label_size;
  double widest = 0;
  for (const double tick : y_.ticks)
    widest = std::max(widest, canvas_.text_width(short_number(tick), label_size));
  left_ += widest + 8;
  right_ -= label_size;
  if (chart_.categories.empty())
    paint_lines();
  else
    paint_bars();
}

void ChartPainter::paint_title() {
  if (chart_.title.empty())
    return;
  top_ += title_size;
  canvas_.text({left_, top_ - 3}, chart_.title, title_size, Anchor::start, ink);
}

void ChartPainter::paint_legend() {
  if (chart_.series.size() < 2)
    return;
  double x = left_;
  top_ += label_size + 6;
  for (std::size_t i = 0; i < chart_.series.size(); ++i) {
    const double width = 30 + canvas_.text_width(chart_.series[i].name, label_size);
    if (x > left_ && x + width > right_) {
      x = left_;
      top_ += label_size + 6;
    }
    const double middle = top_ - 0.35 * label_size;
    if (chart_.categories.empty())
      canvas_.line(std::vector<Point>{{x, middle}, {x + 22, middle}},
                   {colour_of(i), chart_.series[i].width, dashes_of(i)});
    else
      canvas_.rectangle({x + 8, middle - 5}, {x + 20, middle + 5}, colour_of(i));
    canvas_.text({x + 28, top_}, chart_.series[i].name, label_size, Anchor::start, ink);
    x += width + 16;
  }
  top_ += 6;
}

double ChartPainter::height_of(double value) const {
  return bottom_ - std::clamp(y_.place(value), 0.0, 1.0) * (bottom_ - top_);
}

void ChartPainter::paint_grid() {
  for (const double tick : y_.ticks) {
    const double y = height_of(tick);
    canvas_.line(std::vector<Point>{{left_, y}, {right_, y}}, {tick == 0 ? pale : grid, 1});
    canvas_.text({left_ - 6, y + 0.35 * label_size}, short_number(tick), label_size, Anchor::end,
                 pale);
  }
}

void ChartPainter::paint_whisker(const Series& series, std::size_t i, double x) {
  const double spread = spread_at(series, i);
  if (!(spread > 0) || !drawable(series.y[i]))
    return;
  const double high = height_of(series.y[i] + spread), low = height_of(series.y[i] - spread);
  const Pen pen = {ink, 1.5};
  canvas_.line(std::vector<Point>{{x, low}, {x, high}}, pen);
  canvas_.line(std::vector<Point>{{x - 4, low}, {x + 4, low}}, pen);
  canvas_.line(std::vector<Point>{{x - 4, high}, {x + 4, high}}, pen);
}

// --- lines

void ChartPainter::paint_lines() {
  bottom_ -= label_size + 6;
  paint_grid();
  const Axis x = axis_of_x(chart_, right_ - left_);
  for (const double tick : x.ticks) {
    const double at = left_ + x.place(tick) * (right_ - left_);
    canvas_.line(std::vector<Point>{{at, bottom_}, {at, bottom_ + 4}}, {pale, 1});
    canvas_.text({at, bottom_ + label_size + 5}, short_number(tick), label_size, Anchor::middle,
                 pale);
  }
  for (std::size_t i = 0; i < chart_.series.size(); ++i)
    paint_series(i, x);
}

void ChartPainter::paint_series(std::size_t index, const Axis& x) {
  const Series& series = chart_.series[index];
  std::vector<Point> points;
  const bool dots = series.y.size() <= 30;
  const auto flush = [&] {
    if (points.size() > 1)
      canvas_.line(points, {colour_of(index), series.width, dashes_of(index)});
    if (dots || points.size() == 1)
      for (const Point& point : points)
        canvas_.disc(point, 1.4 * series.width, colour_of(index));
    points.clear();
  };
  for (std::size_t i = 0; i < series.y.size(); ++i) {
    const bool gap =
        !drawable(series.y[i]) || !drawable(series.x[i]) || (y_.logarithmic && !(series.y[i] > 0));
    if (gap) {
      flush();
      continue;
    }
    const double at = left_ + x.place(series.x[i]) * (right_ - left_);
    points.push_back({at, height_of(series.y[i])});
    paint_whisker(series, i, at);
  }
  flush();
}

// --- bars

void ChartPainter::paint_bars() {
  const std::size_t count = chart_.categories.size(), side = chart_.series.size();
  const double slot = (right_ - left_) / double(count);
  std::vector<std::vector<std::string>> names;
  std::size_t rows = 1;
  for (const std::string& category : chart_.categories) {
    names.push_back(wrapped(category, slot - 12));
    rows = std::max(rows, names.back().size());
  }
  bottom_ -= double(rows) * (label_size + 2) + 4;
  paint_grid();
  const double bar = std::min(60.0, 0.8 * slot / double(std::max<std::size_t>(1, side)));
  for (std::size_t k = 0; k < count; ++k) {
    const double middle = left_ + (double(k) + 0.5) * slot;
    for (std::size_t row = 0; row < names[k].size(); ++row)
      canvas_.text({middle, bottom_ + double(row + 1) * (label_size + 2) + 2}, names[k][row],
                   label_size, Anchor::middle, pale);
    for (std::size_t i = 0; i < side; ++i)
      paint_bar(i, k, middle + (double(i) - double(side) / 2) * bar, bar);
  }
}

void ChartPainter::paint_bar(std::size_t index, std::size_t category, double x, double width) {
  const Series& series = chart_.series[index];
  const double value = series.y[category];
  if (!drawable(value))
    return;
  const double end = height_of(value), zero = height_of(0);
  canvas_.rectangle({x + 1, std::min(end, zero)}, {x + width - 1, std::max(end, zero)},
                    colour_of(index));
  paint_whisker(series, category, x + width / 2);
  const std::string text = short_number(value, 3);
  const double tip = height_of(value + (value < 0 ? -1 : 1) * spread_at(series, category));
  if (canvas_.text_width(text, label_size) <= width + 4)
    canvas_.text({x + width / 2, value < 0 ? tip + label_size : tip - 4}, text, label_size,
                 Anchor::middle, ink);
}

std::vector<std::string> ChartPainter::wrapped(const std::string& text, double width) const {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(' ', begin), text.size());
    std::string word = text.substr(begin, end - begin);
    begin = end + 1;
    while (word.size() > 3 && canvas_.text_width(word, label_size) > width)
      word = word.substr(0, word.size() - 3) + "..";
    if (!lines.empty() && canvas_.text_width(lines.back() + " " + word, label_size) <= width)
      lines.back() += " " + word;
    else
      lines.push_back(word);
  }
  return lines;
}

} // namespace mereo

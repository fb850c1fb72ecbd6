#include "train/fields.h"
#include "train/run_report.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace mereo {

namespace {

/// More points than a chart has pixels only make its file large.
constexpr std::size_t most_points = 400;

/// The means of runs of points of equal length, at most so many. A run with a gap is one.
Series thinned(const Series& series) {
  const std::size_t count = series.y.size(), run = (count + most_points - 1) / most_points;
  if (run <= 1)
    return series;
  Series means{series.name, {}, {}, {}, series.width};
  for (std::size_t begin = 0; begin < count; begin += run) {
    const std::size_t end = std::min(begin + run, count);
    double x = 0, y = 0;
    for (std::size_t i = begin; i < end; ++i) {
      x += series.x[i];
      y += series.y[i];
    }
    means.x.push_back(x / double(end - begin));
    means.y.push_back(y / double(end - begin));
  }
  return means;
}

/// One field of all lines of an event ("" for every event) over another one.
Series curve(std::span<const Fields> history, const char* name, std::string_view event,
             const char* x, const char* y, double width = 2) {
  Series series{name, {}, {}, {}, width};
  for (const Fields& line : history) {
    const FieldValue* value = find(line, "event");
    const std::string* text = value ? std::get_if<std::string>(value) : nullptr;
    if (!text || (*text != "step" && *text != "epoch") || (!event.empty() && *text != event))
      continue;
    series.x.push_back(number_or_nan(line, x));
    series.y.push_back(number_or_nan(line, y));
  }
  return thinned(series);
}

/// Whether the series tells anything at all: a network without a decoder has no reconstruction.
bool tells(const Series& series) {
  return std::any_of(series.y.begin(), series.y.end(),
                     [](double y) { return std::isfinite(y) && y != 0; });
}

/// A loss falls by orders of magnitude: then equal factors deserve equal heights.
bool spans_orders(const std::vector<Series>& all) {
  double low = std::numeric_limits<double>::infinity(), high = 0;
  for (const Series& series : all)
    for (const double y : series.y)
      if (std::isfinite(y)) {
        low = std::min(low, y);
        high = std::max(high, y);
      }
  return low > 0 && high > 10 * low;
}

Chart chart(const char* title, const char* x, std::vector<Series> series) {
  std::erase_if(series, [](const Series& one) { return !tells(one); });
  const bool logarithmic = spans_orders(series);
  return {.title = title,
          .x_label = x,
          .y_label = "",
          .series = std::move(series),
          .logarithmic = logarithmic};
}

} // namespace

std::vector<Chart> history_charts(std::span<const Fields> history) {
  const auto over_epochs = [&](const char* name, const char* field) {
    return curve(history, name, "epoch", "epoch", field);
  };
  std::vector<Chart> charts = {
      chart("Loss", "step",
            {curve(history, "of a step", "step", "step", "loss", 1.2),
             curve(history, "mean of the epoch", "epoch", "step", "loss"),
             curve(history, "validation", "epoch", "step", "validation_loss")}),
      chart("Parts of the loss, means of the epoch", "epoch",
            {over_epochs("margin", "margin"), over_epochs("reconstruction", "reconstruction")}),
      chart("Error, %", "epoch",
            {over_epochs("validation", "validation_error_percent"),
             over_epochs("training", "training_error_percent")}),
      chart("Learning rate", "step", {curve(history, "", "", "step", "learning_rate")}),
      chart("Images per second", "epoch", {over_epochs("", "images_per_second")}),
      chart("Length of the gradient", "step",
            {curve(history, "", "step", "step", "gradient_norm", 1.2)})};
  charts[3].logarithmic = false; // the shape of a schedule is known by its linear picture
  return charts;
}

} // namespace mereo

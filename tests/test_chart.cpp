// Axes, charts as SVG, charts as pixels.
#include "error_of.h"

#include "report/axis.h"
#include "report/chart.h"
#include "report/numbers.h"

#include <mereo/random.h>

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

using namespace mereo;

namespace {

const double none = std::numeric_limits<double>::quiet_NaN();

std::vector<std::string> labels(const Axis& axis) {
  std::vector<std::string> texts;
  for (const double tick : axis.ticks)
    texts.push_back(short_number(tick));
  return texts;
}

Chart lines() {
  return {.title = "Loss",
          .x_label = "step",
          .y_label = "",
          .series = {{"training", {0, 1, 2, 3}, {1, 0.5, 0.25, 0.125}},
                     {"validation", {0, 1, 2, 3}, {1, none, 0.5, 0.25}}}};
}

Chart bars() {
  return {.title = "Error",
          .x_label = "",
          .y_label = "%",
          .series = {{"a", {}, {1, 2}}, {"b", {}, {3, -1}, {0.5, 0.5}}},
          .categories = {"left", "right"}};
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != text.npos; at = text.find(part, at + 1))
    ++found;
  return found;
}

/// The colour of a pixel, red first, as 0xRRGGBB.
int colour_at(const Image& picture, std::int64_t y, std::int64_t x) {
  const std::uint8_t* pixel = picture.pixels.data() + (y * picture.width + x) * 3;
  return pixel[0] << 16 | pixel[1] << 8 | pixel[2];
}

/// Whether a part of a picture, 200 x 300 from a corner, has pixels of a colour.
bool holds_colour(const Image& picture, std::int64_t top, std::int64_t left, int colour) {
  for (std::int64_t y = top; y < top + 200; ++y)
    for (std::int64_t x = left; x < left + 300; ++x)
      if (colour_at(picture, y, x) == colour)
        return true;
  return false;
}

constexpr int blue = 0x0072b2, vermilion = 0xd55e00;

} // namespace

TEST_CASE("ticks of an axis are round and enclose the data") {
  using Labels = std::vector<std::string>;
  CHECK(labels(linear_axis(0, 0.94, 5)) == Labels{"0", "0.2", "0.4", "0.6", "0.8", "1"});
  CHECK(labels(linear_axis(0, 787, 5)) == Labels{"0", "200", "400", "600", "800"});
  CHECK(labels(linear_axis(-3, 17, 5)) == Labels{"-5", "0", "5", "10", "15", "20"});
  CHECK(labels(linear_axis(1, 3, 6, true)) == Labels{"1", "2", "3"});
  CHECK(labels(linear_axis(0, 2.5e6, 5)) == Labels{"0", "500k", "1M", "1.5M", "2M", "2.5M"});
  CHECK(labels(linear_axis(0, 3e-6, 5)) == Labels{"0", "1e-06", "2e-06", "3e-06"});
  CHECK(labels(linear_axis(0, 0, 5)).front() == "0");
  CHECK(labels(logarithmic_axis(0.013, 0.9, 6)) == Labels{"0.01", "0.1", "1"});
  CHECK(labels(logarithmic_axis(2, 30, 6)) == Labels{"2", "5", "10", "20", "50"});
}

TEST_CASE("every axis, whatever the data, encloses it between few ticks in order") {
  Random random(5);
  const auto number = [&] {
    return (2 * double(random.uniform()) - 1) * std::pow(10, 198 * double(random.uniform()) - 99);
  };
  for (int i = 0; i < 2000; ++i) {
    const double a = number(), b = i % 7 == 0 ? a : i % 5 == 0 ? a * (1 + 1e-7) : number();
    const double low = std::min(a, b), high = std::max(a, b);
    std::vector<Axis> axes = {linear_axis(low, high, 5), linear_axis(low, high, 5, true)};
    if (a != 0 && b != 0)
      axes.push_back(logarithmic_axis(std::min(std::fabs(a), std::fabs(b)),
                                      std::max(std::fabs(a), std::fabs(b)), 6));
    for (const Axis& axis : axes) {
      CAPTURE(low);
      CAPTURE(high);
      CAPTURE(axis.logarithmic);
      REQUIRE(axis.ticks.size() <= 9);
      REQUIRE(axis.ticks.size() >= 1);
      REQUIRE(std::is_sorted(axis.ticks.begin(), axis.ticks.end()));
      for (const double end : {low, high}) {
        const double place = axis.place(axis.logarithmic ? std::fabs(end) : end);
        REQUIRE(place >= -1e-6);
        REQUIRE(place <= 1 + 1e-6);
      }
    }
  }
}

TEST_CASE("a chart as SVG: each run of points a line, gaps, names escaped, a text for it") {
  Chart chart = lines();
  chart.series[1].name = "<b>&\"";
  const std::string svg = chart_svg(chart);
  CHECK(svg.find("<b>") == svg.npos);
  CHECK(svg.find(">&lt;b&gt;&amp;&quot;</text>") != svg.npos);
  CHECK(svg.find("role=\"img\"") != svg.npos);
  CHECK(
      svg.find("aria-label=\"Loss: lines by step; training from 1 to 0.125, lowest 0.125, highest "
               "1; &lt;b&gt;&amp;&quot; from 1 to 0.25, lowest 0.25, highest 1\"") != svg.npos);
  // A sample in the legend and the line; of the second series the first point stands alone.
  CHECK(count(svg, "stroke=\"#0072b2\"") == 2);
  CHECK(count(svg, "stroke=\"#d55e00\"") == 2);
  CHECK(count(svg, "<circle") == 7);
  CHECK(count(svg, "stroke-dasharray") == 2);
  CHECK(svg.ends_with("</svg>\n"));
}

TEST_CASE("bars: one of each series in every category, with whiskers and values") {
  const std::string svg = chart_svg(bars());
  CHECK(count(svg, "<rect") == 2 + 4);
  for (const char* text : {">1<", ">2<", ">3<", ">-1<", ">left<", ">right<", ">%<"})
    CHECK(svg.find(text) != svg.npos);
  CHECK(describe(bars()) == "Error: bars; a: left 1, right 2; b: left 3, right -1");
}

TEST_CASE("charts as pixels: white, with each series in its colour") {
  const std::vector<Chart> charts = {lines(), bars(), lines()};
  const Image picture = charts_picture(charts, 2, 300, 200, 1);
  CHECK(picture.height == 400);
  CHECK(picture.width == 600);
  CHECK(colour_at(picture, 0, 0) == 0xffffff);
  for (const auto& [top, left] : {std::pair{0, 0}, {0, 300}, {200, 0}}) {
    CHECK(holds_colour(picture, top, left, blue));
    CHECK(holds_colour(picture, top, left, vermilion));
  }
  for (std::int64_t y = 200; y < 400; ++y) // nothing is in the last place
    for (std::int64_t x = 300; x < 600; ++x)
      REQUIRE(colour_at(picture, y, x) == 0xffffff);
}

TEST_CASE("lines of pixels cover what they should, dashes leave gaps") {
  PixelCanvas canvas(40, 20, 2);
  canvas.line(std::vector<Point>{{5, 5}, {35, 5}}, {{0, 0, 0}, 2});
  canvas.line(std::vector<Point>{{5, 15}, {35, 15}}, {{0, 0, 0}, 2, {6, 6}});
  const Image& pixels = canvas.image();
  CHECK(colour_at(pixels, 10, 40) == 0);
  CHECK(colour_at(pixels, 9, 40) == 0);
  CHECK(colour_at(pixels, 6, 40) == 0xffffff);
  CHECK(colour_at(pixels, 10, 2) == 0xffffff);
  CHECK(colour_at(pixels, 30, 14) == 0);        // in the first dash
  CHECK(colour_at(pixels, 30, 28) == 0xffffff); // in the first gap
  CHECK(colour_at(pixels, 30, 40) == 0);
  // A slanted line is as dark as it is long and wide: its coverage adds up to its area.
  PixelCanvas slanted(40, 40, 1);
  slanted.line(std::vector<Point>{{8, 8}, {20, 30}, {32, 9}}, {{0, 0, 0}, 3});
  double area = 0;
  for (const std::uint8_t x : slanted.image().pixels)
    area += (255 - x) / 765.0;
  const double length = std::hypot(12, 22) + std::hypot(12, 21);
  CHECK(area == doctest::Approx(3 * length + 3.14 * 1.5 * 1.5).epsilon(0.05));
}

TEST_CASE("text in pixels: letters that are there, one question mark for any other") {
  const auto drawn = [](const std::string& text) {
    PixelCanvas canvas(60, 20, 1);
    canvas.text({30, 15}, text, 10, Anchor::middle, {0, 0, 0});
    return canvas.image().pixels;
  };
  CHECK(drawn("a") != drawn("b"));
  CHECK(drawn("\xc3\xa4") == drawn("?"));
  CHECK(drawn("\xff\x01") == drawn("??"));
  CHECK(drawn("") == std::vector<std::uint8_t>(60 * 20 * 3, 255));
  CHECK(PixelCanvas(10, 10, 2).text_width("mm", 10) > PixelCanvas(10, 10, 2).text_width("m", 10));
}

TEST_CASE("charts bear any numbers") {
  const double infinity = std::numeric_limits<double>::infinity();
  for (const double odd : {none, infinity, -infinity, 1e300, -1e300, 1e-320, 0.0, 1e99, -1e99})
    for (const bool logarithmic : {false, true}) {
      Chart chart = lines();
      chart.logarithmic = logarithmic;
      chart.series[0].y[1] = odd;
      chart.series[1].x[2] = odd;
      CHECK(charts_picture(std::vector{chart}, 1, 100, 100, 1).width == 100);
      const std::string svg = chart_svg(chart);
      CHECK(svg.find("nan") == svg.npos);
      CHECK(svg.find("inf") == svg.npos);
    }
  Chart empty = lines();
  empty.series = {{"x", {}, {}}};
  CHECK(chart_svg(empty).ends_with("</svg>\n"));
  empty.series.clear();
  CHECK(chart_svg(empty).ends_with("</svg>\n"));
  CHECK(chart_svg(lines(), 20, 20).ends_with("</svg>\n")); // no room for anything
}

TEST_CASE("charts whose lengths do not fit are refused, too many pixels too") {
  Chart chart = lines();
  chart.series[1].x.pop_back();
  CHECK(error_of([&] { chart_svg(chart); }) ==
        "chart Loss: the lengths of series validation differ [3 x, 4 y]");
  chart = bars();
  chart.series[0].y.pop_back();
  CHECK(error_of([&] { chart_svg(chart); }) ==
        "chart Error: the lengths of series a differ [2 categories, 1 y]");
  chart = bars();
  chart.series[1].spread.pop_back();
  CHECK(error_of([&] { chart_svg(chart); }) ==
        "chart Error: the lengths of series b differ [2 y, 1 spreads]");
  CHECK(error_of([] { PixelCanvas(1e5, 1e5, 1); }).find("2^26 pixels") != std::string::npos);
  CHECK(error_of([] { PixelCanvas(0, 5, 1); }).find("2^26 pixels") != std::string::npos);
}

TEST_CASE("numbers as text") {
  CHECK(short_number(0.05) == "0.05");
  CHECK(short_number(-0.0) == "0");
  CHECK(short_number(1234.5678, 5) == "1234.6");
  CHECK(short_number(12345, 3) == "12.3k");
  CHECK(short_number(8215568, 4) == "8.216M");
  CHECK(short_number(none) == "-");
  CHECK(fixed_number(0.5, 2) == "0.50");
  CHECK(fixed_number(-1e300, 1).size() == 304);
  CHECK(fixed_number(none, 2) == "-");
}

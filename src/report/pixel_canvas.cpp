// Anti-aliasing: a pixel takes as much of a colour as its square is covered, which for lines and
// discs is told from the distance of its centre.
#include "report/canvas.h"

#include <algorithm>
#include <cmath>

// Of its functions one is not used.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#include <stb/stb_easy_font.h>
#pragma GCC diagnostic pop

namespace mereo {

namespace {

double distance(Point p, Point a, Point b) {
  const double dx = b.x - a.x, dy = b.y - a.y, square = dx * dx + dy * dy;
  const double along =
      square > 0 ? std::clamp(((p.x - a.x) * dx + (p.y - a.y) * dy) / square, 0.0, 1.0) : 0;
  return std::hypot(p.x - a.x - along * dx, p.y - a.y - along * dy);
}

/// The pieces of a line that dashes leave, in turn.
std::vector<std::vector<Point>> cut(std::span<const Point> points,
                                    const std::vector<double>& dashes, double scale) {
  std::vector<std::vector<Point>> pieces(1);
  std::size_t phase = 0;
  double left = dashes[0] * scale;
  pieces.back().push_back(points[0]);
  for (std::size_t i = 0; i + 1 < points.size(); ++i) {
    Point at = points[i];
    const Point end = points[i + 1];
    for (double length = std::hypot(end.x - at.x, end.y - at.y); length > left;) {
      at = {at.x + (end.x - at.x) * left / length, at.y + (end.y - at.y) * left / length};
      length -= left;
      if (phase % 2 == 0)
        pieces.back().push_back(at);
      else
        pieces.push_back({at});
      left = dashes[++phase % dashes.size()] * scale;
    }
    left -= std::hypot(end.x - at.x, end.y - at.y);
    if (phase % 2 == 0)
      pieces.back().push_back(end);
  }
  return pieces;
}

/// What the font can show: it knows no other characters than ASCII.
std::string printable(std::string_view text) {
  std::string shown;
  for (const char c : text)
    if (c >= ' ' && c <= '~')
      shown += c;
    else if ((std::uint8_t(c) & 0xc0) != 0x80) // of several bytes, the first one speaks
      shown += '?';
  return shown;
}

} // namespace

PixelCanvas::PixelCanvas(double width, double height, double scale) : scale_(scale) {
  const double rows = std::ceil(height * scale), columns = std::ceil(width * scale);
  if (!(rows >= 1 && columns >= 1 && rows * columns <= double(1 << 26)))
    throw Error("PixelCanvas", "a picture needs 1 to 2^26 pixels",
                std::to_string(columns) + " x " + std::to_string(rows));
  image_ = {std::int64_t(rows), std::int64_t(columns), 3, {}};
  image_.pixels.assign(std::size_t(3 * rows * columns), 255);
  coverage_.resize(std::size_t(rows * columns));
}

void PixelCanvas::blend(std::int64_t x, std::int64_t y, Colour colour, double share) {
  if (x < 0 || y < 0 || x >= image_.width || y >= image_.height || !(share > 0))
    return;
  std::uint8_t* pixel = image_.pixels.data() + (y * image_.width + x) * 3;
  for (const std::uint8_t part : {colour.red, colour.green, colour.blue}) {
    *pixel = std::uint8_t(std::lround((1 - share) * *pixel + share * part));
    ++pixel;
  }
}

void PixelCanvas::line(std::span<const Point> points, const Pen& pen) {
  if (points.empty())
    return;
  std::vector<Point> scaled;
  for (const Point& point : points)
    scaled.push_back({point.x * scale_, point.y * scale_});
  const std::vector<std::vector<Point>> pieces = pen.dashes.empty()
                                                     ? std::vector<std::vector<Point>>{scaled}
                                                     : cut(scaled, pen.dashes, scale_);
  const std::int64_t height = image_.height, width = image_.width;
  const double radius = pen.width * scale_ / 2;
  // The largest coverage by any segment, so that joints are no darker than the rest.
  std::int64_t top = height, bottom = 0;
  for (const std::vector<Point>& piece : pieces)
    for (std::size_t i = 0; i < std::max<std::size_t>(1, piece.size() - 1); ++i) {
      const Point a = piece[i], b = piece[std::min(i + 1, piece.size() - 1)];
      const auto first = [&](double x, double y) {
        return std::int64_t(std::max(0.0, std::floor(std::min(x, y) - radius - 1)));
      };
      const auto end = [&](double x, double y, std::int64_t size) {
        return std::int64_t(std::min(double(size), std::ceil(std::max(x, y) + radius + 1)));
      };
      for (std::int64_t y = first(a.y, b.y); y < end(a.y, b.y, height); ++y) {
        top = std::min(top, y);
        bottom = std::max(bottom, y + 1);
        for (std::int64_t x = first(a.x, b.x); x < end(a.x, b.x, width); ++x) {
          std::uint8_t& share = coverage_[std::size_t(y * width + x)];
          const double away = distance({double(x) + 0.5, double(y) + 0.5}, a, b);
          const double covered = std::clamp(radius + 0.5 - away, 0.0, 1.0);
          share = std::max(share, std::uint8_t(std::lround(255 * covered)));
        }
      }
    }
  for (std::int64_t y = top; y < bottom; ++y)
    for (std::int64_t x = 0; x < width; ++x) {
      std::uint8_t& share = coverage_[std::size_t(y * width + x)];
      blend(x, y, pen.colour, share / 255.0);
      share = 0;
    }
}

void PixelCanvas::rectangle(Point low, Point high, Colour colour) {
  const double x0 = low.x * scale_, x1 = high.x * scale_, y0 = low.y * scale_, y1 = high.y * scale_;
  const auto covered = [](double begin, double end, std::int64_t pixel) {
    return std::max(0.0, std::min(end, double(pixel + 1)) - std::max(begin, double(pixel)));
  };
  for (auto y = std::int64_t(std::floor(y0)); double(y) < y1; ++y)
    for (auto x = std::int64_t(std::floor(x0)); double(x) < x1; ++x)
      blend(x, y, colour, covered(x0, x1, x) * covered(y0, y1, y));
}

void PixelCanvas::disc(Point centre, double radius, Colour colour) {
  const Point middle = {centre.x * scale_, centre.y * scale_};
  const double size = radius * scale_;
  for (auto y = std::int64_t(std::floor(middle.y - size - 1)); double(y) < middle.y + size + 1; ++y)
    for (auto x = std::int64_t(std::floor(middle.x - size - 1)); double(x) < middle.x + size + 1;
         ++x) {
      const double away = std::hypot(double(x) + 0.5 - middle.x, double(y) + 0.5 - middle.y);
      blend(x, y, colour, std::clamp(size + 0.5 - away, 0.0, 1.0));
    }
}

/// Pixels to one of the font's: its capitals are 7 high, those of usual fonts 0.7 of their size.
int PixelCanvas::letter_scale(double size) const {
  return std::max(1, int(std::lround(0.7 * size * scale_ / 7)));
}

double PixelCanvas::text_width(std::string_view text, double size) const {
  std::string shown = printable(text);
  return stb_easy_font_width(shown.data()) * letter_scale(size) / scale_;
}

void PixelCanvas::text(Point at, std::string_view text, double size, Anchor anchor, Colour colour) {
  std::string shown = printable(text);
  if (shown.empty())
    return;
  struct Corner {
    float x, y, z;
    unsigned char colour[4];
  };
  // A letter has at most 11 strokes of 4 corners.
  std::vector<Corner> corners(shown.size() * 44);
  const int quads = stb_easy_font_print(0, 0, shown.data(), nullptr, corners.data(),
                                        int(corners.size() * sizeof(Corner)));
  const int letter = letter_scale(size);
  const double share = anchor == Anchor::start ? 0 : anchor == Anchor::middle ? 0.5 : 1;
  const double left = std::round((at.x - share * text_width(text, size)) * scale_);
  const double base = std::round(at.y * scale_) - 7 * letter;
  for (std::size_t i = 0; i < std::size_t(quads); ++i) {
    const Corner &low = corners[4 * i], &high = corners[4 * i + 2];
    for (double y = base + letter * double(low.y); y < base + letter * double(high.y); ++y)
      for (double x = left + letter * double(low.x); x < left + letter * double(high.x); ++x)
        blend(std::int64_t(x), std::int64_t(y), colour, 1);
  }
}

} // namespace mereo

// What figures are drawn on: an SVG text, or pixels.
#pragma once

#include <mereo/io.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mereo {

/// x to the right, y down, in units of an SVG's user space.
struct Point {
  double x, y;
};

struct Colour {
  std::uint8_t red, green, blue;
};

struct Pen {
  Colour colour;
  double width = 1;
  std::vector<double> dashes = {}; // lengths of lines and gaps in turn; empty: one line
};

enum class Anchor { start, middle, end };

class Canvas {
public:
  virtual ~Canvas() = default;
  virtual void line(std::span<const Point> points, const Pen& pen) = 0;
  virtual void rectangle(Point low, Point high, Colour colour) = 0;
  virtual void disc(Point centre, double radius, Colour colour) = 0;
  /// at: on the base line, where the text starts, has its middle, or ends.
  virtual void text(Point at, std::string_view text, double size, Anchor anchor, Colour colour) = 0;
  virtual double text_width(std::string_view text, double size) const = 0;
};

/// Writes an SVG element of that many units, to stand in a page. `description` is read out to those
/// who do not see it. Widths of text are estimates.
class SvgCanvas : public Canvas {
public:
  SvgCanvas(double width, double height, std::string_view description);

  void line(std::span<const Point> points, const Pen& pen) override;
  void rectangle(Point low, Point high, Colour colour) override;
  void disc(Point centre, double radius, Colour colour) override;
  void text(Point at, std::string_view text, double size, Anchor anchor, Colour colour) override;
  double text_width(std::string_view text, double size) const override;

  std::string svg() const { return svg_ + "</svg>\n"; }

private:
  std::string svg_;
};

/// Draws on white pixels, `scale` to a unit. Its letters are those of stb_easy_font, ASCII alone:
/// every other character is a question mark.
class PixelCanvas : public Canvas {
public:
  /// Throws Error unless there is a pixel, and at most 2^26.
  PixelCanvas(double width, double height, double scale);

  void line(std::span<const Point> points, const Pen& pen) override;
  void rectangle(Point low, Point high, Colour colour) override;
  void disc(Point centre, double radius, Colour colour) override;
  void text(Point at, std::string_view text, double size, Anchor anchor, Colour colour) override;
  double text_width(std::string_view text, double size) const override;

  /// RGB.
  const Image& image() const { return image_; }

private:
  void blend(std::int64_t x, std::int64_t y, Colour colour, double share);
  int letter_scale(double size) const;

  double scale_;
  Image image_;
  std::vector<std::uint8_t> coverage_; // by the line that is being drawn, of 255
};

} // namespace mereo

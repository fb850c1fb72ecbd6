#include "report/canvas.h"
#include "report/html.h"
#include "report/numbers.h"

#include <cmath>

namespace mereo {

namespace {

/// To a tenth of a unit.
std::string number(double value) {
  return short_number(std::round(value * 10) / 10);
}

std::string hex(Colour colour) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text = "#";
  for (const std::uint8_t part : {colour.red, colour.green, colour.blue})
    text.append(1, digits[part >> 4]).append(1, digits[part & 15]);
  return text;
}

} // namespace

SvgCanvas::SvgCanvas(double width, double height, std::string_view description) {
  svg_ = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " + number(width) + " " +
         number(height) + "\" role=\"img\" font-family=\"system-ui, sans-serif\" aria-label=\"" +
         escaped(description) + "\">\n";
}

void SvgCanvas::line(std::span<const Point> points, const Pen& pen) {
  svg_ += "<polyline fill=\"none\" stroke-linecap=\"round\" stroke-linejoin=\"round\" stroke=\"" +
          hex(pen.colour) + "\" stroke-width=\"" + number(pen.width) + "\"";
  for (std::size_t i = 0; i < pen.dashes.size(); ++i)
    svg_ += (i == 0 ? " stroke-dasharray=\"" : " ") + number(pen.dashes[i]);
  svg_ += pen.dashes.empty() ? " points=\"" : "\" points=\"";
  for (std::size_t i = 0; i < points.size(); ++i)
    svg_ += (i == 0 ? "" : " ") + number(points[i].x) + "," + number(points[i].y);
  svg_ += "\"/>\n";
}

void SvgCanvas::rectangle(Point low, Point high, Colour colour) {
  svg_ += "<rect x=\"" + number(low.x) + "\" y=\"" + number(low.y) + "\" width=\"" +
          number(high.x - low.x) + "\" height=\"" + number(high.y - low.y) + "\" fill=\"" +
          hex(colour) + "\"/>\n";
}

void SvgCanvas::disc(Point centre, double radius, Colour colour) {
  svg_ += "<circle cx=\"" + number(centre.x) + "\" cy=\"" + number(centre.y) + "\" r=\"" +
          number(radius) + "\" fill=\"" + hex(colour) + "\"/>\n";
}

void SvgCanvas::text(Point at, std::string_view text, double size, Anchor anchor, Colour colour) {
  constexpr const char* anchors[] = {"start", "middle", "end"};
  svg_ += "<text x=\"" + number(at.x) + "\" y=\"" + number(at.y) + "\" font-size=\"" +
          number(size) + "\" text-anchor=\"" + anchors[int(anchor)] + "\" fill=\"" + hex(colour) +
          "\">" + escaped(text) + "</text>\n";
}

double SvgCanvas::text_width(std::string_view text, double size) const {
  double characters = 0;
  for (const char c : text)
    characters += (std::uint8_t(c) & 0xc0) != 0x80; // not the second or later byte of one
  return 0.56 * size * characters;
}

} // namespace mereo

#include "report/paint.h"

#include <algorithm>
#include <cmath>

namespace mereo {

namespace {

/// inferno at 0, 1/8, ..., 1.
constexpr std::uint32_t inferno[] = {0x000004, 0x210c4a, 0x57106e, 0x8a226a, 0xbc3754,
                                     0xe45a31, 0xf98e09, 0xf9cb35, 0xfcffa4};

real channel(std::uint32_t colour, int c) {
  return real(colour >> (16 - 8 * c) & 0xff) / 255;
}

real mix(real a, real b, real share) {
  return a + (b - a) * share;
}

/// Distance of a point from the line between two others.
double distance(double x, double y, double x0, double y0, double x1, double y1) {
  const double dx = x1 - x0, dy = y1 - y0, square = dx * dx + dy * dy;
  const double along =
      square > 0 ? std::clamp(((x - x0) * dx + (y - y0) * dy) / square, 0.0, 1.0) : 0;
  return std::hypot(x - x0 - along * dx, y - y0 - along * dy);
}

} // namespace

Rgb heat_colour(real x) {
  const real at = std::clamp(x, real(0), real(1)) * 8;
  const int below = std::min(int(at), 7);
  Rgb colour;
  for (int c = 0; c < 3; ++c)
    colour[std::size_t(c)] =
        mix(channel(inferno[below], c), channel(inferno[below + 1], c), at - real(below));
  return colour;
}

Tensor canvas_of(const Tensor& picture) {
  const std::int64_t H = picture.shape()[0], W = picture.shape()[1], C = picture.shape()[2];
  const auto [low, high] = std::minmax_element(picture.values().begin(), picture.values().end());
  const bool inside = *low >= 0 && *high <= 1;
  const real from = inside ? 0 : *low, range = inside ? 1 : std::max(*high - *low, real(1e-6));
  Tensor canvas({H, W, 3});
  for (std::int64_t n = 0; n < H * W; ++n)
    for (std::int64_t c = 0; c < 3; ++c)
      canvas.data()[n * 3 + c] = (picture.data()[n * C + (C == 3 ? c : 0)] - from) / range;
  return canvas;
}

Tensor enlarged(const Tensor& canvas, std::int64_t factor) {
  const std::int64_t H = canvas.shape()[0], W = canvas.shape()[1];
  Tensor out({H * factor, W * factor, 3});
  for (std::int64_t y = 0; y < H * factor; ++y)
    for (std::int64_t x = 0; x < W * factor; ++x)
      std::copy_n(canvas.data() + (y / factor * W + x / factor) * 3, 3,
                  out.data() + (y * W * factor + x) * 3);
  return out;
}

Tensor heat_over(const Tensor& canvas, const Tensor& heat, real least, real most) {
  constexpr real shine = real(0.45);
  Tensor out(canvas.shape());
  for (std::int64_t n = 0; n < heat.elements(); ++n) {
    const Rgb hot = heat_colour(most > least ? (heat.data()[n] - least) / (most - least) : 0);
    const real* pixel = canvas.data() + n * 3;
    const real light = shine * (pixel[0] + pixel[1] + pixel[2]) / 3;
    for (std::int64_t c = 0; c < 3; ++c)
      out.data()[n * 3 + c] = mix(hot[std::size_t(c)], 1, light);
  }
  return out;
}

Tensor overlaid(const Tensor& canvas, const std::vector<Tensor>& pictures) {
  Tensor out(canvas.shape());
  for (std::int64_t n = 0; n < out.elements(); ++n) {
    const auto c = std::size_t(n % 3);
    real sum = real(0.35) * canvas.data()[n];
    for (std::size_t p = 0; p < pictures.size(); ++p)
      sum += pictures[p].data()[n] * marks[p % marks.size()][c];
    out.data()[n] = std::min(sum, real(1));
  }
  return out;
}

Tensor change_over(const Tensor& canvas, const Tensor& change, real most) {
  constexpr Rgb gain = {real(1.00), real(0.65), real(0.05)};
  constexpr Rgb loss = {real(0.15), real(0.55), real(0.95)};
  Tensor out(canvas.shape());
  for (std::int64_t n = 0; n < change.elements(); ++n) {
    const real x = most > 0 ? std::clamp(change.data()[n] / most, real(-1), real(1)) : 0;
    for (std::int64_t c = 0; c < 3; ++c)
      out.data()[n * 3 + c] = mix(real(0.35) * canvas.data()[n * 3 + c],
                                  (x > 0 ? gain : loss)[std::size_t(c)], std::abs(x));
  }
  return out;
}

void draw_line(const Tensor& canvas, double x0, double y0, double x1, double y1, double width,
               const Rgb& colour) {
  const std::int64_t H = canvas.shape()[0], W = canvas.shape()[1];
  const double reach = width / 2 + 1;
  const auto first = [&](double a, double b, std::int64_t size) {
    return std::int64_t(std::clamp(std::min(a, b) - reach, 0.0, double(size)));
  };
  const auto last = [&](double a, double b, std::int64_t size) {
    return std::int64_t(std::clamp(std::max(a, b) + reach, 0.0, double(size)));
  };
  for (std::int64_t y = first(y0, y1, H); y < last(y0, y1, H); ++y)
    for (std::int64_t x = first(x0, x1, W); x < last(x0, x1, W); ++x) {
      const double off = distance(double(x) + 0.5, double(y) + 0.5, x0, y0, x1, y1);
      const real cover = real(std::clamp(width / 2 + 0.5 - off, 0.0, 1.0));
      real* pixel = canvas.data() + (y * W + x) * 3;
      for (std::size_t c = 0; c < 3; ++c)
        pixel[c] = mix(pixel[c], colour[c], cover);
    }
}

void draw_box(const Tensor& canvas, double left, double top, double right, double bottom,
              double width, const Rgb& colour) {
  draw_line(canvas, left, top, right, top, width, colour);
  draw_line(canvas, left, bottom, right, bottom, width, colour);
  draw_line(canvas, left, top, left, bottom, width, colour);
  draw_line(canvas, right, top, right, bottom, width, colour);
}

void draw_arrow(const Tensor& canvas, double x0, double y0, double x1, double y1, double width,
                const Rgb& colour) {
  draw_line(canvas, x0, y0, x1, y1, width, colour);
  const double length = std::hypot(x1 - x0, y1 - y0), head = std::min(3 * width, 0.4 * length);
  if (length == 0)
    return;
  const double ux = (x1 - x0) / length * head, uy = (y1 - y0) / length * head;
  draw_line(canvas, x1, y1, x1 - ux - 0.6 * uy, y1 - uy + 0.6 * ux, width, colour);
  draw_line(canvas, x1, y1, x1 - ux + 0.6 * uy, y1 - uy - 0.6 * ux, width, colour);
}

} // namespace mereo

// Pictures for reports: colours, heat over an image, lines. A canvas is (H, W, 3) in [0, 1]; x goes
// right and y down, in pixels from the canvas' corner, so that the first pixel's middle is (0.5,
// 0.5).
#pragma once

#include <mereo/tensor.h>

#include <array>
#include <vector>

namespace mereo {

using Rgb = std::array<real, 3>;

/// Four that people with any colour vision tell apart, from Okabe and Ito's palette ("Color
/// universal design", 2008), and have enough contrast with black: vermillion, sky blue, yellow,
/// bluish green.
inline constexpr std::array<Rgb, 4> marks = {{{real(0.90), real(0.45), real(0.10)},
                                              {real(0.34), real(0.71), real(0.91)},
                                              {real(0.94), real(0.89), real(0.26)},
                                              {real(0.00), real(0.70), real(0.50)}}};

/// matplotlib's "inferno" at x in [0, 1]: black, purple, orange, pale yellow; brighter at every
/// step, so that it reads without colour vision too.
Rgb heat_colour(real x);

/// Colours of a picture (H, W, C) of any range: one that leaves [0, 1] is stretched to it. Of two
/// channels, a pair, the first is shown.
Tensor canvas_of(const Tensor& picture);

/// Every pixel a square of factor x factor.
Tensor enlarged(const Tensor& canvas, std::int64_t factor);

/// Heat (H, W), from `least`, black, to `most`, pale yellow, with the picture shining through.
Tensor heat_over(const Tensor& canvas, const Tensor& heat, real least, real most);

/// Pictures of one thing each in the first colours of marks, added, over the darkened canvas.
Tensor overlaid(const Tensor& canvas, const std::vector<Tensor>& pictures);

/// Change (H, W), divided by `most`, over the darkened picture: gains orange, losses blue.
Tensor change_over(const Tensor& canvas, const Tensor& change, real most);

void draw_line(const Tensor& canvas, double x0, double y0, double x1, double y1, double width,
               const Rgb& colour);
/// The outline of a box.
void draw_box(const Tensor& canvas, double left, double top, double right, double bottom,
              double width, const Rgb& colour);
/// A line with a head at its end.
void draw_arrow(const Tensor& canvas, double x0, double y0, double x1, double y1, double width,
                const Rgb& colour);

} // namespace mereo

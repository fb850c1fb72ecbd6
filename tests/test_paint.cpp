// The pictures in reports.
#include "report/paint.h"

#include <doctest/doctest.h>

#include <algorithm>

using namespace mereo;

TEST_CASE("heat grows brighter at every step, so that it reads without colours") {
  const auto brightness = [](const Rgb& c) {
    return 0.2126 * double(c[0]) + 0.7152 * double(c[1]) + 0.0722 * double(c[2]);
  };
  for (int n = 0; n < 100; ++n)
    CHECK(brightness(heat_colour(real(n + 1) / 100)) > brightness(heat_colour(real(n) / 100)));
  CHECK(heat_colour(-1) == heat_colour(0));
  CHECK(heat_colour(2) == heat_colour(1));
}

TEST_CASE("a canvas shows pictures of any range and number of channels") {
  const real values[] = {-2, 0, 2, 0, 1, 0};
  const Tensor pair(Shape{1, 3, 2}, values); // the first channel is -2, 2, 1
  const Tensor canvas = canvas_of(pair);
  REQUIRE(canvas.shape() == Shape{1, 3, 3});
  CHECK(canvas.at({0, 0, 0}) == 0);
  CHECK(canvas.at({0, 1, 1}) == 1);
  CHECK(canvas.at({0, 2, 2}) == real(0.75));
  const real grey[] = {real(0.2), real(0.4)};
  CHECK(canvas_of(Tensor(Shape{1, 2, 1}, grey)).at({0, 1, 2}) == real(0.4)); // as it is
  const Tensor large = enlarged(canvas, 4);
  REQUIRE(large.shape() == Shape{4, 12, 3});
  CHECK(large.at({3, 7, 0}) == 1);
  CHECK(large.at({3, 8, 0}) == real(0.75));
}

TEST_CASE("lines cover what lies under them and stay on the canvas") {
  const Rgb white = {1, 1, 1};
  Tensor canvas({9, 9, 3});
  draw_line(canvas, -20, 4.5, 40, 4.5, 1, white);
  for (std::int64_t x = 0; x < 9; ++x) {
    CHECK(canvas.at({4, x, 0}) == 1);
    CHECK(canvas.at({2, x, 0}) == 0);
  }
  Tensor box({9, 9, 3});
  draw_box(box, 1.5, 1.5, 7.5, 7.5, 1, white);
  CHECK(box.at({1, 4, 1}) == 1);
  CHECK(box.at({4, 7, 1}) == 1);
  CHECK(box.at({4, 4, 1}) == 0);
  Tensor arrow({9, 9, 3});
  draw_arrow(arrow, 4, 4, 4, 4, 1, white); // of no length
  CHECK(std::ranges::all_of(arrow.values(), [](real x) { return x >= 0 && x <= 1; }));
}

TEST_CASE("pictures are laid over the canvas, each in a colour of its own") {
  Tensor canvas({1, 3, 3}), one({1, 3, 3}), two({1, 3, 3});
  for (std::int64_t c = 0; c < 3; ++c)
    canvas.at({0, 0, c}) = one.at({0, 1, c}) = two.at({0, 2, c}) = 1;
  const Tensor all = overlaid(canvas, {one, two});
  for (std::int64_t c = 0; c < 3; ++c) {
    CHECK(all.at({0, 0, c}) == real(0.35));
    CHECK(all.at({0, 1, c}) == marks[0][std::size_t(c)]);
    CHECK(all.at({0, 2, c}) == marks[1][std::size_t(c)]);
  }
  CHECK(overlaid(one, {one, one}).at({0, 1, 0}) == 1); // no more than white
}

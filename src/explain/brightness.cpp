#include "explain/brightness.h"

#include <cmath>

namespace mereo {

double border_brightness(const Tensor& picture) {
  const std::int64_t H = picture.shape()[-3], W = picture.shape()[-2], C = picture.shape()[-1];
  double sum = 0;
  std::int64_t count = 0;
  for (std::int64_t y = 0; y < H; ++y)
    for (std::int64_t x = 0; x < W; ++x)
      if (y == 0 || x == 0 || y == H - 1 || x == W - 1)
        for (std::int64_t c = 0; c < C; ++c, ++count)
          sum += double(picture.data()[(y * W + x) * C + c]);
  return sum / double(count);
}

bool seems_inverted(const Tensor& picture, double background) {
  const double border = border_brightness(picture);
  return std::abs(1 - border - background) + 0.3 < std::abs(border - background);
}

} // namespace mereo

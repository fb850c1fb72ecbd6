#include "data/view.h"

#include "data/streams.h"

#include <mereo/random.h>

#include <algorithm>
#include <cmath>

namespace mereo {

void View::check(std::int64_t height, std::int64_t width) const {
  const auto demand = [](bool holds, const char* problem, auto value) {
    if (!holds)
      throw Error("view of pictures", problem, std::to_string(value));
  };
  const std::int64_t side = std::min(height, width);
  demand(max_shift >= 0 && max_shift <= side, "the shift is negative or larger than a picture",
         max_shift);
  demand(brightness >= 0 && brightness <= 1, "the brightness must be in [0, 1]", brightness);
  demand(contrast >= 0 && contrast <= 1, "the contrast must be in [0, 1]", contrast);
  demand(crop >= 0 && crop <= side, "the crop is negative or larger than a picture", crop);
}

Chance draw(const View& view, std::int64_t height, std::int64_t width, std::uint64_t seed,
            std::int64_t epoch, std::int64_t index) {
  Chance chance;
  if (view.max_shift > 0) {
    Random random(seed, stream_of(Purpose::shift, epoch, index));
    const auto choices = std::uint32_t(2 * view.max_shift + 1);
    chance.dy = std::int64_t(random.below(choices)) - view.max_shift;
    chance.dx = std::int64_t(random.below(choices)) - view.max_shift;
  }
  // All are drawn, so that one does not depend on whether there is another.
  Random random(seed, stream_of(Purpose::view, epoch, index));
  chance.brightness = real(view.brightness * (2.0 * random.uniform() - 1));
  chance.contrast = real(1 + view.contrast * (2.0 * random.uniform() - 1));
  chance.top = random.below(std::uint32_t(height - view.seen(height) + 1));
  chance.left = random.below(std::uint32_t(width - view.seen(width) + 1));
  return chance;
}

Chance without_chance(const View& view, std::int64_t height, std::int64_t width,
                      const CropOffset& offset) {
  const std::int64_t below = height - view.seen(height), right = width - view.seen(width);
  Chance chance;
  chance.top = below / 2 + offset.dy;
  chance.left = right / 2 + offset.dx;
  if (chance.top < 0 || chance.top > below || chance.left < 0 || chance.left > right)
    throw Error("view of pictures", "the crop does not lie in the picture",
                "moved by " + std::to_string(offset.dy) + ", " + std::to_string(offset.dx) +
                    " with " + std::to_string(below) + ", " + std::to_string(right) + " to spare");
  return chance;
}

void adjust(const Chance& chance, std::int64_t pixels, std::int64_t channels, real* picture) {
  if (chance.brightness == 0 && chance.contrast == 1)
    return;
  for (std::int64_t c = 0; c < channels; ++c) {
    double sum = 0;
    for (std::int64_t i = c; i < pixels * channels; i += channels)
      sum += picture[i];
    // Brightness first moves the mean along: (x + b - (m + b)) f + (m + b).
    const real mean = real(sum / double(pixels)), level = mean + chance.brightness;
    for (std::int64_t i = c; i < pixels * channels; i += channels)
      picture[i] = (picture[i] - mean) * chance.contrast + level;
  }
}

void cut(const Chance& chance, const real* picture, std::int64_t width, std::int64_t channels,
         std::int64_t side, real* out) {
  for (std::int64_t y = 0; y < side; ++y)
    std::copy_n(picture + ((chance.top + y) * width + chance.left) * channels, side * channels,
                out + y * side * channels);
}

void standardize(std::int64_t count, real* values) {
  double sum = 0, squares = 0;
  for (std::int64_t i = 0; i < count; ++i)
    sum += values[i];
  const double mean = sum / double(count);
  for (std::int64_t i = 0; i < count; ++i)
    squares += (values[i] - mean) * (values[i] - mean);
  // The bound, of the authors' library, keeps noise small: 1 / sqrt(count) of a grey level.
  const double deviation =
      std::max(std::sqrt(squares / double(count)), 1 / (255 * std::sqrt(double(count))));
  for (std::int64_t i = 0; i < count; ++i)
    values[i] = real((values[i] - mean) / deviation);
}

Tensor apply_view(const Tensor& pictures, const View& view, const CropOffset& offset) {
  const Shape& shape = pictures.shape();
  if (shape.rank() != 4)
    throw Error("apply_view", "pictures are (B, H, W, C)", shape.text());
  const std::int64_t B = shape[0], H = shape[1], W = shape[2], C = shape[3];
  view.check(H, W);
  const std::int64_t h = view.seen(H), w = view.seen(W);
  const Chance chance = without_chance(view, H, W, offset);
  const Tensor seen(Shape{B, h, w, C});
  for (std::int64_t b = 0; b < B; ++b) {
    const real* picture = pictures.data() + b * H * W * C;
    real* out = seen.data() + b * h * w * C;
    if (view.crop > 0)
      cut(chance, picture, W, C, view.crop, out);
    else
      std::copy_n(picture, H * W * C, out);
    if (view.standardize)
      standardize(h * w * C, out);
  }
  return seen;
}

std::vector<CropOffset> thirteen_crops() {
  std::vector<CropOffset> crops{{0, 0}};
  for (const std::int64_t far : {1, 2, 3})
    for (const std::int64_t down : {-far, far})
      for (const std::int64_t right : {-far, far})
        crops.push_back({down, right});
  return crops;
}

} // namespace mereo

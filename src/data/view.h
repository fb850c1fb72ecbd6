// What a view does to one picture (H, W, C).
#pragma once

#include <mereo/data.h>

namespace mereo {

/// What chance, or its absence, decides for one picture.
struct Chance {
  std::int64_t dy = 0, dx = 0;       // the shift
  real brightness = 0, contrast = 1; // added, multiplied
  std::int64_t top = 0, left = 0;    // of the crop
};

/// A function of its arguments: nothing else is asked.
Chance draw(const View& view, std::int64_t height, std::int64_t width, std::uint64_t seed,
            std::int64_t epoch, std::int64_t index);
/// Nothing random; the crop away from the middle by offset.
Chance without_chance(const View& view, std::int64_t height, std::int64_t width,
                      const CropOffset& offset = {});

/// Brightness and contrast, in place.
void adjust(const Chance& chance, std::int64_t pixels, std::int64_t channels, real* picture);

/// Cuts side x side out of a picture (., width, channels).
void cut(const Chance& chance, const real* picture, std::int64_t width, std::int64_t channels,
         std::int64_t side, real* out);

/// In place.
void standardize(std::int64_t count, real* values);

} // namespace mereo

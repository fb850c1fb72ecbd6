// Pictures with the factors of a NORB set, small enough to train on in a test.
#pragma once

#include <mereo/data.h>

#include <algorithm>
#include <cmath>

namespace fixture {

/// A round blob on 16x16: azimuth is where on half a circle it lies, elevation the radius of that,
/// lighting its brightness, and instance and class its size. 18 azimuths, 3 elevations, 2
/// lightings, 2 classes of 2: 432 pictures.
inline mereo::Dataset blobs() {
  mereo::Dataset data{.name = "blobs",
                      .height = 16,
                      .width = 16,
                      .channels = 1,
                      .classes = 2,
                      .pixels = {},
                      .labels = {},
                      .class_names = {"small", "large"}};
  for (int label = 0; label < 2; ++label)
    for (int instance = 0; instance < 2; ++instance)
      for (int elevation = 0; elevation < 3; ++elevation)
        for (int azimuth = 0; azimuth < 36; azimuth += 2)
          for (int lighting = 0; lighting < 2; ++lighting) {
            const double angle = azimuth * 5 * 3.14159265 / 180, radius = 3 + elevation;
            const double x = 7.5 + radius * std::cos(angle), y = 7.5 + radius * std::sin(angle);
            const double size = 1.2 + 0.5 * label + 0.2 * instance;
            for (int row = 0; row < 16; ++row)
              for (int column = 0; column < 16; ++column) {
                const double away = std::hypot(column - x, row - y) / size;
                const double bright = (lighting ? 1 : 0.6) * std::exp(-away * away);
                data.pixels.push_back(std::uint8_t(255 * bright));
              }
            data.labels.push_back(label);
            data.viewpoints.push_back({instance, elevation, azimuth, lighting});
            ++data.count;
          }
  return data;
}

} // namespace fixture

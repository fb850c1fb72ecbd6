// Samples to pixels: Lambert's law at each sample, with shadows, then the mean over each pixel.
#include "core/parallel.h"
#include "graphics/shadows.h"

#include <algorithm>

namespace mereo {

namespace {

/// A row of samples: what is added up for them, then for the pixels.
class RowShader {
public:
  RowShader(const Surfaces& surfaces, const Lighting& lighting, double background)
      : surfaces_(surfaces), lighting_(lighting), background_(float(background)),
        received_(std::size_t(surfaces.columns())), reflected_(std::size_t(surfaces.columns())) {
    for (const Light& light : lighting.lights)
      lookups_.emplace_back(light.shadows.get(), surfaces);
  }

  /// Adds the samples of a row to the pixels they are in.
  void add(int row, float* pixels) {
    const std::size_t columns = received_.size(), first = std::size_t(row) * columns;
    std::fill(received_.begin(), received_.end(), float(lighting_.ambient));
    for (std::size_t l = 0; l < lighting_.lights.size(); ++l)
      receive(row, lighting_.lights[l], lookups_[l]);
    for (std::size_t x = 0; x < columns; ++x)
      reflected_[x] =
          surfaces_.owner[first + x] < 0 ? background_ : surfaces_.albedo[first + x] * received_[x];
    const float* sample = reflected_.data();
    for (int x = 0; x < surfaces_.camera.width; ++x)
      for (int s = 0; s < surfaces_.samples; ++s)
        pixels[x] += *sample++;
  }

private:
  void receive(int row, const Light& light, ShadowLookup& lookup) {
    const std::size_t columns = received_.size(), first = std::size_t(row) * columns;
    const Vec3 direction = unit(light.to_light);
    const auto along = [&](double x) { return float(light.intensity * x); };
    const float x = along(direction.x), y = along(direction.y), z = along(direction.z);
    const float *nx = &surfaces_.normal_x[first], *ny = &surfaces_.normal_y[first],
                *nz = &surfaces_.normal_z[first];
    lookup.start_row(row);
    for (std::size_t i = 0; i < columns; ++i) {
      const float incident = nx[i] * x + ny[i] * y + nz[i] * z;
      if (incident > 0 && lookup.lit(i))
        received_[i] += incident;
    }
  }

  const Surfaces& surfaces_;
  const Lighting& lighting_;
  float background_;
  std::vector<float> received_, reflected_; // (columns)
  std::vector<ShadowLookup> lookups_;       // one a light
};

} // namespace

void shade(const Surfaces& surfaces, const Lighting& lighting, double background,
           std::span<float> picture) {
  const int width = surfaces.camera.width, height = surfaces.camera.height;
  if (picture.size() != std::size_t(width) * std::size_t(height))
    throw Error("shade", "the picture is not as large as the camera's",
                std::to_string(picture.size()) + " pixels, " + std::to_string(width) + " x " +
                    std::to_string(height));
  std::fill(picture.begin(), picture.end(), 0.0f);
  RowShader shader(surfaces, lighting, background);
  for (int row = 0; row < surfaces.rows(); ++row)
    shader.add(row, picture.data() + row / surfaces.samples * width);
  const float share = 1 / float(surfaces.samples * surfaces.samples);
  for (float& pixel : picture)
    pixel *= share;
}

Tensor render(std::span<const Shot> shots, int samples, double background) {
  if (shots.empty())
    throw Error("render", "there is no shot");
  const int width = shots[0].camera.width, height = shots[0].camera.height;
  for (const Shot& shot : shots)
    if (shot.camera.width != width || shot.camera.height != height)
      throw Error("render", "the pictures are not of one size",
                  Shape{shot.camera.height, shot.camera.width}.text() + " beside " +
                      Shape{height, width}.text());
  Tensor pictures({std::int64_t(shots.size()), height, width, 1});
  const std::int64_t pixels = std::int64_t(height) * width;
  parallel_for(std::int64_t(shots.size()), [&](std::int64_t i) {
    const Shot& shot = shots[std::size_t(i)];
    Surfaces surfaces;
    rasterise(*shot.scene, shot.camera, samples, surfaces);
    std::vector<float> picture(static_cast<std::size_t>(pixels));
    shade(surfaces, shot.lighting, background, picture);
    std::transform(picture.begin(), picture.end(), pictures.data() + i * pixels,
                   [](float x) { return real(std::clamp(x, 0.0f, 1.0f)); });
  });
  return pictures;
}

} // namespace mereo

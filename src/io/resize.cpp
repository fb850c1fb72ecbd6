#include <mereo/io.h>

#include <algorithm>
#include <cmath>

namespace mereo {

namespace {

constexpr std::int64_t pixel_limit = std::int64_t{1} << 28;

/// How one output pixel of an axis is mixed from input pixels [first, first + weights.size()).
struct Mix {
  std::int64_t first;
  std::vector<float> weights;
};

std::vector<Mix> axis_mixes(std::int64_t in, std::int64_t out) {
  std::vector<Mix> mixes;
  const double scale = double(in) / double(out);
  for (std::int64_t i = 0; i < out; ++i) {
    Mix mix;
    if (out < in) { // how much of each input pixel the output pixel covers
      const double begin = double(i) * scale, end = double(i + 1) * scale;
      mix.first = std::int64_t(begin);
      for (std::int64_t k = mix.first; k < in && double(k) < end; ++k) {
        const double covered = std::min(end, double(k + 1)) - std::max(begin, double(k));
        mix.weights.push_back(float(covered / scale));
      }
    } else { // the two input pixels whose centres lie around the output pixel's
      const double centre =
          std::min(std::max(0.0, (double(i) + 0.5) * scale - 0.5), double(in - 1));
      mix.first = std::int64_t(centre);
      const double part = centre - double(mix.first);
      mix.weights.push_back(float(1 - part));
      if (part > 0)
        mix.weights.push_back(float(part));
    }
    mixes.push_back(std::move(mix));
  }
  return mixes;
}

/// A row of the picture with its columns mixed: (width, channels).
void mix_columns(const Image& image, std::int64_t y, const std::vector<Mix>& columns, float* out) {
  const std::uint8_t* row = image.pixels.data() + y * image.width * image.channels;
  for (const Mix& mix : columns)
    for (std::int64_t c = 0; c < image.channels; ++c) {
      float sum = 0;
      for (std::size_t k = 0; k < mix.weights.size(); ++k)
        sum += mix.weights[k] * float(row[(mix.first + std::int64_t(k)) * image.channels + c]);
      *out++ = sum;
    }
}

} // namespace

Image resize_image(const Image& image, std::int64_t height, std::int64_t width) {
  if (height < 1 || width < 1 || height > pixel_limit / width)
    throw Error("resize_image", "the wanted size is out of range",
                std::to_string(height) + " x " + std::to_string(width));
  const Shape shape{image.height, image.width, image.channels};
  if (shape.elements() < 1 || shape.elements() != std::int64_t(image.pixels.size()))
    throw Error("resize_image", "the picture is empty, or its pixels are not as many as its size",
                shape.text() + ", " + std::to_string(image.pixels.size()) + " pixels");
  if (image.height == height && image.width == width)
    return image;
  const auto columns = axis_mixes(image.width, width), rows = axis_mixes(image.height, height);

  // Row by row, so that a picture a pixel wide and millions high takes no more than it has.
  const std::int64_t size = width * image.channels;
  std::vector<float> one(std::size_t(size), 0.0f), sum(one);
  Image result{height, width, image.channels, {}};
  result.pixels.reserve(std::size_t(height * size));
  for (const Mix& mix : rows) {
    std::fill(sum.begin(), sum.end(), 0.0f);
    for (std::size_t k = 0; k < mix.weights.size(); ++k) {
      mix_columns(image, mix.first + std::int64_t(k), columns, one.data());
      for (std::size_t i = 0; i < sum.size(); ++i)
        sum[i] += mix.weights[k] * one[i];
    }
    for (const float x : sum)
      result.pixels.push_back(std::uint8_t(std::min(255.0f, std::floor(x + 0.5f))));
  }
  return result;
}

} // namespace mereo

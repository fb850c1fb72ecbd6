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

} // namespace

Image resize_image(const Image& image, std::int64_t height, std::int64_t width) {
  if (height < 1 || width < 1 || height > pixel_limit / width)
    throw Error("resize_image", "the wanted size is out of range",
                std::to_string(height) + " x " + std::to_string(width));
  if (image.height == height && image.width == width)
    return image;
  const std::int64_t channels = image.channels;
  const auto columns = axis_mixes(image.width, width), rows = axis_mixes(image.height, height);

  std::vector<float> narrow(std::size_t(image.height * width * channels)); // columns done
  for (std::int64_t y = 0; y < image.height; ++y)
    for (std::int64_t x = 0; x < width; ++x)
      for (std::int64_t c = 0; c < channels; ++c) {
        const Mix& mix = columns[std::size_t(x)];
        float sum = 0;
        for (std::size_t k = 0; k < mix.weights.size(); ++k) {
          const std::int64_t from = mix.first + std::int64_t(k);
          sum += mix.weights[k] *
                 float(image.pixels[std::size_t((y * image.width + from) * channels + c)]);
        }
        narrow[std::size_t((y * width + x) * channels + c)] = sum;
      }

  Image result{height, width, channels, {}};
  result.pixels.resize(std::size_t(height * width * channels));
  for (std::int64_t y = 0; y < height; ++y)
    for (std::int64_t i = 0; i < width * channels; ++i) {
      const Mix& mix = rows[std::size_t(y)];
      float sum = 0;
      for (std::size_t k = 0; k < mix.weights.size(); ++k)
        sum += mix.weights[k] *
               narrow[std::size_t((mix.first + std::int64_t(k)) * width * channels + i)];
      result.pixels[std::size_t(y * width * channels + i)] =
          std::uint8_t(std::min(255.0f, std::floor(sum + 0.5f)));
    }
  return result;
}

} // namespace mereo

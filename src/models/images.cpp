#include "models/images.h"

#include "autodiff/windows.h"

namespace mereo {

std::int64_t output_size(std::int64_t size, std::int64_t kernel, std::int64_t stride,
                         Padding padding) {
  const bool fits = padding == Padding::same || size >= kernel;
  return fits ? extent(size, kernel, stride, padding).out : 0;
}

std::int64_t padding_before(std::int64_t size, std::int64_t kernel, std::int64_t stride,
                            Padding padding) {
  return extent(size, kernel, stride, padding).pad_before;
}

void check_single(const char* model, const Tensor& image) {
  if (image.shape().rank() != 4 || image.shape()[0] != 1)
    throw Error(std::string(model) + "::inspect", "not a single image", image.shape().text(),
                "pass (1, H, W, C)");
}

void check_images(const char* model, const InputShape& input, const Tensor& images) {
  const Shape& shape = images.shape();
  if (shape.rank() != 4 || shape[0] < 1 || shape[1] != input.height || shape[2] != input.width ||
      shape[3] != input.channels)
    throw Error(std::string(model) + "::forward", "the images do not fit the model",
                "images " + shape.text() + ", model " +
                    Shape{input.height, input.width, input.channels}.text(),
                "images are (batch, height, width, channels)");
}

void check_labels(const char* model, const InputShape& input, std::int64_t B,
                  std::span<const std::int32_t> labels) {
  if (!labels.empty() && std::int64_t(labels.size()) != B * input.labels_per_image)
    throw Error(std::string(model) + "::forward", "there are not as many labels as images have",
                std::to_string(labels.size()) + " labels, " + std::to_string(B) + " images of " +
                    std::to_string(input.labels_per_image));
}

} // namespace mereo

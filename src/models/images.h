// What models have in common as readers of images.
#pragma once

#include <mereo/models.h>

namespace mereo {

/// Output size of a convolution along one axis, as the layers compute it; 0 where none fits.
std::int64_t output_size(std::int64_t size, std::int64_t kernel, std::int64_t stride,
                         Padding padding);

/// Throws Error, naming the model, unless images are (B, H, W, C), B > 0, as it reads them.
void check_images(const char* model, const InputShape& input, const Tensor& images);

/// Throws Error, naming the model, unless there are no labels, or labels_per_image for each of B
/// images.
void check_labels(const char* model, const InputShape& input, std::int64_t B,
                  std::span<const std::int32_t> labels);

} // namespace mereo

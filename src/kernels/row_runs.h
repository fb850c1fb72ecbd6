// Matrices that the product reads, or is scattered into, without their being stored as such.
#pragma once

#include <mereo/core.h>

#include <cstdint>

namespace mereo {

struct ConvolutionShape {
  std::int64_t batch, height, width, channels;       // x (B, H, W, C)
  std::int64_t kernel_height, kernel_width, filters; // w (KH, KW, C, N)
  std::int64_t stride;
  std::int64_t pad_top, pad_left;     // zeros before the image; those after it follow
  std::int64_t out_height, out_width; // y (B, OH, OW, N)
  bool operator==(const ConvolutionShape&) const = default;
};

/// A matrix whose rows consist of runs of `run` contiguous elements: a stored matrix, one run a
/// row; or im2col of channels-last images, (B OH OW, KH KW C), where row (b, oy, ox) is the window
/// that the kernel sees there. A window is KH runs of KW C elements when no window leaves the image
/// sideways, else KH KW runs of C.
class RowRuns {
public:
  RowRuns(std::int64_t rows, std::int64_t columns, std::int64_t stride);
  /// by_pixel asks for runs of C in any case.
  explicit RowRuns(const ConvolutionShape& shape, bool by_pixel = false);

  /// Whether some runs lie in the padding. If not, run `index` begins offset(index) elements after
  /// run 0 in every row.
  bool padded() const { return padded_; }
  std::int64_t offset(std::int64_t index) const;

  /// where[i] = the start of run `index` of row first + i, i < count; `outside` for a run that lies
  /// in the padding. x is the matrix or the images.
  template <class T>
  void locate(T* x, T* outside, std::int64_t first, std::int64_t count, std::int64_t index,
              T** where) const {
    const std::int64_t row = by_pixel_ ? index / shape_.kernel_width : index;
    const std::int64_t column = by_pixel_ ? index % shape_.kernel_width : 0;
    std::int64_t ox = first % shape_.out_width, oy = first / shape_.out_width % shape_.out_height;
    std::int64_t image = first / (shape_.out_width * shape_.out_height);
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t iy = oy * shape_.stride - shape_.pad_top + row;
      const std::int64_t ix = ox * shape_.stride - shape_.pad_left + column;
      const bool inside = iy >= 0 && iy < shape_.height && ix >= 0 && ix < shape_.width;
      where[i] = inside ? x + ((image * shape_.height + iy) * shape_.width + ix) * shape_.channels
                        : outside;
      if (++ox == shape_.out_width) {
        ox = 0;
        if (++oy == shape_.out_height) {
          oy = 0;
          ++image;
        }
      }
    }
  }

  std::int64_t rows, columns, run;

private:
  ConvolutionShape shape_; // a stored matrix: images of one pixel of `stride` channels
  bool by_pixel_, padded_;
};

} // namespace mereo

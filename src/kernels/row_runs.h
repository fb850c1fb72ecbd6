// Matrices that the product reads (or scatters into) without their being stored as such.
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
};

/// A matrix whose rows consist of runs of `run` contiguous elements: a stored matrix, one run a
/// row; or im2col of channels-last images, (B OH OW, KH KW C), where row (b, oy, ox) is the window
/// that the kernel sees there. A window is KH runs of KW C elements when no window leaves the image
/// sideways, else KH KW runs of C.
class RowRuns {
public:
  RowRuns(std::int64_t rows, std::int64_t columns, std::int64_t stride)
      : rows(rows), columns(columns), run(columns), stride_(stride) {}
  /// by_pixel asks for runs of C in any case.
  explicit RowRuns(const ConvolutionShape& shape, bool by_pixel = false);

  /// where[i] = the start of run `index` of row first + i, i < count; `outside` for a run that lies
  /// in the padding. x is the matrix or the images.
  template <class T>
  void locate(T* x, T* outside, std::int64_t first, std::int64_t count, std::int64_t index,
              T** where) const {
    if (!shape_) {
      for (std::int64_t i = 0; i < count; ++i)
        where[i] = x + (first + i) * stride_;
      return;
    }
    const ConvolutionShape& s = *shape_;
    const std::int64_t row = by_pixel_ ? index / s.kernel_width : index;
    const std::int64_t column = by_pixel_ ? index % s.kernel_width : 0;
    std::int64_t ox = first % s.out_width, oy = first / s.out_width % s.out_height;
    std::int64_t image = first / (s.out_width * s.out_height);
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t iy = oy * s.stride - s.pad_top + row;
      const std::int64_t ix = ox * s.stride - s.pad_left + column;
      const bool inside = iy >= 0 && iy < s.height && ix >= 0 && ix < s.width;
      where[i] = inside ? x + ((image * s.height + iy) * s.width + ix) * s.channels : outside;
      if (++ox == s.out_width) {
        ox = 0;
        if (++oy == s.out_height) {
          oy = 0;
          ++image;
        }
      }
    }
  }

  std::int64_t rows, columns, run;

private:
  std::int64_t stride_ = 0;
  const ConvolutionShape* shape_ = nullptr;
  bool by_pixel_ = false;
};

} // namespace mereo

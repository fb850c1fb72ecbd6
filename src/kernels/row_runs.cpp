#include "kernels/row_runs.h"

namespace mereo {

RowRuns::RowRuns(std::int64_t rows, std::int64_t columns, std::int64_t stride)
    : rows(rows), columns(columns),
      run(columns), shape_{rows, 1, 1, stride, 1, 1, 0, 1, 0, 0, 1, 1}, by_pixel_(false),
      padded_(false) {}

RowRuns::RowRuns(const ConvolutionShape& s, bool by_pixel)
    : rows(s.batch * s.out_height * s.out_width),
      columns(s.kernel_height * s.kernel_width * s.channels), shape_(s) {
  const std::int64_t bottom = (s.out_height - 1) * s.stride - s.pad_top + s.kernel_height;
  const std::int64_t right = (s.out_width - 1) * s.stride - s.pad_left + s.kernel_width;
  const bool sideways = s.pad_left > 0 || right > s.width;
  padded_ = sideways || s.pad_top > 0 || bottom > s.height;
  by_pixel_ = by_pixel || sideways;
  run = by_pixel_ ? s.channels : s.kernel_width * s.channels;
}

std::int64_t RowRuns::offset(std::int64_t index) const {
  const std::int64_t row = by_pixel_ ? index / shape_.kernel_width : index;
  const std::int64_t column = by_pixel_ ? index % shape_.kernel_width : 0;
  return (row * shape_.width + column) * shape_.channels;
}

} // namespace mereo

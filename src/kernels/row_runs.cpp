#include "kernels/row_runs.h"

namespace mereo {

RowRuns::RowRuns(const ConvolutionShape& s, bool by_pixel)
    : rows(s.batch * s.out_height * s.out_width),
      columns(s.kernel_height * s.kernel_width * s.channels), shape_(&s) {
  const std::int64_t right = (s.out_width - 1) * s.stride - s.pad_left + s.kernel_width;
  by_pixel_ = by_pixel || s.pad_left > 0 || right > s.width;
  run = by_pixel_ ? s.channels : s.kernel_width * s.channels;
}

} // namespace mereo

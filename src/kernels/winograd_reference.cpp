// The specification of the transforms' kernel: plain loops, sums in double.
#include "kernels/table.h"

namespace mereo::reference {

extern const WinogradKernels winograd_kernels;

namespace {

void pass(const WinogradPass& pass) {
  for (std::int64_t i = 0; i < pass.outs; ++i)
    for (std::int64_t b = 0; b < pass.columns; ++b)
      for (std::int64_t c = 0; c < pass.width; ++c) {
        real& out = pass.out[i * pass.out_row + b * pass.out_column + c];
        double sum = pass.accumulate ? double(out) : 0;
        for (std::int64_t a = 0; a < pass.ins; ++a)
          sum += double(pass.matrix[a * pass.matrix_stride + i]) *
                 double(pass.in[a * pass.in_row + b * pass.in_column + c]);
        if (pass.bias)
          sum += double(pass.bias[c]);
        if (pass.activation == Activation::relu && sum < 0)
          sum = 0;
        out = real(sum);
      }
}

} // namespace

const WinogradKernels winograd_kernels = {pass};

} // namespace mereo::reference

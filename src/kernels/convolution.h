// Two-dimensional convolution (cross-correlation, as every network library means it) of channels-last
// images, as a GEMM whose packing reads the image through the im2col index map, so that the im2col
// matrix never exists.
#pragma once

#include "kernels/table.h"

#include <mereo/memory.h>

namespace mereo {

struct ConvolutionShape {
  std::int64_t batch, height, width, channels;     // x (B, H, W, C)
  std::int64_t kernel_height, kernel_width, filters; // w (KH, KW, C, N)
  std::int64_t stride;
  std::int64_t pad_top, pad_left; // rows and columns of zeros before the image; those after follow
  std::int64_t out_height, out_width; // y (B, OH, OW, N)
};

/// y = activation(scale * conv(x, w) + bias); bias (N) may be null.
void convolution_forward(const ConvolutionShape& shape, const real* x, const real* w, real scale,
                         const real* bias, Activation activation, real* y, Arena& scratch);

/// grad_x (+)= scale * the adjoint in x. Works on a few images at a time: the column matrix stays in cache.
void convolution_grad_input(const ConvolutionShape& shape, const real* grad_y, const real* w, real scale,
                            real* grad_x, bool accumulate, Arena& scratch);

/// grad_w (+)= scale * the adjoint in w.
void convolution_grad_weight(const ConvolutionShape& shape, const real* x, const real* grad_y, real scale,
                             real* grad_w, bool accumulate, Arena& scratch);

} // namespace mereo

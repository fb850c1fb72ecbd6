// Two-dimensional convolution (cross-correlation, as every network library means it) of
// channels-last images. No column matrix exists in any of the three passes.
#pragma once

#include "kernels/row_runs.h"
#include "kernels/table.h"

#include <mereo/memory.h>

namespace mereo {

/// y = activation(scale * conv(x, w) + bias); bias (N) may be null. The product im2col(x) w, whose
/// left side is packed straight from the images.
void convolution_forward(const ConvolutionShape& shape, const real* x, const real* w, real scale,
                         const real* bias, Activation activation, real* y, Arena& scratch);

/// grad_x (+)= scale * the adjoint in x: col2im(grad_y w^T), each register tile of which is added
/// to the pixels it belongs to as soon as it is computed.
void convolution_grad_input(const ConvolutionShape& shape, const real* grad_y, const real* w,
                            real scale, real* grad_x, bool accumulate, Arena& scratch);

/// grad_w (+)= scale * the adjoint in w: im2col(x)^T grad_y.
void convolution_grad_weight(const ConvolutionShape& shape, const real* x, const real* grad_y,
                             real scale, real* grad_w, bool accumulate, Arena& scratch);

} // namespace mereo

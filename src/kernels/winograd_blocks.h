// Winograd convolution for few tiles, whose transformed weights would cost more than all the rest.
#pragma once

#include "kernels/winograd_plan.h"

namespace mereo {

/// Whether transformed weights are better used block by block than written to memory and read back.
bool winograd_few_tiles(const WinogradPlan& plan, const WinogradTiling& tiling);

// As in winograd.h.
void winograd_forward_blocks(const WinogradPlan& plan, const real* x, const real* w, real scale,
                             const real* bias, Activation activation, real* y, Arena& scratch);
void winograd_grad_input_blocks(const WinogradPlan& plan, const real* grad_y, const real* w,
                                real scale, real* grad_x, bool accumulate, Arena& scratch);
void winograd_grad_weight_blocks(const WinogradPlan& plan, const real* x, const real* grad_y,
                                 real scale, real* grad_w, bool accumulate, Arena& scratch);

} // namespace mereo

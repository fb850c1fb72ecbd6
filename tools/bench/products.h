// The matrix products of a Winograd convolution without its transforms.
#pragma once

#include "kernels/winograd.h"

#include <functional>

namespace bench {

enum class Pass { forward, grad_input, grad_weight };

/// Whether products and transforms of weights take turns (kernels/winograd_blocks.cpp), so that the
/// products have no time of their own.
bool winograd_interleaved(const mereo::ConvolutionShape& shape, std::int64_t tile);

/// Every product that this pass of kernels/winograd.cpp computes, in its order and on its memory
/// layout. The result owns its memory.
std::function<void()> winograd_products(const mereo::ConvolutionShape& shape,
                                        const mereo::WinogradTiling& tiling, Pass pass);

} // namespace bench

// Convolution with large kernels through polyphase Winograd transforms (Winograd 1980; Lavin & Gray
// 2016): the same results as kernels/convolution.h with a fraction of the multiplications.
//
// A kernel of K taps and stride s splits into s phases of at most r = ceil(K / s) taps, each an
// ordinary convolution of every s-th pixel; two axes make s^2 phases. F(m, r) computes m outputs of
// such a convolution with m + r - 1 multiplications instead of m r:
//   Y = A^T [ sum over phases and channels of (G w G^T) . (B^T x B) ] A.
// Because the last transform is linear, phases add before it like channels, and for each of the
// (m + r - 1)^2 frequencies what remains is one matrix product with the inner dimension s^2 C, or
// less: a phase with r - 1 taps along an axis needs one frequency less along it (a tenth to a sixth
// of all products for nine taps and stride two). The gradients are its transposes. The price is
// rounding: see WinogradTiling.
#pragma once

#include "kernels/convolution.h"

namespace mereo {

struct WinogradTiling {
  /// The most outputs m of a tile along each axis. Tiles are smaller where that covers the image as
  /// well, or where m + r - 1 would exceed winograd_limit. Relative errors in single precision (in
  /// the norm, for five taps and sums of a thousand terms): m = 3 about 3e-6, m = 6 about 3e-5; the
  /// direct convolution has 4e-7.
  std::int64_t outputs;
  /// What is transformed at a time: blocks of channels of at most so many bytes, and images of at
  /// most so many tiles.
  std::int64_t block_bytes = std::int64_t(80) << 20;
  std::int64_t block_tiles = 512;
  /// For at most so many tiles weights are transformed block by block (see winograd_blocks.h);
  /// negative: where that is faster.
  std::int64_t few_tiles = -1;
};

class WinogradWeights; // kernels/winograd_weights.h

/// Whether it can be done: the taps of a phase are at most winograd_limit.
bool winograd_possible(const ConvolutionShape& shape);

/// Whether it can be expected to be faster than the direct convolution.
bool winograd_suits(const ConvolutionShape& shape, const WinogradTiling& tiling);

/// y = activation(scale * conv(x, w) + bias); bias (N) may be null.
void winograd_forward(const ConvolutionShape& shape, const WinogradTiling& tiling, const real* x,
                      const real* w, real scale, const real* bias, Activation activation, real* y,
                      Arena& scratch);

/// The same with weights that were transformed before; they must fit the shape.
void winograd_forward(const ConvolutionShape& shape, const WinogradWeights& weights, const real* x,
                      real scale, const real* bias, Activation activation, real* y, Arena& scratch);

/// With weights transformed before, where Winograd is possible: of the tiles allowed, the one
/// expected to be fastest, and whether the forward pass can be expected to be faster with it than
/// the direct convolution.
WinogradTiling winograd_transformed_tiling(const ConvolutionShape& shape,
                                           const WinogradTiling& allowed);
bool winograd_transformed_suits(const ConvolutionShape& shape, const WinogradTiling& tiling);

/// grad_x (+)= scale * the adjoint in x.
void winograd_grad_input(const ConvolutionShape& shape, const WinogradTiling& tiling,
                         const real* grad_y, const real* w, real scale, real* grad_x,
                         bool accumulate, Arena& scratch);

/// grad_w (+)= scale * the adjoint in w.
void winograd_grad_weight(const ConvolutionShape& shape, const WinogradTiling& tiling,
                          const real* x, const real* grad_y, real scale, real* grad_w,
                          bool accumulate, Arena& scratch);

} // namespace mereo

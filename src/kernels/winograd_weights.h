// Weights that have been through their transform, for passes that share them.
#pragma once

#include "kernels/winograd_transforms.h"

namespace mereo {

class WinogradWeights {
public:
  /// Of w (KH, KW, C, N). They serve any number of images, whatever shape.batch; w itself is not
  /// needed any more.
  WinogradWeights(const ConvolutionShape& shape, const WinogradTiling& tiling, const real* w);

  /// Whether they are those of such a convolution, and lie as the kernels in use read them.
  bool fit(ConvolutionShape shape) const {
    shape.batch = shape_.batch;
    return shape == shape_ && layout_.width == kernels().gemm.tile_columns;
  }

  const WinogradTiling& tiling() const { return tiling_; }
  /// (phases * channels, filters), in panels.
  Frequencies<const real> frequencies() const {
    return {reinterpret_cast<const real*>(memory_.get()), layout_};
  }

private:
  ConvolutionShape shape_;
  WinogradTiling tiling_;
  FrequencyLayout layout_;
  AlignedBytes memory_;
};

} // namespace mereo

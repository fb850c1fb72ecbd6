// Whether a picture is black on white where white on black was learnt, or the other way around.
#pragma once

#include <mereo/tensor.h>

namespace mereo {

/// Mean over the pixels at the border of a picture whose last axes are (H, W, C).
double border_brightness(const Tensor& picture);

/// Whether its border is far from the brightness learnt, and its negative's is not. Most wrong
/// answers about a good picture come from this.
bool seems_inverted(const Tensor& picture, double background);

} // namespace mereo

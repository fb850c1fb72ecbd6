// What a convolution is expected to cost, in multiplications of a matrix product.
#include "kernels/winograd_plan.h"

namespace mereo {

namespace {

/// To transform an element of the images or of what becomes of them, and to move it to memory and
/// back (measured).
constexpr double image_price = 40;
/// The same for weights: the mean of the three passes.
constexpr double weight_price = 60;
/// To read a transformed weight, which no near cache holds any more from the pass before (measured;
/// tens of megabytes of them). That goes on while products are formed.
constexpr double read_price = 12;

double direct_cost(const ConvolutionShape& s) {
  return double(s.batch * s.out_height * s.out_width) *
         double(s.kernel_height * s.kernel_width * s.channels) * double(s.filters);
}

/// What a pass consists of.
struct WinogradCost {
  double products, images; // their cost
  double weights;          // how many there are, transformed

  WinogradCost(const ConvolutionShape& shape, const WinogradTiling& tiling) {
    const WinogradPlan plan(shape, tiling);
    const double tiles = double(shape.batch * plan.tiles), filters = double(shape.filters);
    const double inner = double(plan.phase_frequencies) * double(shape.channels);
    products = tiles * inner * filters;
    images = image_price * tiles * (inner + double(plan.frequencies) * filters);
    weights = inner * filters;
  }
  /// Its transforms included, on the average of the three.
  double any_pass() const { return products + images + weight_price * weights; }
  double transformed_forward() const { return std::max(products, read_price * weights) + images; }
};

} // namespace

bool winograd_possible(const ConvolutionShape& shape) {
  return std::max(shape.kernel_height, shape.kernel_width) <= winograd_limit * shape.stride;
}

bool winograd_suits(const ConvolutionShape& shape, const WinogradTiling& tiling) {
  return winograd_possible(shape) && WinogradCost(shape, tiling).any_pass() < direct_cost(shape);
}

bool winograd_transformed_suits(const ConvolutionShape& shape, const WinogradTiling& tiling) {
  if (!winograd_possible(shape))
    return false;
  // There are no blocks of channels then: an image must not need much more than a block.
  const WinogradPlan plan(shape, tiling, true);
  const std::int64_t image = plan.frequencies * plan.windows() * shape.channels;
  return image * std::int64_t(sizeof(real)) <= 2 * tiling.block_bytes &&
         WinogradCost(shape, tiling).transformed_forward() < direct_cost(shape);
}

WinogradTiling winograd_transformed_tiling(const ConvolutionShape& shape,
                                           const WinogradTiling& allowed) {
  const auto cost = [&](const WinogradTiling& tiling) {
    return WinogradCost(shape, tiling).transformed_forward();
  };
  WinogradTiling best = allowed, other = allowed;
  for (other.outputs = std::min(allowed.outputs, winograd_limit); other.outputs > 0;
       --other.outputs)
    if (cost(other) < cost(best))
      best = other;
  return best;
}

} // namespace mereo

#include "kernels/winograd_plan.h"

#include <algorithm>

namespace mereo {

namespace {

constexpr std::int64_t channel_unit = 16;

/// The smallest t >= 0 with stride * t >= x.
std::int64_t first_at_least(std::int64_t x, std::int64_t stride) {
  return x > 0 ? ceiling(x, stride) : 0;
}

/// Outputs of a tile: no more than allowed, and no more than the same number of tiles needs.
std::int64_t tile_outputs(std::int64_t out, std::int64_t taps, std::int64_t outputs) {
  const std::int64_t most = std::clamp<std::int64_t>(outputs, 1, winograd_limit + 1 - taps);
  return ceiling(out, ceiling(out, most));
}

/// Parts of `size`, at most `most` long, but at least one unit, as equal as units allow.
std::int64_t even_block(std::int64_t size, std::int64_t most, std::int64_t unit) {
  const std::int64_t parts = std::max<std::int64_t>(1, ceiling(size, std::max(most, unit)));
  return std::min(size, ceiling(ceiling(size, parts), unit) * unit);
}

/// An odd number of cache lines, so that neighbouring rows or frequencies are not all kept in the
/// same few places of a cache.
std::int64_t odd_lines(std::int64_t elements) {
  constexpr std::int64_t line = 16;
  return (ceiling(elements, line) | 1) * line;
}

FrequencyLayout complete(FrequencyLayout layout, std::int64_t frequencies) {
  constexpr std::int64_t second_level_bytes = 1 << 20;
  layout.elements = frequencies * layout.frequency;
  layout.large = layout.elements * std::int64_t(sizeof(real)) > second_level_bytes;
  return layout;
}

} // namespace

WinogradAxis::WinogradAxis(std::int64_t size, std::int64_t out, std::int64_t kernel,
                           std::int64_t stride, std::int64_t pad, std::int64_t outputs)
    : size(size), out(out), kernel(kernel), stride(stride), pad(pad),
      phases(std::min(stride, kernel)), tiles(0),
      matrices(tile_outputs(out, ceiling(kernel, stride), outputs), ceiling(kernel, stride)),
      shorter(matrices.outputs, std::max<std::int64_t>(1, matrices.taps - 1), matrices.taps > 1) {
  tiles = ceiling(out, matrices.outputs);
}

Range WinogradAxis::inputs(std::int64_t tile, std::int64_t phase) const {
  const std::int64_t start = origin(tile, phase), all = of(phase).size;
  const std::int64_t begin = std::min(all, first_at_least(-start, stride));
  const std::int64_t end = std::min(all, first_at_least(size - start, stride));
  return begin < end ? Range{begin, end} : Range{0, 0};
}

bool WinogradAxis::one_tile_sees_all() const {
  std::int64_t seen = 0;
  for (std::int64_t phase = 0; phase < phases; ++phase)
    seen += inputs(0, phase).size();
  return tiles == 1 && seen == size;
}

std::int64_t WinogradAxis::outputs(std::int64_t tile) const {
  return std::min(matrices.outputs, out - tile * matrices.outputs);
}

FrequencyLayout FrequencyLayout::rows(std::int64_t frequencies, std::int64_t rows,
                                      std::int64_t columns) {
  const std::int64_t stride = odd_lines(columns);
  const std::int64_t frequency = odd_lines(rows * stride);
  return complete({frequency, stride, stride, 0, 0, false}, frequencies);
}

FrequencyLayout FrequencyLayout::panels(std::int64_t frequencies, std::int64_t rows,
                                        std::int64_t columns, std::int64_t width) {
  const std::int64_t panel = rows * width;
  const std::int64_t frequency = odd_lines(ceiling(columns, width) * panel);
  return complete({frequency, width, width, panel, 0, false}, frequencies);
}

WinogradPlan::WinogradPlan(const ConvolutionShape& shape, const WinogradTiling& tiling,
                           bool weights_transformed)
    : shape(shape), vertical(shape.height, shape.out_height, shape.kernel_height, shape.stride,
                             shape.pad_top, tiling.outputs),
      horizontal(shape.width, shape.out_width, shape.kernel_width, shape.stride, shape.pad_left,
                 tiling.outputs),
      frequencies(vertical.matrices.size * horizontal.matrices.size),
      phases(vertical.phases * horizontal.phases), tiles(vertical.tiles * horizontal.tiles),
      phase_frequencies(vertical.phase_frequencies() * horizontal.phase_frequencies()) {
  const std::int64_t channel_bytes = frequencies * phases * std::int64_t(sizeof(float));
  const std::int64_t most_images = tiling.block_tiles / tiles;
  if (weights_transformed) {
    const std::int64_t image_bytes = channel_bytes * tiles * shape.channels;
    image_block =
        even_block(shape.batch, std::min(most_images, tiling.block_bytes / image_bytes), 1);
    channel_block = shape.channels;
    return;
  }
  // Transformed images and weights go to memory and come back once. The larger the block of
  // channels the better: the products are read and added to once for each.
  image_block = even_block(shape.batch, most_images, 1);
  const std::int64_t rows = image_block * tiles + shape.filters;
  channel_block =
      even_block(shape.channels, tiling.block_bytes / (channel_bytes * rows), channel_unit);
}

WinogradPlan::Runs WinogradPlan::phases_with(std::int64_t frequency) const {
  const std::int64_t rows = vertical.phases_with(frequency / horizontal.matrices.size);
  const std::int64_t columns = horizontal.phases_with(frequency % horizontal.matrices.size);
  return columns == horizontal.phases ? Runs{1, rows * columns} : Runs{rows, columns};
}

std::int64_t WinogradPlan::transform_scratch() const {
  const std::int64_t taps = vertical.matrices.taps * horizontal.matrices.taps;
  return (frequencies + taps * transpose_depth) * transform_width;
}

} // namespace mereo

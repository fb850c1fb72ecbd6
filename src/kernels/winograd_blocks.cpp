// A block of the weights is some channels of one phase and some filters. A thread transforms it
// into its second-level cache, multiplies it there for all frequencies, and forgets it; or
// multiplies into it and transforms back. Images are transformed once, and read again for every
// block: there are few.
#include "kernels/winograd_blocks.h"

#include "kernels/winograd_product.h"
#include "kernels/winograd_worker.h"

#include <algorithm>

namespace mereo {

namespace {

using Index = std::int64_t;

constexpr Index block_channels = 64;
constexpr Index block_bytes = 900 * 1024;

/// Filters of a block.
Index block_filters(const WinogradPlan& plan) {
  constexpr Index unit = 32;
  const Index column = plan.frequencies * block_channels * Index(sizeof(real));
  return std::max<Index>(unit, std::min(transform_width, block_bytes / column) / unit * unit);
}

class Blocks : public WinogradWorker {
public:
  Blocks(const WinogradPlan& plan, Arena& scratch)
      : WinogradWorker(plan, scratch),
        tiles(plan.shape.batch * plan.tiles), channels{plan.shape.channels, block_channels},
        filters{plan.shape.filters, block_filters(plan)}, inner(plan.phases * plan.shape.channels) {
  }

  /// One for every thread, which it has in its cache.
  Frequencies<real> own(FrequencyLayout layout) {
    layout.large = false;
    return allocate(layout, threads());
  }
  static Frequencies<real> mine(const Frequencies<real>& f) {
    return {f.data + thread_index() * f.layout.elements, f.layout};
  }

  Range some(const Chunks& chunks, Index i) const { return {chunks.begin(i), chunks.end(i)}; }

  /// The product for all frequencies of a phase.
  void multiply(const WinogradProduct& product, Index phase) const {
    const Index across = plan.horizontal.of(phase % plan.horizontal.phases).size;
    const Index count = plan.vertical.of(phase / plan.horizontal.phases).size * across;
    const auto frequency = [&](Index i) {
      return i / across * plan.horizontal.matrices.size + i % across;
    };
    for (Index i = 0; i < count; ++i) {
      WinogradProduct some = product.of(frequency(i));
      some.next_a = product.of(frequency(std::min(i + 1, count - 1))).a;
      mereo::multiply(kernels.gemm, some, {0, product.rows});
    }
  }

  const Index tiles; // of all images
  const Chunks channels, filters;
  const Index inner; // channels of all phases
};

} // namespace

bool winograd_few_tiles(const WinogradPlan& plan, const WinogradTiling& tiling) {
  // Every block of filters reads the images again. Measured with two threads on AVX-512, 256
  // channels and filters, F(6, 5) and F(3, 5): the passes take 0.75 of the time with half as many
  // tiles as filters in a block, the same with as many, 1.1 with twice as many.
  const Index most = tiling.few_tiles < 0 ? block_filters(plan) : tiling.few_tiles;
  return plan.shape.batch * plan.tiles <= most;
}

void winograd_forward_blocks(const WinogradPlan& plan, const real* x, const real* w, real scale,
                             const real* bias, Activation activation, real* y, Arena& scratch) {
  Blocks blocks(plan, scratch);
  const Range all{0, plan.shape.channels};
  const Frequencies<real> u = blocks.rows(blocks.tiles, blocks.inner);
  const Frequencies<real> vs =
      blocks.own(blocks.panels_layout(block_channels, blocks.filters.grain));
  const Frequencies<real> ms = blocks.own(blocks.rows_layout(blocks.tiles, blocks.filters.grain));
  blocks.transform(plan.shape.batch, [&](WinogradTransforms& transforms, Index image) {
    transforms.input(x, {image * plan.windows(), (image + 1) * plan.windows()}, 0, all, u);
  });
  blocks.transform(blocks.filters.count(), [&](WinogradTransforms& transforms, Index block) {
    const Frequencies<real> v = Blocks::mine(vs), m = Blocks::mine(ms);
    const Range filters = blocks.some(blocks.filters, block);
    for (Index phase = 0; phase < plan.phases; ++phase)
      for (Index i = 0; i < blocks.channels.count(); ++i) {
        const Range channels = blocks.some(blocks.channels, i);
        transforms.weights(w, phase, channels, filters, 0, v);
        WinogradProduct product =
            winograd_product(blocks.tiles, filters.size(), channels.size(),
                             u.from(0, phase * plan.shape.channels + channels.begin), v, m);
        product.accumulate = phase > 0 || i > 0;
        blocks.multiply(product, phase);
      }
    transforms.output(readable(m), {0, blocks.tiles}, filters, scale, bias, activation, y);
  });
}

void winograd_grad_input_blocks(const WinogradPlan& plan, const real* grad_y, const real* w,
                                real scale, real* grad_x, bool accumulate, Arena& scratch) {
  Blocks blocks(plan, scratch);
  const Frequencies<real> m = blocks.rows(blocks.tiles, plan.shape.filters);
  const Frequencies<real> vs =
      blocks.own(blocks.panels_layout(blocks.filters.grain, block_channels));
  const Frequencies<real> us = blocks.own(blocks.rows_layout(blocks.tiles, block_channels));
  const bool replace = !accumulate && plan.every_pixel_once();
  blocks.transform(plan.shape.batch, [&](WinogradTransforms& transforms, Index image) {
    transforms.grad_output(grad_y, image, m);
    if (!accumulate && !replace)
      std::fill_n(grad_x + image * plan.image_elements(), plan.image_elements(), real(0));
  });
  const Index pieces = blocks.channels.count();
  // Phases see different pixels.
  blocks.transform(plan.phases * pieces, [&](WinogradTransforms& transforms, Index block) {
    const Frequencies<real> v = Blocks::mine(vs), u = Blocks::mine(us);
    const Index phase = block / pieces;
    const Range channels = blocks.some(blocks.channels, block % pieces);
    for (Index i = 0; i < blocks.filters.count(); ++i) {
      const Range filters = blocks.some(blocks.filters, i);
      for (Index n = filters.begin; n < filters.end; n += transpose_depth)
        transforms.transposed_weights(w, phase, channels,
                                      {n, std::min(filters.end, n + transpose_depth)},
                                      n - filters.begin, 0, v);
      WinogradProduct product = winograd_product(blocks.tiles, channels.size(), filters.size(),
                                                 m.from(0, filters.begin), v, u);
      product.accumulate = i > 0;
      blocks.multiply(product, phase);
    }
    transforms.grad_input(readable(u), {0, plan.shape.batch}, 0, {phase, phase + 1}, channels,
                          scale, !replace, grad_x);
  });
}

void winograd_grad_weight_blocks(const WinogradPlan& plan, const real* x, const real* grad_y,
                                 real scale, real* grad_w, bool accumulate, Arena& scratch) {
  Blocks blocks(plan, scratch);
  const Range all{0, plan.shape.channels};
  const Frequencies<real> m = blocks.panels(blocks.tiles, plan.shape.filters);
  const Frequencies<real> u = blocks.rows(blocks.tiles, blocks.inner);
  const Frequencies<real> vs = blocks.own(blocks.rows_layout(block_channels, blocks.filters.grain));
  blocks.transform(plan.shape.batch, [&](WinogradTransforms& transforms, Index image) {
    transforms.grad_output(grad_y, image, m);
    transforms.input(x, {image * plan.windows(), (image + 1) * plan.windows()}, 0, all, u);
  });
  const Index across = blocks.filters.count(), pieces = blocks.channels.count();
  blocks.transform(plan.phases * pieces * across, [&](WinogradTransforms& transforms, Index block) {
    const Frequencies<real> v = Blocks::mine(vs);
    const Index phase = block / across / pieces;
    const Range channels = blocks.some(blocks.channels, block / across % pieces);
    const Range filters = blocks.some(blocks.filters, block % across);
    blocks.multiply(
        winograd_product_transposed(channels.size(), filters.size(), blocks.tiles,
                                    u.from(0, phase * plan.shape.channels + channels.begin),
                                    m.from(0, filters.begin), v),
        phase);
    transforms.grad_weights(readable(v), phase, channels, filters, 0, scale, accumulate, grad_w);
  });
}

} // namespace mereo

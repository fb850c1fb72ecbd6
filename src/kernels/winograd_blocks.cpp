// A block of the weights is some channels of one phase and some filters. A thread transforms it
// into its second-level cache, multiplies it there for all frequencies, and forgets it; or
// multiplies into it and transforms back. Images are transformed once, and read again for every
// block: there are few.
#include "kernels/winograd_blocks.h"

#include "core/parallel.h"
#include "kernels/winograd_product.h"
#include "kernels/winograd_transforms.h"

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

class Blocks {
public:
  Blocks(const WinogradPlan& plan, Arena& scratch)
      : plan(plan), kernels(mereo::kernels()),
        rows(plan.shape.batch * plan.tiles), channels{plan.shape.channels, block_channels},
        filters{plan.shape.filters, block_filters(plan)}, inner(plan.phases * plan.shape.channels),
        scope_(scratch), arena_(scratch), transforms_(array(plan.transform_scratch() * threads())) {
  }

  real* array(Index elements) { return arena_.allocate_array<real>(std::size_t(elements)); }

  FrequencyLayout in_rows(Index rows, Index columns) const {
    return FrequencyLayout::rows(plan.frequencies, rows, columns);
  }
  FrequencyLayout in_panels(Index rows, Index columns) const {
    return FrequencyLayout::panels(plan.frequencies, rows, columns, kernels.gemm.tile_columns);
  }
  Frequencies<real> shared(const FrequencyLayout& layout) {
    return {array(layout.elements), layout};
  }
  /// One for every thread, which it has in its cache.
  Frequencies<real> own(FrequencyLayout layout) {
    layout.large = false;
    return {array(layout.elements * threads()), layout};
  }
  static Frequencies<real> mine(const Frequencies<real>& f) {
    return {f.data + thread_index() * f.layout.elements, f.layout};
  }

  Range some(const Chunks& chunks, Index i) const { return {chunks.begin(i), chunks.end(i)}; }

  /// body(transforms, i) for i in [0, count) on all threads.
  template <class Body> void each(Index count, const Body& body) const {
    parallel_for(count, [&](Index i) {
      WinogradTransforms transforms(plan, kernels,
                                    transforms_ + thread_index() * plan.transform_scratch());
      body(transforms, i);
    });
  }

  /// The product of all frequencies of a phase, given the first and the distances to the next.
  void multiply(WinogradProduct product, Index phase, Index a, Index b, Index c) const {
    const Index across = plan.horizontal.of(phase % plan.horizontal.phases).size;
    const Index count = plan.vertical.of(phase / plan.horizontal.phases).size * across;
    const auto frequency = [&](Index i) {
      return i / across * plan.horizontal.matrices.size + i % across;
    };
    for (Index i = 0; i < count; ++i) {
      WinogradProduct some = product;
      some.a += frequency(i) * a;
      some.b += frequency(i) * b;
      some.c += frequency(i) * c;
      some.next_a = product.a + frequency(std::min(i + 1, count - 1)) * a;
      mereo::multiply(kernels.gemm, some, {0, product.rows});
    }
  }

  const WinogradPlan& plan;
  const Kernels& kernels;
  const Index rows; // tiles of all images
  const Chunks channels, filters;
  const Index inner; // channels of all phases

private:
  ArenaScope scope_;
  Arena& arena_;
  real* transforms_;
};

Frequencies<const real> readable(const Frequencies<real>& f) {
  return {f.data, f.layout};
}

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
  const Frequencies<real> u = blocks.shared(blocks.in_rows(blocks.rows, blocks.inner));
  const Frequencies<real> vs = blocks.own(blocks.in_panels(block_channels, blocks.filters.grain));
  const Frequencies<real> ms = blocks.own(blocks.in_rows(blocks.rows, blocks.filters.grain));
  blocks.each(plan.shape.batch, [&](WinogradTransforms& transforms, Index image) {
    transforms.input(x, {image * plan.windows(), (image + 1) * plan.windows()}, 0, all, u);
  });
  blocks.each(blocks.filters.count(), [&](WinogradTransforms& transforms, Index block) {
    const Frequencies<real> v = Blocks::mine(vs), m = Blocks::mine(ms);
    const Range filters = blocks.some(blocks.filters, block);
    WinogradProduct product{};
    product.rows = blocks.rows;
    product.columns = filters.size();
    product.a_row = u.layout.stride;
    product.a_depth = 1;
    product.b = v.data;
    product.b_panel = v.layout.panel;
    product.c = m.data;
    product.c_row = m.layout.stride;
    for (Index phase = 0; phase < plan.phases; ++phase)
      for (Index i = 0; i < blocks.channels.count(); ++i) {
        const Range channels = blocks.some(blocks.channels, i);
        transforms.weights(w, phase, channels, filters, 0, v);
        product.depth = channels.size();
        product.a = u.data + u.layout.at(0, phase * plan.shape.channels + channels.begin);
        blocks.multiply(product, phase, u.layout.frequency, v.layout.frequency, m.layout.frequency);
        product.accumulate = true;
      }
    transforms.output(readable(m), {0, blocks.rows}, filters, scale, bias, activation, y);
  });
}

void winograd_grad_input_blocks(const WinogradPlan& plan, const real* grad_y, const real* w,
                                real scale, real* grad_x, bool accumulate, Arena& scratch) {
  Blocks blocks(plan, scratch);
  const Frequencies<real> m = blocks.shared(blocks.in_rows(blocks.rows, plan.shape.filters));
  const Frequencies<real> vs = blocks.own(blocks.in_panels(blocks.filters.grain, block_channels));
  const Frequencies<real> us = blocks.own(blocks.in_rows(blocks.rows, block_channels));
  const bool replace = !accumulate && plan.every_pixel_once();
  blocks.each(plan.shape.batch, [&](WinogradTransforms& transforms, Index image) {
    transforms.grad_output(grad_y, image, m);
    if (!accumulate && !replace)
      std::fill_n(grad_x + image * plan.image_elements(), plan.image_elements(), real(0));
  });
  const Index pieces = blocks.channels.count();
  // Phases see different pixels.
  blocks.each(plan.phases * pieces, [&](WinogradTransforms& transforms, Index block) {
    const Frequencies<real> v = Blocks::mine(vs), u = Blocks::mine(us);
    const Index phase = block / pieces;
    const Range channels = blocks.some(blocks.channels, block % pieces);
    WinogradProduct product{};
    product.rows = blocks.rows;
    product.columns = channels.size();
    product.a_row = m.layout.stride;
    product.a_depth = 1;
    product.b = v.data;
    product.b_panel = v.layout.panel;
    product.c = u.data;
    product.c_row = u.layout.stride;
    for (Index i = 0; i < blocks.filters.count(); ++i) {
      const Range filters = blocks.some(blocks.filters, i);
      for (Index n = filters.begin; n < filters.end; n += transpose_depth)
        transforms.transposed_weights(w, phase, channels,
                                      {n, std::min(filters.end, n + transpose_depth)},
                                      n - filters.begin, 0, v);
      product.depth = filters.size();
      product.a = m.data + m.layout.at(0, filters.begin);
      blocks.multiply(product, phase, m.layout.frequency, v.layout.frequency, u.layout.frequency);
      product.accumulate = true;
    }
    transforms.grad_input(readable(u), {0, plan.shape.batch}, 0, {phase, phase + 1}, channels,
                          scale, !replace, grad_x);
  });
}

void winograd_grad_weight_blocks(const WinogradPlan& plan, const real* x, const real* grad_y,
                                 real scale, real* grad_w, bool accumulate, Arena& scratch) {
  Blocks blocks(plan, scratch);
  const Range all{0, plan.shape.channels};
  const Frequencies<real> m = blocks.shared(blocks.in_panels(blocks.rows, plan.shape.filters));
  const Frequencies<real> u = blocks.shared(blocks.in_rows(blocks.rows, blocks.inner));
  const Frequencies<real> vs = blocks.own(blocks.in_rows(block_channels, blocks.filters.grain));
  blocks.each(plan.shape.batch, [&](WinogradTransforms& transforms, Index image) {
    transforms.grad_output(grad_y, image, m);
    transforms.input(x, {image * plan.windows(), (image + 1) * plan.windows()}, 0, all, u);
  });
  const Index across = blocks.filters.count(), pieces = blocks.channels.count();
  blocks.each(plan.phases * pieces * across, [&](WinogradTransforms& transforms, Index block) {
    const Frequencies<real> v = Blocks::mine(vs);
    const Index phase = block / across / pieces;
    const Range channels = blocks.some(blocks.channels, block / across % pieces);
    const Range filters = blocks.some(blocks.filters, block % across);
    WinogradProduct product{};
    product.rows = channels.size();
    product.columns = filters.size();
    product.depth = blocks.rows;
    product.a = u.data + u.layout.at(0, phase * plan.shape.channels + channels.begin);
    product.a_row = 1;
    product.a_depth = u.layout.stride;
    product.b = m.data + m.layout.at(0, filters.begin);
    product.b_panel = m.layout.panel;
    product.c = v.data;
    product.c_row = v.layout.stride;
    blocks.multiply(product, phase, u.layout.frequency, m.layout.frequency, v.layout.frequency);
    transforms.grad_weights(readable(v), phase, channels, filters, 0, scale, accumulate, grad_w);
  });
}

} // namespace mereo

#include "kernels/winograd.h"

#include "core/parallel.h"
#include "kernels/winograd_transforms.h"

#include <algorithm>

namespace mereo {

namespace {

/// Inner elements of a product at a time: so many rows of a panel of the right factor stay in L1.
constexpr std::int64_t product_depth = 256;
/// Channels, or filters, of the weights that a task transforms.
constexpr std::int64_t weights_grain = 8;

std::int64_t ceiling(std::int64_t x, std::int64_t divisor) {
  return (x + divisor - 1) / divisor;
}

/// c (+)= a b for one frequency; a transposed lies as (depth, rows).
struct Product {
  std::int64_t rows, columns, depth;
  const real* a;
  std::int64_t a_row, a_depth;
  const real* b; // in panels of tile_columns
  std::int64_t b_panel;
  real* c;
  std::int64_t c_row;
  bool accumulate;
};

/// Panels [begin, end) of the result, in register tiles as equal as can be.
void multiply(const GemmKernels& kernels, const Product& product, Span panels) {
  const std::int64_t width = kernels.tile_columns;
  const std::int64_t parts = ceiling(product.rows, kernels.tile_rows);
  real* rows[max_tile_rows];
  GemmTile tile{};
  tile.row_stride = product.a_row;
  tile.depth_stride = product.a_depth;
  tile.b_stride = width;
  tile.c = rows;
  tile.scale = 1;
  tile.activation = Activation::none;
  for (std::int64_t d = 0; d < product.depth; d += product_depth)
    for (std::int64_t p = panels.begin; p < panels.end; ++p)
      for (std::int64_t part = 0; part < parts; ++part) {
        const Span range{part * product.rows / parts, (part + 1) * product.rows / parts};
        tile.depth = std::min(product_depth, product.depth - d);
        tile.a = product.a + range.begin * product.a_row + d * product.a_depth;
        tile.b = product.b + p * product.b_panel + d * width;
        tile.rows = range.size();
        tile.columns = std::min(width, product.columns - p * width);
        tile.accumulate = product.accumulate || d > 0;
        for (std::int64_t r = 0; r < tile.rows; ++r)
          rows[r] = product.c + (range.begin + r) * product.c_row + p * width;
        kernels.tile(tile);
      }
}

/// What the three passes share: the plan, the kernels, and scratch memory for every thread.
class Worker {
public:
  Worker(const ConvolutionShape& shape, std::int64_t outputs, Arena& scratch)
      : plan(shape, outputs), kernels(mereo::kernels()), scope_(scratch), arena_(scratch),
        memory_(array(plan.transform_scratch() * threads())) {}

  real* array(std::int64_t elements) { return arena_.allocate_array<real>(std::size_t(elements)); }

  /// Memory for the matrices of all frequencies.
  Frequencies<real> rows(std::int64_t rows, std::int64_t columns) {
    const FrequencyLayout layout = FrequencyLayout::rows(plan.frequencies, rows, columns);
    return {array(layout.elements), layout};
  }
  Frequencies<real> panels(std::int64_t rows, std::int64_t columns) {
    const FrequencyLayout layout =
        FrequencyLayout::panels(plan.frequencies, rows, columns, kernels.gemm.tile_columns);
    return {array(layout.elements), layout};
  }

  /// body(transforms, i) for i in [0, count) on all threads.
  template <class Body> void transform(std::int64_t count, const Body& body) const {
    parallel_for(count, [&](std::int64_t i) {
      WinogradTransforms transforms(plan, kernels,
                                    memory_ + thread_index() * plan.transform_scratch());
      body(transforms, i);
    });
  }

  /// body(transforms, phase, begin, end) for all phases and pieces of [0, size).
  template <class Body>
  void transform_weights(std::int64_t size, std::int64_t grain, const Body& body) const {
    const Chunks chunks{size, grain};
    transform(plan.phases * chunks.count(), [&](WinogradTransforms& transforms, std::int64_t i) {
      const std::int64_t chunk = i / plan.phases;
      body(transforms, i % plan.phases, chunks.begin(chunk), chunks.end(chunk));
    });
  }

  /// c (+)= a b for all frequencies, given the product of the first.
  void multiply(const Product& first, std::int64_t a, std::int64_t b, std::int64_t c) const {
    const std::int64_t panels = ceiling(first.columns, kernels.gemm.tile_columns);
    const Chunks chunks{panels, std::max<std::int64_t>(1, ceiling(panels, 2))};
    parallel_for(plan.frequencies * chunks.count(), [&](std::int64_t i) {
      const std::int64_t frequency = i / chunks.count(), chunk = i % chunks.count();
      Product product = first;
      product.a += frequency * a;
      product.b += frequency * b;
      product.c += frequency * c;
      mereo::multiply(kernels.gemm, product, {chunks.begin(chunk), chunks.end(chunk)});
    });
  }

  const WinogradPlan plan;
  const Kernels& kernels;

private:
  ArenaScope scope_;
  Arena& arena_;
  real* memory_;
};

template <class T> Frequencies<const T> readable(const Frequencies<T>& f) {
  return {f.data, f.layout};
}

} // namespace

bool winograd_possible(const ConvolutionShape& shape) {
  return std::max(shape.kernel_height, shape.kernel_width) <= winograd_limit * shape.stride;
}

bool winograd_suits(const ConvolutionShape& shape, std::int64_t outputs) {
  if (!winograd_possible(shape))
    return false;
  const WinogradPlan plan(shape, outputs);
  const double inner = double(plan.phases * shape.channels);
  const double tiles = double(shape.batch * plan.tiles);
  const double direct = double(shape.batch * shape.out_height * shape.out_width) *
                        double(shape.kernel_height * shape.kernel_width * shape.channels) *
                        double(shape.filters);
  const double products = double(plan.frequencies) * tiles * inner * double(shape.filters);
  // Elements that are transformed, or written and read again, each at the price of so many
  // multiplications.
  constexpr double price = 40;
  const double moved = double(plan.frequencies) * (tiles * inner + inner * double(shape.filters) +
                                                   tiles * double(shape.filters));
  return products + price * moved < direct;
}

void winograd_forward(const ConvolutionShape& shape, std::int64_t outputs, const real* x,
                      const real* w, real scale, const real* bias, Activation activation, real* y,
                      Arena& scratch) {
  Worker worker(shape, outputs, scratch);
  const WinogradPlan& plan = worker.plan;
  const Chunks blocks{shape.channels, plan.channel_block};
  const std::int64_t inner = plan.phases * plan.channel_block;
  const Frequencies<real> v = worker.panels(inner, shape.filters);
  const Frequencies<real> u = worker.rows(plan.image_block * plan.tiles, inner);
  const Frequencies<real> m = worker.rows(shape.batch * plan.tiles, shape.filters);

  for (std::int64_t block = 0; block < blocks.count(); ++block) {
    const Span channels{blocks.begin(block), blocks.end(block)};
    worker.transform_weights(
        channels.size(), weights_grain,
        [&](WinogradTransforms& transforms, std::int64_t phase, std::int64_t begin,
            std::int64_t end) {
          transforms.weights(w, phase, channels, {channels.begin + begin, channels.begin + end}, v);
        });
    for (std::int64_t first = 0; first < shape.batch; first += plan.image_block) {
      const std::int64_t count = std::min(plan.image_block, shape.batch - first);
      worker.transform(count, [&](WinogradTransforms& transforms, std::int64_t i) {
        transforms.input(x, first + i, channels, i * plan.tiles, u);
      });
      Product product{};
      product.rows = count * plan.tiles;
      product.columns = shape.filters;
      product.depth = plan.phases * channels.size();
      product.a = u.data;
      product.a_row = u.layout.stride;
      product.a_depth = 1;
      product.b = v.data;
      product.b_panel = v.layout.panel;
      product.c = m.data + m.layout.at(first * plan.tiles, 0);
      product.c_row = m.layout.stride;
      product.accumulate = block > 0;
      worker.multiply(product, u.layout.frequency, v.layout.frequency, m.layout.frequency);
    }
  }
  worker.transform(shape.batch, [&](WinogradTransforms& transforms, std::int64_t image) {
    transforms.output(readable(m), image, scale, bias, activation, y);
  });
}

void winograd_grad_input(const ConvolutionShape& shape, std::int64_t outputs, const real* grad_y,
                         const real* w, real scale, real* grad_x, bool accumulate, Arena& scratch) {
  Worker worker(shape, outputs, scratch);
  const WinogradPlan& plan = worker.plan;
  const Chunks blocks{shape.channels, plan.channel_block};
  const std::int64_t inner = plan.phases * plan.channel_block;
  const Frequencies<real> m = worker.rows(shape.batch * plan.tiles, shape.filters);
  const Frequencies<real> v = worker.panels(shape.filters, inner);
  const Frequencies<real> u = worker.rows(plan.image_block * plan.tiles, inner);

  worker.transform(shape.batch, [&](WinogradTransforms& transforms, std::int64_t image) {
    transforms.grad_output(grad_y, image, m);
  });
  for (std::int64_t block = 0; block < blocks.count(); ++block) {
    const Span channels{blocks.begin(block), blocks.end(block)};
    worker.transform_weights(shape.filters, transpose_depth,
                             [&](WinogradTransforms& transforms, std::int64_t phase,
                                 std::int64_t begin, std::int64_t end) {
                               transforms.transposed_weights(w, phase, channels, {begin, end}, v);
                             });
    for (std::int64_t first = 0; first < shape.batch; first += plan.image_block) {
      const std::int64_t count = std::min(plan.image_block, shape.batch - first);
      Product product{};
      product.rows = count * plan.tiles;
      product.columns = plan.phases * channels.size();
      product.depth = shape.filters;
      product.a = m.data + m.layout.at(first * plan.tiles, 0);
      product.a_row = m.layout.stride;
      product.a_depth = 1;
      product.b = v.data;
      product.b_panel = v.layout.panel;
      product.c = u.data;
      product.c_row = u.layout.stride;
      worker.multiply(product, m.layout.frequency, v.layout.frequency, u.layout.frequency);
      worker.transform(count, [&](WinogradTransforms& transforms, std::int64_t i) {
        transforms.grad_input(readable(u), i * plan.tiles, first + i, channels, scale, accumulate,
                              grad_x);
      });
    }
  }
}

void winograd_grad_weight(const ConvolutionShape& shape, std::int64_t outputs, const real* x,
                          const real* grad_y, real scale, real* grad_w, bool accumulate,
                          Arena& scratch) {
  Worker worker(shape, outputs, scratch);
  const WinogradPlan& plan = worker.plan;
  const Chunks blocks{shape.channels, plan.channel_block};
  const std::int64_t inner = plan.phases * plan.channel_block;
  const Frequencies<real> m = worker.panels(shape.batch * plan.tiles, shape.filters);
  const Frequencies<real> u = worker.rows(plan.image_block * plan.tiles, inner);
  const Frequencies<real> v = worker.rows(inner, shape.filters);

  worker.transform(shape.batch, [&](WinogradTransforms& transforms, std::int64_t image) {
    transforms.grad_output(grad_y, image, m);
  });
  for (std::int64_t block = 0; block < blocks.count(); ++block) {
    const Span channels{blocks.begin(block), blocks.end(block)};
    for (std::int64_t first = 0; first < shape.batch; first += plan.image_block) {
      const std::int64_t count = std::min(plan.image_block, shape.batch - first);
      worker.transform(count, [&](WinogradTransforms& transforms, std::int64_t i) {
        transforms.input(x, first + i, channels, i * plan.tiles, u);
      });
      Product product{};
      product.rows = plan.phases * channels.size();
      product.columns = shape.filters;
      product.depth = count * plan.tiles;
      product.a = u.data;
      product.a_row = 1;
      product.a_depth = u.layout.stride;
      product.b = m.data + m.layout.at(first * plan.tiles, 0);
      product.b_panel = m.layout.panel;
      product.c = v.data;
      product.c_row = v.layout.stride;
      product.accumulate = first > 0;
      worker.multiply(product, u.layout.frequency, m.layout.frequency, v.layout.frequency);
    }
    worker.transform_weights(channels.size(), weights_grain,
                             [&](WinogradTransforms& transforms, std::int64_t phase,
                                 std::int64_t begin, std::int64_t end) {
                               transforms.grad_weights(
                                   readable(v), phase, channels,
                                   {channels.begin + begin, channels.begin + end}, scale,
                                   accumulate, grad_w);
                             });
  }
}

} // namespace mereo

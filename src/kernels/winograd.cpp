#include "kernels/winograd.h"

#include "kernels/winograd_blocks.h"
#include "kernels/winograd_product.h"
#include "kernels/winograd_weights.h"
#include "kernels/winograd_worker.h"

#include <algorithm>

namespace mereo {

namespace {

/// Images that a task transforms, one fetched ahead of the other; but less than an image where all
/// would be fewer tasks than this.
constexpr std::int64_t images_grain = 2, least_tasks = 16;
/// Channels, or filters, of the weights that a task transforms.
constexpr std::int64_t weights_grain = 8;

/// The three passes over blocks of channels and of images.
class Worker : public WinogradWorker {
public:
  using WinogradWorker::WinogradWorker;

  /// body(transforms, some) for pieces of a range.
  template <class Body>
  void transform_range(Range all, std::int64_t grain, const Body& body) const {
    const Chunks chunks{all.size(), grain};
    transform(chunks.count(), [&](WinogradTransforms& transforms, std::int64_t i) {
      body(transforms, Range{all.begin + chunks.begin(i), all.begin + chunks.end(i)});
    });
  }
  /// The same for images of `parts` parts each that are transformed independently: their numbers.
  template <class Body>
  void transform_parts(Range images, std::int64_t parts, const Body& body) const {
    const std::int64_t enough = ceiling(images.size() * parts, least_tasks);
    transform_range({images.begin * parts, images.end * parts},
                    std::min(images_grain * parts, enough), body);
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
};

/// What becomes of the sum: y = activation(scale * sum + bias).
struct Ending {
  real scale;
  const real* bias;
  Activation activation;
};

void transform_weights(const Worker& worker, const real* w, Range channels,
                       const Frequencies<real>& v) {
  const std::int64_t size = channels.size(), filters = worker.plan.shape.filters;
  worker.transform_weights(size, weights_grain,
                           [&](WinogradTransforms& transforms, std::int64_t phase,
                               std::int64_t begin, std::int64_t end) {
                             transforms.weights(w, phase,
                                                {channels.begin + begin, channels.begin + end},
                                                {0, filters}, phase * size + begin, v);
                           });
}

/// The forward pass; prepare(channels) sees to it that v holds the weights of these.
template <class Prepare>
void forward(Worker& worker, const real* x, const Frequencies<const real>& v, const Ending& ending,
             real* y, const Prepare& prepare) {
  const WinogradPlan& plan = worker.plan;
  const ConvolutionShape& shape = plan.shape;
  const Chunks blocks{shape.channels, plan.channel_block};
  const Frequencies<real> u =
      worker.rows(plan.image_block * plan.tiles, plan.phases * plan.channel_block);
  const Frequencies<real> m = worker.rows(shape.batch * plan.tiles, shape.filters);

  for (std::int64_t block = 0; block < blocks.count(); ++block) {
    const Range channels{blocks.begin(block), blocks.end(block)};
    prepare(channels);
    for (std::int64_t first = 0; first < shape.batch; first += plan.image_block) {
      const std::int64_t count = std::min(plan.image_block, shape.batch - first);
      worker.transform_parts({first, first + count}, plan.windows(),
                             [&](WinogradTransforms& transforms, Range some) {
                               transforms.input(x, some, first, channels, u);
                             });
      WinogradProduct product =
          winograd_product(count * plan.tiles, shape.filters, plan.phases * channels.size(), u, v,
                           m.from(first * plan.tiles, 0));
      product.accumulate = block > 0;
      multiply_frequencies(plan, product, PhasesAlong::depth);
    }
  }
  worker.transform_parts({0, shape.batch}, plan.tiles,
                         [&](WinogradTransforms& transforms, Range some) {
                           transforms.output(readable(m), some, {0, shape.filters}, ending.scale,
                                             ending.bias, ending.activation, y);
                         });
}

} // namespace

void winograd_forward(const ConvolutionShape& shape, const WinogradTiling& tiling, const real* x,
                      const real* w, real scale, const real* bias, Activation activation, real* y,
                      Arena& scratch) {
  const WinogradPlan plan(shape, tiling);
  if (winograd_few_tiles(plan, tiling))
    return winograd_forward_blocks(plan, x, w, scale, bias, activation, y, scratch);
  Worker worker(plan, scratch);
  const Frequencies<real> v = worker.panels(plan.phases * plan.channel_block, shape.filters);
  forward(worker, x, readable(v), {scale, bias, activation}, y,
          [&](Range channels) { transform_weights(worker, w, channels, v); });
}

void winograd_forward(const ConvolutionShape& shape, const WinogradWeights& weights, const real* x,
                      real scale, const real* bias, Activation activation, real* y,
                      Arena& scratch) {
  const WinogradPlan plan(shape, weights.tiling(), true);
  Worker worker(plan, scratch);
  forward(worker, x, weights.frequencies(), {scale, bias, activation}, y, [](Range) {});
}

WinogradWeights::WinogradWeights(const ConvolutionShape& shape, const WinogradTiling& tiling,
                                 const real* w)
    : shape_(shape), tiling_(tiling) {
  const WinogradPlan plan(shape, tiling, true);
  Arena scratch;
  const Worker worker(plan, scratch);
  layout_ = worker.panels_layout(plan.phases * shape.channels, shape.filters);
  memory_ = allocate_aligned(std::size_t(layout_.elements) * sizeof(real));
  transform_weights(worker, w, {0, shape.channels},
                    {reinterpret_cast<real*>(memory_.get()), layout_});
}

void winograd_grad_input(const ConvolutionShape& shape, const WinogradTiling& tiling,
                         const real* grad_y, const real* w, real scale, real* grad_x,
                         bool accumulate, Arena& scratch) {
  const WinogradPlan plan(shape, tiling);
  if (winograd_few_tiles(plan, tiling))
    return winograd_grad_input_blocks(plan, grad_y, w, scale, grad_x, accumulate, scratch);
  Worker worker(plan, scratch);
  const Chunks blocks{shape.channels, plan.channel_block};
  const std::int64_t inner = plan.phases * plan.channel_block;
  const Frequencies<real> m = worker.rows(shape.batch * plan.tiles, shape.filters);
  const Frequencies<real> v = worker.panels(shape.filters, inner);
  const Frequencies<real> u = worker.rows(plan.image_block * plan.tiles, inner);

  worker.transform(shape.batch, [&](WinogradTransforms& transforms, std::int64_t image) {
    transforms.grad_output(grad_y, image, m);
  });
  for (std::int64_t block = 0; block < blocks.count(); ++block) {
    const Range channels{blocks.begin(block), blocks.end(block)};
    worker.transform_weights(shape.filters, transpose_depth,
                             [&](WinogradTransforms& transforms, std::int64_t phase,
                                 std::int64_t begin, std::int64_t end) {
                               transforms.transposed_weights(w, phase, channels, {begin, end},
                                                             begin, phase * channels.size(), v);
                             });
    for (std::int64_t first = 0; first < shape.batch; first += plan.image_block) {
      const std::int64_t count = std::min(plan.image_block, shape.batch - first);
      multiply_frequencies(plan,
                           winograd_product(count * plan.tiles, plan.phases * channels.size(),
                                            shape.filters, m.from(first * plan.tiles, 0), v, u),
                           PhasesAlong::columns);
      worker.transform_range({first, first + count}, images_grain,
                             [&](WinogradTransforms& transforms, Range some) {
                               transforms.grad_input(readable(u), some, first, {0, plan.phases},
                                                     channels, scale, accumulate, grad_x);
                             });
    }
  }
}

void winograd_grad_weight(const ConvolutionShape& shape, const WinogradTiling& tiling,
                          const real* x, const real* grad_y, real scale, real* grad_w,
                          bool accumulate, Arena& scratch) {
  const WinogradPlan plan(shape, tiling);
  if (winograd_few_tiles(plan, tiling))
    return winograd_grad_weight_blocks(plan, x, grad_y, scale, grad_w, accumulate, scratch);
  Worker worker(plan, scratch);
  const Chunks blocks{shape.channels, plan.channel_block};
  const std::int64_t inner = plan.phases * plan.channel_block;
  const Frequencies<real> m = worker.panels(shape.batch * plan.tiles, shape.filters);
  const Frequencies<real> u = worker.rows(plan.image_block * plan.tiles, inner);
  const Frequencies<real> v = worker.rows(inner, shape.filters);

  worker.transform(shape.batch, [&](WinogradTransforms& transforms, std::int64_t image) {
    transforms.grad_output(grad_y, image, m);
  });
  for (std::int64_t block = 0; block < blocks.count(); ++block) {
    const Range channels{blocks.begin(block), blocks.end(block)};
    for (std::int64_t first = 0; first < shape.batch; first += plan.image_block) {
      const std::int64_t count = std::min(plan.image_block, shape.batch - first);
      worker.transform_parts({first, first + count}, plan.windows(),
                             [&](WinogradTransforms& transforms, Range some) {
                               transforms.input(x, some, first, channels, u);
                             });
      WinogradProduct product =
          winograd_product_transposed(plan.phases * channels.size(), shape.filters,
                                      count * plan.tiles, u, m.from(first * plan.tiles, 0), v);
      product.accumulate = first > 0;
      multiply_frequencies(plan, product, PhasesAlong::rows);
    }
    worker.transform_weights(
        channels.size(), weights_grain,
        [&](WinogradTransforms& transforms, std::int64_t phase, std::int64_t begin,
            std::int64_t end) {
          transforms.grad_weights(
              readable(v), phase, {channels.begin + begin, channels.begin + end},
              {0, shape.filters}, phase * channels.size() + begin, scale, accumulate, grad_w);
        });
  }
}

} // namespace mereo

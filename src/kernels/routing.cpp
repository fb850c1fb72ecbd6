#include "kernels/routing.h"

#include "core/parallel.h"

#include <algorithm>
#include <cmath>

namespace mereo {

namespace {

using Index = std::int64_t;

/// Weights of a range of children that a core's cache keeps while the image tiles pass.
constexpr Index range_elements = 128 * 1024;
constexpr Index least_range = 16;

/// How one call cuts its work: images into tiles, children into ranges. A range has its own partial
/// sums, so its borders depend on the shape only.
struct Cut {
  Cut(const RoutingShape& shape, Index batch)
      : kernel(kernels().routing), shape(shape), batch(batch), images(kernel.images),
        tiles((batch + images - 1) / images), poses(shape.parents * shape.parent_pose),
        size(poses * images), ranges(make_ranges(shape)) {}

  static Chunks make_ranges(const RoutingShape& shape) {
    const Index each = shape.parents * shape.parent_pose * shape.child_pose;
    const Index wanted = std::max(least_range, range_elements / std::max<Index>(each, 1));
    const Index count = std::max<Index>(1, (shape.children + wanted - 1) / wanted);
    return {shape.children, std::max<Index>(1, (shape.children + count - 1) / count)};
  }

  Index first_image(Index tile) const { return tile * images; }
  Index images_of(Index tile) const { return std::min(images, batch - tile * images); }

  const RoutingKernels& kernel;
  const RoutingShape& shape;
  const Index batch, images, tiles;
  const Index poses; // J E
  const Index size;  // of a tile of sums, outputs or their gradients: (J, E, images)
  const Chunks ranges;
};

/// One scratch buffer per thread.
class ThreadScratch {
public:
  ThreadScratch(Arena& arena, Index size)
      : size_((size + 15) / 16 * 16),
        memory_(arena.allocate_array<real>(std::size_t(threads() * size_))) {}
  real* get() const { return memory_ + thread_index() * size_; }

private:
  Index size_;
  real* memory_;
};

// ---- transposition ------------------------------------------------------------------------------

/// Columns that are moved at a time: a cache line of every row.
constexpr Index line = 16;

/// rows (count, columns), `stride` apart -> tile (columns, images), zero beyond count.
void to_tile(Index count, Index columns, const real* rows, Index stride, Index images, real* tile) {
  for (Index first = 0; first < columns; first += line) {
    const Index end = std::min(columns, first + line);
    for (Index b = 0; b < count; ++b)
      for (Index n = first; n < end; ++n)
        tile[n * images + b] = rows[b * stride + n];
    for (Index n = first; n < end && count < images; ++n)
      std::fill(tile + n * images + count, tile + (n + 1) * images, real(0));
  }
}

void from_tile(Index count, Index columns, const real* tile, Index images, real* rows, Index stride,
               bool accumulate) {
  for (Index first = 0; first < columns; first += line) {
    const Index end = std::min(columns, first + line);
    for (Index b = 0; b < count; ++b)
      for (Index n = first; n < end; ++n) {
        real& to = rows[b * stride + n];
        to = accumulate ? to + tile[n * images + b] : tile[n * images + b];
      }
  }
}

/// children (B, I, D) -> (tiles, I, D, images).
real* tile_children(const Cut& cut, const real* children, Arena& arena) {
  const Index columns = cut.shape.children * cut.shape.child_pose;
  real* tiles = arena.allocate_array<real>(std::size_t(cut.tiles * columns * cut.images));
  const Chunks chunks{columns, 4096};
  parallel_for(cut.tiles * chunks.count(), [&](Index task) {
    const Index tile = task / chunks.count(), chunk = task % chunks.count();
    const Index begin = chunks.begin(chunk);
    to_tile(cut.images_of(tile), chunks.end(chunk) - begin,
            children + cut.first_image(tile) * columns + begin, columns, cut.images,
            tiles + (tile * columns + begin) * cut.images);
  });
  return tiles;
}

// ---- sweeps over the children -------------------------------------------------------------------

/// partials (ranges, tiles, J, E, images): body(tile, begin, end, partial) adds what the children
/// of a range give. A thread takes several tiles of a range, whose weights it then has in its
/// cache.
template <class Body> void sweep(const Cut& cut, real* partials, const Body& body) {
  const Index together = std::clamp<Index>(cut.ranges.count() * cut.tiles / 16, 1, 8);
  const Chunks groups{cut.tiles, together};
  parallel_for(cut.ranges.count() * groups.count(), [&](Index task) {
    const Index range = task / groups.count(), group = task % groups.count();
    for (Index tile = groups.begin(group); tile < groups.end(group); ++tile) {
      real* partial = partials + (range * cut.tiles + tile) * cut.size;
      std::fill_n(partial, cut.size, real(0));
      body(tile, cut.ranges.begin(range), cut.ranges.end(range), partial);
    }
  });
}

/// The sum over all ranges, in order, left in the partial of the first.
const real* fold(const Cut& cut, real* partials, Index tile) {
  real* total = partials + tile * cut.size;
  for (Index range = 1; range < cut.ranges.count(); ++range)
    kernels().elementwise.scale(cut.size, 1, partials + (range * cut.tiles + tile) * cut.size,
                                total, true);
  return total;
}

real* allocate_partials(const Cut& cut, Arena& arena) {
  return arena.allocate_array<real>(std::size_t(cut.ranges.count() * cut.tiles * cut.size));
}

/// For inspection, not for speed: couplings (B, I, J) of the preference (B, J, E).
void find_couplings(const RoutingShape& shape, Index batch, const real* children,
                    const real* weights, const real* preference, real* couplings) {
  const Index poses = shape.parents * shape.parent_pose, depth = shape.child_pose;
  const auto agreement = [&](const real* u, const real* w, const real* v) {
    double total = 0;
    for (Index e = 0; e < shape.parent_pose; ++e)
      for (Index d = 0; d < depth; ++d)
        total += double(v[e]) * double(w[e * depth + d]) * double(u[d]);
    return total;
  };
  parallel_chunks(batch * shape.children, 64, [&](Index begin, Index end) {
    for (Index n = begin; n < end; ++n) {
      const real* w = weights + n % shape.children * poses * depth;
      const real* v = preference + n / shape.children * poses;
      real* c = couplings + n * shape.parents;
      for (Index j = 0; j < shape.parents; ++j)
        c[j] = real(agreement(children + n * depth, w + j * shape.parent_pose * depth,
                              v + j * shape.parent_pose));
      double largest = *std::max_element(c, c + shape.parents);
      largest = shape.none_of_the_above ? std::max(largest, 0.0) : largest;
      double total = shape.none_of_the_above ? std::exp(-largest) : 0;
      for (Index j = 0; j < shape.parents; ++j)
        total += std::exp(double(c[j]) - largest);
      for (Index j = 0; j < shape.parents; ++j)
        c[j] = real(std::exp(double(c[j]) - largest) / total);
    }
  });
}

} // namespace

void routing_forward(const RoutingShape& shape, const RoutingOptions& options, std::int64_t batch,
                     const real* children, const real* weights, const real* bias,
                     const RoutingState& state, real* parents, real* couplings, Arena& scratch) {
  const ArenaScope scope(scratch);
  const Cut cut(shape, batch);
  const ElementwiseKernels& elementwise = kernels().elementwise;
  const Index columns = shape.children * shape.child_pose, poses = cut.poses;
  const ThreadScratch memory(scratch, cut.kernel.scratch(shape, options.iterations));
  const real* tiles = tile_children(cut, children, scratch);
  real* partials = allocate_partials(cut, scratch);
  real* preference_rows = scratch.allocate_array<real>(std::size_t(batch * poses));
  real* preference = scratch.allocate_array<real>(std::size_t(cut.tiles * cut.size));
  std::fill_n(preference_rows, batch * poses, real(0));

  for (int t = 0; t < options.iterations; ++t) {
    sweep(cut, partials, [&](Index tile, Index begin, Index end, real* partial) {
      cut.kernel.forward(shape, begin, end, tiles + tile * columns * cut.images, weights,
                         t > 0 ? preference + tile * cut.size : nullptr, partial, memory.get());
    });
    parallel_for(cut.tiles, [&](Index tile) {
      const Index count = cut.images_of(tile), first = cut.first_image(tile) * poses;
      real* sums = state.sums + t * batch * poses + first;
      real* outputs = state.outputs + t * batch * poses + first;
      from_tile(count, poses, fold(cut, partials, tile), cut.images, sums, poses, false);
      for (Index b = 0; b < count && bias; ++b)
        elementwise.add(poses, sums + b * poses, bias, sums + b * poses);
      elementwise.squash(count * shape.parents, shape.parent_pose, sums, outputs);
      if (t + 1 == options.iterations) {
        std::copy_n(outputs, count * poses, parents + first);
        return;
      }
      real* rows = preference_rows + first;
      elementwise.add(count * poses, rows, outputs, rows);
      to_tile(count, poses, rows, poses, cut.images, preference + tile * cut.size);
    });
  }
  if (couplings)
    find_couplings(shape, batch, children, weights, preference_rows, couplings);
}

namespace {

/// The backward pass of the sums: gs^t of every iteration that the gradient sees.
struct SumGradients {
  Index iterations;  // how many: r, or 1 when the couplings are constants
  real* rows;        // (iterations, B, J, E)
  real* tiles;       // (iterations, tiles, J, E, images)
  real* preferences; // V^(t-1) as (iterations, tiles, J, E, images), unused where it is zero
};

/// V^(t-1) for t = first + 1 ... first + iterations, in tiles.
void form_preferences(const Cut& cut, const RoutingState& state, Index first,
                      const SumGradients& out, Arena& arena) {
  const ArenaScope scope(arena);
  const Index poses = cut.poses;
  real* rows = arena.allocate_array<real>(std::size_t(cut.batch * poses));
  parallel_for(cut.tiles, [&](Index tile) {
    const Index count = cut.images_of(tile), at = cut.first_image(tile) * poses;
    std::fill_n(rows + at, count * poses, real(0));
    for (Index t = 1; t < first + out.iterations; ++t) {
      kernels().elementwise.add(count * poses, rows + at,
                                state.outputs + (t - 1) * cut.batch * poses + at, rows + at);
      if (t >= first)
        to_tile(count, poses, rows + at, poses, cut.images,
                out.preferences + ((t - first) * cut.tiles + tile) * cut.size);
    }
  });
}

/// Walks the iterations backwards. gv^t, the gradient of an output, is grad_parents for the last
/// and the sum of the gradients of all later preferences for the others.
void form_sum_gradients(const Cut& cut, const real* children_tiles, const real* weights,
                        const RoutingState& state, Index first, const real* grad_parents,
                        const SumGradients& out, const ThreadScratch& memory, Arena& arena) {
  const ArenaScope scope(arena);
  const Index poses = cut.poses, columns = cut.shape.children * cut.shape.child_pose;
  real* grad_preference = arena.allocate_array<real>(std::size_t(cut.batch * poses));
  real* partials = allocate_partials(cut, arena);
  std::fill_n(grad_preference, cut.batch * poses, real(0));
  for (Index t = out.iterations - 1; t >= 0; --t) {
    const bool last = t + 1 == out.iterations;
    parallel_for(cut.tiles, [&](Index tile) {
      const Index count = cut.images_of(tile), at = cut.first_image(tile) * poses;
      if (!last)
        from_tile(count, poses, fold(cut, partials, tile), cut.images, grad_preference + at, poses,
                  true);
      real* rows = out.rows + t * cut.batch * poses + at;
      kernels().elementwise.squash_backward(count * cut.shape.parents, cut.shape.parent_pose,
                                            state.sums + (first + t) * cut.batch * poses + at,
                                            last ? grad_parents + at : grad_preference + at, rows,
                                            false);
      to_tile(count, poses, rows, poses, cut.images, out.tiles + (t * cut.tiles + tile) * cut.size);
    });
    if (t == 0)
      return;
    sweep(cut, partials, [&](Index tile, Index begin, Index end, real* partial) {
      const Index at = (t * cut.tiles + tile) * cut.size;
      cut.kernel.backward(cut.shape, begin, end, children_tiles + tile * columns * cut.images,
                          weights, out.preferences + at, out.tiles + at, partial, memory.get());
    });
  }
}

/// One task per block of children, which owns their gradients.
void form_gradients(const Cut& cut, const RoutingHistory& history, const real* children_tiles,
                    const real* weights, const RoutingGradients& gradients,
                    const ThreadScratch& memory, Arena& arena) {
  const ArenaScope scope(arena);
  const Index depth = cut.shape.child_pose, columns = cut.shape.children * depth;
  const Index weights_size = cut.poses * depth;
  const Index grad_stride = cut.kernel.block * depth * cut.images;
  const ThreadScratch grad_tiles(arena, gradients.children ? cut.tiles * grad_stride : 0);
  parallel_chunks(cut.shape.children, cut.kernel.block, [&](Index begin, Index end) {
    real* grad_weights = gradients.weights ? gradients.weights + begin * weights_size : nullptr;
    if (grad_weights && !gradients.accumulate_weights)
      std::fill_n(grad_weights, (end - begin) * weights_size, real(0));
    real* grad_children = gradients.children ? grad_tiles.get() : nullptr;
    cut.kernel.gradients(cut.shape, end - begin, cut.tiles,
                         children_tiles + begin * depth * cut.images, columns * cut.images,
                         weights + begin * weights_size, history, grad_children, grad_stride,
                         grad_weights, memory.get());
    for (Index tile = 0; tile < cut.tiles && grad_children; ++tile)
      from_tile(cut.images_of(tile), (end - begin) * depth, grad_children + tile * grad_stride,
                cut.images, gradients.children + cut.first_image(tile) * columns + begin * depth,
                columns, gradients.accumulate_children);
  });
}

} // namespace

void routing_backward(const RoutingShape& shape, const RoutingOptions& options, std::int64_t batch,
                      const real* children, const real* weights, const RoutingState& state,
                      const real* grad_parents, const RoutingGradients& gradients, Arena& scratch) {
  const ArenaScope scope(scratch);
  const Cut cut(shape, batch);
  const Index iterations = options.stop_inner_gradient ? 1 : options.iterations;
  const Index first = options.iterations - iterations;
  const ThreadScratch memory(scratch, cut.kernel.scratch(shape, iterations));
  const real* tiles = tile_children(cut, children, scratch);
  const auto allocate = [&](Index count) {
    return scratch.allocate_array<real>(std::size_t(iterations * count));
  };
  const SumGradients sums{iterations, allocate(batch * cut.poses), allocate(cut.tiles * cut.size),
                          allocate(cut.tiles * cut.size)};
  form_preferences(cut, state, first, sums, scratch);
  form_sum_gradients(cut, tiles, weights, state, first, grad_parents, sums, memory, scratch);
  if (gradients.bias)
    kernels().elementwise.column_sums(iterations * batch, cut.poses, sums.rows, gradients.bias,
                                      gradients.accumulate_bias);
  if (!gradients.children && !gradients.weights)
    return;
  const RoutingHistory history = {iterations, sums.preferences, sums.tiles, first == 0,
                                  options.stop_inner_gradient};
  form_gradients(cut, history, tiles, weights, gradients, memory, scratch);
}

} // namespace mereo

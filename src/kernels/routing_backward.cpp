// The backward pass of dynamic routing. With V^t the sum of the outputs up to iteration t, the
// logits are b^t_ij = <V^t_j, u_hat_ij>. From gv^r = grad_parents, for t = r ... 1:
//
//   gs^t = squash'(s^t) gv^t
//   q_ij = <gs^t_j, u_hat_ij>;  p_ij = c^t_ij (q_ij - sum_k c^t_ik q_ik)
//   gV^(t-1)_j = sum_i p_ij u_hat_ij      a sweep over the children; V^0 = 0 needs none
//   gv^tau += gV^(t-1) for all tau < t
//
// and then, in one sweep more, g_u_hat_ij = sum_t c^t_ij gs^t_j + p^t_ij V^(t-1)_j, and from it the
// gradients of children and weights. Every sweep forms the votes again.
#include "kernels/routing.h"
#include "kernels/routing_cut.h"

namespace mereo {

namespace {

using Index = std::int64_t;

/// The backward pass of the sums: gs^t of every iteration that the gradient sees.
struct SumGradients {
  Index iterations;  // how many: r, or 1 when the couplings are constants
  real* rows;        // (iterations, B, J, E)
  real* tiles;       // (iterations, tiles, J, E, images)
  real* preferences; // V^(t-1) as (iterations, tiles, J, E, images), unused where it is zero
};

/// V^(t-1) for t = first + 1 ... first + iterations, in tiles.
void form_preferences(const RoutingCut& cut, const RoutingState& state, Index first,
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
void form_sum_gradients(const RoutingCut& cut, const real* children_tiles, const real* weights,
                        const RoutingState& state, Index first, const real* grad_parents,
                        const SumGradients& out, const ThreadScratch& memory, Arena& arena) {
  const ArenaScope scope(arena);
  const Index poses = cut.poses;
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
      cut.kernel.backward(cut.shape, begin, end, children_tiles + tile * cut.columns * cut.images,
                          weights, out.preferences + at, out.tiles + at, partial, memory.get());
    });
  }
}

/// One task per block of children, which owns their gradients.
void form_gradients(const RoutingCut& cut, const RoutingHistory& history,
                    const real* children_tiles, const real* weights,
                    const RoutingGradients& gradients, const ThreadScratch& memory, Arena& arena) {
  const ArenaScope scope(arena);
  const Index depth = cut.shape.child_pose, columns = cut.columns;
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
  const RoutingCut cut(shape, batch);
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

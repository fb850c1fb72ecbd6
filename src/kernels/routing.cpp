#include "kernels/routing.h"

#include "kernels/routing_cut.h"
#include "kernels/routing_few.h"

#include <cmath>

namespace mereo {

namespace {

using Index = std::int64_t;

/// Couplings (B, I, J) of the preference (B, J, E).
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

/// For inspection, not for speed: those of each iteration (iterations, B, I, J). preference is
/// overwritten.
void find_all_couplings(const RoutingShape& shape, int iterations, Index batch,
                        const real* children, const real* weights, const RoutingState& state,
                        real* preference, real* couplings) {
  const Index size = batch * shape.parents * shape.parent_pose;
  std::fill_n(preference, size, real(0));
  for (int t = 0; t < iterations; ++t) {
    find_couplings(shape, batch, children, weights, preference,
                   couplings + t * batch * shape.children * shape.parents);
    for (Index n = 0; n < size; ++n)
      preference[n] += state.outputs[t * size + n];
  }
}

/// With images as lanes.
void forward_many(const RoutingShape& shape, const RoutingOptions& options, Index batch,
                  const real* children, const real* weights, const real* bias,
                  const RoutingState& state, real* preference, Arena& scratch) {
  const RoutingCut cut(shape, batch);
  const Index poses = cut.poses;
  const ThreadScratch memory(scratch, cut.kernel.scratch(shape, options.iterations));
  const real* tiles = tile_children(cut, children, scratch);
  real* partials = allocate_partials(cut, scratch);
  real* preferences = scratch.allocate_array<real>(std::size_t(cut.tiles * cut.size));

  for (int t = 0; t < options.iterations; ++t) {
    sweep(cut, partials, [&](Index tile, Index begin, Index end, real* partial) {
      cut.kernel.forward(shape, begin, end, tiles + tile * cut.columns * cut.images, weights,
                         t > 0 ? preferences + tile * cut.size : nullptr, partial, memory.get());
    });
    parallel_for(cut.tiles, [&](Index tile) {
      const Index count = cut.images_of(tile), first = cut.first_image(tile) * poses;
      real* sums = state.sums + t * batch * poses + first;
      real* rows = t + 1 < options.iterations ? preference + first : nullptr;
      from_tile(count, poses, fold(cut, partials, tile), cut.images, sums, poses, false);
      end_iteration(shape, count, bias, sums, state.outputs + t * batch * poses + first, rows);
      if (rows)
        to_tile(count, poses, rows, poses, cut.images, preferences + tile * cut.size);
    });
  }
}

} // namespace

void routing_forward(const RoutingShape& shape, const RoutingOptions& options, std::int64_t batch,
                     const real* children, const real* weights, const real* bias,
                     const RoutingState& state, real* parents, real* couplings, Arena& scratch) {
  const ArenaScope scope(scratch);
  const Index size = batch * shape.parents * shape.parent_pose;
  real* preference = scratch.allocate_array<real>(std::size_t(size));
  std::fill_n(preference, size, real(0));
  const auto forward = routing_few(shape, batch) ? routing_forward_few : forward_many;
  forward(shape, options, batch, children, weights, bias, state, preference, scratch);
  std::copy_n(state.outputs + (options.iterations - 1) * size, size, parents);
  if (couplings)
    find_all_couplings(shape, options.iterations, batch, children, weights, state, preference,
                       couplings);
}

} // namespace mereo

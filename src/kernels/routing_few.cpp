// The forward pass for few images. Its lanes are children: their weights are transposed once, the
// votes of all children are formed and kept, and the iterations run over the votes.
#include "kernels/routing_few.h"

#include "kernels/routing_cut.h"

namespace mereo {

namespace {

using Index = std::int64_t;

/// Registers of children whose sums are one partial sum.
constexpr Index groups_at_once = 6;

/// votes (B, groups, J, E, lanes).
void form_votes(const RoutingCut& cut, Index groups, const real* children, const real* weights,
                real* votes, Arena& arena) {
  const ArenaScope scope(arena);
  const RoutingShape& shape = cut.shape;
  const Index lanes = cut.images, depth = shape.child_pose, block = shape.parent_pose * depth;
  const ThreadScratch memory(arena, (block + cut.batch * depth) * lanes);
  parallel_for(groups, [&](Index group) {
    const Index first = group * lanes, count = std::min(lanes, shape.children - first);
    real* w = memory.get();
    real* u = w + block * lanes;
    for (Index b = 0; b < cut.batch; ++b)
      to_tile(count, depth, children + b * cut.columns + first * depth, depth, lanes,
              u + b * depth * lanes);
    for (Index j = 0; j < shape.parents; ++j) {
      to_tile(count, block, weights + (first * shape.parents + j) * block, shape.parents * block,
              lanes, w);
      for (Index b = 0; b < cut.batch; ++b)
        cut.kernel.votes(shape, u + b * depth * lanes, w,
                         votes + (b * groups + group) * cut.size + j * shape.parent_pose * lanes);
    }
  });
}

} // namespace

bool routing_few(const RoutingShape& shape, Index batch) {
  constexpr double most_votes = 4e6; // 16 MB
  const double votes =
      double(batch) * double(shape.children) * double(shape.parents) * double(shape.parent_pose);
  return batch <= (kernels().routing.images + 1) / 2 && votes <= most_votes;
}

void routing_forward_few(const RoutingShape& shape, const RoutingOptions& options, Index batch,
                         const real* children, const real* weights, const real* bias,
                         const RoutingState& state, real* preference, Arena& scratch) {
  const RoutingCut cut(shape, batch);
  const Index poses = cut.poses, groups = ceiling(shape.children, cut.images);
  const Chunks ranges{groups, groups_at_once};
  const ThreadScratch memory(scratch, cut.kernel.scratch(shape, options.iterations));
  real* votes = scratch.allocate_array<real>(std::size_t(batch * groups * cut.size));
  real* partials = scratch.allocate_array<real>(std::size_t(batch * ranges.count() * poses));
  form_votes(cut, groups, children, weights, votes, scratch);

  for (int t = 0; t < options.iterations; ++t) {
    std::fill_n(partials, batch * ranges.count() * poses, real(0));
    parallel_for(batch * ranges.count(), [&](Index task) {
      const Index b = task / ranges.count(), range = task % ranges.count();
      cut.kernel.forward_votes(shape, ranges.end(range) - ranges.begin(range),
                               votes + (b * groups + ranges.begin(range)) * cut.size,
                               t > 0 ? preference + b * poses : nullptr, partials + task * poses,
                               memory.get());
    });
    for (Index b = 0; b < batch; ++b) {
      real* sums = state.sums + (t * batch + b) * poses;
      kernels().elementwise.column_sums(ranges.count(), poses,
                                        partials + b * ranges.count() * poses, sums, false);
      end_iteration(shape, 1, bias, sums, state.outputs + (t * batch + b) * poses,
                    t + 1 < options.iterations ? preference + b * poses : nullptr);
    }
  }
}

} // namespace mereo

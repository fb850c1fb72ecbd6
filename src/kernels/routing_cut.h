// How one call of dynamic routing is cut into tiles of images and ranges of children.
#pragma once

#include "core/parallel.h"
#include "kernels/table.h"
#include "kernels/thread_scratch.h"

#include <algorithm>

namespace mereo {

/// Images go into tiles, the lanes of the kernels, and children into ranges. A range has its own
/// partial sums, so its borders depend on the shape only: neither threads nor the batch change a
/// bit.
struct RoutingCut {
  RoutingCut(const RoutingShape& shape, std::int64_t batch);

  std::int64_t first_image(std::int64_t tile) const { return tile * images; }
  std::int64_t images_of(std::int64_t tile) const {
    return std::min(images, batch - tile * images);
  }

  const RoutingKernels& kernel;
  const RoutingShape& shape;
  const std::int64_t batch, images, tiles;
  const std::int64_t poses;   // J E
  const std::int64_t columns; // I D
  const std::int64_t size;    // of a tile of sums, outputs or their gradients: (J, E, images)
  const Chunks ranges;
};

/// rows (count, columns), `stride` apart -> tile (columns, images), zero beyond count.
void to_tile(std::int64_t count, std::int64_t columns, const real* rows, std::int64_t stride,
             std::int64_t images, real* tile);
/// The way back, replacing the rows or adding to them.
void from_tile(std::int64_t count, std::int64_t columns, const real* tile, std::int64_t images,
               real* rows, std::int64_t stride, bool accumulate);
/// children (B, I, D) -> (tiles, I, D, images).
real* tile_children(const RoutingCut& cut, const real* children, Arena& arena);

/// Memory for sweep, (ranges, tiles, J, E, images).
real* allocate_partials(const RoutingCut& cut, Arena& arena);
/// body(tile, begin, end, partial) adds what the children of a range give. A thread takes several
/// tiles of a range, whose weights it then has in its cache.
template <class Body> void sweep(const RoutingCut& cut, real* partials, const Body& body) {
  const std::int64_t together = std::clamp<std::int64_t>(cut.ranges.count() * cut.tiles / 16, 1, 8);
  const Chunks groups{cut.tiles, together};
  parallel_for(cut.ranges.count() * groups.count(), [&](std::int64_t task) {
    const std::int64_t range = task / groups.count(), group = task % groups.count();
    for (std::int64_t tile = groups.begin(group); tile < groups.end(group); ++tile) {
      real* partial = partials + (range * cut.tiles + tile) * cut.size;
      std::fill_n(partial, cut.size, real(0));
      body(tile, cut.ranges.begin(range), cut.ranges.end(range), partial);
    }
  });
}
/// The end of an iteration for some images: adds bias (J, E), where not null, to their sums (count,
/// J, E), squashes them to outputs, and adds these to preference, where not null.
void end_iteration(const RoutingShape& shape, std::int64_t count, const real* bias, real* sums,
                   real* outputs, real* preference);
/// The sum over all ranges, in order, left in the partial of the first.
const real* fold(const RoutingCut& cut, real* partials, std::int64_t tile);

} // namespace mereo

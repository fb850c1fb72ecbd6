#include "kernels/routing_cut.h"

namespace mereo {

namespace {

using Index = std::int64_t;

/// Weights of a range of children that a core's cache keeps while the image tiles pass.
constexpr Index range_elements = 128 * 1024;
constexpr Index least_range = 16;

/// The most images in a tile, and the columns that from_tile moves at a time.
constexpr Index line = 16;

Chunks make_ranges(const RoutingShape& shape) {
  const Index each = shape.parents * shape.parent_pose * shape.child_pose;
  const Index wanted = std::max(least_range, range_elements / std::max<Index>(each, 1));
  const Index count = std::max<Index>(1, ceiling(shape.children, wanted));
  return {shape.children, std::max<Index>(1, ceiling(shape.children, count))};
}

void add_from_tile(Index count, Index columns, const real* tile, Index images, real* rows,
                   Index stride) {
  for (Index b = 0; b < count; ++b)
    for (Index n = 0; n < columns; ++n)
      rows[b * stride + n] += tile[n * images + b];
}

} // namespace

RoutingCut::RoutingCut(const RoutingShape& shape, Index batch)
    : kernel(kernels().routing), shape(shape), batch(batch), images(kernel.images),
      tiles(ceiling(batch, images)), poses(shape.parents * shape.parent_pose),
      columns(shape.children * shape.child_pose), size(poses * images), ranges(make_ranges(shape)) {
}

void to_tile(Index count, Index columns, const real* rows, Index stride, Index images, real* tile) {
  const real* source[line];
  for (Index b = 0; b < count; ++b)
    source[b] = rows + b * stride;
  if (count < images)
    std::fill_n(tile, columns * images, real(0));
  kernels().gemm.pack_transposed(count, columns, source, images, tile, 0);
}

void from_tile(Index count, Index columns, const real* tile, Index images, real* rows, Index stride,
               bool accumulate) {
  if (accumulate)
    return add_from_tile(count, columns, tile, images, rows, stride);
  const real* source[line];
  for (Index first = 0; first < columns; first += line) {
    const Index some = std::min(line, columns - first);
    for (Index n = 0; n < some; ++n)
      source[n] = tile + (first + n) * images;
    kernels().gemm.pack_transposed(some, count, source, stride, rows + first, 0);
  }
}

real* tile_children(const RoutingCut& cut, const real* children, Arena& arena) {
  const Index columns = cut.columns;
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

real* allocate_partials(const RoutingCut& cut, Arena& arena) {
  return arena.allocate_array<real>(std::size_t(cut.ranges.count() * cut.tiles * cut.size));
}

void end_iteration(const RoutingShape& shape, Index count, const real* bias, real* sums,
                   real* outputs, real* preference) {
  const ElementwiseKernels& elementwise = kernels().elementwise;
  const Index poses = shape.parents * shape.parent_pose;
  for (Index b = 0; b < count && bias; ++b)
    elementwise.add(poses, sums + b * poses, bias, sums + b * poses);
  elementwise.squash(count * shape.parents, shape.parent_pose, sums, outputs);
  if (preference)
    elementwise.add(count * poses, preference, outputs, preference);
}

const real* fold(const RoutingCut& cut, real* partials, Index tile) {
  real* total = partials + tile * cut.size;
  for (Index range = 1; range < cut.ranges.count(); ++range)
    kernels().elementwise.scale(cut.size, 1, partials + (range * cut.tiles + tile) * cut.size,
                                total, true);
  return total;
}

} // namespace mereo

#include "kernels/em_layout.h"

#include "core/parallel.h"

#include <algorithm>
#include <cmath>

namespace mereo {

using Index = std::int64_t;

EmLayout::EmLayout(const EmGrid& grid, const EmShape& shape, const EmOptions& options,
                   const EmInputs& in, Arena& arena)
    : kernel(kernels().em), grid(grid), shape(shape), options(options), in(in), lanes(kernel.lanes),
      blocks(ceiling(shape.parent_types, lanes)), child(shape.rows * shape.inner),
      vote(shape.rows * shape.columns), records(grid.out_places() * blocks),
      sums_size(records * (1 + 2 * vote) * lanes),
      parent_size(records * (2 * vote + em_tail) * lanes),
      transform_size(grid.offsets() * shape.child_types * blocks * shape.inner * shape.columns *
                     lanes),
      transforms(pack_transforms(arena)), beta_u(pack_types(in.beta_u, arena)),
      beta_a(pack_types(in.beta_a, arena)) {
  find_windows(arena);
  if (options.coordinate_scale != 0)
    add_coordinates(arena);
}

/// The parents whose window holds (y, x), the last along each axis first.
void EmLayout::find_windows(Arena& arena) {
  const Index rows = grid.out_height(), columns = grid.out_width(), stride = grid.stride;
  most_parents = std::min(ceiling(grid.kernel_height, stride), rows) *
                 std::min(ceiling(grid.kernel_width, stride), columns);
  const auto array = [&](Index size) { return arena.allocate_array<Index>(std::size_t(size)); };
  counts_ = array(grid.places());
  pairs_before_ = array(grid.places());
  parents_ = array(grid.places() * most_parents);
  offsets_ = array(grid.places() * most_parents);
  for (Index y = 0, place = 0; y < grid.height; ++y)
    for (Index x = 0; x < grid.width; ++x, ++place) {
      Index count = 0;
      for (Index row = std::min(y / stride, rows - 1); row >= 0; --row) {
        const Index dy = y - row * stride;
        if (dy >= grid.kernel_height)
          break;
        for (Index column = std::min(x / stride, columns - 1); column >= 0; --column) {
          const Index dx = x - column * stride;
          if (dx >= grid.kernel_width)
            break;
          parents_[place * most_parents + count] = row * columns + column;
          offsets_[place * most_parents + count] = grid.shared ? 0 : dy * grid.kernel_width + dx;
          ++count;
        }
      }
      counts_[place] = count;
      pairs_before_[place] = pairs;
      pairs += shape.child_types * count * blocks * lanes;
    }
}

void EmLayout::add_coordinates(Arena& arena) {
  real* shifts = arena.allocate_array<real>(std::size_t(grid.places() * vote));
  std::fill_n(shifts, grid.places() * vote, real(0));
  // A matrix (rows > 1) has its translation in the last column, a vector has no columns to choose.
  const Index first = shape.rows > 1 ? shape.columns - 1 : 0;
  const Index second = shape.rows > 1 ? first + shape.columns : std::min<Index>(1, vote - 1);
  for (Index place = 0; place < grid.places(); ++place) {
    const auto coordinate = [&](Index at, Index size) {
      return real(options.coordinate_scale * (double(at) + 0.5) / double(size));
    };
    shifts[place * vote + first] += coordinate(place / grid.width, grid.height);
    shifts[place * vote + second] += coordinate(place % grid.width, grid.width);
  }
  shifts_ = shifts;
}

const real* EmLayout::pack_transforms(Arena& arena) const {
  real* packed = arena.allocate_array<real>(std::size_t(transform_size));
  const Index J = shape.parent_types, size = shape.inner * shape.columns;
  parallel_chunks(grid.offsets() * shape.child_types, 16, [&](Index begin, Index end) {
    for (Index pair = begin; pair < end; ++pair)
      for (Index n = 0; n < blocks * size * lanes; ++n) {
        const Index j = n / (size * lanes) * lanes + n % lanes, element = n / lanes % size;
        packed[pair * blocks * size * lanes + n] =
            j < J ? in.transforms[(pair * J + j) * size + element] : real(0);
      }
  });
  return packed;
}

const real* EmLayout::pack_types(const real* values, Arena& arena) const {
  real* packed = arena.allocate_array<real>(std::size_t(blocks * lanes));
  std::fill_n(packed, blocks * lanes, real(0));
  std::copy_n(values, shape.parent_types, packed);
  return packed;
}

EmStep EmLayout::step(int iteration) const {
  return {.inverse_temperature = real(options.inverse_temperature *
                                      (1 - std::pow(options.decay, double(iteration + 1)))),
          .cost_scale = real(options.cost_scale),
          .variance_floor = real(options.variance_floor),
          .beta_u = beta_u,
          .beta_a = beta_a};
}

EmPlace EmLayout::place(Index image, Index place) const {
  const Index at = (image * grid.places() + place) * shape.child_types;
  const Index fields = shape.per_field ? 1 : std::max<Index>(1, counts_[place]);
  return {.poses = in.poses + at * child,
          .activations = in.activations + at,
          .parents = counts_[place],
          .parent = parents_ + place * most_parents,
          .offset = offsets_ + place * most_parents,
          .shift = shifts_ ? shifts_ + place * vote : nullptr,
          .uniform = real(1) / real(fields * shape.parent_types)};
}

void unpack_transform_gradient(const EmLayout& layout, Index pair, const real* packed, Index count,
                               Index stride, const EmSink& sink) {
  const EmShape& shape = layout.shape;
  const Index size = shape.inner * shape.columns, lanes = layout.lanes;
  for (Index j = 0; j < shape.parent_types; ++j)
    for (Index n = 0; n < size; ++n) {
      const real* from =
          packed + ((pair * layout.blocks + j / lanes) * size + n) * lanes + j % lanes;
      real total = from[0];
      for (Index part = 1; part < count; ++part)
        total += from[part * stride];
      real& to = sink.data[(pair * shape.parent_types + j) * size + n];
      to = sink.accumulate ? to + total : total;
    }
}

} // namespace mereo

// How one call of EM routing lies in memory.
#pragma once

#include "kernels/em_routing.h"
#include "kernels/table.h"

namespace mereo {

/// Sizes, the places of the children with the parents they vote for, and parameters in blocks of
/// lanes.
class EmLayout {
public:
  EmLayout(const EmGrid& grid, const EmShape& shape, const EmOptions& options, const EmInputs& in,
           Arena& arena);

  const EmKernels& kernel;
  const EmGrid& grid;
  const EmShape& shape;
  const EmOptions& options;
  const EmInputs& in;
  const std::int64_t lanes, blocks;          // of parent types
  const std::int64_t child, vote;            // elements of a child's pose and of a vote
  const std::int64_t records;                // blocks of all parent places
  const std::int64_t sums_size, parent_size; // of all records of an image, see EmTail
  const std::int64_t transform_size;         // of all transforms in blocks
  std::int64_t pairs = 0;                    // lanes of all votes of an image
  std::int64_t most_parents = 0;             // places that a child votes for, at most

  const real* transforms; // (offsets, I, blocks, inner, columns, lanes)
  const real* beta_u;     // (blocks, lanes)
  const real* beta_a;

  EmStep step(int iteration) const;
  /// A place of the children of an image; its `parents` may be 0.
  EmPlace place(std::int64_t image, std::int64_t place) const;
  /// Elements of weights (see EmSlopes) before those of a place.
  std::int64_t pairs_before(std::int64_t place) const { return pairs_before_[place]; }

private:
  void find_windows(Arena& arena);
  void add_coordinates(Arena& arena);
  const real* pack_transforms(Arena& arena) const;
  const real* pack_types(const real* values, Arena& arena) const;

  std::int64_t *counts_, *parents_, *offsets_, *pairs_before_; // (places), parents (places, most)
  const real* shifts_ = nullptr;                               // (places, vote)
};

/// (offsets, I, blocks, inner columns, lanes) of one offset and child type back to (J, inner
/// columns): sums `count` of them, `stride` apart, in order.
void unpack_transform_gradient(const EmLayout& layout, std::int64_t pair, const real* packed,
                               std::int64_t count, std::int64_t stride, const EmSink& sink);

} // namespace mereo

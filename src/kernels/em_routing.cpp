#include "kernels/em_layout.h"

#include "core/parallel.h"
#include "kernels/thread_scratch.h"

#include <algorithm>
#include <cmath>

namespace mereo {

namespace {

using Index = std::int64_t;

/// The couplings of one place from (I, parents, blocks, lanes) to (I, window, J).
void unpack_couplings(const EmLayout& layout, const EmPlace& place, const real* from, real* to) {
  const Index I = layout.shape.child_types, J = layout.shape.parent_types;
  const Index window = layout.grid.window();
  std::fill_n(to, I * window * J, real(0));
  for (Index i = 0; i < I; ++i)
    for (Index n = 0; n < place.parents; ++n) {
      const real* row =
          from ? from + (i * place.parents + n) * layout.blocks * layout.lanes : nullptr;
      for (Index j = 0; j < J; ++j)
        to[(i * window + (window == 1 ? 0 : place.offset[n])) * J + j] =
            row ? row[j] : place.uniform;
    }
}

/// Forward of one image.
struct Forward {
  const EmLayout& layout;
  Index image;
  real* state; // (iterations, parents)
  real* sums;
  real* memory;
  real* couplings; // of one place, or null
  real* shown;     // of all in every iteration, where couplings is not null

  template <class Body> void for_places(const Body& body) const {
    for (Index n = 0; n < layout.grid.places(); ++n)
      if (const EmPlace place = layout.place(image, n); place.parents > 0)
        body(place, n);
  }

  void clear() const { std::fill_n(sums, layout.sums_size, real(0)); }

  void finish(int t, const real* before) const {
    const Index records = layout.blocks * layout.lanes;
    const EmStep step = layout.step(t);
    real* parents = state + t * layout.parent_size;
    for (Index p = 0; p < layout.grid.out_places(); ++p) {
      const Index sum = p * records * (1 + 2 * layout.vote);
      const Index parent = p * records * (2 * layout.vote + em_tail);
      layout.kernel.finish(layout.shape, step, sums + sum, before + parent, parents + parent);
    }
  }

  void first() const {
    const EmKernels& kernel = layout.kernel;
    clear();
    for_places([&](const EmPlace& place, Index n) {
      kernel.moments(layout.shape, place, layout.transforms, sums, memory);
      if (couplings)
        show(0, place, n, nullptr);
    });
    kernel.means(layout.shape, layout.records, sums, state);
    for_places([&](const EmPlace& place, Index) {
      kernel.deviations(layout.shape, place, layout.transforms, state, sums, memory);
    });
    finish(0, state);
  }

  void next(int t) const {
    const real* before = state + (t - 1) * layout.parent_size;
    clear();
    for_places([&](const EmPlace& place, Index n) {
      layout.kernel.route(layout.shape, place, layout.transforms, before, sums, couplings, memory);
      if (couplings)
        show(t, place, n, couplings);
    });
    finish(t, before);
  }

  void show(int t, const EmPlace& place, Index n, const real* from) const {
    const EmShape& shape = layout.shape;
    const Index size = shape.child_types * layout.grid.window() * shape.parent_types;
    unpack_couplings(layout, place, from, shown + (t * layout.grid.places() + n) * size);
  }

  void run() const {
    first();
    for (int t = 1; t < layout.options.iterations; ++t)
      next(t);
  }

  /// Poses (out_places, J, H) and activations (out_places, J) from the last iteration's parents.
  void read(real* poses, real* activations) const {
    const Index lanes = layout.lanes, H = layout.vote, J = layout.shape.parent_types;
    const real* parents = state + (layout.options.iterations - 1) * layout.parent_size;
    for (Index n = 0; n < layout.grid.out_places() * J; ++n) {
      const Index j = n % J, block = n / J * layout.blocks + j / lanes;
      const real* parent = parents + block * (2 * H + em_tail) * lanes + j % lanes;
      for (Index h = 0; h < H; ++h)
        poses[n * H + h] = -parent[h * lanes];
      activations[n] = 1 / (1 + std::exp(-parent[(2 * H + em_energy) * lanes]));
    }
  }
};

} // namespace

Index em_state_size(const EmGrid& grid, const EmShape& shape, const EmOptions& options) {
  const Index lanes = kernels().em.lanes;
  return options.iterations * grid.out_places() * ceiling(shape.parent_types, lanes) *
         (2 * shape.rows * shape.columns + em_tail) * lanes;
}

void em_forward(const EmGrid& grid, const EmShape& shape, const EmOptions& options, Index batch,
                const EmInputs& in, real* state, real* poses, real* activations, real* couplings,
                Arena& scratch) {
  const ArenaScope scope(scratch);
  const EmLayout layout(grid, shape, options, in, scratch);
  const ThreadScratch sums(scratch, layout.sums_size);
  const ThreadScratch memory(scratch, layout.kernel.scratch(shape, layout.most_parents));
  const Index J = shape.parent_types;
  real* seen = nullptr;
  if (couplings) {
    seen = scratch.allocate_array<real>(
        std::size_t(shape.child_types * layout.most_parents * layout.blocks * layout.lanes));
    std::fill_n(couplings,
                options.iterations * grid.places() * shape.child_types * grid.window() * J,
                real(0));
  }
  parallel_for(batch, [&](Index b) {
    const Forward forward{layout,
                          b,
                          state + b * options.iterations * layout.parent_size,
                          sums.get(),
                          memory.get(),
                          b == 0 ? seen : nullptr,
                          couplings};
    forward.run();
    forward.read(poses + b * grid.out_places() * J * layout.vote,
                 activations + b * grid.out_places() * J);
  });
}

} // namespace mereo

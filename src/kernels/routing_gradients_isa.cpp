// The gradients of dynamic routing in its children and weights, compiled once per instruction set.
#include "kernels/routing_lanes.h"

namespace mereo::MEREO_ISA {

namespace {

/// The factors of one child: (iterations, 2, J, lanes), couplings c^t and then p^t.
Index factors_size(const RoutingShape& shape, Index iterations) {
  return iterations * 2 * shape.parents * lanes;
}

/// One tile of the history: an iteration every `stride` elements.
struct Tile {
  const RoutingShape& shape;
  const RoutingHistory& history;
  const float* preferences; // (t, J, E, lanes)
  const float* grad_sums;
  Index stride;
};

/// The products of a vote's rows [e, e + Rows) of parent j with V^(t-1) and gs^t of iterations from
/// `first` on, added to those of the rows before.
template <int Rows>
MEREO_VERB void add_agreements(const Tile& tile, Index first, Index j, Index e, const V* vote,
                               float* factors) {
  const Index parents = tile.shape.parents;
  const Index at = first * tile.stride + (j * tile.shape.parent_pose + e) * lanes;
  const float* preference = tile.preferences + at;
  const float* grad_sums = tile.grad_sums + at;
  float* to = factors + (2 * first * parents + j) * lanes;
  for (Index t = first; t < tile.history.iterations; ++t) {
    V agreement[4] = {e ? load(to) : zero(), zero(), zero(), zero()};
    V slope[4] = {e ? load(to + parents * lanes) : zero(), zero(), zero(), zero()};
    add_dot<Rows>(vote, preference, agreement);
    add_dot<Rows>(vote, grad_sums, slope);
    store(to, fold(agreement));
    store(to + parents * lanes, fold(slope));
    preference += tile.stride;
    grad_sums += tile.stride;
    to += 2 * parents * lanes;
  }
}

/// Forms c^t and p^t of `count` children of a tile. The parent is the outer loop, so that its
/// preferences and gradients stay in L1 while the children pass.
template <int D>
void find_factors(const Tile& tile, Index count, const float* u, const float* weights,
                  float* factors) {
  const RoutingShape& shape = tile.shape;
  const Index depth = D ? D : shape.child_pose, rows = shape.parent_pose, parents = shape.parents;
  const Index size = factors_size(shape, tile.history.iterations);
  const Index first = tile.history.starts_uniform ? 1 : 0;
  for (Index j = 0; j < parents && first < tile.history.iterations; ++j)
    for (Index i = 0; i < count; ++i)
      for_rows(
          rows, [&](Index e, auto some) __attribute__((always_inline)) {
            V vote[some];
            for (int n = 0; n < some; ++n)
              vote[n] = zero();
            add_vote<some, D>(weights + ((i * parents + j) * rows + e) * depth,
                              u + i * depth * lanes, depth, vote);
            add_agreements<some>(tile, first, j, e, vote, factors + i * size);
          });
  for (Index i = 0; i < count; ++i, factors += size) {
    for (Index j = 0; j < parents && first; ++j)
      store(factors + j * lanes, uniform_coupling(shape));
    for (Index t = first; t < tile.history.iterations; ++t) {
      float* c = factors + 2 * t * parents * lanes;
      softmax(shape, c);
      softmax_backward(shape, c, c + parents * lanes);
    }
  }
}

// ---- the products -------------------------------------------------------------------------------

/// g (Rows, lanes) = sum over t of c^t gs^t + p^t V^(t-1), the arrays starting `at` these rows.
template <int Rows>
MEREO_VERB void form_gradient(const Tile& tile, Index at, const float* factors, float* g) {
  const Index parents = tile.shape.parents;
  const float* preference = tile.preferences + at;
  const float* grad_sums = tile.grad_sums + at;
  V total[Rows];
  for (int n = 0; n < Rows; ++n)
    total[n] = zero();
  for (Index t = 0; t < tile.history.iterations; ++t) {
    const V c = load(factors);
#pragma GCC unroll 16
    for (int n = 0; n < Rows; ++n)
      total[n] = fma(c, load(grad_sums + n * lanes), total[n]);
    if ((t > 0 || !tile.history.starts_uniform) && !tile.history.constant_couplings) {
      const V p = load(factors + parents * lanes);
#pragma GCC unroll 16
      for (int n = 0; n < Rows; ++n)
        total[n] = fma(p, load(preference + n * lanes), total[n]);
    }
    preference += tile.stride;
    grad_sums += tile.stride;
    factors += 2 * parents * lanes;
  }
  for (int n = 0; n < Rows; ++n)
    store(g + n * lanes, total[n]);
}

// The next two are not inlined, because the compiler would then see that g was just stored, take it
// apart in registers instead of broadcasting it from memory, and spill the sums.

/// grad_u (D, lanes) += sum over Rows of w[n, d] g[n].
template <int Rows, int D>
[[gnu::noinline]] void add_transposed(const float* w, const float* g, Index depth, float* grad_u) {
  if constexpr (D != 0) {
    V total[D];
    for (int d = 0; d < D; ++d)
      total[d] = load(grad_u + d * lanes);
#pragma GCC unroll 16
    for (int n = 0; n < Rows; ++n) {
      const V x = load(g + n * lanes);
#pragma GCC unroll 16
      for (int d = 0; d < D; ++d)
        total[d] = fma(broadcast(w[n * D + d]), x, total[d]);
    }
    for (int d = 0; d < D; ++d)
      store(grad_u + d * lanes, total[d]);
  } else {
    const auto add_columns = [&](Index d, auto columns) __attribute__((always_inline)) {
      V total[columns];
      for (int c = 0; c < columns; ++c)
        total[c] = load(grad_u + (d + c) * lanes);
      for (int n = 0; n < Rows; ++n)
        for (int c = 0; c < columns; ++c)
          total[c] = fma(broadcast(w[n * depth + d + c]), load(g + n * lanes), total[c]);
      for (int c = 0; c < columns; ++c)
        store(grad_u + (d + c) * lanes, total[c]);
    };
    for_rows(depth, add_columns);
  }
}

// The gradient of the weights sums g u^T over images, which are lanes. Instead of a sum across a
// register per weight, the child's pose becomes the lanes, the images of a tile come one after
// another, and g is broadcast.

/// Where a pose fills half a register or less, images come in pairs, their poses interleaved, and
/// both numbers of g are broadcast at once.
template <int D> constexpr int pair = D && 2 * D <= lanes ? 2 : 1;

/// Registers that hold the poses of one image, or of a pair.
template <int D> Index pose_registers(Index depth) {
  return (depth * pair<D> + lanes - 1) / lanes;
}

/// u (D, lanes) -> (lanes / pair, D, pair), each image or pair padded with zeros to whole
/// registers.
template <int D> void turn_pose(const float* u, Index depth, float* turned) {
  const Index columns = D ? D : depth, stride = pose_registers<D>(columns) * lanes;
  for (Index b = 0; b < lanes / pair<D>; ++b) {
    for (Index d = 0; d < columns; ++d)
      for (int k = 0; k < pair<D>; ++k)
        turned[b * stride + d * pair<D> + k] = u[d * lanes + b * pair<D> + k];
    for (Index n = columns * pair<D>; n < stride; ++n)
      turned[b * stride + n] = 0;
  }
}

/// total (Rows, registers) += g u^T: g (Rows, lanes), turned as above.
template <int Rows, int D>
[[gnu::noinline]] void add_outer(const float* g, const float* turned, Index registers,
                                 float* total) {
  for (Index r = 0; r < registers; ++r) {
    V sums[Rows];
    for (int n = 0; n < Rows; ++n)
      sums[n] = load(total + (n * registers + r) * lanes);
#pragma GCC unroll 8
    for (int b = 0; b < lanes / pair<D>; ++b) {
      const V x = load(turned + (b * registers + r) * lanes);
#pragma GCC unroll 16
      for (int n = 0; n < Rows; ++n) {
        const float* factor = g + n * lanes + b * pair<D>;
        sums[n] = fma(pair<D> == 2 ? broadcast_pair(factor) : broadcast(*factor), x, sums[n]);
      }
    }
    for (int n = 0; n < Rows; ++n)
      store(total + (n * registers + r) * lanes, sums[n]);
  }
}

/// grad_weights (J E, D) += the sums of add_outer, a pair's two images together.
template <int D> void add_sums(Index rows, Index depth, const float* sums, float* grad_weights) {
  const Index columns = D ? D : depth, stride = pose_registers<D>(columns) * lanes;
  for (Index n = 0; n < rows; ++n)
    for (Index d = 0; d < columns; ++d) {
      const float* from = sums + n * stride + d * pair<D>;
      grad_weights[n * columns + d] += pair<D> == 2 ? from[0] + from[1] : from[0];
    }
}

/// What one child gives and gets; a null gradient is not wanted.
struct Child {
  const float* w;       // (J, E, D)
  const float* factors; // (iterations, 2, J, lanes)
  const float* turned;  // turn_pose of it
  float* grad_u;        // (D, lanes)
  float* sums;          // (J, E, registers, lanes)
};

template <int D> void add_parent(const Tile& tile, Index j, const Child& child) {
  const Index depth = D ? D : tile.shape.child_pose, registers = pose_registers<D>(depth);
  for_rows(
      tile.shape.parent_pose, [&](Index e, auto some) __attribute__((always_inline)) {
        alignas(64) float g[some * lanes];
        const Index row = j * tile.shape.parent_pose + e;
        form_gradient<some>(tile, row * lanes, child.factors + j * lanes, g);
        if (child.grad_u)
          add_transposed<some, D>(child.w + row * depth, g, depth, child.grad_u);
        if (child.sums)
          add_outer<some, D>(g, child.turned, registers, child.sums + row * registers * lanes);
      });
}

template <int D>
void gradients(const RoutingShape& shape, Index count, Index tiles, const float* children,
               Index stride, const float* weights, const RoutingHistory& history,
               float* grad_children, Index grad_stride, float* grad_weights, float* memory) {
  const Index depth = D ? D : shape.child_pose, poses = shape.parents * shape.parent_pose;
  const Index registers = pose_registers<D>(depth), turned_size = lanes * registers * lanes;
  const Index size = factors_size(shape, history.iterations);
  float* factors = memory;
  float* turned = factors + block * size;
  float* sums = turned + block * turned_size;
  for (Index n = 0; n < count * poses * registers && grad_weights; ++n)
    store(sums + n * lanes, zero());

  for (Index k = 0; k < tiles; ++k, children += stride) {
    const Index at = k * poses * lanes;
    const Tile tile = {shape, history, history.preferences + at, history.grad_sums + at,
                       tiles * poses * lanes};
    find_factors<D>(tile, count, children, weights, factors);
    for (Index i = 0; i < count && grad_weights; ++i)
      turn_pose<D>(children + i * depth * lanes, depth, turned + i * turned_size);
    float* grad_u = grad_children ? grad_children + k * grad_stride : nullptr;
    for (Index n = 0; n < count * depth && grad_u; ++n)
      store(grad_u + n * lanes, zero());
    for (Index j = 0; j < shape.parents; ++j)
      for (Index i = 0; i < count; ++i)
        add_parent<D>(tile, j,
                      {weights + i * poses * depth, factors + i * size, turned + i * turned_size,
                       grad_u ? grad_u + i * depth * lanes : nullptr,
                       grad_weights ? sums + i * poses * registers * lanes : nullptr});
  }
  if (grad_weights)
    add_sums<D>(count * poses, depth, sums, grad_weights);
}

} // namespace

Index routing_gradients_scratch(const RoutingShape& shape, Index iterations) {
  const Index registers = shape.child_pose / lanes + 1; // at least as many as pose_registers
  return block * (factors_size(shape, iterations) +
                  (lanes + shape.parents * shape.parent_pose) * registers * lanes);
}

void routing_gradients(const RoutingShape& shape, Index count, Index tiles, const float* children,
                       Index stride, const float* weights, const RoutingHistory& history,
                       float* grad_children, Index grad_stride, float* grad_weights,
                       float* memory) {
  for_pose(
      shape.child_pose, [&](auto depth) __attribute__((always_inline)) {
        gradients<depth>(shape, count, tiles, children, stride, weights, history, grad_children,
                         grad_stride, grad_weights, memory);
      });
}

} // namespace mereo::MEREO_ISA

// Dynamic routing, compiled once per instruction set. Lanes are images (see table.h): a weight is
// broadcast, a child's pose is a row of registers, and nothing is ever summed across a register.
//
// What was measured is in routing.cpp.
#include "kernels/lanes.h"
#include "kernels/table.h"

#include <type_traits>

namespace mereo::MEREO_ISA {

extern const RoutingKernels routing_kernels;

namespace {

using Index = std::int64_t;

/// Rows of a vote that are in registers at once; as many as leave room for their operands.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int most_rows = 16;
#else
constexpr int most_rows = 8;
#endif

/// Children whose votes are summed in registers, or whose gradients are formed, together.
constexpr Index block = 8;

/// Calls body(e, rows) for blocks of rows that cover [0, size), rows being a compile-time constant.
template <class Body> MEREO_VERB void for_rows(Index size, Body body) {
  Index e = 0;
  for (; e + most_rows <= size; e += most_rows)
    body(e, std::integral_constant<int, most_rows>());
  for (; e + 4 <= size; e += 4)
    body(e, std::integral_constant<int, 4>());
  for (; e < size; ++e)
    body(e, std::integral_constant<int, 1>());
}

/// total[n] += sum over d of w[n, d] u[d], n < Rows. D is the child's pose, or 0 where it is known
/// only at run time, as depth.
template <int Rows, int D>
MEREO_VERB void add_vote(const float* w, const float* u, Index depth, V* total) {
  const Index columns = D ? D : depth;
#pragma GCC unroll 16
  for (Index d = 0; d < columns; ++d) {
    const V x = load(u + d * lanes);
#pragma GCC unroll 16
    for (int n = 0; n < Rows; ++n)
      total[n] = fma(broadcast(w[n * columns + d]), x, total[n]);
  }
}

/// <v, x> in four running sums.
template <int Rows> MEREO_VERB void add_dot(const V* v, const float* x, V* total) {
#pragma GCC unroll 16
  for (int n = 0; n < Rows; ++n)
    total[n % 4] = fma(v[n], load(x + n * lanes), total[n % 4]);
}
MEREO_VERB V fold(const V* total) {
  return (total[0] + total[1]) + (total[2] + total[3]);
}

/// Logits (J, lanes) become couplings: softmax over the parents, lane by lane.
void softmax(const RoutingShape& shape, float* x) {
  V largest = shape.none_of_the_above ? zero() : load(x);
  for (Index j = 0; j < shape.parents; ++j)
    largest = max(largest, load(x + j * lanes));
  V total = shape.none_of_the_above ? exp(zero() - largest) : zero();
  for (Index j = 0; j < shape.parents; ++j) {
    const V e = exp(load(x + j * lanes) - largest);
    store(x + j * lanes, e);
    total = total + e;
  }
  const V scale = broadcast(1.f) / total;
  for (Index j = 0; j < shape.parents; ++j)
    store(x + j * lanes, load(x + j * lanes) * scale);
}

/// q (J, lanes) becomes p = c (q - sum_k c_k q_k).
void softmax_backward(const RoutingShape& shape, const float* couplings, float* q) {
  V mean = zero();
  for (Index j = 0; j < shape.parents; ++j)
    mean = fma(load(couplings + j * lanes), load(q + j * lanes), mean);
  for (Index j = 0; j < shape.parents; ++j)
    store(q + j * lanes, load(couplings + j * lanes) * (load(q + j * lanes) - mean));
}

/// The couplings of zero logits.
MEREO_VERB V uniform_coupling(const RoutingShape& shape) {
  return broadcast(1.f / float(shape.parents + (shape.none_of_the_above ? 1 : 0)));
}

/// out (J, E, lanes) += factor_j vote_je.
void add_weighted(const RoutingShape& shape, const float* factor, const float* votes, float* out) {
  for (Index j = 0; j < shape.parents; ++j) {
    const V c = load(factor + j * lanes);
    for (Index n = j * shape.parent_pose; n < (j + 1) * shape.parent_pose; ++n)
      store(out + n * lanes, fma(c, load(votes + n * lanes), load(out + n * lanes)));
  }
}

// ---- forward ------------------------------------------------------------------------------------

/// With zero logits the sums are a plain matrix product: a block of children stays in registers.
template <int D>
void forward_uniform(const RoutingShape& shape, Index begin, Index end, const float* children,
                     const float* weights, float* sums) {
  const Index depth = D ? D : shape.child_pose, rows = shape.parent_pose;
  const Index size = shape.parents * rows * depth;
  const V coupling = uniform_coupling(shape);
  for (Index first = begin; first < end; first += block)
    for (Index j = 0; j < shape.parents; ++j)
      for_rows(
          rows, [&](Index e, auto count) __attribute__((always_inline)) {
            V total[count];
            for (int n = 0; n < count; ++n)
              total[n] = zero();
            const float* w = weights + first * size + (j * rows + e) * depth;
            for (Index i = first; i < end && i < first + block; ++i, w += size)
              add_vote<count, D>(w, children + i * depth * lanes, depth, total);
            float* out = sums + (j * rows + e) * lanes;
            for (int n = 0; n < count; ++n)
              store(out + n * lanes, fma(coupling, total[n], load(out + n * lanes)));
          });
}

template <int D>
void forward_of(const RoutingShape& shape, Index begin, Index end, const float* children,
                const float* weights, const float* preference, float* sums, float* memory) {
  if (!preference)
    return forward_uniform<D>(shape, begin, end, children, weights, sums);
  const Index depth = D ? D : shape.child_pose, rows = shape.parent_pose;
  float* logits = memory;
  float* votes = logits + shape.parents * lanes;
  const float* w = weights + begin * shape.parents * rows * depth;
  for (Index i = begin; i < end; ++i) {
    for (Index j = 0; j < shape.parents; ++j) {
      V agreement[4] = {zero(), zero(), zero(), zero()};
      for_rows(
          rows, [&](Index e, auto count) __attribute__((always_inline)) {
            V vote[count];
            for (int n = 0; n < count; ++n)
              vote[n] = zero();
            add_vote<count, D>(w, children + i * depth * lanes, depth, vote);
            w += count * depth;
            const Index at = (j * rows + e) * lanes;
            for (int n = 0; n < count; ++n)
              store(votes + at + n * lanes, vote[n]);
            add_dot<count>(vote, preference + at, agreement);
          });
      store(logits + j * lanes, fold(agreement));
    }
    softmax(shape, logits);
    add_weighted(shape, logits, votes, sums);
  }
}

// ---- backward -----------------------------------------------------------------------------------

template <int D>
void backward_of(const RoutingShape& shape, Index begin, Index end, const float* children,
                 const float* weights, const float* preference, const float* grad_sums,
                 float* grad_preference, float* memory) {
  const Index depth = D ? D : shape.child_pose, rows = shape.parent_pose;
  float* logits = memory;
  float* q = logits + shape.parents * lanes;
  float* votes = q + shape.parents * lanes;
  const float* w = weights + begin * shape.parents * rows * depth;
  for (Index i = begin; i < end; ++i) {
    for (Index j = 0; j < shape.parents; ++j) {
      V agreement[4] = {zero(), zero(), zero(), zero()};
      V slope[4] = {zero(), zero(), zero(), zero()};
      for_rows(
          rows, [&](Index e, auto count) __attribute__((always_inline)) {
            V vote[count];
            for (int n = 0; n < count; ++n)
              vote[n] = zero();
            add_vote<count, D>(w, children + i * depth * lanes, depth, vote);
            w += count * depth;
            const Index at = (j * rows + e) * lanes;
            for (int n = 0; n < count; ++n)
              store(votes + at + n * lanes, vote[n]);
            add_dot<count>(vote, preference + at, agreement);
            add_dot<count>(vote, grad_sums + at, slope);
          });
      store(logits + j * lanes, fold(agreement));
      store(q + j * lanes, fold(slope));
    }
    softmax(shape, logits);
    softmax_backward(shape, logits, q);
    add_weighted(shape, q, votes, grad_preference);
  }
}

// ---- gradients ----------------------------------------------------------------------------------

/// The factors of one child: (iterations, 2, J, lanes), couplings c^t and then p^t.
Index factors_size(const RoutingShape& shape, Index iterations) {
  return iterations * 2 * shape.parents * lanes;
}

/// Forms c^t and p^t of `count` children of a tile. The parent is the outer loop, so that its
/// preferences and gradients stay in L1 while the children pass.
template <int D>
void find_factors(const RoutingShape& shape, Index count, const float* u, const float* weights,
                  const RoutingHistory& history, Index tile, float* factors) {
  const Index depth = D ? D : shape.child_pose, rows = shape.parent_pose, parents = shape.parents;
  const Index size = factors_size(shape, history.iterations);
  const float* const* preferences = history.preferences + tile * history.iterations;
  const float* const* grad_sums = history.grad_sums + tile * history.iterations;
  for (Index j = 0; j < parents; ++j)
    for (Index i = 0; i < count; ++i)
      for_rows(
          rows, [&](Index e, auto some) __attribute__((always_inline)) {
            V vote[some];
            for (int n = 0; n < some; ++n)
              vote[n] = zero();
            add_vote<some, D>(weights + ((i * parents + j) * rows + e) * depth,
                              u + i * depth * lanes, depth, vote);
            const Index at = (j * rows + e) * lanes;
            float* to = factors + i * size + j * lanes;
            for (Index t = 0; t < history.iterations; ++t, to += 2 * parents * lanes) {
              if (!preferences[t])
                continue;
              V agreement[4] = {e ? load(to) : zero(), zero(), zero(), zero()};
              add_dot<some>(vote, preferences[t] + at, agreement);
              store(to, fold(agreement));
              if (history.constant_couplings)
                continue;
              V slope[4] = {e ? load(to + parents * lanes) : zero(), zero(), zero(), zero()};
              add_dot<some>(vote, grad_sums[t] + at, slope);
              store(to + parents * lanes, fold(slope));
            }
          });
  for (Index i = 0; i < count; ++i)
    for (Index t = 0; t < history.iterations; ++t) {
      float* c = factors + i * size + 2 * t * parents * lanes;
      if (preferences[t])
        softmax(shape, c);
      for (Index j = 0; j < parents && !preferences[t]; ++j)
        store(c + j * lanes, uniform_coupling(shape));
      if (preferences[t] && !history.constant_couplings)
        softmax_backward(shape, c, c + parents * lanes);
    }
}

/// The gradient of the weights sums g u^T over images, which are lanes. Instead of a sum across a
/// register per weight, the child's pose becomes the lanes, the images of a tile come one after
/// another, and g is broadcast. Where a pose fills half a register or less, images come in pairs,
/// their poses interleaved, and both numbers of g are broadcast at once.
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
MEREO_VERB void add_outer(const float* g, const float* turned, Index registers, float* total) {
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

/// grad_u (D, lanes) += sum over Rows of w[n, d] g[n].
template <int Rows, int D>
MEREO_VERB void add_transposed(const float* w, const float* g, Index depth, float* grad_u) {
  if constexpr (D != 0) {
    V total[D];
    for (int d = 0; d < D; ++d)
      total[d] = load(grad_u + d * lanes);
#pragma GCC unroll 16
    for (int n = 0; n < Rows; ++n)
#pragma GCC unroll 16
      for (int d = 0; d < D; ++d)
        total[d] = fma(broadcast(w[n * D + d]), load(g + n * lanes), total[d]);
    for (int d = 0; d < D; ++d)
      store(grad_u + d * lanes, total[d]);
  } else {
    for (Index d = 0; d < depth; ++d) {
      V total = load(grad_u + d * lanes);
      for (int n = 0; n < Rows; ++n)
        total = fma(broadcast(w[n * depth + d]), load(g + n * lanes), total);
      store(grad_u + d * lanes, total);
    }
  }
}

/// g (Rows, lanes) = sum over t of c^t gs^t + p^t V^(t-1), for rows that start at `at`.
template <int Rows>
MEREO_VERB void form_gradient(const RoutingHistory& history, Index tile, Index parents, Index at,
                              const float* factors, float* g) {
  V total[Rows];
  for (int n = 0; n < Rows; ++n)
    total[n] = zero();
  for (Index t = 0; t < history.iterations; ++t, factors += 2 * parents * lanes) {
    const float* grad_sums = history.grad_sums[tile * history.iterations + t] + at;
    const float* preference = history.preferences[tile * history.iterations + t];
    const V c = load(factors);
#pragma GCC unroll 16
    for (int n = 0; n < Rows; ++n)
      total[n] = fma(c, load(grad_sums + n * lanes), total[n]);
    if (!preference || history.constant_couplings)
      continue;
    const V p = load(factors + parents * lanes);
#pragma GCC unroll 16
    for (int n = 0; n < Rows; ++n)
      total[n] = fma(p, load(preference + at + n * lanes), total[n]);
  }
  for (int n = 0; n < Rows; ++n)
    store(g + n * lanes, total[n]);
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

template <int D>
void gradients_of(const RoutingShape& shape, Index count, Index tiles, const float* children,
                  Index stride, const float* weights, const RoutingHistory& history,
                  float* grad_children, Index grad_stride, float* grad_weights, float* memory) {
  const Index depth = D ? D : shape.child_pose, rows = shape.parent_pose, parents = shape.parents;
  const Index registers = pose_registers<D>(depth), poses = parents * rows;
  const Index size = factors_size(shape, history.iterations);
  float* factors = memory;
  float* turned = factors + block * size;
  float* sums = turned + block * lanes * registers * lanes;
  for (Index n = 0; n < count * poses * registers && grad_weights; ++n)
    store(sums + n * lanes, zero());

  for (Index tile = 0; tile < tiles; ++tile, children += stride) {
    find_factors<D>(shape, count, children, weights, history, tile, factors);
    for (Index i = 0; i < count && grad_weights; ++i)
      turn_pose<D>(children + i * depth * lanes, depth, turned + i * lanes * registers * lanes);
    float* grad_child = grad_children ? grad_children + tile * grad_stride : nullptr;
    for (Index n = 0; n < count * depth && grad_child; ++n)
      store(grad_child + n * lanes, zero());
    for (Index j = 0; j < parents; ++j)
      for (Index i = 0; i < count; ++i)
        for_rows(
            rows, [&](Index e, auto some) __attribute__((always_inline)) {
              alignas(64) float g[some * lanes];
              const Index row = j * rows + e;
              form_gradient<some>(history, tile, parents, row * lanes,
                                  factors + i * size + j * lanes, g);
              if (grad_child)
                add_transposed<some, D>(weights + (i * poses + row) * depth, g, depth,
                                        grad_child + i * depth * lanes);
              if (grad_weights)
                add_outer<some, D>(g, turned + i * lanes * registers * lanes, registers,
                                   sums + (i * poses + row) * registers * lanes);
            });
  }
  if (grad_weights)
    add_sums<D>(count * poses, depth, sums, grad_weights);
}

// ---- the table ----------------------------------------------------------------------------------

Index scratch(const RoutingShape& shape, Index iterations) {
  const Index poses = shape.parents * shape.parent_pose;
  const Index registers = shape.child_pose / lanes + 1; // at least as many as pose_registers
  const Index passes = (2 * shape.parents + poses) * lanes;
  const Index sweep =
      block * (factors_size(shape, iterations) + (lanes + poses) * registers * lanes);
  return passes > sweep ? passes : sweep;
}

/// Calls body with the child's pose as a compile-time constant where there is a version for it.
template <class Body> MEREO_VERB void for_pose(Index depth, Body body) {
  switch (depth) {
  case 4:
    return body(std::integral_constant<int, 4>());
  case 8:
    return body(std::integral_constant<int, 8>());
  case 16:
    return body(std::integral_constant<int, 16>());
  default:
    return body(std::integral_constant<int, 0>());
  }
}

void forward(const RoutingShape& shape, Index begin, Index end, const float* children,
             const float* weights, const float* preference, float* sums, float* memory) {
  for_pose(shape.child_pose, [&](auto depth) {
    forward_of<depth>(shape, begin, end, children, weights, preference, sums, memory);
  });
}

void backward(const RoutingShape& shape, Index begin, Index end, const float* children,
              const float* weights, const float* preference, const float* grad_sums,
              float* grad_preference, float* memory) {
  for_pose(shape.child_pose, [&](auto depth) {
    backward_of<depth>(shape, begin, end, children, weights, preference, grad_sums, grad_preference,
                       memory);
  });
}

void gradients(const RoutingShape& shape, Index count, Index tiles, const float* children,
               Index stride, const float* weights, const RoutingHistory& history,
               float* grad_children, Index grad_stride, float* grad_weights, float* memory) {
  for_pose(shape.child_pose, [&](auto depth) {
    gradients_of<depth>(shape, count, tiles, children, stride, weights, history, grad_children,
                        grad_stride, grad_weights, memory);
  });
}

} // namespace

const RoutingKernels routing_kernels = {lanes, block, scratch, forward, backward, gradients};

} // namespace mereo::MEREO_ISA

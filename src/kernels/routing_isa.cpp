// The passes of dynamic routing over the children, compiled once per instruction set.
#include "kernels/routing_lanes.h"

namespace mereo::MEREO_ISA {

extern const RoutingKernels routing_kernels;

namespace {

// ---- forward ------------------------------------------------------------------------------------

/// With zero logits the sums are a plain matrix product: those of a parent stay in registers.
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

/// out (Rows, lanes) += factor votes.
template <int Rows> MEREO_VERB void add_weighted(V factor, const float* votes, float* out) {
#pragma GCC unroll 16
  for (int n = 0; n < Rows; ++n)
    store(out + n * lanes, fma(factor, load(votes + n * lanes), load(out + n * lanes)));
}

/// One child: votes (J, E, lanes) become this child's, and dots[k] (J, lanes) their products with
/// x[k] (J, E, lanes). Before a vote of the last child is overwritten, factor_j times it is added
/// to out (J, E, lanes), unless factors (J, lanes) is null: that is bound by loads and stores, the
/// new vote by arithmetic, and one loop overlaps them.
template <int D, int Count>
void next_child(const RoutingShape& shape, const float* u, const float* w, const float* factors,
                float* out, float* votes, const float* const (&x)[Count],
                float* const (&dots)[Count]) {
  const Index depth = D ? D : shape.child_pose, rows = shape.parent_pose;
  for (Index j = 0; j < shape.parents; ++j) {
    V total[Count][4];
    for (int k = 0; k < Count; ++k)
      for (int n = 0; n < 4; ++n)
        total[k][n] = zero();
    for_rows(
        rows, [&](Index e, auto some) __attribute__((always_inline)) {
          const Index at = (j * rows + e) * lanes;
          V vote[some];
          for (int n = 0; n < some; ++n)
            vote[n] = zero();
          add_vote<some, D>(w + (j * rows + e) * depth, u, depth, vote);
          if (factors)
            add_weighted<some>(load(factors + j * lanes), votes + at, out + at);
          for (int n = 0; n < some; ++n)
            store(votes + at + n * lanes, vote[n]);
          for (int k = 0; k < Count; ++k)
            add_dot<some>(vote, x[k] + at, total[k]);
        });
    for (int k = 0; k < Count; ++k)
      store(dots[k] + j * lanes, fold(total[k]));
  }
}

/// What next_child would do with the votes of the last child.
MEREO_VERB void finish(const RoutingShape& shape, const float* factors, const float* votes,
                       float* out) {
  for (Index j = 0; j < shape.parents; ++j)
    for (Index n = j * shape.parent_pose; n < (j + 1) * shape.parent_pose; ++n)
      add_weighted<1>(load(factors + j * lanes), votes + n * lanes, out + n * lanes);
}

template <int D>
void forward_coupled(const RoutingShape& shape, Index begin, Index end, const float* children,
                     const float* weights, const float* preference, float* sums, float* memory) {
  const Index u = shape.child_pose * lanes;
  const Index w = shape.parents * shape.parent_pose * shape.child_pose;
  const Index size = shape.parents * lanes;
  float* votes = memory + 2 * size;
  for (Index i = begin; i < end; ++i) {
    float* logits = memory + i % 2 * size;
    const float* couplings = i > begin ? memory + (i + 1) % 2 * size : nullptr;
    next_child<D, 1>(shape, children + i * u, weights + i * w, couplings, sums, votes, {preference},
                     {logits});
    softmax(shape, logits);
  }
  if (begin < end)
    finish(shape, memory + (end - 1) % 2 * size, votes, sums);
}

void forward(const RoutingShape& shape, Index begin, Index end, const float* children,
             const float* weights, const float* preference, float* sums, float* memory) {
  for_pose(
      shape.child_pose, [&](auto depth) __attribute__((always_inline)) {
        if (preference)
          forward_coupled<depth>(shape, begin, end, children, weights, preference, sums, memory);
        else
          forward_uniform<depth>(shape, begin, end, children, weights, sums);
      });
}

// ---- forward, with children as lanes ------------------------------------------------------------

template <int D>
void form_votes(const RoutingShape& shape, const float* children, const float* weights,
                float* votes) {
  const Index depth = D ? D : shape.child_pose;
  for_rows(
      shape.parent_pose, [&](Index e, auto count) __attribute__((always_inline)) {
        V total[count];
        for (int n = 0; n < count; ++n)
          total[n] = zero();
        const float* w = weights + e * depth * lanes;
        for (Index d = 0; d < depth; ++d) {
          const V x = load(children + d * lanes);
          for (int n = 0; n < count; ++n)
            total[n] = fma(load(w + (n * depth + d) * lanes), x, total[n]);
        }
        for (int n = 0; n < count; ++n)
          store(votes + (e + n) * lanes, total[n]);
      });
}

void votes(const RoutingShape& shape, const float* children, const float* weights, float* votes) {
  for_pose(
      shape.child_pose, [&](auto depth) __attribute__((always_inline)) {
        form_votes<depth>(shape, children, weights, votes);
      });
}

/// Logits (J, lanes) of the votes (J, E, lanes) of some children.
void agreements(const RoutingShape& shape, const float* votes, const float* preference,
                float* logits) {
  const Index rows = shape.parent_pose;
  for (Index j = 0; j < shape.parents; ++j) {
    V total[4] = {zero(), zero(), zero(), zero()};
    for (Index e = j * rows; e < (j + 1) * rows; ++e)
      total[e % 4] = fma(load(votes + e * lanes), broadcast(preference[e]), total[e % 4]);
    store(logits + j * lanes, fold(total));
  }
}

void forward_votes(const RoutingShape& shape, Index count, const float* votes,
                   const float* preference, float* sums, float* memory) {
  const Index poses = shape.parents * shape.parent_pose;
  float* couplings = memory;
  float* totals = memory + shape.parents * lanes;
  for (Index n = 0; n < poses; ++n)
    store(totals + n * lanes, zero());
  for (Index j = 0; j < shape.parents; ++j)
    store(couplings + j * lanes, uniform_coupling(shape));
  for (Index i = 0; i < count; ++i, votes += poses * lanes) {
    if (preference) {
      agreements(shape, votes, preference, couplings);
      softmax(shape, couplings);
    }
    finish(shape, couplings, votes, totals);
  }
  for (Index n = 0; n < poses; ++n)
    sums[n] += sum(load(totals + n * lanes));
}

// ---- backward -----------------------------------------------------------------------------------

template <int D>
void backward_coupled(const RoutingShape& shape, Index begin, Index end, const float* children,
                      const float* weights, const float* preference, const float* grad_sums,
                      float* grad_preference, float* memory) {
  const Index u = shape.child_pose * lanes;
  const Index w = shape.parents * shape.parent_pose * shape.child_pose;
  const Index size = shape.parents * lanes;
  float* logits = memory + 2 * size;
  float* votes = logits + size;
  for (Index i = begin; i < end; ++i) {
    float* slopes = memory + i % 2 * size;
    const float* factors = i > begin ? memory + (i + 1) % 2 * size : nullptr;
    next_child<D, 2>(shape, children + i * u, weights + i * w, factors, grad_preference, votes,
                     {preference, grad_sums}, {logits, slopes});
    softmax(shape, logits);
    softmax_backward(shape, logits, slopes);
  }
  if (begin < end)
    finish(shape, memory + (end - 1) % 2 * size, votes, grad_preference);
}

void backward(const RoutingShape& shape, Index begin, Index end, const float* children,
              const float* weights, const float* preference, const float* grad_sums,
              float* grad_preference, float* memory) {
  for_pose(
      shape.child_pose, [&](auto depth) __attribute__((always_inline)) {
        backward_coupled<depth>(shape, begin, end, children, weights, preference, grad_sums,
                                grad_preference, memory);
      });
}

Index scratch(const RoutingShape& shape, Index iterations) {
  const Index passes = shape.parents * (3 + shape.parent_pose) * lanes;
  const Index gradients = routing_gradients_scratch(shape, iterations);
  return passes > gradients ? passes : gradients;
}

} // namespace

const RoutingKernels routing_kernels = {lanes, block,         scratch,  forward,
                                        votes, forward_votes, backward, routing_gradients};

} // namespace mereo::MEREO_ISA

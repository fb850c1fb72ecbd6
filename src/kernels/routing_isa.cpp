// The passes of dynamic routing over the children, compiled once per instruction set.
#include "kernels/routing_lanes.h"

namespace mereo::MEREO_ISA {

extern const RoutingKernels routing_kernels;

namespace {

/// Children whose votes are kept together: each of the sums is then loaded and stored once for all
/// of them, and their softmaxes overlap. More would not fit L1 beside the sums and preferences.
constexpr int group = 2;

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

/// One child and parent: stores the vote (E, lanes), and in dots[k] its product with x[k] (E,
/// lanes).
template <int D, int Count>
MEREO_VERB void vote_and_dot(Index rows, Index depth, const float* w, const float* u, float* votes,
                             const float* const (&x)[Count], float* const (&dots)[Count]) {
  V total[Count][4];
  for (int k = 0; k < Count; ++k)
    for (int n = 0; n < 4; ++n)
      total[k][n] = zero();
  for_rows(
      rows, [&](Index e, auto count) __attribute__((always_inline)) {
        V vote[count];
        for (int n = 0; n < count; ++n)
          vote[n] = zero();
        add_vote<count, D>(w + e * depth, u, depth, vote);
        for (int n = 0; n < count; ++n)
          store(votes + (e + n) * lanes, vote[n]);
        for (int k = 0; k < Count; ++k)
          add_dot<count>(vote, x[k] + e * lanes, total[k]);
      });
  for (int k = 0; k < Count; ++k)
    store(dots[k], fold(total[k]));
}

/// out (J, E, lanes) += sum over Count children of factor_ij vote_ije; factors (Count, stride).
template <int Count>
MEREO_VERB void add_weighted(const RoutingShape& shape, const float* factors, Index stride,
                             const float* votes, float* out) {
  const Index rows = shape.parent_pose, size = shape.parents * rows * lanes;
  for (Index j = 0; j < shape.parents; ++j) {
    V factor[Count];
    for (int i = 0; i < Count; ++i)
      factor[i] = load(factors + i * stride + j * lanes);
#pragma GCC unroll 4
    for (Index n = j * rows; n < (j + 1) * rows; ++n) {
      V total = load(out + n * lanes);
      for (int i = 0; i < Count; ++i)
        total = fma(factor[i], load(votes + i * size + n * lanes), total);
      store(out + n * lanes, total);
    }
  }
}

template <int D, int Count>
void forward_group(const RoutingShape& shape, const float* u, const float* weights,
                   const float* preference, float* sums, float* memory) {
  const Index depth = D ? D : shape.child_pose, rows = shape.parent_pose;
  const Index logits_size = shape.parents * lanes, votes_size = logits_size * rows;
  float* logits = memory;
  float* votes = logits + Count * logits_size;
  for (Index j = 0; j < shape.parents; ++j)
    for (int i = 0; i < Count; ++i)
      vote_and_dot<D, 1>(rows, depth, weights + (i * shape.parents + j) * rows * depth,
                         u + i * depth * lanes, votes + i * votes_size + j * rows * lanes,
                         {preference + j * rows * lanes}, {logits + i * logits_size + j * lanes});
  for (int i = 0; i < Count; ++i)
    softmax(shape, logits + i * logits_size);
  add_weighted<Count>(shape, logits, logits_size, votes, sums);
}

template <int D>
void forward_coupled(const RoutingShape& shape, Index begin, Index end, const float* children,
                     const float* weights, const float* preference, float* sums, float* memory) {
  const Index u = shape.child_pose * lanes;
  const Index w = shape.parents * shape.parent_pose * shape.child_pose;
  Index i = begin;
  for (; i + group <= end; i += group)
    forward_group<D, group>(shape, children + i * u, weights + i * w, preference, sums, memory);
  for (; i < end; ++i)
    forward_group<D, 1>(shape, children + i * u, weights + i * w, preference, sums, memory);
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

// ---- backward -----------------------------------------------------------------------------------

template <int D, int Count>
void backward_group(const RoutingShape& shape, const float* u, const float* weights,
                    const float* preference, const float* grad_sums, float* grad_preference,
                    float* memory) {
  const Index depth = D ? D : shape.child_pose, rows = shape.parent_pose;
  const Index logits_size = shape.parents * lanes, votes_size = logits_size * rows;
  float* logits = memory;
  float* slopes = logits + Count * logits_size;
  float* votes = slopes + Count * logits_size;
  for (Index j = 0; j < shape.parents; ++j)
    for (int i = 0; i < Count; ++i)
      vote_and_dot<D, 2>(
          rows, depth, weights + (i * shape.parents + j) * rows * depth, u + i * depth * lanes,
          votes + i * votes_size + j * rows * lanes,
          {preference + j * rows * lanes, grad_sums + j * rows * lanes},
          {logits + i * logits_size + j * lanes, slopes + i * logits_size + j * lanes});
  for (int i = 0; i < Count; ++i) {
    softmax(shape, logits + i * logits_size);
    softmax_backward(shape, logits + i * logits_size, slopes + i * logits_size);
  }
  add_weighted<Count>(shape, slopes, logits_size, votes, grad_preference);
}

template <int D>
void backward_coupled(const RoutingShape& shape, Index begin, Index end, const float* children,
                      const float* weights, const float* preference, const float* grad_sums,
                      float* grad_preference, float* memory) {
  const Index u = shape.child_pose * lanes;
  const Index w = shape.parents * shape.parent_pose * shape.child_pose;
  Index i = begin;
  for (; i + group <= end; i += group)
    backward_group<D, group>(shape, children + i * u, weights + i * w, preference, grad_sums,
                             grad_preference, memory);
  for (; i < end; ++i)
    backward_group<D, 1>(shape, children + i * u, weights + i * w, preference, grad_sums,
                         grad_preference, memory);
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
  const Index passes = group * shape.parents * (2 + shape.parent_pose) * lanes;
  const Index gradients = routing_gradients_scratch(shape, iterations);
  return passes > gradients ? passes : gradients;
}

} // namespace

const RoutingKernels routing_kernels = {lanes,   block,    scratch,
                                        forward, backward, routing_gradients};

} // namespace mereo::MEREO_ISA

// What the routing kernels share. Lanes are images (see table.h): a weight is broadcast, a child's
// pose is a row of registers, and nothing is ever summed across a register. Only for few images
// they are children (see routing_few.cpp).
#pragma once

#include "kernels/lanes.h"
#include "kernels/table.h"

#include <type_traits>

namespace mereo::MEREO_ISA {

namespace { // internal linkage, see lanes.h

using Index = std::int64_t;

/// Rows of a vote that are in registers at once; as many as leave room for their operands.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int most_rows = 16;
#else
constexpr int most_rows = 8;
#endif

/// Children of one call of the gradients, and the most that share registers of sums.
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

/// Calls body with the child's pose as a compile-time constant where there is a version for it, or
/// with 0 where it is known only at run time.
template <class Body> MEREO_VERB void for_pose(Index depth, Body body) {
  switch (depth) {
  case 8:
    return body(std::integral_constant<int, 8>());
  case 16:
    return body(std::integral_constant<int, 16>());
  default:
    return body(std::integral_constant<int, 0>());
  }
}

/// total[n] += sum over d of w[n, d] u[d], n < Rows; D is the child's pose as in for_pose.
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

/// Adds <v, x> to four running sums.
template <int Rows> MEREO_VERB void add_dot(const V* v, const float* x, V* total) {
#pragma GCC unroll 16
  for (int n = 0; n < Rows; ++n)
    total[n % 4] = fma(v[n], load(x + n * lanes), total[n % 4]);
}
MEREO_VERB V fold(const V* total) {
  return (total[0] + total[1]) + (total[2] + total[3]);
}

/// Logits (J, lanes) become couplings: softmax over the parents, lane by lane.
MEREO_VERB void softmax(const RoutingShape& shape, float* x) {
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
MEREO_VERB void softmax_backward(const RoutingShape& shape, const float* couplings, float* q) {
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

} // namespace

// In routing_gradients_isa.cpp; see RoutingKernels.
Index routing_gradients_scratch(const RoutingShape& shape, Index iterations);
void routing_gradients(const RoutingShape& shape, Index count, Index tiles, const float* children,
                       Index stride, const float* weights, const RoutingHistory& history,
                       float* grad_children, Index grad_stride, float* grad_weights, float* memory);

} // namespace mereo::MEREO_ISA

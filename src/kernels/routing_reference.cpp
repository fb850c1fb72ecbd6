// Dynamic routing in plain loops with double accumulators: the specification of routing_isa.cpp,
// and the only one in the double build. One image per tile, so that (D, images) is (D).
#include "kernels/table.h"

#include <algorithm>
#include <cmath>

namespace mereo::reference {
namespace {

/// Component e of u_hat_ij, for one child and the rows w (E, D) of one parent.
double vote(const RoutingShape& shape, const real* child, const real* w, std::int64_t e) {
  double total = 0;
  for (std::int64_t d = 0; d < shape.child_pose; ++d)
    total += double(w[e * shape.child_pose + d]) * double(child[d]);
  return total;
}

/// <u_hat_ij, x_j> for every parent j; w (J, E, D), x (J, E).
void agreements(const RoutingShape& shape, const real* child, const real* w, const real* x,
                real* agreement) {
  const std::int64_t rows = shape.parent_pose;
  for (std::int64_t j = 0; j < shape.parents; ++j) {
    double total = 0;
    for (std::int64_t e = 0; e < rows; ++e)
      total += vote(shape, child, w + j * rows * shape.child_pose, e) * double(x[j * rows + e]);
    agreement[j] = real(total);
  }
}

/// Logits (J) become couplings.
void softmax(const RoutingShape& shape, real* x) {
  double largest = *std::max_element(x, x + shape.parents);
  if (shape.none_of_the_above)
    largest = std::max(largest, 0.0);
  double total = shape.none_of_the_above ? std::exp(-largest) : 0;
  for (std::int64_t j = 0; j < shape.parents; ++j)
    total += std::exp(double(x[j]) - largest);
  for (std::int64_t j = 0; j < shape.parents; ++j)
    x[j] = real(std::exp(double(x[j]) - largest) / total);
}

/// c_ij of one child, softmax over its parents.
void couple(const RoutingShape& shape, const real* child, const real* w, const real* preference,
            real* coupling) {
  if (preference)
    agreements(shape, child, w, preference, coupling);
  else
    std::fill_n(coupling, shape.parents, real(0));
  softmax(shape, coupling);
}

/// p_ij = c_ij (q_ij - sum_k c_ik q_ik), q_ij = <gs_j, u_hat_ij>.
void grad_logits(const RoutingShape& shape, const real* child, const real* w, const real* grad_sums,
                 const real* coupling, real* p) {
  agreements(shape, child, w, grad_sums, p);
  double mean = 0;
  for (std::int64_t j = 0; j < shape.parents; ++j)
    mean += double(coupling[j]) * double(p[j]);
  for (std::int64_t j = 0; j < shape.parents; ++j)
    p[j] = real(double(coupling[j]) * (double(p[j]) - mean));
}

/// out (J, E) += sum over children [begin, end) of factor_ij u_hat_ij; factor (end - begin, J).
void add_votes(const RoutingShape& shape, std::int64_t begin, std::int64_t end,
               const real* children, const real* weights, const real* factor, real* out) {
  const std::int64_t parents = shape.parents, rows = shape.parent_pose, columns = shape.child_pose;
  for (std::int64_t j = 0; j < parents; ++j)
    for (std::int64_t e = 0; e < rows; ++e) {
      double total = 0;
      for (std::int64_t i = begin; i < end; ++i)
        total +=
            double(factor[(i - begin) * parents + j]) *
            vote(shape, children + i * columns, weights + (i * parents + j) * rows * columns, e);
      out[j * rows + e] += real(total);
    }
}

std::int64_t scratch(const RoutingShape& shape, std::int64_t) {
  return std::max(2 * shape.children, 2 + shape.parent_pose) * shape.parents;
}

void forward(const RoutingShape& shape, std::int64_t begin, std::int64_t end, const real* children,
             const real* weights, const real* preference, real* sums, real* memory) {
  const std::int64_t size = shape.parents * shape.parent_pose * shape.child_pose;
  for (std::int64_t i = begin; i < end; ++i)
    couple(shape, children + i * shape.child_pose, weights + i * size, preference,
           memory + (i - begin) * shape.parents);
  add_votes(shape, begin, end, children, weights, memory, sums);
}

void votes(const RoutingShape& shape, const real* child, const real* w, real* votes) {
  for (std::int64_t e = 0; e < shape.parent_pose; ++e)
    votes[e] = real(vote(shape, child, w, e));
}

void forward_votes(const RoutingShape& shape, std::int64_t count, const real* votes,
                   const real* preference, real* sums, real* coupling) {
  const std::int64_t rows = shape.parent_pose;
  for (std::int64_t i = 0; i < count; ++i, votes += shape.parents * rows) {
    for (std::int64_t j = 0; j < shape.parents; ++j) {
      double total = 0;
      for (std::int64_t e = j * rows; e < (j + 1) * rows && preference; ++e)
        total += double(votes[e]) * double(preference[e]);
      coupling[j] = real(total);
    }
    softmax(shape, coupling);
    for (std::int64_t n = 0; n < shape.parents * rows; ++n)
      sums[n] += coupling[n / rows] * votes[n];
  }
}

void backward(const RoutingShape& shape, std::int64_t begin, std::int64_t end, const real* children,
              const real* weights, const real* preference, const real* grad_sums,
              real* grad_preference, real* memory) {
  const std::int64_t size = shape.parents * shape.parent_pose * shape.child_pose;
  real* couplings = memory;
  real* p = memory + shape.children * shape.parents;
  for (std::int64_t i = begin; i < end; ++i) {
    const real* child = children + i * shape.child_pose;
    real* coupling = couplings + (i - begin) * shape.parents;
    couple(shape, child, weights + i * size, preference, coupling);
    grad_logits(shape, child, weights + i * size, grad_sums, coupling,
                p + (i - begin) * shape.parents);
  }
  add_votes(shape, begin, end, children, weights, p, grad_preference);
}

/// g (J, E) = sum over iterations of c^t_j gs^t_j + p^t_j V^(t-1)_j, of one child. preferences and
/// grad_sums are the tile's, an iteration every `stride` elements.
void grad_votes(const RoutingShape& shape, const real* child, const real* w,
                const RoutingHistory& history, const real* preferences, const real* grad_sums,
                std::int64_t stride, real* g, real* memory) {
  const std::int64_t poses = shape.parents * shape.parent_pose;
  real* couplings = memory;
  real* p = memory + shape.parents;
  std::fill_n(g, poses, real(0));
  for (std::int64_t t = 0; t < history.iterations; ++t) {
    const real* preference = t == 0 && history.starts_uniform ? nullptr : preferences + t * stride;
    couple(shape, child, w, preference, couplings);
    grad_logits(shape, child, w, grad_sums + t * stride, couplings, p);
    for (std::int64_t n = 0; n < poses; ++n) {
      double total = double(couplings[n / shape.parent_pose]) * double(grad_sums[t * stride + n]);
      if (preference && !history.constant_couplings)
        total += double(p[n / shape.parent_pose]) * double(preference[n]);
      g[n] += real(total);
    }
  }
}

void gradients(const RoutingShape& shape, std::int64_t count, std::int64_t tiles,
               const real* children, std::int64_t stride, const real* weights,
               const RoutingHistory& history, real* grad_children, std::int64_t grad_stride,
               real* grad_weights, real* memory) {
  const std::int64_t poses = shape.parents * shape.parent_pose, columns = shape.child_pose;
  const std::int64_t history_stride = tiles * poses;
  real* g = memory + 2 * shape.parents;
  for (std::int64_t i = 0; i < count; ++i)
    for (std::int64_t tile = 0; tile < tiles; ++tile) {
      const real* child = children + tile * stride + i * columns;
      const real* w = weights + i * poses * columns;
      grad_votes(shape, child, w, history, history.preferences + tile * poses,
                 history.grad_sums + tile * poses, history_stride, g, memory);
      for (std::int64_t d = 0; d < columns && grad_children; ++d) {
        double total = 0;
        for (std::int64_t n = 0; n < poses; ++n)
          total += double(w[n * columns + d]) * double(g[n]);
        grad_children[tile * grad_stride + i * columns + d] = real(total);
      }
      for (std::int64_t n = 0; n < poses && grad_weights; ++n)
        for (std::int64_t d = 0; d < columns; ++d)
          grad_weights[(i * poses + n) * columns + d] += g[n] * child[d];
    }
}

} // namespace

extern const RoutingKernels routing_kernels;
const RoutingKernels routing_kernels = {1,        1,        scratch, forward, votes, forward_votes,
                                        backward, gradients};

} // namespace mereo::reference

// EM routing backward, compiled once per instruction set.
#include "kernels/em_lanes.h"
#include "kernels/lane_loops.h"

namespace mereo::MEREO_ISA {

namespace {

// ---- iterations after the first -----------------------------------------------------------------

/// Of one child and one block n of its parents: logit and grad r (lanes), deviations (H, lanes).
template <class Pose>
MEREO_VERB void find_slopes(const Pose& p, const EmShape& shape, const EmPlace& place, Index i,
                            Index n, const float* transforms, const EmSlopes& pass, float* logit,
                            float* grad_r, float* deviations) {
  const Index blocks = blocks_of(shape);
  const Index at = block_of(place, blocks, n);
  const float* w = transforms + transform_of(p, shape, place, blocks, i, n);
  const float* parent = pass.parents + at * (2 * p.vote + em_tail) * lanes;
  const float* linear = pass.coefficients + (at * (1 + 2 * p.vote) + 1) * lanes;
  const float* square = linear + p.vote * lanes;
  V distance[2] = {zero(), zero()}, slope[2] = {load(linear - lanes), zero()};
  for_deviations<panel_rows>(
      p, place.poses + i * p.child, w, parent,
      place.shift, [&](Index h, V x) __attribute__((always_inline)) {
        store(deviations + h * lanes, x);
        distance[h % 2] = fma(x * load(parent + (p.vote + h) * lanes), x, distance[h % 2]);
        const V factor = fma(load(square + h * lanes), x, load(linear + h * lanes));
        slope[h % 2] = fma(factor, x, slope[h % 2]);
      });
  store(logit, fnma(broadcast(0.5f * shape.likelihood), distance[0] + distance[1],
                    load(parent + (2 * p.vote + em_logit) * lanes)));
  store(grad_r, slope[0] + slope[1]);
}

/// Over one softmax: logits become r = R a, grad_r the gradient of the logits; returns that of a.
///   grad a = sum R grad r,  grad logit = R a (grad r - grad a)
MEREO_VERB float couple_backward(Index count, float activation, float* logits, float* grad_r) {
  softmax(count, logits);
  V total = zero();
  for (Index n = 0; n < count; ++n)
    total = fma(load(logits + n * lanes), load(grad_r + n * lanes), total);
  const float grad_activation = sum(total);
  const V mean = broadcast(grad_activation), active = broadcast(activation);
  for (Index n = 0; n < count; ++n) {
    const V r = load(logits + n * lanes) * active;
    store(logits + n * lanes, r);
    store(grad_r + n * lanes, r * (load(grad_r + n * lanes) - mean));
  }
  return grad_activation;
}

template <class Pose>
void slopes_of_place(const Pose& p, const EmShape& shape, const EmPlace& place,
                     const float* transforms, const EmSlopes& pass, float* deviations) {
  const Index I = shape.child_types, blocks = blocks_of(shape);
  const Index all = place.parents * blocks * lanes;
  const Index fields = shape.per_field ? place.parents : 1, field = all / fields;
  for (Index first = 0; first < I; first += group) {
    const Index count = I - first < group ? I - first : group;
    for (Index n = 0; n < all / lanes; ++n)
      for (Index g = 0; g < count; ++g) {
        const Index at = (first + g) * all + n * lanes;
        find_slopes(p, shape, place, first + g, n, transforms, pass, pass.weights + at,
                    pass.grad_logits + at, deviations + (g * all + n * lanes) * p.vote);
      }
    for (Index i = first; i < first + count; ++i)
      for (Index n = i * all; n < (i + 1) * all; n += field)
        pass.grad_activations[i] += couple_backward(field / lanes, place.activations[i],
                                                    pass.weights + n, pass.grad_logits + n);
    add_group_moments(p, place, blocks, count, pass.grad_logits + first * all, all, deviations,
                      pass.sums);
  }
}

// ---- the first iteration, and all gradients of votes --------------------------------------------

/// Registers of terms per element of a vote.
template <int T> MEREO_VERB Index terms_of(Index iterations) {
  const Index t = T ? T : iterations;
  return t == 1 ? 2 : 5 + 4 * (t - 2);
}

/// Writes the gradient of one child's vote for one block n of its parents (H, lanes); returns that
/// of r^0. T is the number of iterations, or 0 where it is known only at run time.
template <int T, class Pose>
MEREO_VERB V grad_vote(const Pose& p, const EmShape& shape, const EmPlace& place, Index i, Index n,
                       const float* transforms, const EmGradients& pass, float* grad) {
  const Index blocks = blocks_of(shape), iterations = T ? T : pass.iterations;
  const Index terms = terms_of<T>(iterations);
  const Index at = block_of(place, blocks, n);
  const float* w = transforms + transform_of(p, shape, place, blocks, i, n);
  const float* parent = pass.parents + at * (2 * p.vote + em_tail) * lanes;
  const float* term = pass.terms + at * (1 + terms * p.vote) * lanes;
  const float* weights = pass.weights + (i * place.parents * blocks + n) * lanes;
  const V uniform = broadcast(place.uniform * place.activations[i]), half = broadcast(0.5f);
  V r[T > 1 ? T : 1], l[T > 1 ? T : 1]; // once, not after each store to grad
#pragma GCC unroll 4
  for (int t = 1; t < T; ++t) {
    r[t] = load(weights + (t - 1) * 2 * pass.stride);
    l[t] = load(weights + ((t - 1) * 2 + 1) * pass.stride);
  }
  V slope[2] = {load(term), zero()};
  for_deviations<panel_rows>(
      p, place.poses + i * p.child, w, parent,
      place.shift, [&](Index h, V d) __attribute__((always_inline)) {
        const float* x = term + (1 + h * terms) * lanes;
        const V x0 = load(x), y0 = load(x + lanes);
        slope[h % 2] = fma(fma(half * y0, d, x0), d, slope[h % 2]);
        V constant = uniform * x0, factor = uniform * y0;
        x += 2 * lanes;
#pragma GCC unroll 4
        for (Index t = 1; t < iterations; ++t) {
          const V rt = T ? r[t] : load(weights + (t - 1) * 2 * pass.stride);
          const V lt = T ? l[t] : load(weights + ((t - 1) * 2 + 1) * pass.stride);
          constant = fma(rt, load(x), constant);
          factor = fma(rt, load(x + lanes), factor);
          factor = fma(lt, load(x + 2 * lanes), factor);
          if (t > 1)
            constant = fma(lt, load(x + 3 * lanes), constant);
          x += (t > 1 ? 4 : 3) * lanes;
        }
        store(grad + h * lanes, fma(factor, d, constant));
      });
  return slope[0] + slope[1];
}

/// grad M = sum over parents of grad V W^T.
template <class Pose>
MEREO_VERB void grad_pose(const Pose& p, const EmShape& shape, const EmPlace& place, Index i,
                          const float* transforms, const float* grad_votes, float* grad,
                          bool accumulate) {
  const Index blocks = blocks_of(shape);
  for_panels<panel_rows>(
      p.rows,
      p.inner, [&](Index row, Index k, auto rows, auto inner) __attribute__((always_inline)) {
        constexpr int R = rows, K = inner;
        V total[R * K];
#pragma GCC unroll 16
        for (int m = 0; m < R * K; ++m)
          total[m] = zero();
        for (Index n = 0; n < place.parents * blocks; ++n) {
          const float* w =
              transforms + transform_of(p, shape, place, blocks, i, n) + k * p.columns * lanes;
          const float* g = grad_votes + (n * p.vote + row * p.columns) * lanes;
#pragma GCC unroll 4
          for (Index c = 0; c < p.columns; ++c) {
            V x[K];
#pragma GCC unroll 4
            for (int m = 0; m < K; ++m)
              x[m] = load(w + (m * p.columns + c) * lanes);
#pragma GCC unroll 4
            for (int r = 0; r < R; ++r) {
              const V y = load(g + (r * p.columns + c) * lanes);
#pragma GCC unroll 4
              for (int m = 0; m < K; ++m)
                total[r * K + m] = fma(y, x[m], total[r * K + m]);
            }
          }
        }
        float sums[R * K];
        if constexpr (R * K == lanes) {
          store(sums, sums_of(total));
        } else {
          for (int m = 0; m < R * K; ++m)
            sums[m] = sum(total[m]);
        }
        for (int m = 0; m < R * K; ++m) {
          float& to = grad[(row + m / K) * p.inner + k + m % K];
          to = accumulate ? to + sums[m] : sums[m];
        }
      });
}

/// grad W += M^T grad V.
template <class Pose>
MEREO_VERB void grad_transform(const Pose& p, const EmShape& shape, const EmPlace& place, Index i,
                               const float* grad_votes, float* grad) {
  const Index blocks = blocks_of(shape);
  const float* pose = place.poses + i * p.child;
  for (Index n = 0; n < place.parents * blocks; ++n, grad_votes += p.vote * lanes) {
    float* out = grad + transform_of(p, shape, place, blocks, i, n);
    for_panels<panel_rows>(
        p.inner, p.columns,
        [&](Index k, Index column, auto inner, auto columns) __attribute__((always_inline)) {
          constexpr int K = inner, C = columns;
          float* to = out + (k * p.columns + column) * lanes;
          V total[K * C];
#pragma GCC unroll 16
          for (int m = 0; m < K * C; ++m)
            total[m] = load(to + (m / C * p.columns + m % C) * lanes);
#pragma GCC unroll 4
          for (Index r = 0; r < p.rows; ++r) {
            V y[C];
#pragma GCC unroll 4
            for (int c = 0; c < C; ++c)
              y[c] = load(grad_votes + (r * p.columns + column + c) * lanes);
#pragma GCC unroll 4
            for (int m = 0; m < K; ++m) {
              const V x = broadcast(pose[r * p.inner + k + m]);
#pragma GCC unroll 4
              for (int c = 0; c < C; ++c)
                total[m * C + c] = fma(x, y[c], total[m * C + c]);
            }
          }
#pragma GCC unroll 16
          for (int m = 0; m < K * C; ++m)
            store(to + (m / C * p.columns + m % C) * lanes, total[m]);
        });
  }
}

/// A block of parents meets a group of children while what it brings, 9 KB for three iterations, is
/// in the first-level cache.
template <int T, class Pose>
void gradients_of_place(const Pose& p, const EmShape& shape, const EmPlace& place,
                        const float* transforms, const EmGradients& pass, float* memory) {
  const Index I = shape.child_types, all = place.parents * blocks_of(shape);
  const Index size = all * p.vote * lanes; // of a child's gradients
  for (Index first = 0; first < I; first += group) {
    const Index count = I - first < group ? I - first : group;
    V slopes[group];
    for (V& slope : slopes)
      slope = zero();
    for (Index n = 0; n < all; ++n)
      for (Index g = 0; g < count; ++g)
        slopes[g] = slopes[g] + grad_vote<T>(p, shape, place, first + g, n, transforms, pass,
                                             memory + g * size + n * p.vote * lanes);
    for (Index g = 0; g < count; ++g) {
      const Index i = first + g;
      const float* grad = memory + g * size;
      pass.grad_activations[i] += place.uniform * sum(slopes[g]);
      if (pass.grad_poses)
        grad_pose(p, shape, place, i, transforms, grad, pass.grad_poses + i * p.child,
                  pass.accumulate_poses);
      if (pass.grad_transforms)
        grad_transform(p, shape, place, i, grad, pass.grad_transforms);
    }
  }
}

} // namespace

void em_slopes(const EmShape& shape, const EmPlace& place, const float* transforms,
               const EmSlopes& pass, float* scratch) {
  for_pose(
      shape, [&](auto p) __attribute__((always_inline)) {
        slopes_of_place(p, shape, place, transforms, pass, scratch);
      });
}

void em_gradients(const EmShape& shape, const EmPlace& place, const float* transforms,
                  const EmGradients& pass, float* scratch) {
  for_pose(
      shape, [&](auto p) __attribute__((always_inline)) {
        switch (pass.iterations) {
        case 2:
          return gradients_of_place<2>(p, shape, place, transforms, pass, scratch);
        case 3:
          return gradients_of_place<3>(p, shape, place, transforms, pass, scratch);
        default:
          return gradients_of_place<0>(p, shape, place, transforms, pass, scratch);
        }
      });
}

} // namespace mereo::MEREO_ISA

// What the EM kernels share: see em_kernels.h for what the lanes are.
#pragma once

#include "kernels/em_kernels.h"
#include "kernels/lanes.h"

#include <type_traits>

namespace mereo::MEREO_ISA {

namespace { // internal linkage, see lanes.h

using Index = std::int64_t;

static_assert(lanes <= em_most_lanes);

/// Rows of a panel, four columns wide, whose votes are in registers at once.
constexpr int panel_rows = lanes >= 4 ? lanes / 4 : 1;

/// The size of poses as compile-time constants, or known at run time only.
template <int R, int K, int C> struct FixedPose {
  static constexpr Index rows = R, inner = K, columns = C, child = R * K, vote = R * C;
  static constexpr Index transform = K * C;
};
struct AnyPose {
  explicit AnyPose(const EmShape& s)
      : rows(s.rows), inner(s.inner), columns(s.columns), child(s.rows * s.inner),
        vote(s.rows * s.columns), transform(s.inner * s.columns) {}
  Index rows, inner, columns, child, vote, transform;
};

template <class Body> MEREO_VERB void for_pose(const EmShape& s, Body body) {
  if (s.rows == 4 && s.inner == 4 && s.columns == 4)
    body(FixedPose<4, 4, 4>());
  else
    body(AnyPose(s));
}

template <int N> using Constant = std::integral_constant<int, N>;

/// Calls body(row, column, rows, columns) for panels that cover a matrix, their sizes being
/// compile-time constants: Rows x 4 where that fits, single rows and columns elsewhere.
template <int Rows, class Body> MEREO_VERB void for_panels(Index rows, Index columns, Body body) {
  Index r = 0;
  for (; r + Rows <= rows; r += Rows) {
    Index c = 0;
    for (; c + 4 <= columns; c += 4)
      body(r, c, Constant<Rows>(), Constant<4>());
    for (; c < columns; ++c)
      body(r, c, Constant<Rows>(), Constant<1>());
  }
  if constexpr (Rows > 1)
    for (; r < rows; ++r) {
      Index c = 0;
      for (; c + 4 <= columns; c += 4)
        body(r, c, Constant<1>(), Constant<4>());
      for (; c < columns; ++c)
        body(r, c, Constant<1>(), Constant<1>());
    }
}

/// total (Rows, Columns) += M W for the rows of `pose` and the columns of `w` that start there.
template <int Rows, int Columns, class Pose>
MEREO_VERB void add_product(const Pose& p, const float* pose, const float* w, V* total) {
#pragma GCC unroll 4
  for (Index k = 0; k < p.inner; ++k) {
    V x[Columns];
#pragma GCC unroll 4
    for (int c = 0; c < Columns; ++c)
      x[c] = load(w + (k * p.columns + c) * lanes);
#pragma GCC unroll 4
    for (int r = 0; r < Rows; ++r) {
      const V m = broadcast(pose[r * p.inner + k]);
#pragma GCC unroll 4
      for (int c = 0; c < Columns; ++c)
        total[r * Columns + c] = fma(m, x[c], total[r * Columns + c]);
    }
  }
}

MEREO_VERB Index blocks_of(const EmShape& shape) {
  return (shape.parent_types + lanes - 1) / lanes;
}

/// Of a place's blocks of parents, `blocks` at each of theirs: where block n is among all.
MEREO_VERB Index block_of(const EmPlace& place, Index blocks, Index n) {
  return place.parent[n / blocks] * blocks + n % blocks;
}

/// Elements of transforms before those (inner, columns, lanes) of child i for that block.
template <class Pose>
MEREO_VERB Index transform_of(const Pose& p, const EmShape& shape, const EmPlace& place,
                              Index blocks, Index i, Index n) {
  const Index child = place.offset[n / blocks] * shape.child_types + i;
  return (child * blocks + n % blocks) * p.transform * lanes;
}

/// body(h, d) for every element of the votes of one child for one block of parents, as they differ
/// from the parents' means: -mu is where the sums start.
template <int Rows, class Pose, class Body>
MEREO_VERB void for_deviations(const Pose& p, const float* pose, const float* w,
                               const float* parents, const float* shift, Body body) {
  for_panels<Rows>(
      p.rows, p.columns,
      [&](Index row, Index column, auto rows, auto columns) __attribute__((always_inline)) {
        constexpr int R = rows, C = columns;
        const Index first = row * p.columns + column;
        V d[R * C];
#pragma GCC unroll 16
        for (int n = 0; n < R * C; ++n)
          d[n] = load(parents + (first + n / C * p.columns + n % C) * lanes);
        if (shift)
#pragma GCC unroll 16
          for (int n = 0; n < R * C; ++n)
            d[n] = d[n] + broadcast(shift[first + n / C * p.columns + n % C]);
        add_product<R, C>(p, pose + row * p.inner, w + column * lanes, d);
#pragma GCC unroll 16
        for (int n = 0; n < R * C; ++n)
          body(first + n / C * p.columns + n % C, d[n]);
      });
}

/// Logits so far below the largest count as minus infinity. Such a coupling, 2e-22, is nothing
/// beside em_mass_epsilon; but its products with deviations would be denormal, which costs a
/// processor a hundred times an ordinary product (half of the time of a third iteration).
constexpr float least_logit = -50;

/// Softmax over `count` registers, all lanes of them.
MEREO_VERB void softmax(Index count, float* x) {
  V largest = load(x);
  for (Index n = 1; n < count; ++n)
    largest = max(largest, load(x + n * lanes));
  const V limit = broadcast(max_of(largest));
  V total = zero();
  for (Index n = 0; n < count; ++n) {
    const V logit = load(x + n * lanes) - limit;
    const V e = select(logit > broadcast(least_logit), exp(logit), zero());
    store(x + n * lanes, e);
    total = total + e;
  }
  const V scale = broadcast(1.f / sum(total));
  for (Index n = 0; n < count; ++n)
    store(x + n * lanes, load(x + n * lanes) * scale);
}

/// Adds `Count` children's weights, their deviations times these, and the squares to the sums of
/// one block of parents. Children are `weight_stride` and `deviation_stride` elements apart.
template <int Count>
MEREO_VERB void add_moments(Index vote, const float* weights, Index weight_stride,
                            const float* deviations, Index deviation_stride, float* sums) {
  V r[Count], mass = load(sums);
#pragma GCC unroll 4
  for (int g = 0; g < Count; ++g) {
    r[g] = load(weights + g * weight_stride);
    mass = mass + r[g];
  }
  store(sums, mass);
  float* first = sums + lanes;
  float* second = first + vote * lanes;
#pragma GCC unroll 4
  for (Index h = 0; h < vote; ++h) {
    V one = load(first + h * lanes), two = load(second + h * lanes);
#pragma GCC unroll 4
    for (int g = 0; g < Count; ++g) {
      const V d = load(deviations + g * deviation_stride + h * lanes), rd = r[g] * d;
      one = one + rd;
      two = fma(rd, d, two);
    }
    store(first + h * lanes, one);
    store(second + h * lanes, two);
  }
}

/// Children whose moments are added together, so that the parents' sums are loaded and stored once
/// for all of them.
constexpr Index group = 4;

/// The same for `count` <= group children, and all blocks of all parents of a place.
template <class Pose>
MEREO_VERB void add_group_moments(const Pose& p, const EmPlace& place, Index blocks, Index count,
                                  const float* weights, Index weight_stride,
                                  const float* deviations, float* sums) {
  const Index all = place.parents * blocks, stride = all * p.vote * lanes;
  for (Index n = 0; n < all; ++n) {
    float* to = sums + block_of(place, blocks, n) * (1 + 2 * p.vote) * lanes;
    const float* r = weights + n * lanes;
    const float* d = deviations + n * p.vote * lanes;
    switch (count) {
    case 4:
      add_moments<4>(p.vote, r, weight_stride, d, stride, to);
      break;
    case 3:
      add_moments<3>(p.vote, r, weight_stride, d, stride, to);
      break;
    case 2:
      add_moments<2>(p.vote, r, weight_stride, d, stride, to);
      break;
    default:
      add_moments<1>(p.vote, r, weight_stride, d, stride, to);
    }
  }
}

/// One register whose lane i is the sum of rows[i].
MEREO_VERB V sums_of(const V (&rows)[lanes]) {
  V four[lanes / 4];
#pragma GCC unroll 4
  for (int i = 0; i < lanes; i += 4) { // of each quarter, four rows side by side
    const V ab = interleave_low(rows[i], rows[i + 1]) + interleave_high(rows[i], rows[i + 1]);
    const V cd =
        interleave_low(rows[i + 2], rows[i + 3]) + interleave_high(rows[i + 2], rows[i + 3]);
    four[i / 4] = low_pairs(ab, cd) + high_pairs(ab, cd);
  }
#if defined(__AVX512F__)
  const V low = even_quarters(four[0], four[1]) + odd_quarters(four[0], four[1]);
  const V high = even_quarters(four[2], four[3]) + odd_quarters(four[2], four[3]);
  return even_quarters(low, high) + odd_quarters(low, high);
#elif defined(__AVX2__)
  return even_quarters(four[0], four[1]) + odd_quarters(four[0], four[1]);
#else
  return four[0];
#endif
}

} // namespace

// In em_gradients_isa.cpp; see EmKernels.
void em_slopes(const EmShape& shape, const EmPlace& place, const float* transforms,
               const EmSlopes& pass, float* scratch);
void em_gradients(const EmShape& shape, const EmPlace& place, const float* transforms,
                  const EmGradients& pass, float* scratch);

} // namespace mereo::MEREO_ISA

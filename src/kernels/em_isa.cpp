// EM routing forward, compiled once per instruction set.
#include "kernels/em_lanes.h"
#include "kernels/lane_loops.h"

namespace mereo::MEREO_ISA {

extern const EmKernels em_kernels;

namespace {

Index scratch(const EmShape& shape, Index parents) {
  // A group of children with deviations, logits and their gradients.
  const Index blocks = parents * blocks_of(shape), vote = shape.rows * shape.columns;
  const Index routed = group * blocks * (vote + 2) * lanes;
  const Index scaled = shape.child_types * (shape.rows * shape.inner + 1);
  return routed > scaled ? routed : scaled;
}

// ---- the first M-step: every child is coupled alike
// ----------------------------------------------

/// r = uniform a of each child, and M times that; returns the sum of r.
float scale_poses(const EmShape& shape, const EmPlace& place, float* weights, float* poses) {
  const Index size = shape.rows * shape.inner;
  float mass = 0;
  for (Index i = 0; i < shape.child_types; ++i) {
    weights[i] = place.uniform * place.activations[i];
    mass += weights[i];
    for (Index n = 0; n < size; ++n)
      poses[i * size + n] = weights[i] * place.poses[i * size + n];
  }
  return mass;
}

/// A plain matrix product, (r M) W summed over the children: sums stay in registers.
template <class Pose>
void add_moments(const Pose& p, const EmShape& shape, const EmPlace& place, const float* transforms,
                 float* sums, float* memory) {
  const Index I = shape.child_types, blocks = blocks_of(shape);
  const Index step = blocks * p.transform * lanes; // from a child to the next
  float* poses = memory + I;
  const float mass = scale_poses(shape, place, memory, poses);
  for (Index n = 0; n < place.parents * blocks; ++n) {
    const float* w = transforms + transform_of(p, shape, place, blocks, 0, n);
    float* to = sums + block_of(place, blocks, n) * (1 + 2 * p.vote) * lanes;
    store(to, load(to) + broadcast(mass));
    for_panels<panel_rows>(
        p.rows, p.columns,
        [&](Index row, Index column, auto rows, auto columns) __attribute__((always_inline)) {
          constexpr int R = rows, C = columns;
          const Index first = row * p.columns + column;
          float* out = to + (1 + first) * lanes;
          V total[R * C];
#pragma GCC unroll 16
          for (int m = 0; m < R * C; ++m)
            total[m] = load(out + (m / C * p.columns + m % C) * lanes);
          for (Index i = 0; i < I; ++i)
            add_product<R, C>(p, poses + i * p.child + row * p.inner, w + i * step + column * lanes,
                              total);
          if (place.shift)
#pragma GCC unroll 16
            for (int m = 0; m < R * C; ++m)
              total[m] = fma(broadcast(mass),
                             broadcast(place.shift[first + m / C * p.columns + m % C]), total[m]);
#pragma GCC unroll 16
          for (int m = 0; m < R * C; ++m)
            store(out + (m / C * p.columns + m % C) * lanes, total[m]);
        });
  }
}

void moments(const EmShape& shape, const EmPlace& place, const float* transforms, float* sums,
             float* memory) {
  for_pose(
      shape, [&](auto p) __attribute__((always_inline)) {
        add_moments(p, shape, place, transforms, sums, memory);
      });
}

void means(const EmShape& shape, Index count, float* sums, float* parents) {
  const Index H = shape.rows * shape.columns;
  for (Index n = 0; n < count;
       ++n, sums += (1 + 2 * H) * lanes, parents += (2 * H + em_tail) * lanes) {
    const V mass = load(sums), scale = broadcast(1.f) / (mass + broadcast(em_mass_epsilon));
    for (Index h = 0; h < H; ++h) {
      float* first = sums + (1 + h) * lanes;
      const V mean = load(first) * scale;
      store(parents + h * lanes, zero() - mean);
      store(first, fnma(mass, mean, load(first)));
    }
  }
}

/// Half as many rows at once as elsewhere, because their sums are in registers too.
constexpr int deviation_rows = panel_rows >= 2 ? panel_rows / 2 : 1;

template <class Pose>
void add_deviations(const Pose& p, const EmShape& shape, const EmPlace& place,
                    const float* transforms, const float* parents, float* sums) {
  const Index I = shape.child_types, blocks = blocks_of(shape);
  const Index step = blocks * p.transform * lanes;
  for (Index n = 0; n < place.parents * blocks; ++n) {
    const Index at = block_of(place, blocks, n);
    const float* w = transforms + transform_of(p, shape, place, blocks, 0, n);
    const float* mean = parents + at * (2 * p.vote + em_tail) * lanes;
    float* second = sums + (at * (1 + 2 * p.vote) + 1 + p.vote) * lanes;
    for_panels<deviation_rows>(
        p.rows, p.columns,
        [&](Index row, Index column, auto rows, auto columns) __attribute__((always_inline)) {
          constexpr int R = rows, C = columns;
          const Index first = row * p.columns + column;
          V total[R * C];
#pragma GCC unroll 16
          for (int m = 0; m < R * C; ++m)
            total[m] = load(second + (first + m / C * p.columns + m % C) * lanes);
          for (Index i = 0; i < I; ++i) {
            V d[R * C];
#pragma GCC unroll 16
            for (int m = 0; m < R * C; ++m)
              d[m] = load(mean + (first + m / C * p.columns + m % C) * lanes);
            if (place.shift)
#pragma GCC unroll 16
              for (int m = 0; m < R * C; ++m)
                d[m] = d[m] + broadcast(place.shift[first + m / C * p.columns + m % C]);
            add_product<R, C>(p, place.poses + i * p.child + row * p.inner,
                              w + i * step + column * lanes, d);
            const V r = broadcast(place.uniform * place.activations[i]);
#pragma GCC unroll 16
            for (int m = 0; m < R * C; ++m)
              total[m] = fma(r * d[m], d[m], total[m]);
          }
#pragma GCC unroll 16
          for (int m = 0; m < R * C; ++m)
            store(second + (first + m / C * p.columns + m % C) * lanes, total[m]);
        });
  }
}

void deviations(const EmShape& shape, const EmPlace& place, const float* transforms,
                const float* parents, float* sums, float*) {
  for_pose(
      shape, [&](auto p) __attribute__((always_inline)) {
        add_deviations(p, shape, place, transforms, parents, sums);
      });
}

// ---- E-step and the sums of the next M-step -----------------------------------------------------

/// Logits (parents, blocks, lanes) of one child, and its deviations (parents, blocks, H, lanes).
template <class Pose>
MEREO_VERB void find_logits(const Pose& p, const EmShape& shape, const EmPlace& place, Index i,
                            const float* transforms, const float* parents, float* logits,
                            float* deviations) {
  const Index blocks = blocks_of(shape);
  for (Index n = 0; n < place.parents * blocks; ++n) {
    const float* w = transforms + transform_of(p, shape, place, blocks, i, n);
    const float* parent = parents + block_of(place, blocks, n) * (2 * p.vote + em_tail) * lanes;
    float* d = deviations + n * p.vote * lanes;
    V distance[2] = {zero(), zero()};
    for_deviations<panel_rows>(
        p, place.poses + i * p.child, w, parent,
        place.shift, [&](Index h, V x) __attribute__((always_inline)) {
          store(d + h * lanes, x);
          distance[h % 2] = fma(x * load(parent + (p.vote + h) * lanes), x, distance[h % 2]);
        });
    const V logit = load(parent + (2 * p.vote + em_logit) * lanes);
    store(logits + n * lanes,
          fnma(broadcast(0.5f * shape.likelihood), distance[0] + distance[1], logit));
  }
}

/// Logits become couplings.
MEREO_VERB void couple(const EmShape& shape, const EmPlace& place, float* logits) {
  const Index blocks = blocks_of(shape);
  if (!shape.per_field)
    return softmax(place.parents * blocks, logits);
  for (Index n = 0; n < place.parents; ++n)
    softmax(blocks, logits + n * blocks * lanes);
}

template <class Pose>
void route_place(const Pose& p, const EmShape& shape, const EmPlace& place, const float* transforms,
                 const float* parents, float* sums, float* couplings, float* memory) {
  const Index I = shape.child_types, blocks = blocks_of(shape);
  const Index all = place.parents * blocks * lanes;
  float* logits = memory;
  float* deviations = memory + group * all;
  for (Index first = 0; first < I; first += group) {
    const Index count = I - first < group ? I - first : group;
    for (Index g = 0; g < count; ++g) {
      float* r = logits + g * all;
      find_logits(p, shape, place, first + g, transforms, parents, r,
                  deviations + g * all * p.vote);
      couple(shape, place, r);
      const V active = broadcast(place.activations[first + g]);
      for (Index n = 0; n < all; n += lanes) {
        if (couplings)
          store(couplings + (first + g) * all + n, load(r + n));
        store(r + n, load(r + n) * active);
      }
    }
    add_group_moments(p, place, blocks, count, logits, all, deviations, sums);
  }
}

void route(const EmShape& shape, const EmPlace& place, const float* transforms,
           const float* parents, float* sums, float* couplings, float* memory) {
  for_pose(
      shape, [&](auto p) __attribute__((always_inline)) {
        route_place(p, shape, place, transforms, parents, sums, couplings, memory);
      });
}

// ---- M-step -------------------------------------------------------------------------------------

/// With the mass S, N = S + epsilon, and moments S1, S2 about the old mean:
///   m = (S1 - epsilon mu_old) / N,  mu = mu_old + m,  var = (S2 - m (2 S1 - m S)) / N + floor
void finish(const EmShape& shape, const EmStep& step, const float* sums, const float* before,
            float* parents) {
  constexpr float log_two_pi = 1.8378770664093453f;
  const Index H = shape.rows * shape.columns, J = shape.parent_types;
  const V one = broadcast(1.f), epsilon = broadcast(em_mass_epsilon);
  for (Index b = 0; b < blocks_of(shape); ++b) {
    const float* first = sums + lanes;
    const float* second = first + H * lanes;
    const V mass = load(sums), scale = one / (mass + epsilon);
    V volume = zero();
    for (Index h = 0; h < H; ++h) {
      const V old = load(before + h * lanes), s1 = load(first + h * lanes); // -mu_old
      const V move = fma(epsilon, old, s1) * scale;
      const V spread = fnma(move, fnma(move, mass, s1 + s1), load(second + h * lanes));
      const V variance = fma(max(zero(), spread), scale, broadcast(step.variance_floor));
      store(parents + h * lanes, old - move);
      store(parents + (H + h) * lanes, one / variance);
      volume = volume + log(variance);
    }
    volume = broadcast(0.5f) * volume;
    const V cost = broadcast(step.cost_scale) * mass *
                   fma(broadcast(float(H)), load(step.beta_u + b * lanes), volume);
    const V energy = broadcast(step.inverse_temperature) * (load(step.beta_a + b * lanes) - cost);
    // log of the logistic function: min(z, 0) - log(1 + e^-|z|).
    const V low = min(energy, zero()), high = max(energy, zero());
    const V activation = low - log(one + exp(low - high));
    const V density = volume + broadcast(0.5f * float(H) * log_two_pi);
    const V logit = fnma(broadcast(shape.likelihood), density, activation);
    float* tail = parents + 2 * H * lanes;
    const Index used = J - b * lanes < lanes ? J - b * lanes : lanes;
    for (int l = 0; l < lanes; ++l)
      tail[em_logit * lanes + l] = -INFINITY;
    store_n(tail + em_logit * lanes, logit, used);
    store(tail + em_energy * lanes, energy);
    store(tail + em_mass * lanes, mass);
    store(tail + em_volume * lanes, volume);
    sums += (1 + 2 * H) * lanes;
    before += (2 * H + em_tail) * lanes;
    parents += (2 * H + em_tail) * lanes;
  }
}

} // namespace

const EmKernels em_kernels = {lanes, scratch, moments,   means,       deviations,
                              route, finish,  em_slopes, em_gradients};

} // namespace mereo::MEREO_ISA

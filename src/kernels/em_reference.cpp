// EM routing in plain loops with double accumulators: the specification of em_isa.cpp and
// em_gradients_isa.cpp, and the only one in the double build. A block is one type of parent.
#include "kernels/table.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace mereo::reference {
namespace {

using Index = std::int64_t;

Index elements(const EmShape& shape) {
  return shape.rows * shape.columns;
}
Index parent_size(const EmShape& shape) {
  return 2 * elements(shape) + em_tail;
}
Index sums_size(const EmShape& shape) {
  return 1 + 2 * elements(shape);
}

/// One child at a place, one type of parent at one of the places that see it: a vote.
struct Pair {
  const EmShape& shape;
  const EmPlace& place;
  Index i, n, j;

  /// Index of the parent among all, of the pair among those of this place.
  Index parent() const { return place.parent[n] * shape.parent_types + j; }
  Index pair() const { return (i * place.parents + n) * shape.parent_types + j; }
  /// Index of the transform.
  Index transform() const {
    return (place.offset[n] * shape.child_types + i) * shape.parent_types + j;
  }
  const real* pose() const { return place.poses + i * shape.rows * shape.inner; }

  double vote(const real* transforms, Index h) const {
    const real* w = transforms + transform() * shape.inner * shape.columns;
    const Index r = h / shape.columns, c = h % shape.columns;
    double total = place.shift ? double(place.shift[h]) : 0;
    for (Index k = 0; k < shape.inner; ++k)
      total += double(pose()[r * shape.inner + k]) * double(w[k * shape.columns + c]);
    return total;
  }
  /// V - mu.
  double deviation(const real* transforms, const real* parents, Index h) const {
    return vote(transforms, h) + double(parents[parent() * parent_size(shape) + h]);
  }
};

/// body(pair) for all votes of a place, those of a child one after the other.
template <class Body> void for_pairs(const EmShape& shape, const EmPlace& place, const Body& body) {
  for (Index i = 0; i < shape.child_types; ++i)
    for (Index n = 0; n < place.parents; ++n)
      for (Index j = 0; j < shape.parent_types; ++j)
        body(Pair{shape, place, i, n, j});
}

/// Adds a vote's weight and its moments.
void collect(const Pair& pair, double weight, const real* transforms, const real* parents,
             real* sums) {
  const Index H = elements(pair.shape);
  real* to = sums + pair.parent() * sums_size(pair.shape);
  to[0] += real(weight);
  for (Index h = 0; h < H; ++h) {
    const double d = pair.deviation(transforms, parents, h);
    to[1 + h] += real(weight * d);
    to[1 + H + h] += real(weight * d * d);
  }
}

Index scratch(const EmShape& shape, Index parents) {
  return shape.child_types * parents * shape.parent_types;
}

void moments(const EmShape& shape, const EmPlace& place, const real* transforms, real* sums,
             real*) {
  for_pairs(shape, place, [&](const Pair& pair) {
    const double r = double(place.uniform) * double(place.activations[pair.i]);
    real* to = sums + pair.parent() * sums_size(shape);
    to[0] += real(r);
    for (Index h = 0; h < elements(shape); ++h)
      to[1 + h] += real(r * pair.vote(transforms, h));
  });
}

void means(const EmShape& shape, Index count, real* sums, real* parents) {
  for (Index n = 0; n < count; ++n, sums += sums_size(shape), parents += parent_size(shape))
    for (Index h = 0; h < elements(shape); ++h) {
      const double mean = double(sums[1 + h]) / (double(sums[0]) + double(em_mass_epsilon));
      parents[h] = real(-mean);
      sums[1 + h] = real(double(sums[1 + h]) - double(sums[0]) * mean);
    }
}

void deviations(const EmShape& shape, const EmPlace& place, const real* transforms,
                const real* parents, real* sums, real*) {
  const Index H = elements(shape);
  for_pairs(shape, place, [&](const Pair& pair) {
    const double r = double(place.uniform) * double(place.activations[pair.i]);
    real* to = sums + pair.parent() * sums_size(shape) + 1 + H;
    for (Index h = 0; h < H; ++h) {
      const double d = pair.deviation(transforms, parents, h);
      to[h] += real(r * d * d);
    }
  });
}

/// Couplings (I, place.parents, J) of a place.
void couple(const EmShape& shape, const EmPlace& place, const real* transforms, const real* parents,
            real* couplings) {
  const Index H = elements(shape), J = shape.parent_types;
  for_pairs(shape, place, [&](const Pair& pair) {
    const real* parent = parents + pair.parent() * parent_size(shape);
    double distance = 0;
    for (Index h = 0; h < H; ++h) {
      const double d = pair.deviation(transforms, parents, h);
      distance += d * d * double(parent[H + h]);
    }
    couplings[pair.pair()] =
        real(double(parent[2 * H + em_logit]) - double(shape.likelihood) * distance / 2);
  });
  const Index field = shape.per_field ? J : place.parents * J;
  for (real* x = couplings; x < couplings + shape.child_types * place.parents * J; x += field) {
    const double largest = *std::max_element(x, x + field);
    double total = 0;
    for (Index m = 0; m < field; ++m)
      total += std::exp(double(x[m]) - largest);
    for (Index m = 0; m < field; ++m)
      x[m] = real(std::exp(double(x[m]) - largest) / total);
  }
}

void route(const EmShape& shape, const EmPlace& place, const real* transforms, const real* parents,
           real* sums, real* couplings, real* memory) {
  real* coupling = couplings ? couplings : memory;
  couple(shape, place, transforms, parents, coupling);
  for_pairs(shape, place, [&](const Pair& pair) {
    collect(pair, double(coupling[pair.pair()]) * double(place.activations[pair.i]), transforms,
            parents, sums);
  });
}

void finish(const EmShape& shape, const EmStep& step, const real* sums, const real* before,
            real* parents) {
  const Index H = elements(shape);
  for (Index j = 0; j < shape.parent_types; ++j) {
    const double mass = double(sums[0]), divisor = mass + double(em_mass_epsilon);
    double volume = 0;
    for (Index h = 0; h < H; ++h) {
      const double mean = -double(before[h]), first = double(sums[1 + h]);
      const double move = (first - double(em_mass_epsilon) * mean) / divisor;
      const double spread = double(sums[1 + H + h]) - move * (2 * first - move * mass);
      const double variance = std::max(0.0, spread) / divisor + double(step.variance_floor);
      parents[h] = real(-mean - move);
      parents[H + h] = real(1 / variance);
      volume += std::log(variance) / 2;
    }
    const double cost =
        double(step.cost_scale) * mass * (double(H) * double(step.beta_u[j]) + volume);
    const double energy = double(step.inverse_temperature) * (double(step.beta_a[j]) - cost);
    const double log_activation = std::min(energy, 0.0) - std::log1p(std::exp(-std::abs(energy)));
    const double density = volume + double(H) / 2 * std::log(2 * std::numbers::pi);
    parents[2 * H + em_logit] = real(log_activation - double(shape.likelihood) * density);
    parents[2 * H + em_energy] = real(energy);
    parents[2 * H + em_mass] = real(mass);
    parents[2 * H + em_volume] = real(volume);
    sums += sums_size(shape);
    before += parent_size(shape);
    parents += parent_size(shape);
  }
}

void slopes(const EmShape& shape, const EmPlace& place, const real* transforms,
            const EmSlopes& pass, real*) {
  const Index H = elements(shape), J = shape.parent_types;
  const Index field = shape.per_field ? J : place.parents * J;
  real* r = pass.weights;     // couplings at first
  real* l = pass.grad_logits; // grad r at first
  couple(shape, place, transforms, pass.parents, r);
  for_pairs(shape, place, [&](const Pair& pair) {
    const real* c = pass.coefficients + pair.parent() * sums_size(shape);
    double slope = double(c[0]);
    for (Index h = 0; h < H; ++h) {
      const double d = pair.deviation(transforms, pass.parents, h);
      slope += d * (double(c[1 + h]) + double(c[1 + H + h]) * d);
    }
    l[pair.pair()] = real(slope);
  });
  for (Index first = 0; first < shape.child_types * place.parents * J; first += field) {
    const Index i = first / (place.parents * J);
    double mean = 0;
    for (Index m = first; m < first + field; ++m)
      mean += double(r[m]) * double(l[m]);
    pass.grad_activations[i] += real(mean);
    for (Index m = first; m < first + field; ++m) {
      const double weight = double(r[m]) * double(place.activations[i]);
      r[m] = real(weight);
      l[m] = real(weight * (double(l[m]) - mean));
    }
  }
  for_pairs(shape, place, [&](const Pair& pair) {
    collect(pair, double(l[pair.pair()]), transforms, pass.parents, pass.sums);
  });
}

void gradients(const EmShape& shape, const EmPlace& place, const real* transforms,
               const EmGradients& pass, real*) {
  const Index H = elements(shape), T = pass.iterations;
  const Index terms = T == 1 ? 2 : 5 + 4 * (T - 2), size = shape.rows * shape.inner;
  if (pass.grad_poses && !pass.accumulate_poses)
    std::fill_n(pass.grad_poses, shape.child_types * size, real(0));
  for_pairs(shape, place, [&](const Pair& pair) {
    const double r0 = double(place.uniform) * double(place.activations[pair.i]);
    const real* term = pass.terms + pair.parent() * (1 + terms * H);
    double slope = double(term[0]);
    for (Index h = 0; h < H; ++h) {
      const double d = pair.deviation(transforms, pass.parents, h);
      const real* x = term + 1 + h * terms;
      slope += d * (double(x[0]) + double(x[1]) / 2 * d);
      double grad = r0 * (double(x[0]) + double(x[1]) * d);
      x += 2;
      for (Index t = 1; t < T; ++t) {
        const double r = double(pass.weights[(t - 1) * 2 * pass.stride + pair.pair()]);
        const double l = double(pass.weights[((t - 1) * 2 + 1) * pass.stride + pair.pair()]);
        grad += r * (double(x[0]) + double(x[1]) * d) + l * double(x[2]) * d;
        if (t > 1)
          grad += l * double(x[3]);
        x += t > 1 ? 4 : 3;
      }
      const Index row = h / shape.columns, c = h % shape.columns;
      for (Index k = 0; k < shape.inner; ++k) {
        const Index at = (pair.transform() * shape.inner + k) * shape.columns + c;
        if (pass.grad_poses)
          pass.grad_poses[pair.i * size + row * shape.inner + k] +=
              real(grad * double(transforms[at]));
        if (pass.grad_transforms)
          pass.grad_transforms[at] += real(grad * double(pair.pose()[row * shape.inner + k]));
      }
    }
    pass.grad_activations[pair.i] += real(double(place.uniform) * slope);
  });
}

} // namespace

extern const EmKernels em_kernels;
const EmKernels em_kernels = {1,     scratch, moments, means,    deviations,
                              route, finish,  slopes,  gradients};

} // namespace mereo::reference

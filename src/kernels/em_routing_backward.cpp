// The chain rule through all iterations of EM routing, per image and backwards in time. With the
// mass S, N = S + epsilon, v = var - floor and d = V - mu of a parent in iteration t:
//
//   cost = scale S L, L = H beta_u + 1/2 sum log var;  z = lambda (beta_a - cost);  a = logistic(z)
//   logit = log a - k/2 sum (log(2 pi var) + d^2 / var)     of the E-step that follows, k the power
//                                                           of the likelihood
//
// With l the gradients of those logits, G0, G1, G2 the sums of l, l d, l d^2 over the children:
//   grad z   = grad a a (1 - a) + G0 (1 - a)
//   grad var = k G2 / (2 var^2) - k G0 / (2 var) - lambda grad z scale S / (2 var)
//   grad mu  = given + k G1 / var - 2 epsilon mu / N grad var
//   alpha = grad mu / N;  beta = 2 grad var / N
//   gamma = -lambda grad z scale L - sum v grad var / N
// and so for the children of this iteration's M-step, with weights r:
//   grad r = gamma + sum_h d_h (alpha_h + beta_h d_h / 2);  grad V = r (alpha + beta d)
#include "kernels/em_layout.h"

#include "core/parallel.h"
#include "kernels/thread_scratch.h"

#include <algorithm>
#include <cmath>

namespace mereo {

namespace {

using Index = std::int64_t;

/// Images whose gradients of parameters are added one after the other, in parts that do not depend
/// on the threads.
constexpr Index most_parts = 16;

/// Gradients of parameters from some images: transforms as packed, then beta_u and beta_a (blocks,
/// lanes).
struct PartSizes {
  Index transforms, types;
  Index all() const { return transforms + 2 * types; }
};

/// Terms of an element of a vote, see EmGradients.
Index terms_of(Index iterations) {
  return iterations == 1 ? 2 : 5 + 4 * (iterations - 2);
}

/// Backward of one image. Records (1 + 2 H, lanes) hold gamma, alpha, beta.
struct Backward {
  const EmLayout& layout;
  Index image;
  const real* state;
  const real *grad_poses, *grad_activations; // of the parents, or null
  real* records;                             // (iterations, sums_size)
  real* coefficients;                        // (sums_size)
  real* sums;                                // (sums_size)
  real* terms;
  real* weights;                // (iterations - 1, 2, pairs)
  real* grad_child_activations; // (places, I)
  real* memory;
  real* grad_transforms; // of the part, or null
  real *grad_beta_u, *grad_beta_a;
  real* grad_child_poses; // (places, I, child), or null
  bool accumulate_poses;

  const real* parents(Index t) const { return state + t * layout.parent_size; }

  void run() const {
    const Index T = layout.options.iterations;
    std::fill_n(grad_child_activations, layout.grid.places() * layout.shape.child_types, real(0));
    std::fill_n(sums, layout.sums_size, real(0)); // no E-step follows the last iteration
    for (Index t = T - 1; t > 0; --t) {
      m_step(t);
      move_origin(t);
      std::fill_n(sums, layout.sums_size, real(0));
      for_places([&](const EmPlace& place, Index n) {
        const Index at = layout.pairs_before(n);
        const EmSlopes pass{parents(t - 1),
                            coefficients,
                            sums,
                            weights + (t - 1) * 2 * layout.pairs + at,
                            weights + ((t - 1) * 2 + 1) * layout.pairs + at,
                            grad_child_activations + n * layout.shape.child_types};
        layout.kernel.slopes(layout.shape, place, layout.transforms, pass, memory);
      });
    }
    m_step(0);
    gather_terms();
    for_places([&](const EmPlace& place, Index n) {
      const Index first = n * layout.shape.child_types;
      const EmGradients pass{T,
                             parents(0),
                             terms,
                             weights + layout.pairs_before(n),
                             layout.pairs,
                             grad_child_poses ? grad_child_poses + first * layout.child : nullptr,
                             accumulate_poses,
                             grad_child_activations + first,
                             grad_transforms};
      layout.kernel.gradients(layout.shape, place, layout.transforms, pass, memory);
    });
  }

  /// For places with parents; the gradient of poses elsewhere is zero.
  template <class Body> void for_places(const Body& body) const {
    for (Index n = 0; n < layout.grid.places(); ++n) {
      const EmPlace place = layout.place(image, n);
      const Index size = layout.shape.child_types * layout.child;
      if (place.parents > 0)
        body(place, n);
      else if (grad_child_poses && !accumulate_poses)
        std::fill_n(grad_child_poses + n * size, size, real(0));
    }
  }

  /// gamma, alpha, beta of iteration t, and the gradients of beta_u and beta_a.
  void m_step(Index t) const {
    for (Index n = 0; n < layout.records; ++n) {
      real* record = records + t * layout.sums_size + n * (1 + 2 * layout.vote) * layout.lanes;
      std::fill_n(record, (1 + 2 * layout.vote) * layout.lanes, real(0));
      m_step_of(t, n, record);
    }
  }

  void m_step_of(Index t, Index n, real* record) const {
    const Index H = layout.vote, lanes = layout.lanes;
    const Index type = n % layout.blocks * lanes; // the first
    const Index used = std::min(lanes, layout.shape.parent_types - type);
    const Index out = n / layout.blocks * layout.shape.parent_types + type;
    const real* parent = parents(t) + n * (2 * H + em_tail) * lanes;
    const real* sum = sums + n * (1 + 2 * H) * lanes;
    const real power = layout.shape.likelihood, floor = layout.step(int(t)).variance_floor;
    const bool last = t + 1 == layout.options.iterations;

    real gamma[em_most_lanes], pull[em_most_lanes], scale[em_most_lanes]; // scale = 1 / N
    for (Index l = 0; l < used; ++l) {
      const real given = last && grad_activations ? grad_activations[out + l] : real(0);
      const CostGradient cost = cost_of(t, type + l, parent + 2 * H * lanes + l, sum[l], given);
      gamma[l] = cost.gamma;
      pull[l] = power * sum[l] + cost.volume;
      scale[l] = 1 / (parent[(2 * H + em_mass) * lanes + l] + em_mass_epsilon);
    }
    for (Index h = 0; h < H; ++h) {
      real *alpha = record + (1 + h) * lanes, *beta = alpha + H * lanes;
      for (Index l = 0; l < used; ++l) {
        const Index at = h * lanes + l;
        const real mean = -parent[at], precision = parent[H * lanes + at];
        const real g1 = power * sum[lanes + at], g2 = power * sum[(1 + H) * lanes + at];
        const real grad_variance = precision / 2 * (g2 * precision - pull[l]) * scale[l]; // / N
        alpha[l] = (g1 * precision - 2 * em_mass_epsilon * mean * grad_variance) * scale[l];
        beta[l] = 2 * grad_variance;
        gamma[l] -= (1 / precision - floor) * grad_variance;
      }
    }
    std::copy_n(gamma, used, record);
    if (last && grad_poses)
      for (Index l = 0; l < used; ++l)
        for (Index h = 0; h < H; ++h)
          record[(1 + h) * lanes + l] += grad_poses[(out + l) * H + h] * scale[l];
  }

  struct CostGradient {
    real gamma;  // its part that does not come from variances
    real volume; // of the volume: lambda grad z scale S
  };

  /// Through the cost of a parent, `g0` and `given` being the gradients of log a and of a.
  CostGradient cost_of(Index t, Index type, const real* tail, real g0, real given) const {
    const EmStep step = layout.step(int(t));
    const real H = real(layout.vote), mass = tail[em_mass * layout.lanes];
    const real inactive = 1 / (1 + std::exp(tail[em_energy * layout.lanes])); // 1 - a
    const real grad_energy = (g0 + given * (1 - inactive)) * inactive;
    const real grad_cost = -step.inverse_temperature * grad_energy;
    const real energy = H * step.beta_u[type] + tail[em_volume * layout.lanes];
    grad_beta_a[type] -= grad_cost;
    grad_beta_u[type] += grad_cost * step.cost_scale * mass * H;
    return {grad_cost * step.cost_scale * energy, -grad_cost * step.cost_scale * mass};
  }

  /// coefficients: gamma, alpha, beta / 2 of iteration t about the means of t - 1.
  void move_origin(Index t) const {
    const Index H = layout.vote, lanes = layout.lanes, size = 1 + 2 * H;
    for (Index n = 0; n < layout.records; ++n) {
      const real* record = records + t * layout.sums_size + n * size * lanes;
      const real* before = parents(t - 1) + n * (2 * H + em_tail) * lanes;
      const real* now = parents(t) + n * (2 * H + em_tail) * lanes;
      real* out = coefficients + n * size * lanes;
      std::copy_n(record, lanes, out);
      for (Index h = 0; h < H; ++h) {
        record += lanes;
        real *linear = out + (1 + h) * lanes, *square = linear + H * lanes;
        for (Index l = 0; l < lanes; ++l) {
          const real move = now[h * lanes + l] - before[h * lanes + l]; // mu^(t-1) - mu^t
          const real alpha = record[l], half = record[H * lanes + l] / 2;
          out[l] += move * (alpha + half * move);
          linear[l] = alpha + 2 * half * move;
          square[l] = half;
        }
      }
    }
  }

  /// See EmGradients: all iterations about the means of the first.
  void gather_terms() const {
    const Index H = layout.vote, lanes = layout.lanes, count = terms_of(layout.options.iterations);
    for (Index n = 0; n < layout.records; ++n) {
      real* out = terms + n * (1 + count * H) * lanes;
      std::copy_n(records + n * (1 + 2 * H) * lanes, lanes, out);
      for (Index h = 0; h < H; ++h)
        gather_terms_of(n, h * lanes, out + (1 + h * count) * lanes);
    }
  }

  void gather_terms_of(Index n, Index element, real* out) const {
    const Index H = layout.vote, lanes = layout.lanes;
    const auto parent = [&](Index t) { // negative means
      return parents(t) + n * (2 * H + em_tail) * lanes + element;
    };
    const real* origin = parent(0);
    for (Index t = 0; t < layout.options.iterations; ++t) {
      const real* alpha = records + t * layout.sums_size + (n * (1 + 2 * H) + 1) * lanes + element;
      const real *beta = alpha + H * lanes, *now = parent(t);
      for (Index l = 0; l < lanes; ++l)
        out[l] = alpha[l] + beta[l] * (now[l] - origin[l]);
      out = std::copy_n(beta, lanes, out + lanes);
      if (t == 0)
        continue;
      const real *before = parent(t - 1), *precision = before + H * lanes;
      for (Index l = 0; l < lanes; ++l)
        out[l] = -layout.shape.likelihood * precision[l];
      out += lanes;
      if (t == 1)
        continue;
      for (Index l = 0; l < lanes; ++l)
        out[l] = -layout.shape.likelihood * precision[l] * (before[l] - origin[l]);
      out += lanes;
    }
  }
};

/// to[n] (+)= the sum over parts of from[n], in order.
void fold_types(Index count, const real* from, Index parts, Index stride, const EmSink& sink) {
  for (Index n = 0; n < count && sink.data; ++n) {
    real total = 0;
    for (Index part = 0; part < parts; ++part)
      total += from[part * stride + n];
    sink.data[n] = sink.accumulate ? sink.data[n] + total : total;
  }
}

void put_activations(const EmSink& sink, Index begin, Index size, const real* from) {
  for (Index n = 0; n < size && sink.data; ++n)
    sink.data[begin + n] = sink.accumulate ? sink.data[begin + n] + from[n] : from[n];
}

} // namespace

void em_backward(const EmGrid& grid, const EmShape& shape, const EmOptions& options, Index batch,
                 const EmInputs& in, const real* state, const real* grad_poses,
                 const real* grad_activations, const EmSink& poses, const EmSink& activations,
                 const EmSink& transforms, const EmSink& beta_u, const EmSink& beta_a,
                 Arena& scratch) {
  const ArenaScope scope(scratch);
  const EmLayout layout(grid, shape, options, in, scratch);
  const Index T = options.iterations, children = grid.places() * shape.child_types;
  const Index parents = grid.out_places() * shape.parent_types;
  const Index terms = terms_of(T);
  const ThreadScratch records(scratch, (T + 2) * layout.sums_size);
  const ThreadScratch term_memory(scratch,
                                  layout.records * (1 + terms * layout.vote) * layout.lanes);
  const ThreadScratch weights(scratch, (T - 1) * 2 * layout.pairs);
  const ThreadScratch grad_children(scratch, children);
  const ThreadScratch memory(scratch, layout.kernel.scratch(shape, layout.most_parents));

  const PartSizes part{transforms.data ? layout.transform_size : 0, layout.blocks * layout.lanes};
  const Chunks images{batch, ceiling(batch, most_parts)};
  real* parts = scratch.allocate_array<real>(std::size_t(images.count() * part.all()));
  parallel_for(images.count(), [&](Index c) {
    real* mine = parts + c * part.all();
    std::fill_n(mine, part.all(), real(0));
    for (Index b = images.begin(c); b < images.end(c); ++b) {
      const Backward backward{layout,
                              b,
                              state + b * T * layout.parent_size,
                              grad_poses ? grad_poses + b * parents * layout.vote : nullptr,
                              grad_activations ? grad_activations + b * parents : nullptr,
                              records.get(),
                              records.get() + T * layout.sums_size,
                              records.get() + (T + 1) * layout.sums_size,
                              term_memory.get(),
                              weights.get(),
                              grad_children.get(),
                              memory.get(),
                              transforms.data ? mine : nullptr,
                              mine + part.transforms,
                              mine + part.transforms + part.types,
                              poses.data ? poses.data + b * children * layout.child : nullptr,
                              poses.accumulate};
      backward.run();
      put_activations(activations, b * children, children, grad_children.get());
    }
  });
  if (transforms.data)
    parallel_for(grid.offsets() * shape.child_types, [&](Index pair) {
      unpack_transform_gradient(layout, pair, parts, images.count(), part.all(), transforms);
    });
  const real* types = parts + part.transforms;
  fold_types(shape.parent_types, types, images.count(), part.all(), beta_u);
  fold_types(shape.parent_types, types + part.types, images.count(), part.all(), beta_a);
}

} // namespace mereo

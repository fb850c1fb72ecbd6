// Routing by EM as the paper writes it (Hinton, Sabour, Frosst 2018, Procedure 1), in double, on an
// explicit list of edges with every vote, assignment and gradient stored: slow and plain, to
// compare the fused kernels with.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <vector>

namespace mereo {

/// What is routed. Children stand on a grid of height x width, `types` at each place; a pose is
/// (rows, inner), a transform (inner, columns), a vote (rows, columns).
struct EmProblem {
  std::int64_t batch = 1, height = 1, width = 1, types = 1, parents = 1;
  /// Window of a parent, or 0: one parent position, which sees the whole grid.
  std::int64_t kernel = 0, stride = 1;
  /// Only with kernel 0: one transform for each child type, whatever its place.
  bool shared = false;
  std::int64_t rows = 4, inner = 4, columns = 4;
  /// Of the (row, column) of a child's place that is added to its votes.
  double coordinate_scale = 0;

  int iterations = 3;
  double inverse_temperature = 0.01, temperature_decay = 0.95, cost_scale = 1;
  double variance_floor = 5e-4;
  bool per_field = false;
  /// Power of a vote's likelihood in the assignments.
  double likelihood = 1;

  std::int64_t pose() const { return rows * inner; }
  std::int64_t vote() const { return rows * columns; }
  std::int64_t out(std::int64_t size) const { return kernel ? (size - kernel) / stride + 1 : 1; }
  std::int64_t children() const { return height * width * types; }
  std::int64_t all_parents() const { return out(height) * out(width) * parents; }
  /// Of one image.
  std::int64_t couplings() const { return children() * (kernel ? kernel * kernel : 1) * parents; }
  std::int64_t transforms() const {
    return (kernel ? kernel * kernel : shared ? 1 : height * width) * types * parents;
  }
};

/// Forward, and backward where there are gradients of the parents, of a batch. Layouts, slowest
/// first: poses (B, H, W, I, rows, inner), activations (B, H, W, I), transforms (KH, KW, I, J,
/// inner, columns), betas (J), parents' poses (B, OH, OW, J, rows, columns), parents' activations
/// (B, OH, OW, J), couplings (B, iterations, H, W, I, KH, KW, J).
class ExplicitEm {
public:
  using Numbers = std::vector<double>;
  Numbers poses, activations, couplings;
  Numbers grad_poses, grad_activations, grad_transforms, grad_beta_u, grad_beta_a;

  struct Inputs {
    Numbers poses, activations, transforms, beta_u, beta_a;
  };

  static constexpr double mass_epsilon = 1e-7;

  ExplicitEm(const EmProblem& problem, const Inputs& inputs, const Numbers& grad_parent_poses = {},
             const Numbers& grad_parent_activations = {})
      : p(problem), in(inputs), H(std::size_t(p.vote())), Q(std::size_t(p.all_parents())),
        T(std::size_t(p.iterations)) {
    connect();
    grad_poses.assign(in.poses.size(), 0);
    grad_activations.assign(in.activations.size(), 0);
    grad_transforms.assign(in.transforms.size(), 0);
    grad_beta_u.assign(in.beta_u.size(), 0);
    grad_beta_a.assign(in.beta_a.size(), 0);
    for (std::size_t b = 0; b < std::size_t(p.batch); ++b) {
      forward(b);
      if (!grad_parent_poses.empty())
        backward(b, &grad_parent_poses[b * Q * H], &grad_parent_activations[b * Q]);
    }
  }

private:
  /// One vote: of a child for a parent, by a transform.
  struct Edge {
    std::size_t child, parent, transform, coupling;
    std::size_t group;  // the edges that its softmax is over
    double row, column; // of the child's place, scaled
  };
  /// Of each parent after an M-step; mean and variance of each dimension too.
  struct Parents {
    Numbers mass, mean, variance, logit;
  };

  const EmProblem p;
  const Inputs in;
  const std::size_t H, Q, T; // votes' dimensions, parents, iterations
  std::vector<Edge> edges;
  Numbers votes;          // (edges, H)
  std::vector<Numbers> R; // before each M-step, (edges)
  std::vector<Parents> steps;

  void connect() {
    const std::int64_t OH = p.out(p.height), OW = p.out(p.width), I = p.types, J = p.parents;
    const std::int64_t KH = p.kernel ? p.kernel : p.height, KW = p.kernel ? p.kernel : p.width;
    for (std::int64_t place = 0; place < OH * OW; ++place)
      for (std::int64_t offset = 0; offset < KH * KW; ++offset)
        for (std::int64_t i = 0; i < I; ++i)
          for (std::int64_t j = 0; j < J; ++j) {
            const std::int64_t y = place / OW * p.stride + offset / KW;
            const std::int64_t x = place % OW * p.stride + offset % KW;
            const std::int64_t child = (y * p.width + x) * I + i;
            edges.push_back({.child = std::size_t(child),
                             .parent = std::size_t(place * J + j),
                             .transform = std::size_t(((p.shared ? 0 : offset) * I + i) * J + j),
                             .coupling = std::size_t(p.kernel ? (child * KH * KW + offset) * J + j
                                                              : child * J + j),
                             .group = std::size_t(p.per_field ? child * OH * OW + place : child),
                             .row = p.coordinate_scale * (double(y) + 0.5) / double(p.height),
                             .column = p.coordinate_scale * (double(x) + 0.5) / double(p.width)});
          }
  }

  std::size_t groups() const {
    return std::size_t(p.children() * (p.per_field ? p.out(p.height) * p.out(p.width) : 1));
  }
  double a_child(std::size_t b, const Edge& edge) const {
    return in.activations[b * std::size_t(p.children()) + edge.child];
  }
  double lambda(std::size_t t) const {
    return p.inverse_temperature * (1 - std::pow(p.temperature_decay, double(t + 1)));
  }
  /// sum_h (beta_u + log sigma_h), what a unit of mass costs.
  double unit_cost(const Parents& to, std::size_t q) const {
    double cost = double(H) * in.beta_u[q % std::size_t(p.parents)];
    for (std::size_t h = 0; h < H; ++h)
      cost += 0.5 * std::log(to.variance[q * H + h]);
    return cost;
  }
  static double sigmoid(double z) {
    return z < 0 ? std::exp(z) / (1 + std::exp(z)) : 1 / (1 + std::exp(-z));
  }
  static double log_sigmoid(double z) {
    return std::min(z, 0.0) - std::log1p(std::exp(-std::abs(z)));
  }

  /// Calls visit(pose element, transform element, vote element) for every product of a vote.
  template <class Visit> void each_product(std::size_t b, std::size_t e, const Visit& visit) const {
    const auto M = std::size_t(p.rows), N = std::size_t(p.inner), L = std::size_t(p.columns);
    const std::size_t pose = (b * std::size_t(p.children()) + edges[e].child) * M * N;
    for (std::size_t m = 0; m < M; ++m)
      for (std::size_t l = 0; l < L; ++l)
        for (std::size_t n = 0; n < N; ++n)
          visit(pose + m * N + n, (edges[e].transform * N + n) * L + l, e * H + m * L + l);
  }

  void forward(std::size_t b) {
    votes.assign(edges.size() * H, 0);
    for (std::size_t e = 0; e < edges.size(); ++e) {
      each_product(b, e, [&](std::size_t pose, std::size_t transform, std::size_t vote) {
        votes[vote] += in.poses[pose] * in.transforms[transform];
      });
      if (p.coordinate_scale != 0) { // down the last column; a vector pose is one row
        const auto L = std::size_t(p.columns);
        votes[e * H + (p.rows > 1 ? L - 1 : 0)] += edges[e].row;
        votes[e * H + (p.rows > 1 ? 2 * L - 1 : 1)] += edges[e].column;
      }
    }
    R.assign(T, Numbers(edges.size()));
    steps.assign(T, {});
    Numbers size(groups());
    for (const Edge& edge : edges)
      ++size[edge.group];
    for (std::size_t e = 0; e < edges.size(); ++e)
      R[0][e] = 1 / size[edges[e].group];
    for (std::size_t t = 0; t < T; ++t) {
      m_step(b, t);
      if (t + 1 < T)
        e_step(t);
    }
    poses.insert(poses.end(), steps.back().mean.begin(), steps.back().mean.end());
    for (const double z : steps.back().logit)
      activations.push_back(sigmoid(z));
    couplings.resize((b + 1) * T * std::size_t(p.couplings()));
    for (std::size_t t = 0; t < T; ++t)
      for (std::size_t e = 0; e < edges.size(); ++e)
        couplings[(b * T + t) * std::size_t(p.couplings()) + edges[e].coupling] = R[t][e];
  }

  void m_step(std::size_t b, std::size_t t) {
    Parents& to = steps[t];
    to = {Numbers(Q), Numbers(Q * H), Numbers(Q * H, p.variance_floor), Numbers(Q)};
    for (std::size_t e = 0; e < edges.size(); ++e)
      to.mass[edges[e].parent] += R[t][e] * a_child(b, edges[e]);
    for (std::size_t e = 0; e < edges.size(); ++e)
      for (std::size_t h = 0; h < H; ++h) {
        const std::size_t q = edges[e].parent;
        to.mean[q * H + h] +=
            R[t][e] * a_child(b, edges[e]) * votes[e * H + h] / (to.mass[q] + mass_epsilon);
      }
    for (std::size_t e = 0; e < edges.size(); ++e)
      for (std::size_t h = 0; h < H; ++h) {
        const std::size_t q = edges[e].parent;
        const double off = votes[e * H + h] - to.mean[q * H + h];
        to.variance[q * H + h] +=
            R[t][e] * a_child(b, edges[e]) * off * off / (to.mass[q] + mass_epsilon);
      }
    for (std::size_t q = 0; q < Q; ++q)
      to.logit[q] = lambda(t) * (in.beta_a[q % std::size_t(p.parents)] -
                                 p.cost_scale * to.mass[q] * unit_cost(to, q));
  }

  void e_step(std::size_t t) {
    const Parents& from = steps[t];
    Numbers logit(edges.size()), largest(groups(), -HUGE_VAL), total(groups());
    for (std::size_t e = 0; e < edges.size(); ++e) {
      const std::size_t q = edges[e].parent;
      logit[e] = log_sigmoid(from.logit[q]);
      for (std::size_t h = 0; h < H; ++h) {
        const double off = votes[e * H + h] - from.mean[q * H + h], v = from.variance[q * H + h];
        logit[e] -= p.likelihood * 0.5 * (off * off / v + std::log(2 * std::numbers::pi * v));
      }
      largest[edges[e].group] = std::max(largest[edges[e].group], logit[e]);
    }
    for (std::size_t e = 0; e < edges.size(); ++e)
      total[edges[e].group] += std::exp(logit[e] - largest[edges[e].group]);
    for (std::size_t e = 0; e < edges.size(); ++e)
      R[t + 1][e] = std::exp(logit[e] - largest[edges[e].group]) / total[edges[e].group];
  }

  /// Gradients of one image, from the last iteration to the first. R[0] is a constant.
  void backward(std::size_t b, const double* grad_mean_out, const double* grad_a_out) {
    Numbers grad_votes(votes.size());
    Numbers grad_mean(grad_mean_out, grad_mean_out + Q * H), grad_variance(Q * H), grad_logit(Q);
    for (std::size_t q = 0; q < Q; ++q) {
      const double a = sigmoid(steps.back().logit[q]);
      grad_logit[q] = grad_a_out[q] * a * (1 - a);
    }
    for (std::size_t t = T; t-- > 0;) {
      const Numbers grad_R =
          m_step_backward(b, t, grad_mean, grad_variance, grad_logit, grad_votes);
      if (t > 0)
        e_step_backward(t - 1, grad_R, grad_mean, grad_variance, grad_logit, grad_votes);
    }
    for (std::size_t e = 0; e < edges.size(); ++e)
      each_product(b, e, [&](std::size_t pose, std::size_t transform, std::size_t vote) {
        grad_poses[pose] += grad_votes[vote] * in.transforms[transform];
        grad_transforms[transform] += grad_votes[vote] * in.poses[pose];
      });
  }

  /// Returns the gradient of R[t].
  Numbers m_step_backward(std::size_t b, std::size_t t, Numbers grad_mean, Numbers grad_variance,
                          const Numbers& grad_logit, Numbers& grad_votes) {
    const Parents& to = steps[t];
    Numbers grad_mass(Q);
    for (std::size_t q = 0; q < Q; ++q) { // logit = lambda (beta_a - scale mass unit_cost)
      const std::size_t j = q % std::size_t(p.parents);
      const double grad_cost = -lambda(t) * grad_logit[q] * p.cost_scale;
      grad_beta_a[j] += lambda(t) * grad_logit[q];
      grad_beta_u[j] += grad_cost * to.mass[q] * double(H);
      grad_mass[q] += grad_cost * unit_cost(to, q);
      for (std::size_t h = q * H; h < (q + 1) * H; ++h)
        grad_variance[h] += grad_cost * to.mass[q] * 0.5 / to.variance[h];
    }
    Numbers grad_r(edges.size());
    for (std::size_t e = 0; e < edges.size(); ++e) // variance = sum r (vote - mean)^2 / N + floor
      for (std::size_t h = 0; h < H; ++h) {
        const std::size_t q = edges[e].parent, at = q * H + h;
        const double N = to.mass[q] + mass_epsilon, r = R[t][e] * a_child(b, edges[e]);
        const double off = votes[e * H + h] - to.mean[at];
        grad_r[e] += grad_variance[at] * off * off / N;
        grad_votes[e * H + h] += grad_variance[at] * 2 * r * off / N;
        grad_mean[at] -= grad_variance[at] * 2 * r * off / N;
      }
    for (std::size_t at = 0; at < Q * H; ++at) // both are divided by N
      grad_mass[at / H] -=
          (grad_variance[at] * (to.variance[at] - p.variance_floor) + grad_mean[at] * to.mean[at]) /
          (to.mass[at / H] + mass_epsilon);
    Numbers grad_R(edges.size());
    for (std::size_t e = 0; e < edges.size(); ++e) { // mean = sum r vote / N, mass = sum r
      const std::size_t q = edges[e].parent;
      const double N = to.mass[q] + mass_epsilon, r = R[t][e] * a_child(b, edges[e]);
      grad_r[e] += grad_mass[q];
      for (std::size_t h = 0; h < H; ++h) {
        grad_r[e] += grad_mean[q * H + h] * votes[e * H + h] / N;
        grad_votes[e * H + h] += grad_mean[q * H + h] * r / N;
      }
      grad_R[e] = grad_r[e] * a_child(b, edges[e]);
      grad_activations[b * std::size_t(p.children()) + edges[e].child] += grad_r[e] * R[t][e];
    }
    return grad_R;
  }

  /// Replaces the gradients of the parents by those through R[t + 1].
  void e_step_backward(std::size_t t, const Numbers& grad_R, Numbers& grad_mean,
                       Numbers& grad_variance, Numbers& grad_logit, Numbers& grad_votes) const {
    const Parents& from = steps[t];
    Numbers along(groups());
    for (std::size_t e = 0; e < edges.size(); ++e)
      along[edges[e].group] += R[t + 1][e] * grad_R[e];
    grad_mean.assign(Q * H, 0), grad_variance.assign(Q * H, 0), grad_logit.assign(Q, 0);
    for (std::size_t e = 0; e < edges.size(); ++e) {
      const std::size_t q = edges[e].parent;
      const double g = R[t + 1][e] * (grad_R[e] - along[edges[e].group]);
      grad_logit[q] += g * (1 - sigmoid(from.logit[q])); // of log a
      for (std::size_t h = 0; h < H; ++h) {
        const double off = votes[e * H + h] - from.mean[q * H + h], v = from.variance[q * H + h];
        const double k = g * p.likelihood;
        grad_votes[e * H + h] -= k * off / v;
        grad_mean[q * H + h] += k * off / v;
        grad_variance[q * H + h] += k * 0.5 * (off * off / v - 1) / v;
      }
    }
  }
};

} // namespace mereo

// Routing by agreement as the paper writes it (Sabour et al. 2017, Procedure 1), every vote and
// logit stored, in numbers that know how far single precision may be from them.
#pragma once

#include "kernels/routing.h"

#include <cmath>
#include <limits>
#include <vector>

namespace mereo {

/// A double with a running first-order bound on the error that the same computation makes in
/// `real`, in any order of its sums (Higham, Accuracy and Stability, 3.3).
struct Tracked {
  double value = 0, error = 0; // error in units of epsilon

  Tracked() = default;
  Tracked(double value) : value(value) {}
  Tracked(double value, double error) : value(value), error(error) {}

  /// The bound on the difference. Four times the first order, for the fused and the unfused, the
  /// 1.1 ulp of exp, and what is left out; and nothing below the normal range is promised.
  double bound() const {
    return 4 * error * std::numeric_limits<real>::epsilon() +
           64 * double(std::numeric_limits<real>::min());
  }
};

inline Tracked operator+(Tracked a, Tracked b) {
  return {a.value + b.value, a.error + b.error + std::abs(a.value) + std::abs(b.value)};
}
inline Tracked operator-(Tracked a, Tracked b) {
  return a + Tracked{-b.value, b.error};
}
inline Tracked operator*(Tracked a, Tracked b) {
  const double value = a.value * b.value;
  return {value, std::abs(a.value) * b.error + std::abs(b.value) * a.error + std::abs(value)};
}
inline Tracked operator/(Tracked a, Tracked b) {
  const double value = a.value / b.value;
  return {value, (a.error + std::abs(value) * b.error) / std::abs(b.value) + 2 * std::abs(value)};
}
inline Tracked& operator+=(Tracked& a, Tracked b) {
  return a = a + b;
}
inline Tracked exp(Tracked a) {
  const double value = std::exp(a.value);
  return {value, value * (a.error + 2)};
}
inline Tracked sqrt(Tracked a) {
  const double value = std::sqrt(a.value);
  return {value, a.error / (2 * value) + value};
}

/// Forward and backward of a batch, in the layouts of routing.h.
class ExplicitRouting {
public:
  std::vector<Tracked> sums, outputs, couplings, grad_children, grad_weights, grad_bias;

  ExplicitRouting(const RoutingShape& shape, const RoutingOptions& options, std::int64_t batch,
                  const real* children, const real* weights, const real* bias,
                  const real* grad_parents)
      : sums(std::size_t(options.iterations * batch * shape.parents * shape.parent_pose)),
        outputs(sums.size()),
        couplings(std::size_t(options.iterations * batch * shape.children * shape.parents)),
        grad_children(std::size_t(batch * shape.children * shape.child_pose)),
        grad_weights(
            std::size_t(shape.children * shape.parents * shape.parent_pose * shape.child_pose)),
        grad_bias(std::size_t(shape.parents * shape.parent_pose)), I(std::size_t(shape.children)),
        J(std::size_t(shape.parents)), E(std::size_t(shape.parent_pose)),
        D(std::size_t(shape.child_pose)), B(std::size_t(batch)), r(std::size_t(options.iterations)),
        none(shape.none_of_the_above), stop(options.stop_inner_gradient), weights(weights),
        bias(bias) {
    for (std::size_t b = 0; b < B; ++b) {
      forward(b, children + b * I * D);
      backward(b, children + b * I * D, grad_parents + b * J * E);
    }
  }

private:
  std::size_t I, J, E, D, B, r;
  bool none, stop;
  const real *weights, *bias;
  std::vector<Tracked> votes; // (I, J, E)
  std::vector<Tracked> c;     // (r, I, J)

  void forward(std::size_t b, const real* u) {
    votes.assign(I * J * E, 0);
    c.assign(r * I * J, 0);
    for (std::size_t n = 0; n < I * J * E; ++n)
      for (std::size_t d = 0; d < D; ++d)
        votes[n] += Tracked(weights[n * D + d]) * Tracked(u[n / (J * E) * D + d]);
    std::vector<Tracked> logits(I * J);
    for (std::size_t t = 0; t < r; ++t) {
      Tracked* s = &sums[(t * B + b) * J * E];
      Tracked* v = &outputs[(t * B + b) * J * E];
      for (std::size_t i = 0; i < I; ++i)
        softmax(&logits[i * J], &c[(t * I + i) * J]);
      for (std::size_t j = 0; j < J; ++j) {
        for (std::size_t e = 0; e < E; ++e) {
          for (std::size_t i = 0; i < I; ++i)
            s[j * E + e] += c[(t * I + i) * J + j] * votes[(i * J + j) * E + e];
          if (bias)
            s[j * E + e] += bias[j * E + e];
        }
        squash(s + j * E, v + j * E);
      }
      for (std::size_t n = 0; n < I * J * E; ++n)
        logits[n / E] += votes[n] * v[n % (J * E)];
    }
    for (std::size_t n = 0; n < r * I * J; ++n)
      couplings[(n / (I * J) * B + b) * I * J + n % (I * J)] = c[n];
  }

  void softmax(const Tracked* x, Tracked* y) const {
    Tracked largest = none ? Tracked(0) : x[0], total;
    for (std::size_t j = 0; j < J; ++j)
      largest = x[j].value > largest.value ? x[j] : largest;
    for (std::size_t j = 0; j < J; ++j)
      total += y[j] = exp(x[j] - largest);
    if (none)
      total += exp(Tracked(0) - largest);
    for (std::size_t j = 0; j < J; ++j)
      y[j] = y[j] / total;
  }

  Tracked length(const Tracked* s) const {
    Tracked square = double(squash_epsilon);
    for (std::size_t e = 0; e < E; ++e)
      square += s[e] * s[e];
    return sqrt(square);
  }

  void squash(const Tracked* s, Tracked* v) const {
    const Tracked size = length(s), factor = size / (Tracked(1) + size * size);
    for (std::size_t e = 0; e < E; ++e)
      v[e] = s[e] * factor;
  }

  /// v = f(|s|) s has the derivative f I + f' s s^T / |s|.
  void squash_backward(const Tracked* s, const Tracked* grad_v, Tracked* grad_s) const {
    const Tracked size = length(s), one = Tracked(1) + size * size;
    const Tracked slope = (Tracked(1) - size * size) / (one * one);
    Tracked along;
    for (std::size_t e = 0; e < E; ++e)
      along += s[e] * grad_v[e];
    for (std::size_t e = 0; e < E; ++e)
      grad_s[e] = size / one * grad_v[e] + slope / size * along * s[e];
  }

  void backward(std::size_t b, const real* u, const real* grad_parents) {
    std::vector<Tracked> grad_votes(I * J * E), grad_logits(I * J), grad_s(J * E);
    for (std::size_t t = r; t-- > 0;) {
      const Tracked* v = &outputs[(t * B + b) * J * E];
      std::vector<Tracked> grad_v(J * E);
      for (std::size_t n = 0; n < J * E && t + 1 == r; ++n)
        grad_v[n] = grad_parents[n];
      for (std::size_t n = 0; n < I * J * E && t + 1 < r; ++n) { // b^t = b^(t-1) + <votes, v^t>
        grad_v[n % (J * E)] += grad_logits[n / E] * votes[n];
        grad_votes[n] += grad_logits[n / E] * v[n % (J * E)];
      }
      for (std::size_t j = 0; j < J; ++j)
        squash_backward(&sums[((t * B + b) * J + j) * E], &grad_v[j * E], &grad_s[j * E]);
      for (std::size_t n = 0; n < J * E; ++n)
        grad_bias[n] += grad_s[n];
      for (std::size_t n = 0; n < I * J * E; ++n)
        grad_votes[n] += c[t * I * J + n / E] * grad_s[n % (J * E)];
      if (stop)
        break;
      for (std::size_t i = 0; i < I; ++i)
        add_grad_logits(&votes[i * J * E], &c[(t * I + i) * J], grad_s.data(), &grad_logits[i * J]);
    }
    for (std::size_t n = 0; n < I * J * E; ++n)
      for (std::size_t d = 0; d < D; ++d) {
        const std::size_t i = n / (J * E);
        grad_children[(b * I + i) * D + d] += Tracked(weights[n * D + d]) * grad_votes[n];
        grad_weights[n * D + d] += Tracked(u[i * D + d]) * grad_votes[n];
      }
  }

  void add_grad_logits(const Tracked* vote, const Tracked* coupling, const Tracked* grad_s,
                       Tracked* grad_logit) const {
    std::vector<Tracked> grad_coupling(J);
    Tracked mean;
    for (std::size_t j = 0; j < J; ++j) {
      for (std::size_t e = 0; e < E; ++e)
        grad_coupling[j] += grad_s[j * E + e] * vote[j * E + e];
      mean += coupling[j] * grad_coupling[j];
    }
    for (std::size_t j = 0; j < J; ++j)
      grad_logit[j] += coupling[j] * (grad_coupling[j] - mean);
  }
};

} // namespace mereo

// What a variational encoder needs (Kingma & Welling 2014; Kulkarni et al. 2015). m mean, l
// logarithm of the variance:
//
// sample_normal:      z = m + exp(l / 2) e, e standard normal
//                     grad_m += grad_z,  grad_l += grad_z exp(l / 2) e / 2
// normal_divergence:  L = f/2 sum (m^2 + exp(l) - 1 - l)
//                     grad_m += f grad_L m,  grad_l += f/2 grad_L (exp(l) - 1)
// hold_columns:       y_k = x_k in the columns that are free, a constant in the others
//                     grad_x_k += grad_y_k in the free ones
#include "autodiff/elementwise.h"
#include "autodiff/op_list.h"
#include "kernels/table.h"

#include <mereo/ops.h>

#include <cmath>

namespace mereo {

namespace {

struct Sample {
  Variable mean, log_variance, z;
  const real* noise; // exp(l / 2) e
};
struct Divergence {
  Variable mean, log_variance, loss;
  real factor;
};
struct Held {
  Variable x, y;
  std::int64_t first, count;
};

/// sink (+)= value(i) for every element.
template <class Value> void fill(const GradientSink& sink, std::int64_t n, const Value& value) {
  if (!sink)
    return;
  parallel_chunks(n, elementwise_grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
      sink.data[i] = sink.accumulate ? sink.data[i] + value(i) : value(i);
  });
}

void sample_normal_vjp(Tape& tape, const void* saved) {
  const auto& s = *static_cast<const Sample*>(saved);
  const real* grad = tape.gradient_of(s.z);
  const std::int64_t n = s.z.elements();
  fill(tape.gradient_into(s.mean), n, [=](std::int64_t i) { return grad[i]; });
  fill(tape.gradient_into(s.log_variance), n,
       [=, noise = s.noise](std::int64_t i) { return real(0.5) * grad[i] * noise[i]; });
}

void normal_divergence_vjp(Tape& tape, const void* saved) {
  const auto& s = *static_cast<const Divergence*>(saved);
  const real factor = s.factor * *tape.gradient_of(s.loss);
  const real *m = s.mean.data(), *l = s.log_variance.data();
  const std::int64_t n = s.mean.elements();
  fill(tape.gradient_into(s.mean), n, [=](std::int64_t i) { return factor * m[i]; });
  fill(tape.gradient_into(s.log_variance), n,
       [=](std::int64_t i) { return real(0.5) * factor * std::expm1(l[i]); });
}

void hold_columns_vjp(Tape& tape, const void* saved) {
  const auto& s = *static_cast<const Held*>(saved);
  const real* grad = tape.gradient_of(s.y);
  const std::int64_t N = s.x.shape()[1], first = s.first, end = s.first + s.count;
  fill(tape.gradient_into(s.x), s.x.elements(),
       [=](std::int64_t i) { return i % N >= first && i % N < end ? grad[i] : real(0); });
}

void check_pair(const char* where, const Variable& mean, const Variable& log_variance) {
  if (!(mean.shape() == log_variance.shape()))
    throw Error(where, "mean and variance have different shapes",
                mean.shape().text() + " and " + log_variance.shape().text());
}

} // namespace

const Op ops::sample_normal = {"sample_normal", sample_normal_vjp};
const Op ops::normal_divergence = {"normal_divergence", normal_divergence_vjp};
const Op ops::hold_columns = {"hold_columns", hold_columns_vjp};

Variable sample_normal(Tape& tape, Variable mean, Variable log_variance, const Random& random) {
  check_pair("sample_normal", mean, log_variance);
  const Variable z = tape.output(mean.shape(), {mean, log_variance});
  real* noise = tape.arena().allocate_array<real>(std::size_t(z.elements()));
  parallel_chunks(z.elements(), elementwise_grain, [&](std::int64_t begin, std::int64_t end) {
    // Two numbers make one that is normal.
    Random draws(random.seed(), random.stream(), random.position() + 2 * std::uint64_t(begin));
    for (std::int64_t i = begin; i < end; ++i) {
      noise[i] = real(std::exp(0.5 * double(log_variance.data()[i])) * draws.normal());
      z.data()[i] = mean.data()[i] + noise[i];
    }
  });
  tape.record(ops::sample_normal, z, Sample{mean, log_variance, z, noise});
  return z;
}

Variable normal_divergence(Tape& tape, Variable mean, Variable log_variance, real factor) {
  check_pair("normal_divergence", mean, log_variance);
  const real *m = mean.data(), *l = log_variance.data();
  const auto part = [&](std::int64_t begin, std::int64_t end) {
    double sum = 0;
    for (std::int64_t i = begin; i < end; ++i)
      sum += double(m[i]) * m[i] + std::expm1(double(l[i])) - l[i];
    return sum;
  };
  const Variable loss = tape.output({}, {mean, log_variance});
  *loss.data() = real(0.5) * factor * chunked_sum(tape.arena(), mean.elements(), part);
  tape.record(ops::normal_divergence, loss, Divergence{mean, log_variance, loss, factor});
  return loss;
}

Variable hold_columns(Tape& tape, Variable x, std::int64_t first, std::int64_t count,
                      const Tensor& held) {
  const Shape& shape = x.shape();
  if (shape.rank() != 2 || !(held.shape() == Shape{shape[1]}))
    throw Error("hold_columns", "values and held ones do not fit",
                shape.text() + " and " + held.shape().text(), "(B, N) takes (N)");
  if (first < 0 || count < 0 || first > shape[1] || count > shape[1] - first)
    throw Error("hold_columns", "there are no such columns",
                std::to_string(count) + " from " + std::to_string(first) + " on, of " +
                    std::to_string(shape[1]));
  const Variable y = tape.output(shape, {x});
  for (std::int64_t i = 0; i < x.elements(); ++i) {
    const std::int64_t k = i % shape[1];
    y.data()[i] = k >= first && k < first + count ? x.data()[i] : held.data()[k];
  }
  tape.record(ops::hold_columns, y, Held{x, y, first, count});
  return y;
}

} // namespace mereo

// Cross-entropy of sigmoids, each element a yes or no of its own, t in [0, 1] its target:
//
//   p = 1 / (1 + exp(-x)),  L = f sum_i  -t log p - (1 - t) log (1 - p)
//                             = f sum_i  max(0, x) - t x + log(1 + exp(-|x|))
//   grad_x += f grad_L (p - t)
#include "autodiff/elementwise.h"
#include "autodiff/op_list.h"

#include <mereo/ops.h>

#include <cmath>

namespace mereo {

namespace {

struct Saved {
  Variable logits, loss;
  const real* target;
  real factor;
};

void sigmoid_cross_entropy_vjp(Tape& tape, const void* saved) {
  const auto& s = *static_cast<const Saved*>(saved);
  const GradientSink sink = tape.gradient_into(s.logits);
  if (!sink)
    return;
  const real factor = s.factor * *tape.gradient_of(s.loss);
  const real* x = s.logits.data();
  parallel_chunks(s.logits.elements(), elementwise_grain,
                  [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t i = begin; i < end; ++i) {
                      const real grad = factor * (1 / (1 + std::exp(-x[i])) - s.target[i]);
                      sink.data[i] = sink.accumulate ? sink.data[i] + grad : grad;
                    }
                  });
}

} // namespace

const Op ops::sigmoid_cross_entropy = {"sigmoid_cross_entropy", sigmoid_cross_entropy_vjp};

Variable sigmoid_cross_entropy(Tape& tape, Variable logits, const Tensor& target, real factor) {
  if (logits.elements() != target.elements())
    throw Error("sigmoid_cross_entropy", "logits and target have different numbers of elements",
                logits.shape().text() + " and " + target.shape().text());
  const real *x = logits.data(), *t = target.data();
  const Variable loss = tape.output({}, {logits});
  const auto part = [&](std::int64_t begin, std::int64_t end) {
    double sum = 0;
    for (std::int64_t i = begin; i < end; ++i)
      sum += (x[i] <= 0 ? real(0) : x[i]) - t[i] * x[i] + std::log1p(std::exp(-std::abs(x[i])));
    return sum;
  };
  *loss.data() = factor * chunked_sum(tape.arena(), logits.elements(), part);
  tape.record(ops::sigmoid_cross_entropy, loss, Saved{logits, loss, t, factor});
  return loss;
}

} // namespace mereo

// Cross-entropy of a softmax, mean over the batch; t is the true class:
//
//   L = 1/B sum_b  log sum_k exp(x_k) - x_t
//   grad_x_k += grad_L / B * (softmax(x)_k - [k = t])
#include "autodiff/labels.h"
#include "autodiff/op_list.h"

#include <mereo/ops.h>

#include <algorithm>
#include <cmath>

namespace mereo {

namespace {

struct Saved {
  Variable scores, loss;
  const std::int32_t* labels;
};

/// log sum_k exp(x_k), with the largest taken out so that nothing overflows.
double log_sum_exp(const real* x, std::int64_t count) {
  const double largest = *std::max_element(x, x + count);
  double sum = 0;
  for (std::int64_t k = 0; k < count; ++k)
    sum += std::exp(x[k] - largest);
  return largest + std::log(sum);
}

void cross_entropy_vjp(Tape& tape, const void* saved) {
  const auto& s = *static_cast<const Saved*>(saved);
  const GradientSink sink = tape.gradient_into(s.scores);
  if (!sink)
    return;
  const std::int64_t B = s.scores.shape()[0], K = s.scores.shape()[1];
  const double factor = *tape.gradient_of(s.loss) / double(B);
  for (std::int64_t b = 0; b < B; ++b) {
    const real* x = s.scores.data() + b * K;
    const double all = log_sum_exp(x, K);
    for (std::int64_t k = 0; k < K; ++k) {
      const double truth = s.labels[b] == k ? 1 : 0;
      const real grad = real(factor * (std::exp(x[k] - all) - truth));
      real& to = sink.data[b * K + k];
      to = sink.accumulate ? to + grad : grad;
    }
  }
}

} // namespace

const Op ops::cross_entropy = {"cross_entropy", cross_entropy_vjp};

Variable cross_entropy(Tape& tape, Variable scores, std::span<const std::int32_t> labels) {
  const std::int32_t* kept = keep_labels(tape, "cross_entropy", scores, labels);
  const std::int64_t B = scores.shape()[0], K = scores.shape()[1];
  double total = 0;
  for (std::int64_t b = 0; b < B; ++b)
    total += log_sum_exp(scores.data() + b * K, K) - scores.data()[b * K + kept[b]];
  const Variable loss = tape.output({}, {scores});
  *loss.data() = real(total / double(B));
  tape.record(ops::cross_entropy, loss, Saved{scores, loss, kept});
  return loss;
}

} // namespace mereo

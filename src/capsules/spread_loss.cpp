// Spread loss (Hinton, Sabour, Frosst 2018, eq. 3), mean over the batch; t is the true class:
//
//   L = 1/B sum_b sum_{i != t}  max(0, m - (a_t - a_i))^2
//   grad_a_i += grad_L / B * 2 max(0, m - (a_t - a_i));   grad_a_t -= the sum of those
#include "autodiff/labels.h"
#include "capsules/op_list.h"

#include <mereo/capsules.h>

#include <algorithm>
#include <cmath>

namespace mereo {

namespace {

struct Saved {
  Variable activations, loss;
  const std::int32_t* labels;
  real margin;
};

/// How much closer than the margin a wrong class is to the true one, NaN kept.
real violation(real truth, real wrong, real margin) {
  const real by = margin - (truth - wrong);
  return by <= 0 ? real(0) : by;
}

void spread_loss_vjp(Tape& tape, const void* saved) {
  const auto& s = *static_cast<const Saved*>(saved);
  const GradientSink sink = tape.gradient_into(s.activations);
  if (!sink)
    return;
  const std::int64_t B = s.activations.shape()[0], K = s.activations.shape()[1];
  const real factor = 2 * *tape.gradient_of(s.loss) / real(B);
  for (std::int64_t b = 0; b < B; ++b) {
    const real* a = s.activations.data() + b * K;
    real* to = sink.data + b * K;
    if (!sink.accumulate)
      std::fill_n(to, K, real(0));
    const std::int32_t t = s.labels[b];
    for (std::int64_t i = 0; i < K; ++i) {
      if (i == t)
        continue;
      const real grad = factor * violation(a[t], a[i], s.margin);
      to[i] += grad;
      to[t] -= grad;
    }
  }
}

} // namespace

const Op ops::spread_loss = {"spread_loss", spread_loss_vjp};

double spread_margin(MarginSchedule schedule, double progress) {
  if (!(progress >= 0 && progress <= 1))
    throw Error("spread_margin", "the progress of training is from 0 to 1",
                std::to_string(progress));
  if (schedule == MarginSchedule::linear)
    return 0.2 + 0.7 * progress;
  // The authors': min(10, step / 50000 - 4), which is there at step 700,000.
  return 0.2 + 0.79 / (1 + std::exp(4 - 14 * progress));
}

Variable spread_loss(Tape& tape, Variable activations, std::span<const std::int32_t> labels,
                     double margin) {
  const std::int32_t* kept = keep_labels(tape, "spread_loss", activations, labels);
  const std::int64_t B = activations.shape()[0], K = activations.shape()[1];
  double total = 0;
  for (std::int64_t b = 0; b < B; ++b)
    for (std::int64_t i = 0; i < K; ++i) {
      const real* a = activations.data() + b * K;
      const double by = i == kept[b] ? 0 : violation(a[kept[b]], a[i], real(margin));
      total += by * by;
    }
  const Variable loss = tape.output({}, {activations});
  *loss.data() = real(total / double(B));
  tape.record(ops::spread_loss, loss, Saved{activations, loss, kept, real(margin)});
  return loss;
}

} // namespace mereo

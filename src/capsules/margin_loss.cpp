// Margin loss (Sabour, Frosst, Hinton 2017, eq. 4), mean over the batch:
//
//   L = 1/B sum_b sum_k  T_k max(0, m+ - l_k)^2 + lambda (1 - T_k) max(0, l_k - m-)^2
//   grad_l_k += grad_L / B * (-2 T_k max(0, m+ - l_k) + 2 lambda (1 - T_k) max(0, l_k - m-))
#include "autodiff/labels.h"
#include "capsules/op_list.h"

#include <mereo/capsules.h>

#include <algorithm>

namespace mereo {

namespace {

struct Saved {
  Variable lengths, loss;
  const std::int32_t* labels; // (B, L)
  std::int64_t L;
  MarginLoss options;
};

bool among(const std::int32_t* labels, std::int64_t count, std::int64_t k) {
  return std::find(labels, labels + count, k) != labels + count;
}

/// How far a length is on the wrong side of its margin, NaN kept.
real violation(real length, bool present, const MarginLoss& options) {
  const real by = present ? real(options.present) - length : length - real(options.absent);
  return by <= 0 ? real(0) : by;
}

void margin_loss_vjp(Tape& tape, const void* saved) {
  const auto& s = *static_cast<const Saved*>(saved);
  const GradientSink sink = tape.gradient_into(s.lengths);
  if (!sink)
    return;
  const std::int64_t B = s.lengths.shape()[0], K = s.lengths.shape()[1];
  const real factor = 2 * *tape.gradient_of(s.loss) / real(B);
  for (std::int64_t b = 0; b < B; ++b)
    for (std::int64_t k = 0; k < K; ++k) {
      const std::int64_t at = b * K + k;
      const bool present = among(s.labels + b * s.L, s.L, k);
      const real slope = present ? real(-1) : real(s.options.absent_weight);
      const real grad = factor * slope * violation(s.lengths.data()[at], present, s.options);
      sink.data[at] = sink.accumulate ? sink.data[at] + grad : grad;
    }
}

} // namespace

const Op ops::margin_loss = {"margin_loss", margin_loss_vjp};

Variable margin_loss(Tape& tape, Variable lengths, std::span<const std::int32_t> labels,
                     const MarginLoss& options) {
  const std::int32_t* kept = keep_labels(tape, "margin_loss", lengths, labels, LabelsPerImage::any);
  const std::int64_t B = lengths.shape()[0], K = lengths.shape()[1];
  const std::int64_t L = std::int64_t(labels.size()) / B;
  double total = 0;
  for (std::int64_t b = 0; b < B; ++b)
    for (std::int64_t k = 0; k < K; ++k) {
      const bool present = among(kept + b * L, L, k);
      const double by = violation(lengths.data()[b * K + k], present, options);
      total += (present ? 1.0 : double(options.absent_weight)) * by * by;
    }
  const Variable loss = tape.output({}, {lengths});
  *loss.data() = real(total / double(B));
  tape.record(ops::margin_loss, loss, Saved{lengths, loss, kept, L, options});
  return loss;
}

} // namespace mereo

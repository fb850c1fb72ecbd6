#include "explain/perturbation.h"

#include <algorithm>

namespace mereo {

namespace {

/// Of class k of each row of capsules (B, classes, pose): (B, H, W, C), owned.
Tensor decode_rows(Model& model, Tape& tape, const Tensor& capsules, std::int32_t k) {
  const std::int64_t B = capsules.shape()[0];
  const std::vector<std::int32_t> which(std::size_t(B), k);
  const InputShape in = model.input();
  return model.decode(tape, tape.constant(capsules), which, Mode::evaluation)
      .value()
      .reshape({B, in.height, in.width, in.channels})
      .clone();
}

} // namespace

double perturbation(std::int64_t step) {
  return 0.05 * double(step - perturbation_steps / 2);
}

Tensor perturbed_frames(Model& model, Tape& tape, const Tensor& capsules, std::int32_t which) {
  const std::int64_t J = capsules.shape()[1], D = capsules.shape()[2];
  Tensor all({D * perturbation_steps, J, D});
  for (std::int64_t n = 0; n < D * perturbation_steps; ++n) {
    real* row = all.data() + n * J * D;
    std::copy_n(capsules.data(), J * D, row);
    row[which * D + n / perturbation_steps] += real(perturbation(n % perturbation_steps));
  }
  return decode_rows(model, tape, all, which);
}

Tensor decoded(Model& model, Tape& tape, const Tensor& capsules, std::int32_t which) {
  const InputShape in = model.input();
  return decode_rows(model, tape, capsules, which).reshape({in.height, in.width, in.channels});
}

} // namespace mereo

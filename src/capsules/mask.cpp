// mask: y[b, l, j, :] = x[b, j, :] for j = which[b, l], else 0     grad_x the sum over l of the
// same of grad_y
#include "capsules/op_list.h"

#include <mereo/capsules.h>

#include <algorithm>

namespace mereo {

namespace {

struct Saved {
  Variable x, y;
  const std::int32_t* which; // (B, L)
  std::int64_t L;
};

void mask_vjp(Tape& tape, const void* saved) {
  const auto& s = *static_cast<const Saved*>(saved);
  const GradientSink sink = tape.gradient_into(s.x);
  if (!sink)
    return;
  const std::int64_t B = s.x.shape()[0], J = s.x.shape()[1], E = s.x.shape()[2];
  if (!sink.accumulate)
    std::fill_n(sink.data, B * J * E, real(0));
  for (std::int64_t r = 0; r < B * s.L; ++r) {
    real* const to = sink.data + (r / s.L * J + s.which[r]) * E;
    const real* const from = tape.gradient_of(s.y) + (r * J + s.which[r]) * E;
    for (std::int64_t e = 0; e < E; ++e)
      to[e] += from[e];
  }
}

} // namespace

const Op ops::mask = {"mask", mask_vjp};

Variable mask(Tape& tape, Variable capsules, std::span<const std::int32_t> which) {
  const Shape& shape = capsules.shape();
  const auto R = std::int64_t(which.size());
  if (shape.rank() != 3 || R < shape[0] || shape[0] < 1 || R % shape[0] != 0)
    throw Error("mask", "capsules and choices do not fit",
                "capsules " + shape.text() + ", " + std::to_string(which.size()) + " choices",
                "one choice, or as many, for each image of (B, J, E)");
  const std::int64_t J = shape[1], E = shape[2], L = R / shape[0];
  auto* kept = tape.arena().allocate_array<std::int32_t>(which.size());
  std::copy(which.begin(), which.end(), kept);
  const Variable y = tape.output({R, J * E}, {capsules});
  std::fill_n(y.data(), R * J * E, real(0));
  for (std::int64_t r = 0; r < R; ++r) {
    const std::int64_t j = kept[r];
    if (j < 0 || j >= J)
      throw Error("mask", "no such capsule", std::to_string(j) + " of " + std::to_string(J));
    std::copy_n(capsules.data() + (r / L * J + j) * E, E, y.data() + (r * J + j) * E);
  }
  tape.record(ops::mask, y, Saved{capsules, y, kept, L});
  return y;
}

} // namespace mereo

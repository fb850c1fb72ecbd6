// mask: y[b, j, :] = x[b, j, :] for j = which[b], else 0     grad_x the same of grad_y
#include "capsules/op_list.h"

#include <mereo/capsules.h>

#include <algorithm>

namespace mereo {

namespace {

struct Saved {
  Variable x, y;
  const std::int32_t* which;
};

void mask_vjp(Tape& tape, const void* saved) {
  const auto& s = *static_cast<const Saved*>(saved);
  const GradientSink sink = tape.gradient_into(s.x);
  if (!sink)
    return;
  const std::int64_t B = s.x.shape()[0], J = s.x.shape()[1], E = s.x.shape()[2];
  if (!sink.accumulate)
    std::fill_n(sink.data, B * J * E, real(0));
  for (std::int64_t b = 0; b < B; ++b) {
    const std::int64_t at = (b * J + s.which[b]) * E;
    for (std::int64_t e = 0; e < E; ++e)
      sink.data[at + e] += tape.gradient_of(s.y)[at + e];
  }
}

} // namespace

const Op ops::mask = {"mask", mask_vjp};

Variable mask(Tape& tape, Variable capsules, std::span<const std::int32_t> which) {
  const Shape& shape = capsules.shape();
  if (shape.rank() != 3 || std::int64_t(which.size()) != shape[0])
    throw Error("mask", "capsules and choices do not fit",
                "capsules " + shape.text() + ", " + std::to_string(which.size()) + " choices",
                "one choice for each image of (B, J, E)");
  const std::int64_t B = shape[0], J = shape[1], E = shape[2];
  auto* kept = tape.arena().allocate_array<std::int32_t>(which.size());
  std::copy(which.begin(), which.end(), kept);
  const Variable y = tape.output({B, J * E}, {capsules});
  std::fill_n(y.data(), B * J * E, real(0));
  for (std::int64_t b = 0; b < B; ++b) {
    if (kept[b] < 0 || kept[b] >= J)
      throw Error("mask", "no such capsule", std::to_string(kept[b]) + " of " + std::to_string(J));
    std::copy_n(capsules.data() + (b * J + kept[b]) * E, E, y.data() + (b * J + kept[b]) * E);
  }
  tape.record(ops::mask, y, Saved{capsules, y, kept});
  return y;
}

} // namespace mereo

// Dropout (Srivastava et al. 2014), scaled while training so that evaluating needs nothing:
//
//   y_i = m_i x_i / (1 - p),  m_i = 0 with probability p, else 1
//   grad_x += m grad_y / (1 - p)
#include "autodiff/elementwise.h"
#include "autodiff/op_list.h"

#include <mereo/ops.h>

namespace mereo {

namespace {

struct Saved {
  Variable x, y;
  double rate;
  Random random;
};

/// to (+)= m from / (1 - p). The draws depend on the element alone, so that any chunk can make its
/// own, and the backward pass makes them again.
void keep_some(double rate, const Random& random, std::int64_t n, const real* from,
               const GradientSink& to) {
  const real factor = real(1 / (1 - rate));
  parallel_chunks(n, elementwise_grain, [&](std::int64_t begin, std::int64_t end) {
    Random draws(random.seed(), random.stream(), random.position() + std::uint64_t(begin));
    for (std::int64_t i = begin; i < end; ++i) {
      const real kept = draws.uniform() < rate ? real(0) : factor * from[i];
      to.data[i] = to.accumulate ? to.data[i] + kept : kept;
    }
  });
}

void dropout_vjp(Tape& tape, const void* saved) {
  const auto& s = *static_cast<const Saved*>(saved);
  if (const GradientSink sink = tape.gradient_into(s.x))
    keep_some(s.rate, s.random, s.y.elements(), tape.gradient_of(s.y), sink);
}

} // namespace

const Op ops::dropout = {"dropout", dropout_vjp};

Variable dropout(Tape& tape, Variable x, double rate, const Random& random) {
  if (!(rate >= 0 && rate < 1))
    throw Error("dropout", "the rate is out of range", std::to_string(rate), "it is in [0, 1)");
  const Variable y = tape.output(x.shape(), {x});
  keep_some(rate, random, x.elements(), x.data(), {y.data(), false});
  tape.record(ops::dropout, y, Saved{x, y, rate, random});
  return y;
}

} // namespace mereo

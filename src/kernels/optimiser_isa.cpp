// Parameter updates, each in one pass over its arrays: they are bound by memory.
#include "kernels/lane_loops.h"
#include "kernels/table.h"

namespace mereo::MEREO_ISA {

// parameter -= rate (first / correction1) / (sqrt(second / correction2) + epsilon)
static void adam(std::int64_t n, const AdamStep& step, const real* gradient, real* first,
                 real* second, real* parameter) {
  const V beta1 = broadcast(step.beta1), rest1 = broadcast(1 - step.beta1);
  const V beta2 = broadcast(step.beta2), rest2 = broadcast(1 - step.beta2);
  const V factor = broadcast(step.gradient_scale), epsilon = broadcast(step.epsilon);
  const V rate = broadcast(step.learning_rate / step.correction1);
  const V unbias = broadcast(1 / step.correction2);
  for_registers(n, [=](std::int64_t i, auto part) MEREO_INLINE {
    const V g = factor * part.load(gradient + i);
    const V m = fma(beta1, part.load(first + i), rest1 * g);
    const V v = fma(beta2, part.load(second + i), rest2 * (g * g));
    part.store(first + i, m);
    part.store(second + i, v);
    const V direction = m / (sqrt(v * unbias) + epsilon);
    part.store(parameter + i, fnma(rate, direction, part.load(parameter + i)));
  });
}

static void momentum(std::int64_t n, real rate, real momentum, real gradient_scale,
                     const real* gradient, real* velocity, real* parameter) {
  const V factor = broadcast(gradient_scale), kept = broadcast(momentum), step = broadcast(rate);
  for_registers(n, [=](std::int64_t i, auto part) MEREO_INLINE {
    const V v = fma(kept, part.load(velocity + i), factor * part.load(gradient + i));
    part.store(velocity + i, v);
    part.store(parameter + i, fnma(step, v, part.load(parameter + i)));
  });
}

extern const OptimiserKernels optimiser_kernels;
const OptimiserKernels optimiser_kernels = {adam, momentum};

} // namespace mereo::MEREO_ISA

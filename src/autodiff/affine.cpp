#include "autodiff/affine.h"

#include "autodiff/elementwise.h"

namespace mereo {

Activation kernel_activation(Activity activity) {
  return activity == Activity::relu ? Activation::relu : Activation::none;
}

namespace {

/// Masks grad where the ReLU was off, and sink (+)= the sum over rows: one partial sum per chunk of
/// rows, taken while it is in cache, folded in order.
void mask_and_sum_rows(Arena& arena, Activity activity, const real* y, std::int64_t rows,
                       std::int64_t columns, real* grad, const GradientSink& sink) {
  const Chunks chunks{rows, row_grain(columns)};
  ArenaScope scope(arena);
  real* partial = arena.allocate_array<real>(std::size_t(chunks.count() * columns));
  parallel_for(chunks.count(), [&](std::int64_t c) {
    const std::int64_t count = chunks.end(c) - chunks.begin(c), at = chunks.begin(c) * columns;
    if (activity == Activity::relu)
      kernels().elementwise.relu_backward(count * columns, y + at, grad + at, grad + at, false);
    kernels().elementwise.column_sums(count, columns, grad + at, partial + c * columns, false);
  });
  kernels().elementwise.column_sums(chunks.count(), columns, partial, sink.data, sink.accumulate);
}

} // namespace

const real* epilogue_vjp(Tape& tape, Activity activity, const Variable& y, const Variable& bias,
                         std::int64_t columns) {
  real* grad = tape.consume_gradient_of(y);
  if (const GradientSink sink = tape.gradient_into(bias))
    mask_and_sum_rows(tape.arena(), activity, y.data(), y.elements() / columns, columns, grad,
                      sink);
  else if (activity == Activity::relu)
    parallel_chunks(y.elements(), elementwise_grain, [&](std::int64_t begin, std::int64_t end) {
      kernels().elementwise.relu_backward(end - begin, y.data() + begin, grad + begin, grad + begin,
                                          false);
    });
  return grad;
}

} // namespace mereo

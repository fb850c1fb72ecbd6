#include "autodiff/affine.h"

#include "autodiff/elementwise.h"

namespace mereo {

Activation kernel_activation(Activity activity) {
  return activity == Activity::relu ? Activation::relu : Activation::none;
}

namespace {

/// sink (+)= sum over rows of x (rows, columns): one partial sum per chunk of rows, folded in
/// order.
void sum_rows(Arena& arena, const real* x, std::int64_t rows, std::int64_t columns,
              const GradientSink& sink) {
  const Chunks chunks{rows, row_grain(columns)};
  ArenaScope scope(arena);
  real* partial = arena.allocate_array<real>(std::size_t(chunks.count() * columns));
  parallel_for(chunks.count(), [&](std::int64_t c) {
    kernels().elementwise.column_sums(chunks.end(c) - chunks.begin(c), columns,
                                      x + chunks.begin(c) * columns, partial + c * columns, false);
  });
  kernels().elementwise.column_sums(chunks.count(), columns, partial, sink.data, sink.accumulate);
}

} // namespace

const real* epilogue_vjp(Tape& tape, Activity activity, const Variable& y, const Variable& bias,
                         std::int64_t columns) {
  real* grad = tape.consume_gradient_of(y);
  if (activity == Activity::relu)
    parallel_chunks(y.elements(), elementwise_grain, [&](std::int64_t begin, std::int64_t end) {
      kernels().elementwise.relu_backward(end - begin, y.data() + begin, grad + begin, grad + begin,
                                          false);
    });
  if (const GradientSink sink = tape.gradient_into(bias))
    sum_rows(tape.arena(), grad, y.elements() / columns, columns, sink);
  return grad;
}

} // namespace mereo

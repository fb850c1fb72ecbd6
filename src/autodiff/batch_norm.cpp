// Batch normalisation (Ioffe & Szegedy 2015, Algorithm 1), channel by channel over n values:
//
//   m = 1/n sum x,  v = 1/n sum (x - m)^2,  s = 1 / sqrt(v + epsilon),  y = g s (x - m) + b
//   grad_b += sum grad_y,  grad_g += s sum grad_y (x - m)
//   grad_x += g s (grad_y - 1/n sum grad_y - s^2 (x - m) 1/n sum grad_y (x - m))
//
// With m and v that are given, they are constants: grad_x += g s grad_y.
#include "autodiff/elementwise.h"
#include "autodiff/op_list.h"
#include "kernels/table.h"

#include <mereo/ops.h>

#include <cmath>

namespace mereo {

namespace {

struct Saved {
  Variable x, gain, bias, y;
  const real *mean, *inverse; // m and s (C)
  bool measured;
};

/// sums (C): kernel(first row, rows, sums) over chunks of rows, folded in order. The chunks are
/// short, so that a long sum does not lose the ends of its terms.
template <class Kernel>
void fold_rows(Arena& arena, std::int64_t rows, std::int64_t C, real* sums, const Kernel& kernel) {
  const Chunks chunks{rows, std::min<std::int64_t>(512, row_grain(C))};
  ArenaScope scope(arena);
  real* partial = arena.allocate_array<real>(std::size_t(chunks.count() * C));
  parallel_for(chunks.count(), [&](std::int64_t c) {
    kernel(chunks.begin(c), chunks.end(c) - chunks.begin(c), partial + c * C);
  });
  kernels().elementwise.column_sums(chunks.count(), C, partial, sums, false);
}

void sum_rows(Arena& arena, std::int64_t rows, std::int64_t C, const real* x, real* sums) {
  fold_rows(arena, rows, C, sums, [&](std::int64_t first, std::int64_t count, real* to) {
    kernels().elementwise.column_sums(count, C, x + first * C, to, false);
  });
}

/// y (+)= factor (x - mean) + shift, row by row.
void scale_rows(std::int64_t rows, std::int64_t C, const real* x, const real* mean,
                const real* factor, const real* shift, real* y, bool accumulate) {
  parallel_chunks(rows, row_grain(C), [&](std::int64_t begin, std::int64_t end) {
    kernels().elementwise.scale_columns(end - begin, C, x + begin * C, mean, factor, shift,
                                        y + begin * C, accumulate);
  });
}

void grad_input(Tape& tape, const Saved& s, const real* grad_y, const real* sum, const real* along,
                const GradientSink& sink) {
  const std::int64_t C = s.x.shape()[-1], n = s.x.elements() / C;
  ArenaScope scope(tape.arena());
  real* memory = tape.arena().allocate_array<real>(std::size_t(4 * C));
  real *factor = memory, *centre = memory + C, *slope = memory + 2 * C, *none = memory + 3 * C;
  for (std::int64_t c = 0; c < C; ++c) {
    factor[c] = s.gain.data()[c] * s.inverse[c];
    centre[c] = s.measured ? sum[c] / real(n) : real(0);
    slope[c] = -factor[c] * s.inverse[c] * s.inverse[c] * along[c] / real(n);
    none[c] = 0;
  }
  scale_rows(n, C, grad_y, centre, factor, none, sink.data, sink.accumulate);
  if (s.measured)
    scale_rows(n, C, s.x.data(), s.mean, slope, none, sink.data, true);
}

void batch_norm_vjp(Tape& tape, const void* saved) {
  const auto& s = *static_cast<const Saved*>(saved);
  const std::int64_t C = s.x.shape()[-1], n = s.x.elements() / C;
  const real* grad_y = tape.gradient_of(s.y);
  const GradientSink to_x = tape.gradient_into(s.x), to_gain = tape.gradient_into(s.gain),
                     to_bias = tape.gradient_into(s.bias);
  ArenaScope scope(tape.arena());
  real* sum = tape.arena().allocate_array<real>(std::size_t(2 * C));
  real* along = sum + C;
  sum_rows(tape.arena(), n, C, grad_y, sum);
  fold_rows(tape.arena(), n, C, along, [&](std::int64_t first, std::int64_t count, real* to) {
    kernels().elementwise.column_products(count, C, s.x.data() + first * C, s.mean,
                                          grad_y + first * C, to);
  });
  const auto put = [](const GradientSink& sink, std::int64_t c, real value) {
    if (sink)
      sink.data[c] = sink.accumulate ? sink.data[c] + value : value;
  };
  for (std::int64_t c = 0; c < C; ++c) {
    put(to_bias, c, sum[c]);
    put(to_gain, c, s.inverse[c] * along[c]);
  }
  if (to_x)
    grad_input(tape, s, grad_y, sum, along, to_x);
}

void check(const Variable& x, const Variable& gain, const Variable& bias,
           const ChannelMoments& moments, double epsilon) {
  const Shape& shape = x.shape();
  if (shape.rank() < 2 || shape.elements() == 0)
    throw Error("batch_norm", "there is nothing to normalise", shape.text(),
                "the last axis has the channels");
  const Shape channels{shape[-1]};
  for (const Shape& part :
       {gain.shape(), bias.shape(), moments.mean.shape(), moments.variance.shape()})
    if (!(part == channels))
      throw Error("batch_norm", "gain, bias, mean and variance must have an element a channel",
                  part.text() + ", not " + channels.text());
  if (!(epsilon > 0))
    throw Error("batch_norm", "epsilon must be positive", std::to_string(epsilon));
}

/// y from m and v, which are copied, and the node.
Variable normalise(Tape& tape, Variable x, Variable gain, Variable bias,
                   const ChannelMoments& moments, double epsilon, bool measured) {
  const std::int64_t C = x.shape()[-1];
  real* mean = tape.arena().allocate_array<real>(std::size_t(2 * C));
  real* inverse = mean + C;
  const Variable y = tape.output(x.shape(), {x, gain, bias});
  tape.record(ops::batch_norm, y, Saved{x, gain, bias, y, mean, inverse, measured});
  ArenaScope scope(tape.arena());
  real* factor = tape.arena().allocate_array<real>(std::size_t(C));
  for (std::int64_t c = 0; c < C; ++c) {
    mean[c] = moments.mean.data()[c];
    inverse[c] = real(1 / std::sqrt(double(moments.variance.data()[c]) + epsilon));
    factor[c] = gain.data()[c] * inverse[c];
  }
  scale_rows(x.elements() / C, C, x.data(), mean, factor, bias.data(), y.data(), false);
  return y;
}

} // namespace

const Op ops::batch_norm = {"batch_norm", batch_norm_vjp};

Variable batch_norm(Tape& tape, Variable x, Variable gain, Variable bias,
                    const ChannelMoments& measured, double epsilon) {
  check(x, gain, bias, measured, epsilon);
  const std::int64_t C = x.shape()[-1], n = x.elements() / C;
  const Tensor of_batch = Tensor::view(tape.arena().allocate_array<real>(std::size_t(C)), {C});
  real *mean = measured.mean.data(), *variance = of_batch.data();
  sum_rows(tape.arena(), n, C, x.data(), mean);
  for (std::int64_t c = 0; c < C; ++c)
    mean[c] /= real(n);
  fold_rows(tape.arena(), n, C, variance, [&](std::int64_t first, std::int64_t count, real* to) {
    kernels().elementwise.column_squares(count, C, x.data() + first * C, mean, to);
  });
  for (std::int64_t c = 0; c < C; ++c)
    variance[c] /= real(n);
  // Batches are samples, whose spread about their own mean is too small.
  for (std::int64_t c = 0; c < C && n > 1; ++c)
    measured.variance.data()[c] = variance[c] * real(double(n) / double(n - 1));
  return normalise(tape, x, gain, bias, {measured.mean, of_batch}, epsilon, true);
}

Variable batch_norm_by(Tape& tape, Variable x, Variable gain, Variable bias,
                       const ChannelMoments& given, double epsilon) {
  check(x, gain, bias, given, epsilon);
  return normalise(tape, x, gain, bias, given, epsilon, false);
}

} // namespace mereo

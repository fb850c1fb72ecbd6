// add:    z = x + y          grad_x += grad_z, grad_y += grad_z
// scale:  y = a x            grad_x += a grad_y
// sum:    y = sum_i x_i      grad_x += grad_y
// squared_error: y = f sum_i (x_i - t_i)^2    grad_x += 2 f grad_y (x - t)
#include "autodiff/elementwise.h"
#include "autodiff/op_list.h"
#include "kernels/table.h"

#include <mereo/ops.h>

namespace mereo {

namespace {

/// grad (+)= factor * from.
void add_scaled(real factor, const real* from, const GradientSink& to, std::int64_t n) {
  parallel_chunks(n, elementwise_grain, [&](std::int64_t begin, std::int64_t end) {
    kernels().elementwise.scale(end - begin, factor, from + begin, to.data + begin, to.accumulate);
  });
}

struct Binary {
  Variable x, y, z;
};
struct Scaled {
  Variable x, y;
  real factor;
};
struct Unary {
  Variable x, y;
};
struct SquaredError {
  Variable x, y;
  const real* target;
  real factor;
};

void add_vjp(Tape& tape, const void* saved) {
  const auto& s = *static_cast<const Binary*>(saved);
  for (const Variable& input : {s.x, s.y})
    if (const GradientSink sink = tape.gradient_into(input))
      add_scaled(1, tape.gradient_of(s.z), sink, s.z.elements());
}

void scale_vjp(Tape& tape, const void* saved) {
  const auto& s = *static_cast<const Scaled*>(saved);
  if (const GradientSink sink = tape.gradient_into(s.x))
    add_scaled(s.factor, tape.gradient_of(s.y), sink, s.y.elements());
}

void sum_vjp(Tape& tape, const void* saved) {
  const auto& s = *static_cast<const Unary*>(saved);
  const GradientSink sink = tape.gradient_into(s.x);
  if (!sink)
    return;
  const real grad_y = *tape.gradient_of(s.y);
  for (std::int64_t i = 0; i < s.x.elements(); ++i)
    sink.data[i] = sink.accumulate ? sink.data[i] + grad_y : grad_y;
}

void squared_error_vjp(Tape& tape, const void* saved) {
  const auto& s = *static_cast<const SquaredError*>(saved);
  const GradientSink sink = tape.gradient_into(s.x);
  if (!sink)
    return;
  const real a = 2 * s.factor * *tape.gradient_of(s.y);
  parallel_chunks(s.x.elements(), elementwise_grain, [&](std::int64_t begin, std::int64_t end) {
    kernels().elementwise.difference(end - begin, a, s.x.data() + begin, s.target + begin,
                                     sink.data + begin, sink.accumulate);
  });
}

} // namespace

const Op ops::add = {"add", add_vjp};
const Op ops::scale = {"scale", scale_vjp};
const Op ops::sum = {"sum", sum_vjp};
const Op ops::squared_error = {"squared_error", squared_error_vjp};

Variable add(Tape& tape, Variable x, Variable y) {
  if (!(x.shape() == y.shape()))
    throw Error("add", "the shapes differ", x.shape().text() + " and " + y.shape().text());
  const Variable z = tape.output(x.shape(), {x, y});
  parallel_chunks(x.elements(), elementwise_grain, [&](std::int64_t begin, std::int64_t end) {
    kernels().elementwise.add(end - begin, x.data() + begin, y.data() + begin, z.data() + begin);
  });
  tape.record(ops::add, z, Binary{x, y, z});
  return z;
}

Variable scale(Tape& tape, real a, Variable x) {
  const Variable y = tape.output(x.shape(), {x});
  add_scaled(a, x.data(), {y.data(), false}, x.elements());
  tape.record(ops::scale, y, Scaled{x, y, a});
  return y;
}

Variable sum(Tape& tape, Variable x) {
  const Variable y = tape.output({}, {x});
  *y.data() = chunked_sum(tape.arena(), x.elements(), [&](std::int64_t begin, std::int64_t end) {
    return kernels().elementwise.sum(end - begin, x.data() + begin);
  });
  tape.record(ops::sum, y, Unary{x, y});
  return y;
}

Variable squared_error(Tape& tape, Variable x, const Tensor& target, real factor) {
  if (x.elements() != target.elements())
    throw Error("squared_error", "value and target have different numbers of elements",
                x.shape().text() + " and " + target.shape().text());
  const Variable y = tape.output({}, {x});
  *y.data() =
      factor * chunked_sum(tape.arena(), x.elements(), [&](std::int64_t begin, std::int64_t end) {
        return kernels().elementwise.squared_distance(end - begin, x.data() + begin,
                                                      target.data() + begin);
      });
  tape.record(ops::squared_error, y, SquaredError{x, y, target.data(), factor});
  return y;
}

} // namespace mereo

// relu:     y = max(0, x)                grad_x += grad_y [y > 0]
// sigmoid:  y = 1 / (1 + exp(-x))        grad_x += grad_y y (1 - y)
// softmax:  y = exp(x) / sum exp(x)      grad_x += y (grad_y - <grad_y, y>), over the last axis
#include "autodiff/elementwise.h"
#include "autodiff/op_list.h"
#include "kernels/table.h"

#include <mereo/ops.h>

namespace mereo {

namespace {

struct Saved {
  Variable x, y;
};

using Forward = void (*)(std::int64_t n, const real* x, real* y);
using Backward = void (*)(std::int64_t n, const real* y, const real* grad_y, real* grad_x,
                          bool accumulate);

Variable elementwise(Tape& tape, const Op& op, Variable x, Forward forward) {
  const Variable y = tape.output(x.shape(), {x});
  parallel_chunks(x.elements(), elementwise_grain, [&](std::int64_t begin, std::int64_t end) {
    forward(end - begin, x.data() + begin, y.data() + begin);
  });
  tape.record(op, y, Saved{x, y});
  return y;
}

void elementwise_vjp(Tape& tape, const void* saved, Backward backward) {
  const auto& s = *static_cast<const Saved*>(saved);
  const GradientSink sink = tape.gradient_into(s.x);
  if (!sink)
    return;
  const real* grad_y = tape.gradient_of(s.y);
  parallel_chunks(s.y.elements(), elementwise_grain, [&](std::int64_t begin, std::int64_t end) {
    backward(end - begin, s.y.data() + begin, grad_y + begin, sink.data + begin, sink.accumulate);
  });
}

void relu_vjp(Tape& tape, const void* saved) {
  elementwise_vjp(tape, saved, kernels().elementwise.relu_backward);
}

void sigmoid_vjp(Tape& tape, const void* saved) {
  elementwise_vjp(tape, saved, kernels().elementwise.sigmoid_backward);
}

void softmax_vjp(Tape& tape, const void* saved) {
  const auto& s = *static_cast<const Saved*>(saved);
  const GradientSink sink = tape.gradient_into(s.x);
  if (!sink)
    return;
  const std::int64_t size = s.y.shape()[-1];
  const real* grad_y = tape.gradient_of(s.y);
  parallel_chunks(
      s.y.elements() / size, row_grain(size), [&](std::int64_t begin, std::int64_t end) {
        const std::int64_t at = begin * size;
        kernels().elementwise.softmax_backward(end - begin, size, s.y.data() + at, grad_y + at,
                                               sink.data + at, sink.accumulate);
      });
}

} // namespace

const Op ops::relu = {"relu", relu_vjp};
const Op ops::sigmoid = {"sigmoid", sigmoid_vjp};
const Op ops::softmax = {"softmax", softmax_vjp};

Variable relu(Tape& tape, Variable x) {
  return elementwise(tape, ops::relu, x, kernels().elementwise.relu);
}

Variable sigmoid(Tape& tape, Variable x) {
  return elementwise(tape, ops::sigmoid, x, kernels().elementwise.sigmoid);
}

Variable softmax(Tape& tape, Variable x) {
  if (x.shape().rank() < 1 || x.shape()[-1] < 1)
    throw Error("softmax", "there is no last axis to normalise", x.shape().text());
  const std::int64_t size = x.shape()[-1];
  const Variable y = tape.output(x.shape(), {x});
  parallel_chunks(x.elements() / size, row_grain(size), [&](std::int64_t begin, std::int64_t end) {
    kernels().elementwise.softmax(end - begin, size, x.data() + begin * size,
                                  y.data() + begin * size);
  });
  tape.record(ops::softmax, y, Saved{x, y});
  return y;
}

} // namespace mereo

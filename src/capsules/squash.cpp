// Sabour, Frosst, Hinton 2017, eq. 1, with |s|^2 = sum_e s_e^2 + 1e-9 so that zero is an ordinary
// point.
//
// squash:  v = s |s| / (1 + |s|^2)
//          grad_s += |s| / (1 + |s|^2) grad_v + <grad_v, s> (1 - |s|^2) / (|s| (1 + |s|^2)^2) s
// lengths: y = |s|                      grad_s += grad_y s / |s|
#include "autodiff/elementwise.h"
#include "capsules/op_list.h"
#include "kernels/table.h"

#include <mereo/capsules.h>

namespace mereo {

namespace {

struct Saved {
  Variable s, out;
};

std::int64_t pose_size(const char* where, const Variable& s) {
  if (s.shape().rank() < 2 || s.shape()[-1] < 1)
    throw Error(where, "not capsules", s.shape().text(), "the last axis is the pose");
  return s.shape()[-1];
}

void squash_vjp(Tape& tape, const void* saved) {
  const auto& s = *static_cast<const Saved*>(saved);
  const GradientSink sink = tape.gradient_into(s.s);
  if (!sink)
    return;
  const std::int64_t D = s.s.shape()[-1];
  const real* grad_v = tape.gradient_of(s.out);
  parallel_chunks(s.s.elements() / D, row_grain(D), [&](std::int64_t begin, std::int64_t end) {
    kernels().elementwise.squash_backward(end - begin, D, s.s.data() + begin * D,
                                          grad_v + begin * D, sink.data + begin * D,
                                          sink.accumulate);
  });
}

void lengths_vjp(Tape& tape, const void* saved) {
  const auto& s = *static_cast<const Saved*>(saved);
  const GradientSink sink = tape.gradient_into(s.s);
  if (!sink)
    return;
  const std::int64_t D = s.s.shape()[-1];
  kernels().elementwise.length_backward(s.s.elements() / D, D, s.s.data(), s.out.data(),
                                        tape.gradient_of(s.out), sink.data, sink.accumulate);
}

} // namespace

const Op ops::squash = {"squash", squash_vjp};
const Op ops::lengths = {"lengths", lengths_vjp};

Variable squash(Tape& tape, Variable s) {
  const std::int64_t D = pose_size("squash", s);
  const Variable v = tape.output(s.shape(), {s});
  parallel_chunks(s.elements() / D, row_grain(D), [&](std::int64_t begin, std::int64_t end) {
    kernels().elementwise.squash(end - begin, D, s.data() + begin * D, v.data() + begin * D);
  });
  tape.record(ops::squash, v, Saved{s, v});
  return v;
}

Variable lengths(Tape& tape, Variable capsules) {
  const std::int64_t D = pose_size("lengths", capsules);
  const auto sizes = capsules.shape().sizes();
  const Variable y = tape.output(Shape(sizes.first(sizes.size() - 1)), {capsules});
  kernels().elementwise.length(y.elements(), D, capsules.data(), y.data());
  tape.record(ops::lengths, y, Saved{capsules, y});
  return y;
}

} // namespace mereo

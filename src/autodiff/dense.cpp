// dense: y = activity(x w + bias), x (B, N), w (N, M)
//        g = grad_y masked by the activity:  grad_x += g w^T,  grad_w += x^T g,  grad_bias += sum_b
//        g
#include "autodiff/affine.h"
#include "autodiff/op_list.h"
#include "kernels/gemm.h"

namespace mereo {

namespace {

struct Saved {
  Variable x, w, bias, y;
  Activity activity;
};

void dense_vjp(Tape& tape, const void* saved) {
  const auto& s = *static_cast<const Saved*>(saved);
  const std::int64_t B = s.x.shape()[0], N = s.x.shape()[1], M = s.w.shape()[1];
  const real* grad = epilogue_vjp(tape, s.activity, s.y, s.bias, M);
  if (const GradientSink sink = tape.gradient_into(s.x))
    gemm({.m = B,
          .n = N,
          .k = M,
          .a = grad,
          .lda = M,
          .a_transposed = false,
          .b = s.w.data(),
          .ldb = M,
          .b_transposed = true,
          .c = sink.data,
          .ldc = N,
          .accumulate = sink.accumulate},
         tape.arena());
  if (const GradientSink sink = tape.gradient_into(s.w))
    gemm({.m = N,
          .n = M,
          .k = B,
          .a = s.x.data(),
          .lda = N,
          .a_transposed = true,
          .b = grad,
          .ldb = M,
          .b_transposed = false,
          .c = sink.data,
          .ldc = M,
          .accumulate = sink.accumulate},
         tape.arena());
}

} // namespace

const Op ops::dense = {"dense", dense_vjp};

Variable dense(Tape& tape, Variable x, Variable w, Variable bias, Activity activity) {
  if (x.shape().rank() != 2 || w.shape().rank() != 2 || x.shape()[1] != w.shape()[0])
    throw Error("dense", "input and weights do not fit",
                "input " + x.shape().text() + ", weights " + w.shape().text(),
                "input (B, N) takes weights (N, M)");
  const std::int64_t B = x.shape()[0], N = x.shape()[1], M = w.shape()[1];
  if (!bias.empty() && !(bias.shape() == Shape{M}))
    throw Error("dense", "the bias does not fit the weights",
                "bias " + bias.shape().text() + ", weights " + w.shape().text());
  const Variable y = tape.output({B, M}, {x, w, bias});
  gemm({.m = B,
        .n = M,
        .k = N,
        .a = x.data(),
        .lda = N,
        .a_transposed = false,
        .b = w.data(),
        .ldb = M,
        .b_transposed = false,
        .c = y.data(),
        .ldc = M,
        .bias = bias.empty() ? nullptr : bias.data(),
        .activation = kernel_activation(activity)},
       tape.arena());
  tape.record(ops::dense, y, Saved{x, w, bias, y, activity});
  return y;
}

} // namespace mereo

// Nearest-neighbour upsampling: every pixel becomes f x f of them.
//
//   y[i, j] = x[i / f, j / f]        grad_x[i, j] += sum of grad_y over its f x f pixels
#include "autodiff/op_list.h"
#include "autodiff/windows.h"
#include "kernels/table.h"
#include "kernels/thread_scratch.h"

#include <mereo/ops.h>

#include <algorithm>

namespace mereo {

namespace {

struct Saved {
  Variable x, y;
  std::int64_t factor;
};

void upsample_vjp(Tape& tape, const void* saved) {
  const auto& s = *static_cast<const Saved*>(saved);
  const GradientSink sink = tape.gradient_into(s.x);
  if (!sink)
    return;
  const Shape& shape = s.x.shape();
  const std::int64_t W = shape[2], C = shape[3], f = s.factor;
  const real* grad_y = tape.gradient_of(s.y);
  const PoolingWindow window{f, f, C, f * W * C};
  ArenaScope scope(tape.arena());
  const ThreadScratch scratch(tape.arena(), C);
  parallel_for(shape[0] * shape[1], [&](std::int64_t row) {
    for (std::int64_t column = 0; column < W; ++column) {
      real* const to = sink.data + (row * W + column) * C;
      const real* const from = grad_y + (row * f * f * W + column * f) * C;
      kernels().pooling.sum(window, 1, from, scratch.get());
      kernels().elementwise.scale(C, 1, scratch.get(), to, sink.accumulate);
    }
  });
}

} // namespace

const Op ops::upsample = {"upsample", upsample_vjp};

Variable upsample(Tape& tape, Variable x, std::int64_t factor) {
  const Shape& shape = x.shape();
  if (shape.rank() != 4)
    throw Error("upsample", "not images", shape.text(), "they are (B, H, W, C)");
  if (!is_step(factor))
    throw Error("upsample", "the factor must be from 1 to 2^30", std::to_string(factor));
  const std::int64_t H = shape[1], W = shape[2], C = shape[3];
  const Variable y = tape.output({shape[0], factor * H, factor * W, C}, {x});
  parallel_for(shape[0] * H * factor, [&](std::int64_t row) {
    const real* const from = x.data() + row / factor * W * C;
    real* const to = y.data() + row * factor * W * C;
    for (std::int64_t column = 0; column < factor * W; ++column)
      std::copy_n(from + column / factor * C, C, to + column * C);
  });
  tape.record(ops::upsample, y, Saved{x, y, factor});
  return y;
}

} // namespace mereo

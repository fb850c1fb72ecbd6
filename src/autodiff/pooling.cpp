// Pooling: each window of an image becomes one pixel, channel by channel.
//
//   max:      y = max x over the window
//             grad_x += grad_y at the first pixel that is the largest
//
//   average:  y = 1/n sum x over the window, n its pixels in the image
//             grad_x += grad_y / n
#include "autodiff/elementwise.h"
#include "autodiff/op_list.h"
#include "autodiff/windows.h"
#include "kernels/table.h"

namespace mereo {

namespace {

struct Saved {
  Variable x, y;
  PoolingOptions options;
};

/// The windows of one image, those at its border cut to what lies in it.
class Windows {
public:
  Windows(const Shape& x, const PoolingOptions& options)
      : height_(x[1]), width_(x[2]), channels_(x[3]), kernel_(options.kernel),
        stride_(options.stride), rows_(extent(height_, kernel_, stride_, options.padding)),
        columns_(extent(width_, kernel_, stride_, options.padding)) {}

  std::int64_t rows() const { return rows_.out; }
  std::int64_t columns() const { return columns_.out; }
  std::int64_t image() const { return height_ * width_ * channels_; }

  /// body(window, its first element in the image, its element in the output) along one row.
  template <class Body> void along(std::int64_t row, const Body& body) const {
    const Range rows = cut(row, rows_, height_);
    for (std::int64_t column = 0; column < columns_.out; ++column) {
      const Range columns = cut(column, columns_, width_);
      body(PoolingWindow{rows.size(), columns.size(), channels_, width_ * channels_},
           (rows.begin * width_ + columns.begin) * channels_,
           (row * columns_.out + column) * channels_);
    }
  }

private:
  Range cut(std::int64_t window, const Extent& axis, std::int64_t size) const {
    const std::int64_t begin = window * stride_ - axis.pad_before;
    return {std::max<std::int64_t>(0, begin), std::min(size, begin + kernel_)};
  }

  std::int64_t height_, width_, channels_, kernel_, stride_;
  Extent rows_, columns_;
};

real share(const PoolingWindow& window) {
  return real(1.0 / double(window.rows * window.columns));
}

void max_forward(const PoolingWindow& window, const real* x, real* y) {
  kernels().pooling.max(window, x, y);
}

void average_forward(const PoolingWindow& window, const real* x, real* y) {
  kernels().pooling.sum(window, share(window), x, y);
}

/// Image by image, because windows may share pixels: body(window, x, y, grad_y, grad_x) adds to
/// grad_x.
template <class Body> void pooling_vjp(Tape& tape, const void* saved, const Body& body) {
  const auto& s = *static_cast<const Saved*>(saved);
  const GradientSink sink = tape.gradient_into(s.x);
  if (!sink)
    return;
  const real* grad_y = tape.gradient_of(s.y);
  const Windows windows(s.x.shape(), s.options);
  const std::int64_t B = s.x.shape()[0], size = windows.image(), out_size = s.y.elements() / B;
  parallel_for(B, [&](std::int64_t b) {
    const real *x = s.x.data() + b * size, *y = s.y.data() + b * out_size;
    const real* grad_out = grad_y + b * out_size;
    real* grad_x = sink.data + b * size;
    if (!sink.accumulate)
      std::fill_n(grad_x, size, real(0));
    for (std::int64_t row = 0; row < windows.rows(); ++row)
      windows.along(row, [&](const PoolingWindow& window, std::int64_t from, std::int64_t to) {
        body(window, x + from, y + to, grad_out + to, grad_x + from);
      });
  });
}

void max_vjp(Tape& tape, const void* saved) {
  pooling_vjp(tape, saved,
              [&k = kernels().pooling](const PoolingWindow& window, const real* x, const real* y,
                                       const real* grad_y, real* grad_x) {
                k.max_backward(window, x, y, grad_y, grad_x);
              });
}

void average_vjp(Tape& tape, const void* saved) {
  pooling_vjp(tape, saved,
              [&k = kernels().pooling](const PoolingWindow& window, const real*, const real*,
                                       const real* grad_y, real* grad_x) {
                k.sum_backward(window, share(window), grad_y, grad_x);
              });
}

void check(const Shape& x, const PoolingOptions& options) {
  if (x.rank() != 4 || x.elements() == 0)
    throw Error("pool", "not images", x.text(), "they are (B, H, W, C)");
  if (!is_step(options.kernel) || !is_step(options.stride))
    throw Error("pool", "kernel and stride must be from 1 to 2^30",
                std::to_string(options.kernel) + " and " + std::to_string(options.stride));
  if (options.padding == Padding::valid && (options.kernel > x[1] || options.kernel > x[2]))
    throw Error("pool", "the window is larger than the image",
                "image " + x.text() + ", window " + std::to_string(options.kernel),
                "use larger images, a smaller window or padding \"same\"");
}

} // namespace

const Op ops::max_pool = {"max_pool", max_vjp};
const Op ops::average_pool = {"average_pool", average_vjp};

Variable pool(Tape& tape, Variable x, const PoolingOptions& options) {
  check(x.shape(), options);
  const Windows windows(x.shape(), options);
  const std::int64_t B = x.shape()[0], C = x.shape()[3], rows = windows.rows();
  const Variable y = tape.output({B, rows, windows.columns(), C}, {x});
  const bool max = options.kind == Pooling::max;
  const auto forward = max ? max_forward : average_forward;
  parallel_chunks(B * rows, row_grain(windows.columns() * C), [&](std::int64_t begin, auto end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const real* image = x.data() + i / rows * windows.image();
      real* out = y.data() + i / rows * (y.elements() / B);
      windows.along(i % rows, [&](const PoolingWindow& window, std::int64_t from, std::int64_t to) {
        forward(window, image + from, out + to);
      });
    }
  });
  tape.record(max ? ops::max_pool : ops::average_pool, y, Saved{x, y, options});
  return y;
}

} // namespace mereo

#include "kernels/convolution.h"

#include "core/parallel.h"
#include "kernels/gemm.h"

#include <algorithm>

namespace mereo {

void convolution_forward(const ConvolutionShape& shape, const real* x, const real* w, real scale,
                         const real* bias, Activation activation, real* y, Arena& scratch) {
  Gemm product{};
  product.windows = &shape;
  product.m = shape.batch * shape.out_height * shape.out_width;
  product.n = product.ldb = product.ldc = shape.filters;
  product.k = shape.kernel_height * shape.kernel_width * shape.channels;
  product.a = x;
  product.b = w;
  product.c = y;
  product.scale = scale;
  product.bias = bias;
  product.activation = activation;
  gemm(product, scratch);
}

void convolution_grad_weight(const ConvolutionShape& shape, const real* x, const real* grad_y,
                             real scale, real* grad_w, bool accumulate, Arena& scratch) {
  Gemm product{};
  product.windows = &shape;
  product.m = shape.kernel_height * shape.kernel_width * shape.channels;
  product.n = product.ldb = product.ldc = shape.filters;
  product.k = shape.batch * shape.out_height * shape.out_width;
  product.a = x;
  product.a_transposed = true;
  product.b = grad_y;
  product.c = grad_w;
  product.scale = scale;
  product.accumulate = accumulate;
  gemm(product, scratch);
}

namespace {

constexpr std::int64_t columns_at_once = 256;

/// The gradient of some images' channels [channel_begin, channel_end). Tap by tap (or kernel row by
/// kernel row), w is packed transposed, (filters, columns), and multiplied with grad_y, a tile of
/// pixels at a time; the tile's rows are added to grad_x at the places the tap sees from there.
class InputGradient {
public:
  InputGradient(const ConvolutionShape& shape, const RowRuns& windows, const GemmKernels& kernels,
                const real* grad_y, const real* w, real scale, real* grad_x, real* memory)
      : shape_(shape), windows_(windows), kernels_(kernels), grad_y_(grad_y), w_(w), scale_(scale),
        grad_x_(grad_x), left_(memory), right_(memory + left_size(kernels)) {}

  static std::int64_t left_size(const GemmKernels& kernels) {
    return kernels.tile_rows * gemm_depth;
  }
  static std::int64_t memory_size(const GemmKernels& kernels) {
    const std::int64_t panels = (columns_at_once + kernels.tile_columns - 1) / kernels.tile_columns;
    return left_size(kernels) + panels * kernels.tile_columns * gemm_depth;
  }

  /// Windows [first, last); of every run the columns [begin, end).
  void compute(std::int64_t first, std::int64_t last, std::int64_t begin, std::int64_t end) {
    const std::int64_t runs = windows_.columns / windows_.run;
    for (std::int64_t run = 0; run < runs; ++run)
      for (std::int64_t column = begin; column < end; column += columns_at_once)
        for (std::int64_t filter = 0; filter < shape_.filters; filter += gemm_depth) {
          columns_ = std::min(columns_at_once, end - column);
          depth_ = std::min(gemm_depth, shape_.filters - filter);
          pack_weights(run * windows_.run + column, filter);
          scatter(first, last, run, column, filter);
        }
  }

private:
  void pack_weights(std::int64_t column, std::int64_t filter) {
    const std::int64_t width = kernels_.tile_columns, panel = depth_ * width;
    if (columns_ % width)
      std::fill_n(right_ + columns_ / width * panel, panel, real(0));
    const real* where[columns_at_once];
    for (std::int64_t j = 0; j < columns_; ++j)
      where[j] = w_ + (column + j) * shape_.filters + filter;
    kernels_.pack_transposed(columns_, depth_, where, width, right_, panel);
  }

  void scatter(std::int64_t first, std::int64_t last, std::int64_t run, std::int64_t column,
               std::int64_t filter) {
    constexpr std::int64_t at_once = 64; // windows located in one go
    real* place[at_once];
    const real* from[max_tile_rows];
    real* to[max_tile_rows];
    // Runs of several pixels overlap from window to window. The order in which a pixel's terms are
    // added then follows from which windows share a tile, so tiles end with the image: otherwise it
    // would follow from how the images are shared among threads.
    const bool overlap = windows_.run != shape_.channels;
    const std::int64_t per_image = shape_.out_height * shape_.out_width;
    std::int64_t rows = 0;
    for (std::int64_t window = first; window < last; window += at_once) {
      const std::int64_t count = std::min(at_once, last - window);
      windows_.locate<real>(grad_x_, nullptr, window, count, run, place);
      for (std::int64_t i = 0; i < count; ++i) {
        if (overlap && rows && (window + i) % per_image == 0) {
          multiply(rows, from, to);
          rows = 0;
        }
        if (!place[i]) // in the padding
          continue;
        from[rows] = grad_y_ + (window + i) * shape_.filters + filter;
        to[rows] = place[i] + column;
        if (++rows == kernels_.tile_rows) {
          multiply(rows, from, to);
          rows = 0;
        }
      }
    }
    if (rows)
      multiply(rows, from, to);
  }

  void multiply(std::int64_t rows, const real* const* from, real* const* to) {
    kernels_.pack(rows, 0, depth_, from, 0, depth_, left_, 0);
    real* c[max_tile_rows];
    GemmTile tile{};
    tile.depth = depth_;
    tile.a = left_;
    tile.row_stride = depth_;
    tile.depth_stride = 1;
    tile.b_stride = kernels_.tile_columns;
    tile.c = c;
    tile.rows = rows;
    tile.accumulate = true;
    tile.scale = scale_;
    tile.activation = Activation::none;
    for (std::int64_t column = 0; column < columns_; column += kernels_.tile_columns) {
      for (std::int64_t r = 0; r < rows; ++r)
        c[r] = to[r] + column;
      tile.b = right_ + column * depth_;
      tile.columns = std::min(kernels_.tile_columns, columns_ - column);
      kernels_.tile(tile);
    }
  }

  const ConvolutionShape& shape_;
  const RowRuns& windows_;
  const GemmKernels& kernels_;
  const real *grad_y_, *w_;
  const real scale_;
  real* grad_x_;
  real *left_, *right_;
  std::int64_t columns_ = 0, depth_ = 0;
};

} // namespace

void convolution_grad_input(const ConvolutionShape& shape, const real* grad_y, const real* w,
                            real scale, real* grad_x, bool accumulate, Arena& scratch) {
  ArenaScope scope(scratch);
  const GemmKernels& kernels = mereo::kernels().gemm;
  // With few channels the runs are as long as they can be, so that the tile's columns are used.
  const RowRuns windows(shape, shape.channels >= kernels.tile_columns);
  const std::int64_t size = InputGradient::memory_size(kernels);
  real* memory = scratch.allocate_array<real>(std::size_t(size * threads()));

  // Images are independent; where there are few of them, so are their channels.
  const std::int64_t pieces = 4 * threads();
  const Chunks images{shape.batch, std::max<std::int64_t>(1, shape.batch / pieces)};
  std::int64_t share = windows.run;
  if (windows.run == shape.channels && images.count() < pieces) {
    const std::int64_t shares = (pieces + images.count() - 1) / images.count();
    share = (windows.run + shares - 1) / shares;
    share = (share + kernels.tile_columns - 1) / kernels.tile_columns * kernels.tile_columns;
  }
  const Chunks channels{windows.run, share};
  const std::int64_t windows_per_image = shape.out_height * shape.out_width;
  const std::int64_t pixels = shape.height * shape.width;

  if (!accumulate)
    parallel_chunks(shape.batch * pixels, 256, [&](std::int64_t begin, std::int64_t end) {
      std::fill(grad_x + begin * shape.channels, grad_x + end * shape.channels, real(0));
    });
  parallel_for(images.count() * channels.count(), [&](std::int64_t i) {
    const std::int64_t group = i / channels.count(), channel = i % channels.count();
    InputGradient(shape, windows, kernels, grad_y, w, scale, grad_x, memory + thread_index() * size)
        .compute(images.begin(group) * windows_per_image, images.end(group) * windows_per_image,
                 channels.begin(channel), channels.end(channel));
  });
}

} // namespace mereo

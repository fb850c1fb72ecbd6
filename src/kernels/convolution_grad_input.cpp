// The gradient of a convolution in its input: col2im(grad_y w^T) without the column matrix. Tap by
// tap (or kernel row by kernel row) w is packed transposed, (filters, columns), and multiplied with
// grad_y, a tile of windows at a time; the rows of the tile are added to grad_x at the places that
// the tap sees from there.
#include "kernels/convolution.h"

#include "core/parallel.h"
#include "kernels/gemm.h"
#include "kernels/read_ahead.h"

#include <algorithm>

namespace mereo {
namespace {

constexpr std::int64_t columns_at_once = 256;

/// The gradient of some images' channels, or of all the columns of their runs.
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
    const std::int64_t panels = ceiling(columns_at_once, kernels.tile_columns);
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
          if (run + 1 < runs) // the likely next, of the same size
            announce_weights((run + 1) * windows_.run + column, filter, last - first);
          scatter(first, last, run, column, filter);
        }
  }

private:
  void locate_weights(std::int64_t column, std::int64_t filter) {
    for (std::int64_t j = 0; j < columns_; ++j)
      weights_[j] = w_ + (column + j) * shape_.filters + filter;
  }

  void pack_weights(std::int64_t column, std::int64_t filter) {
    const std::int64_t width = kernels_.tile_columns, panel = depth_ * width;
    if (columns_ % width)
      std::fill_n(right_ + columns_ / width * panel, panel, real(0));
    locate_weights(column, filter);
    kernels_.pack_transposed(columns_, depth_, weights_, width, right_, panel);
  }

  void announce_weights(std::int64_t column, std::int64_t filter, std::int64_t windows) {
    locate_weights(column, filter);
    weights_ahead_.announce(weights_, columns_, 0, depth_,
                            ceiling(windows, kernels_.tile_rows) * column_tiles());
  }

  std::int64_t column_tiles() const { return ceiling(columns_, kernels_.tile_columns); }

  void scatter(std::int64_t first, std::int64_t last, std::int64_t run, std::int64_t column,
               std::int64_t filter) {
    // Runs of several pixels overlap from window to window. The order in which a pixel's terms are
    // added then follows from which windows share a tile, so tiles end with the image: otherwise it
    // would follow from how the images are shared among threads.
    const bool overlap = windows_.run != shape_.channels;
    const std::int64_t per_image = shape_.out_height * shape_.out_width;
    std::int64_t end;
    for (std::int64_t window = first; window < last; window = end) {
      end = std::min(last, window + at_once);
      if (overlap)
        end = std::min(end, (window / per_image + 1) * per_image);
      windows_.locate<real>(grad_x_, nullptr, window, end - window, run, to_);
      std::int64_t rows = 0;
      for (std::int64_t i = 0; i < end - window; ++i)
        if (to_[i]) { // else it lies in the padding
          from_[rows] = grad_y_ + (window + i) * shape_.filters + filter;
          to_[rows++] = to_[i] + column;
        }
      for (std::int64_t row = 0; row < rows; row += kernels_.tile_rows)
        multiply(row, std::min(rows, row + kernels_.tile_rows), rows);
    }
  }

  /// The tile of rows [begin, end) of those in from_ and to_; after it come those up to `all`.
  void multiply(std::int64_t begin, std::int64_t end, std::int64_t all) {
    kernels_.pack(end - begin, 0, depth_, from_ + begin, 0, depth_, left_, 0);
    rows_ahead_.announce(from_ + end, std::min(kernels_.tile_rows, all - end), 0, depth_,
                         column_tiles());
    real* c[max_tile_rows];
    GemmTile tile{};
    tile.depth = depth_;
    tile.a = left_;
    tile.row_stride = depth_;
    tile.depth_stride = 1;
    tile.b_stride = kernels_.tile_columns;
    tile.c = c;
    tile.rows = end - begin;
    tile.accumulate = true;
    tile.scale = scale_;
    tile.activation = Activation::none;
    for (std::int64_t column = 0; column < columns_; column += kernels_.tile_columns) {
      for (std::int64_t r = 0; r < tile.rows; ++r)
        c[r] = to_[begin + r] + column;
      tile.b = right_ + column * depth_;
      tile.columns = std::min(kernels_.tile_columns, columns_ - column);
      rows_ahead_.give(tile);
      weights_ahead_.fetch();
      kernels_.tile(tile);
    }
  }

  static constexpr std::int64_t at_once = 32 * max_tile_rows; // windows located in one go

  const ConvolutionShape& shape_;
  const RowRuns& windows_;
  const GemmKernels& kernels_;
  const real *grad_y_, *w_;
  const real scale_;
  real* grad_x_;
  real *left_, *right_;
  std::int64_t columns_ = 0, depth_ = 0; // of the weights that are packed
  const real* weights_[columns_at_once];
  const real* from_[at_once]; // rows of grad_y, and where in grad_x they go
  real* to_[at_once];
  ReadAhead rows_ahead_, weights_ahead_;
};

/// Images at a time: as many windows as repay the packing of the weights many times over; fewer
/// where that leaves threads idle, down to what repays it at all.
std::int64_t images_at_once(const ConvolutionShape& shape) {
  constexpr std::int64_t good = 1024, fewest = 200;
  const std::int64_t windows = shape.batch * shape.out_height * shape.out_width;
  std::int64_t shares =
      std::max(windows / good, std::min<std::int64_t>(threads(), windows / fewest));
  if (shares > threads())
    shares = shares / threads() * threads();
  shares = std::clamp<std::int64_t>(shares, 1, shape.batch);
  return ceiling(shape.batch, shares);
}

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
  const Chunks images{shape.batch, images_at_once(shape)};
  std::int64_t share = windows.run;
  if (windows.run == shape.channels && images.count() < threads()) {
    const std::int64_t shares = ceiling(threads(), images.count());
    share = round_up(ceiling(windows.run, shares), kernels.tile_columns);
  }
  const Chunks channels{windows.run, share};
  const std::int64_t per_image = shape.out_height * shape.out_width;
  const std::int64_t pixels = shape.height * shape.width;

  if (!accumulate)
    parallel_chunks(shape.batch * pixels, 256, [&](std::int64_t begin, std::int64_t end) {
      std::fill(grad_x + begin * shape.channels, grad_x + end * shape.channels, real(0));
    });
  parallel_for(images.count() * channels.count(), [&](std::int64_t i) {
    const std::int64_t group = i / channels.count(), channel = i % channels.count();
    InputGradient(shape, windows, kernels, grad_y, w, scale, grad_x, memory + thread_index() * size)
        .compute(images.begin(group) * per_image, images.end(group) * per_image,
                 channels.begin(channel), channels.end(channel));
  });
}

} // namespace mereo

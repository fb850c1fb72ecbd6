#include "kernels/winograd_transforms.h"

#include <algorithm>

namespace mereo {

namespace {

/// A matrix times a number.
struct Scaled {
  real values[winograd_limit][winograd_limit];

  Scaled(const real (&matrix)[winograd_limit][winograd_limit], real scale) {
    for (std::int64_t i = 0; i < winograd_limit; ++i)
      for (std::int64_t j = 0; j < winograd_limit; ++j)
        values[i][j] = scale * matrix[i][j];
  }
};

/// body(begin, width) for pieces of at most `most` of [0, size).
template <class Body> void pieces(std::int64_t size, std::int64_t most, const Body& body) {
  for (std::int64_t begin = 0; begin < size; begin += most)
    body(begin, std::min(most, size - begin));
}

} // namespace

// ---- both sides of a matrix ---------------------------------------------------------------------

void WinogradTransforms::first(const Side& rows, std::int64_t columns, Grid<const real> in,
                               std::int64_t width) {
  WinogradPass pass{};
  pass.outs = rows.outs;
  pass.ins = rows.ins;
  pass.columns = columns;
  pass.width = width;
  pass.matrix = rows.matrix;
  pass.matrix_stride = winograd_limit;
  pass.in = in.data;
  pass.in_row = in.row;
  pass.in_column = in.column;
  pass.out = middle_;
  pass.out_row = columns * width;
  pass.out_column = width;
  kernels_.winograd.pass(pass);
}

void WinogradTransforms::second(const Side& columns, std::int64_t rows, Grid<real> out,
                                std::int64_t begin, std::int64_t end, std::int64_t width,
                                const Ending& ending) {
  WinogradPass pass{};
  pass.outs = columns.outs;
  pass.ins = columns.ins;
  pass.columns = rows;
  pass.width = end - begin;
  pass.matrix = columns.matrix;
  pass.matrix_stride = winograd_limit;
  pass.in = middle_ + begin;
  pass.in_row = width;
  pass.in_column = columns.ins * width;
  pass.out = out.data;
  pass.out_row = out.column;
  pass.out_column = out.row;
  pass.accumulate = ending.accumulate;
  pass.bias = ending.bias;
  pass.activation = ending.activation;
  pass.stream = ending.stream;
  kernels_.winograd.pass(pass);
}

void WinogradTransforms::second(const Side& columns, std::int64_t rows,
                                const Frequencies<real>& out, std::int64_t row, std::int64_t column,
                                std::int64_t width) {
  for (std::int64_t begin = 0, end; begin < width; begin = end) {
    const std::int64_t room = out.layout.width - (column + begin) % out.layout.width;
    end = std::min(width, begin + room);
    second(columns, rows, grid(out, row, column + begin), begin, end, width,
           {.stream = out.layout.large && out.layout.aligned(row, column + begin)});
  }
}

template <class T>
WinogradTransforms::Grid<T> WinogradTransforms::grid(const Frequencies<T>& f, std::int64_t row,
                                                     std::int64_t column) const {
  return {f.data + f.layout.at(row, column), f.layout.frequency * plan_.horizontal.matrices.size,
          f.layout.frequency};
}

WinogradTransforms::Phase WinogradTransforms::phase(std::int64_t index) const {
  return {index / plan_.horizontal.phases, index % plan_.horizontal.phases};
}

WinogradTransforms::Matrices WinogradTransforms::matrices(std::int64_t index) const {
  return {plan_.vertical.of(phase(index).vertical), plan_.horizontal.of(phase(index).horizontal)};
}

// ---- images -------------------------------------------------------------------------------------

WinogradTransforms::Window WinogradTransforms::window(std::int64_t index) const {
  const WinogradAxis &v = plan_.vertical, &h = plan_.horizontal;
  const std::int64_t tile = index / plan_.phases;
  const auto [y, x] = phase(index % plan_.phases);
  const Range rows = v.inputs(tile / h.tiles, y), columns = h.inputs(tile % h.tiles, x);
  const std::int64_t top = v.origin(tile / h.tiles, y) + v.stride * rows.begin;
  const std::int64_t left = h.origin(tile % h.tiles, x) + h.stride * columns.begin;
  const bool empty = rows.size() == 0 || columns.size() == 0;
  return {rows, columns, empty ? 0 : (top * plan_.shape.width + left) * plan_.shape.channels};
}

void WinogradTransforms::fetch(Grid<const real> grid, std::int64_t rows, std::int64_t columns,
                               std::int64_t width) const {
  constexpr std::int64_t line = 64 / std::int64_t(sizeof(real));
  for (std::int64_t a = 0; a < rows; ++a)
    for (std::int64_t b = 0; b < columns; ++b)
      for (std::int64_t c = 0; c < width; c += line)
        __builtin_prefetch(grid.data + a * grid.row + b * grid.column + c, 0, 2);
}

void WinogradTransforms::fetch_next(const Frequencies<const real>& f, std::int64_t row,
                                    std::int64_t column, std::int64_t columns, bool more_rows,
                                    const Matrices& matrices) const {
  if (!f.layout.large || (column == columns && !more_rows))
    return;
  if (column == columns) {
    ++row;
    column = 0;
  }
  fetch(grid(f, row, column), matrices.left.size, matrices.right.size,
        std::min(transform_width, columns - column));
}

void WinogradTransforms::input(const real* x, Range windows, std::int64_t first_image,
                               Range channels, const Frequencies<real>& u) {
  const std::int64_t column = plan_.shape.stride * plan_.shape.channels;
  const std::int64_t row = column * plan_.shape.width;
  const std::int64_t size = plan_.image_elements();
  for (std::int64_t i = windows.begin; i < windows.end; ++i) {
    const std::int64_t image = i / plan_.windows(), index = i % plan_.windows();
    const Window here = window(index), next = window((i + 1) % plan_.windows());
    const Matrices both = matrices(index % plan_.phases);
    const WinogradMatrices &left = both.left, &right = both.right;
    const Side from_left{left.b[here.rows.begin], left.size, here.rows.size()};
    const Side from_right{right.b[here.columns.begin], right.size, here.columns.size()};
    const real* source = x + image * size + here.offset + channels.begin;
    const real* coming = x + (i + 1) / plan_.windows() * size + next.offset + channels.begin;
    const std::int64_t to_row = (image - first_image) * plan_.tiles + index / plan_.phases;
    const std::int64_t to_column = index % plan_.phases * channels.size();
    pieces(channels.size(), transform_width, [&](std::int64_t c, std::int64_t width) {
      if (i + 1 < windows.end)
        fetch({coming + c, row, column}, next.rows.size(), next.columns.size(), width);
      first(from_left, here.columns.size(), {source + c, row, column}, width);
      second(from_right, left.size, u, to_row, to_column + c, width);
    });
  }
}

void WinogradTransforms::grad_input(const Frequencies<const real>& u, Range images,
                                    std::int64_t first_image, Range phases, Range channels,
                                    real scale, bool accumulate, real* x) {
  const std::int64_t column = plan_.shape.stride * plan_.shape.channels;
  const std::int64_t row = column * plan_.shape.width;
  const std::int64_t windows = plan_.tiles * phases.size(), size = plan_.image_elements();
  const Scaled scaled_whole(plan_.horizontal.matrices.bt, scale);
  const Scaled scaled_shorter(plan_.horizontal.shorter.bt, scale);
  // Otherwise tiles overlap, or leave pixels out.
  const bool once = plan_.every_pixel_once();
  for (std::int64_t i = images.begin * windows; i < images.end * windows; ++i) {
    const std::int64_t image = i / windows, index = i % windows;
    if (index == 0 && !accumulate && !once)
      for (std::int64_t e = 0; e < size; e += plan_.shape.channels)
        std::fill_n(x + image * size + e + channels.begin, channels.size(), real(0));
    const std::int64_t phase = phases.begin + index % phases.size();
    const Window here = window(index / phases.size() * plan_.phases + phase);
    const Matrices both = matrices(phase);
    const WinogradMatrices &left = both.left, &right = both.right;
    const Scaled& scaled = &right == &plan_.horizontal.matrices ? scaled_whole : scaled_shorter;
    const Side from_left{left.bt[0] + here.rows.begin, here.rows.size(), left.size};
    const Side from_right{scaled.values[0] + here.columns.begin, here.columns.size(), right.size};
    real* target = x + image * size + here.offset + channels.begin;
    const auto source = [&](std::int64_t number, std::int64_t c) {
      return grid(u, number / phases.size() - first_image * plan_.tiles,
                  number % phases.size() * channels.size() + c);
    };
    pieces(channels.size(), transform_width, [&](std::int64_t c, std::int64_t width) {
      if (u.layout.large && i + 1 < images.end * windows)
        fetch(source(i + 1, c), left.size, right.size, width);
      first(from_left, right.size, source(i, c), width);
      second(from_right, here.rows.size(), {target + c, row, column}, 0, width, width,
             {.accumulate = accumulate || !once});
    });
  }
}

void WinogradTransforms::output(const Frequencies<const real>& m, Range tiles, Range filters,
                                real scale, const real* bias, Activation activation, real* y) {
  const ConvolutionShape& shape = plan_.shape;
  const WinogradAxis &v = plan_.vertical, &h = plan_.horizontal;
  const std::int64_t pixel = shape.filters, line = shape.out_width * pixel;
  const Scaled scaled(h.matrices.a, scale);
  for (std::int64_t i = tiles.begin; i < tiles.end; ++i) {
    const std::int64_t image = i / plan_.tiles, t = i % plan_.tiles;
    const std::int64_t y_tile = t / h.tiles, x_tile = t % h.tiles;
    const Side from_left{v.matrices.a[0], v.outputs(y_tile), v.matrices.size};
    const Side from_right{scaled.values[0], h.outputs(x_tile), h.matrices.size};
    real* corner = y + image * shape.out_height * line + y_tile * v.matrices.outputs * line +
                   x_tile * h.matrices.outputs * pixel + filters.begin;
    pieces(filters.size(), transform_width, [&](std::int64_t n, std::int64_t width) {
      fetch_next(m, i, n + width, filters.size(), i + 1 < tiles.end, {v.matrices, h.matrices});
      first(from_left, h.matrices.size, grid(m, i, n), width);
      second(from_right, from_left.outs, {corner + n, line, pixel}, 0, width, width,
             {false, bias ? bias + filters.begin + n : nullptr, activation});
    });
  }
}

void WinogradTransforms::grad_output(const real* y, std::int64_t image,
                                     const Frequencies<real>& m) {
  const ConvolutionShape& shape = plan_.shape;
  const WinogradAxis &v = plan_.vertical, &h = plan_.horizontal;
  const std::int64_t pixel = shape.filters, line = shape.out_width * pixel;
  for (std::int64_t t = 0; t < plan_.tiles; ++t) {
    const std::int64_t y_tile = t / h.tiles, x_tile = t % h.tiles;
    const Side from_left{v.matrices.at[0], v.matrices.size, v.outputs(y_tile)};
    const Side from_right{h.matrices.at[0], h.matrices.size, h.outputs(x_tile)};
    const real* corner = y + image * shape.out_height * line + y_tile * v.matrices.outputs * line +
                         x_tile * h.matrices.outputs * pixel;
    pieces(shape.filters, transform_width, [&](std::int64_t n, std::int64_t width) {
      first(from_left, from_right.ins, {corner + n, line, pixel}, width);
      second(from_right, v.matrices.size, m, image * plan_.tiles + t, n, width);
    });
  }
}

// ---- weights ------------------------------------------------------------------------------------

template <class T>
WinogradTransforms::Grid<T> WinogradTransforms::taps(T* w, Phase phase, std::int64_t channel,
                                                     std::int64_t filter) const {
  const ConvolutionShape& shape = plan_.shape;
  const std::int64_t pixel = shape.channels * shape.filters, row = shape.kernel_width * pixel;
  return {w + phase.vertical * row + phase.horizontal * pixel + channel * shape.filters + filter,
          shape.stride * row, shape.stride * pixel};
}

void WinogradTransforms::weights(const real* w, std::int64_t p, Range channels, Range filters,
                                 std::int64_t row, const Frequencies<real>& v) {
  const Matrices both = matrices(p);
  const WinogradMatrices &left = both.left, &right = both.right;
  const Phase at = phase(p);
  const Side from_left{left.gt[0], left.size, plan_.vertical.taps(at.vertical)};
  const Side from_right{right.gt[0], right.size, plan_.horizontal.taps(at.horizontal)};
  for (std::int64_t c = channels.begin; c < channels.end; ++c)
    pieces(filters.size(), transform_width, [&](std::int64_t n, std::int64_t width) {
      const Grid<const real> here = taps(w, at, c, filters.begin + n);
      if (c + 1 < channels.end)
        fetch({here.data + plan_.shape.filters, here.row, here.column}, from_left.ins,
              from_right.ins, width);
      first(from_left, from_right.ins, here, width);
      second(from_right, left.size, v, row + c - channels.begin, n, width);
    });
}

void WinogradTransforms::transposed_weights(const real* w, std::int64_t p, Range channels,
                                            Range filters, std::int64_t row, std::int64_t column,
                                            const Frequencies<real>& v) {
  const Matrices both = matrices(p);
  const WinogradMatrices &left = both.left, &right = both.right;
  const Phase at = phase(p);
  const Side from_left{left.gt[0], left.size, plan_.vertical.taps(at.vertical)};
  const Side from_right{right.gt[0], right.size, plan_.horizontal.taps(at.horizontal)};
  const std::int64_t depth = filters.size(), tap = depth * transform_width;
  pieces(channels.size(), transform_width, [&](std::int64_t c, std::int64_t width) {
    const Grid<const real> from = taps(w, at, channels.begin + c, filters.begin);
    const real* rows[transform_width];
    for (std::int64_t i = 0; i < from_left.ins; ++i)
      for (std::int64_t j = 0; j < from_right.ins; ++j) {
        for (std::int64_t r = 0; r < width; ++r)
          rows[r] = from.data + i * from.row + j * from.column + r * plan_.shape.filters;
        kernels_.gemm.pack_transposed(width, depth, rows, transform_width,
                                      taps_ + (i * from_right.ins + j) * tap, 0);
      }
    for (std::int64_t n = 0; n < depth; ++n) {
      // The next filters are a cache line further in every row, which no hardware foresees.
      for (std::int64_t t = n;
           filters.end < plan_.shape.filters && t < from_left.ins * from_right.ins; t += depth)
        fetch({from.data + t / from_right.ins * from.row + t % from_right.ins * from.column + depth,
               plan_.shape.filters, 0},
              width, 1, depth);
      first(from_left, from_right.ins, {taps_ + n * transform_width, from_right.ins * tap, tap},
            width);
      second(from_right, left.size, v, row + n, column + c, width);
    }
  });
}

void WinogradTransforms::grad_weights(const Frequencies<const real>& v, std::int64_t p,
                                      Range channels, Range filters, std::int64_t row, real scale,
                                      bool accumulate, real* w) {
  const Matrices both = matrices(p);
  const WinogradMatrices &left = both.left, &right = both.right;
  const Phase at = phase(p);
  const Scaled scaled(right.g, scale);
  const Side from_left{left.g[0], plan_.vertical.taps(at.vertical), left.size};
  const Side from_right{scaled.values[0], plan_.horizontal.taps(at.horizontal), right.size};
  for (std::int64_t c = channels.begin; c < channels.end; ++c, ++row)
    pieces(filters.size(), transform_width, [&](std::int64_t n, std::int64_t width) {
      fetch_next(v, row, n + width, filters.size(), c + 1 < channels.end, both);
      first(from_left, right.size, grid(v, row, n), width);
      second(from_right, from_left.outs, taps(w, at, c, filters.begin + n), 0, width, width,
             {.accumulate = accumulate});
    });
}

} // namespace mereo

// Between images and frequencies: the six transforms of a Winograd convolution.
#pragma once

#include "kernels/winograd_plan.h"

namespace mereo {

/// What one thread does, with scratch memory of its own (plan.transform_scratch() elements).
class WinogradTransforms {
public:
  WinogradTransforms(const WinogradPlan& plan, const Kernels& kernels, real* scratch)
      : plan_(plan), kernels_(kernels), middle_(scratch),
        taps_(scratch + plan.frequencies * transform_width) {}

  /// B^T x B of windows: window i is number i % windows() of image i / windows(). To the rows from
  /// 0 on if `first` were the first image of them.
  void input(const real* x, Range windows, std::int64_t first, Range channels,
             const Frequencies<real>& u);
  /// x (+)= scale B u B^T, its transpose, for some phases, which are all that u has. Where they are
  /// not all of them accumulate must be true, unless the phases see every pixel once.
  void grad_input(const Frequencies<const real>& u, Range images, std::int64_t first, Range phases,
                  Range channels, real scale, bool accumulate, real* x);

  /// activation(scale A^T m A + bias) for tiles, the rows of m, and some filters, which are all
  /// that m has: tile i is number i % tiles of image i / tiles.
  void output(const Frequencies<const real>& m, Range tiles, Range filters, real scale,
              const real* bias, Activation activation, real* y);
  /// A y A^T, its transpose, for all filters.
  void grad_output(const real* y, std::int64_t image, const Frequencies<real>& m);

  /// G w G^T for some channels in a phase, to the rows from `row` on, and some filters, to the
  /// columns from 0 on.
  void weights(const real* w, std::int64_t phase, Range channels, Range filters, std::int64_t row,
               const Frequencies<real>& v);
  /// The same transposed, at most transpose_depth filters to the rows from `row` on, channels to
  /// the columns from `column` on.
  void transposed_weights(const real* w, std::int64_t phase, Range channels, Range filters,
                          std::int64_t row, std::int64_t column, const Frequencies<real>& v);
  /// w (+)= scale G^T v G, the transpose of weights().
  void grad_weights(const Frequencies<const real>& v, std::int64_t phase, Range channels,
                    Range filters, std::int64_t row, real scale, bool accumulate, real* w);

private:
  /// Pixel or frequency (a, b) begins at data[a * row + b * column].
  template <class T> struct Grid {
    T* data;
    std::int64_t row, column;
  };
  /// One side's matrix, as WinogradPass wants it.
  struct Side {
    const real* matrix;
    std::int64_t outs, ins;
  };
  struct Ending {
    bool accumulate = false;
    const real* bias = nullptr;
    Activation activation = Activation::none;
    bool stream = false;
  };
  struct Phase {
    std::int64_t vertical, horizontal;
  };
  /// The pixels of an image that a tile sees in a phase: inputs `rows` x `columns` of the
  /// transform, the first of them `offset` elements into the image.
  struct Window {
    Range rows, columns;
    std::int64_t offset;
  };

  /// Of both axes.
  struct Matrices {
    const WinogradMatrices &left, &right;
  };

  Phase phase(std::int64_t index) const;
  Matrices matrices(std::int64_t phase) const;
  /// Number `index` in the order of tiles and, within a tile, phases.
  Window window(std::int64_t index) const;
  /// Asks for the cache lines of a grid.
  void fetch(Grid<const real> grid, std::int64_t rows, std::int64_t columns,
             std::int64_t width) const;
  /// Of the columns from `column` on, of so many, in a row; or of the next row where there are
  /// none.
  void fetch_next(const Frequencies<const real>& f, std::int64_t row, std::int64_t column,
                  std::int64_t columns, bool more_rows, const Matrices& matrices) const;
  /// The taps of a phase for a channel and the filters from `filter` on.
  template <class T>
  Grid<T> taps(T* w, Phase phase, std::int64_t channel, std::int64_t filter) const;
  /// rows^T in columns, the matrices from left and right.
  void first(const Side& rows, std::int64_t columns, Grid<const real> in, std::int64_t width);
  void second(const Side& columns, std::int64_t rows, Grid<real> out, std::int64_t begin,
              std::int64_t end, std::int64_t width, const Ending& ending);
  /// The second half, into the layout's panels.
  void second(const Side& columns, std::int64_t rows, const Frequencies<real>& out,
              std::int64_t row, std::int64_t column, std::int64_t width);
  template <class T>
  Grid<T> grid(const Frequencies<T>& f, std::int64_t row, std::int64_t column) const;

  const WinogradPlan& plan_;
  const Kernels& kernels_;
  real *middle_, *taps_;
};

} // namespace mereo

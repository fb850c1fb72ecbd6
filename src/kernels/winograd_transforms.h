// Between images and frequencies: the six transforms of a Winograd convolution.
#pragma once

#include "kernels/winograd_plan.h"

namespace mereo {

/// The matrices of all frequencies in memory. Their rows are tiles of images (image by image),
/// their columns filters; or columns of images and rows of weights are a block of channels in every
/// phase: element phase * channels.size() + (c - channels.begin).
template <class T> struct Frequencies {
  T* data;
  FrequencyLayout layout;
};

/// What one thread does, with scratch memory of its own (plan.transform_scratch() elements).
class WinogradTransforms {
public:
  WinogradTransforms(const WinogradPlan& plan, const Kernels& kernels, real* scratch)
      : plan_(plan), kernels_(kernels), middle_(scratch),
        taps_(scratch + plan.frequencies * transform_width) {}

  /// B^T x B of images, to the rows from 0 on if `first` were the first of them.
  void input(const real* x, Range images, std::int64_t first, Range channels,
             const Frequencies<real>& u);
  /// x (+)= scale B u B^T, its transpose.
  void grad_input(const Frequencies<const real>& u, Range images, std::int64_t first,
                  Range channels, real scale, bool accumulate, real* x);

  /// activation(scale A^T m A + bias) for an image, from the rows image * tiles on.
  void output(const Frequencies<const real>& m, std::int64_t image, real scale, const real* bias,
              Activation activation, real* y);
  /// A y A^T, its transpose.
  void grad_output(const real* y, std::int64_t image, const Frequencies<real>& m);

  /// G w G^T for some of the block's channels in a phase; (channels, filters).
  void weights(const real* w, std::int64_t phase, Range channels, Range some,
               const Frequencies<real>& v);
  /// The same, for some of the filters; (filters, channels).
  void transposed_weights(const real* w, std::int64_t phase, Range channels, Range filters,
                          const Frequencies<real>& v);
  /// w (+)= scale G^T v G, the transpose of weights().
  void grad_weights(const Frequencies<const real>& v, std::int64_t phase, Range channels,
                    Range some, real scale, bool accumulate, real* w);

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

  Phase phase(std::int64_t index) const;
  /// Number `index` in the order of tiles and, within a tile, phases.
  Window window(std::int64_t index) const;
  /// Asks for the cache lines of a grid.
  void fetch(Grid<const real> grid, std::int64_t rows, std::int64_t columns,
             std::int64_t width) const;
  /// Of the filters from `filter` on in a row, or of the next row where there are no more.
  void fetch_next(const Frequencies<const real>& f, std::int64_t row, std::int64_t filter,
                  bool more_rows) const;
  /// Elements from one tap of a phase to the next.
  std::int64_t tap_row() const;
  std::int64_t tap_column() const;
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

// How a convolution is cut into tiles, phases, frequencies and blocks of memory.
#pragma once

#include "core/range.h"
#include "kernels/winograd.h"
#include "kernels/winograd_matrices.h"

#include <algorithm>

namespace mereo {

/// One of the two directions.
struct WinogradAxis {
  std::int64_t size, out, kernel, stride, pad;
  std::int64_t phases, tiles;
  WinogradMatrices matrices, shorter; // for the most taps that a phase has, and for one less

  WinogradAxis(std::int64_t size, std::int64_t out, std::int64_t kernel, std::int64_t stride,
               std::int64_t pad, std::int64_t outputs);

  /// Taps of a phase: phase + stride * tap < kernel. Either as many as the first has or, from some
  /// phase on, one less.
  std::int64_t taps(std::int64_t phase) const { return ceiling(kernel - phase, stride); }
  /// The transforms of a phase. Its frequencies are the first of all.
  const WinogradMatrices& of(std::int64_t phase) const {
    return taps(phase) == matrices.taps ? matrices : shorter;
  }
  /// How many phases, the first ones, have this frequency.
  std::int64_t phases_with(std::int64_t frequency) const {
    std::int64_t count = 0;
    while (count < phases && frequency < of(count).size)
      ++count;
    return count;
  }
  /// The pixel that is input 0 of a tile in a phase, which may lie outside of the image.
  std::int64_t origin(std::int64_t tile, std::int64_t phase) const {
    return stride * tile * matrices.outputs + phase - pad;
  }
  /// The inputs of it that lie within the image: pixel origin + stride * input.
  Range inputs(std::int64_t tile, std::int64_t phase) const;
  /// The frequencies of all phases.
  std::int64_t phase_frequencies() const {
    std::int64_t sum = 0;
    for (std::int64_t phase = 0; phase < phases; ++phase)
      sum += of(phase).size;
    return sum;
  }
  /// Whether the phases of its only tile see every pixel, each then once.
  bool one_tile_sees_all() const;
  /// How many of its outputs exist.
  std::int64_t outputs(std::int64_t tile) const;
};

/// Where element (row, column) of the matrix of each frequency lies: rows of `stride` elements, in
/// panels of `width` columns, `panel` elements apart.
struct FrequencyLayout {
  std::int64_t frequency; // elements from one frequency to the next
  std::int64_t stride, width, panel;
  std::int64_t elements; // of all frequencies
  bool large;            // more than a second-level cache holds

  /// Row after row, to be read as the left factor of a product or written as its result.
  static FrequencyLayout rows(std::int64_t frequencies, std::int64_t rows, std::int64_t columns);
  /// In panels, to be read as the right factor.
  static FrequencyLayout panels(std::int64_t frequencies, std::int64_t rows, std::int64_t columns,
                                std::int64_t width);

  std::int64_t at(std::int64_t row, std::int64_t column) const {
    return row * stride + column / width * panel + column % width;
  }
  /// Whether that is on a boundary of registers.
  bool aligned(std::int64_t row, std::int64_t column) const {
    return at(row, column) % std::min<std::int64_t>(width, 16) == 0;
  }
};

/// The matrices of all frequencies in memory. Rows are tiles of images (image by image), columns
/// filters; or columns of images and rows of weights are channels in some phases, the channels of a
/// phase side by side.
template <class T> struct Frequencies {
  T* data;
  FrequencyLayout layout;

  /// What begins at this row and column of every frequency.
  Frequencies from(std::int64_t row, std::int64_t column) const {
    return {data + layout.at(row, column), layout};
  }
};

template <class T> Frequencies<const T> readable(const Frequencies<T>& f) {
  return {f.data, f.layout};
}

struct WinogradPlan {
  ConvolutionShape shape;
  WinogradAxis vertical, horizontal;
  std::int64_t frequencies, phases, tiles; // of both axes together; tiles of an image
  std::int64_t phase_frequencies;          // the sum of the phases' frequencies
  std::int64_t channel_block;              // channels at a time
  std::int64_t image_block;                // images at a time

  /// With weights transformed already, those of all channels are there, and only images come in
  /// blocks.
  WinogradPlan(const ConvolutionShape& shape, const WinogradTiling& tiling,
               bool weights_transformed = false);

  /// Whether a tile's phases see every pixel, each once.
  bool every_pixel_once() const {
    return vertical.one_tile_sees_all() && horizontal.one_tile_sees_all();
  }
  /// Runs of phases that have a frequency: number `index` of them begins with phase index *
  /// horizontal.phases.
  struct Runs {
    std::int64_t count, length;
  };
  Runs phases_with(std::int64_t frequency) const;
  /// What the transform of an image sees: each of its tiles in every phase.
  std::int64_t windows() const { return tiles * phases; }
  /// Elements of an image x.
  std::int64_t image_elements() const { return shape.height * shape.width * shape.channels; }
  /// Elements of scratch memory that a thread needs within the transforms.
  std::int64_t transform_scratch() const;
};

/// Channels that a transform takes at a time, so that its intermediate values stay in L1.
inline constexpr std::int64_t transform_width = 64;
/// Filters whose weights are transposed at a time.
inline constexpr std::int64_t transpose_depth = 16;

} // namespace mereo

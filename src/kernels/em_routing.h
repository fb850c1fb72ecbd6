// EM routing of a batch (Hinton, Sabour, Frosst 2018): grids of children to grids of parents. No
// vote is stored: each pass forms those of one place of one image in cache (em_kernels.h).
#pragma once

#include "kernels/em_kernels.h"

#include <mereo/memory.h>

namespace mereo {

/// Where the children are, and which of them a parent's window holds: a convolution without
/// padding.
struct EmGrid {
  std::int64_t height, width;
  std::int64_t kernel_height, kernel_width, stride;
  /// One transform for a pair of types wherever in the window the child is.
  bool shared = false;
  /// The window is said to be the whole grid; couplings then have no axis for it.
  bool whole = false;

  std::int64_t out_height() const { return (height - kernel_height) / stride + 1; }
  std::int64_t out_width() const { return (width - kernel_width) / stride + 1; }
  std::int64_t places() const { return height * width; }
  std::int64_t out_places() const { return out_height() * out_width(); }
  /// Places of a window, as couplings have them.
  std::int64_t window() const { return whole ? 1 : kernel_height * kernel_width; }
  std::int64_t offsets() const { return shared ? 1 : kernel_height * kernel_width; }
};

struct EmOptions {
  int iterations = 3;
  /// Of iteration t: inverse_temperature (1 - decay^(t + 1)).
  double inverse_temperature = 0.01, decay = 0.95;
  double cost_scale = 1, variance_floor = 5e-4;
  /// Factor on the (row, column) in (0, 1) of a child's place, which its votes get added to the
  /// first two elements of their last column (of a vector: to its first two elements).
  double coordinate_scale = 0;
};

/// poses (B, places, I, rows inner), activations (B, places, I), transforms (offsets, I, J, inner
/// columns), beta_u and beta_a (J).
struct EmInputs {
  const real *poses, *activations, *transforms, *beta_u, *beta_a;
};

/// Elements per image that the backward pass needs of the forward.
std::int64_t em_state_size(const EmGrid& grid, const EmShape& shape, const EmOptions& options);

/// Writes poses (B, out_places, J, rows columns), activations (B, out_places, J) and, where not
/// null, the couplings of the first image in every iteration (iterations, places, I, window, J),
/// zero where there is no parent.
void em_forward(const EmGrid& grid, const EmShape& shape, const EmOptions& options,
                std::int64_t batch, const EmInputs& in, real* state, real* poses, real* activations,
                real* couplings, Arena& scratch);

/// A gradient to be written or, where accumulate, added to; null where nobody wants it.
struct EmSink {
  real* data = nullptr;
  bool accumulate = false;
};

/// grad_poses and grad_activations may be null, which is zero.
void em_backward(const EmGrid& grid, const EmShape& shape, const EmOptions& options,
                 std::int64_t batch, const EmInputs& in, const real* state, const real* grad_poses,
                 const real* grad_activations, const EmSink& poses, const EmSink& activations,
                 const EmSink& transforms, const EmSink& beta_u, const EmSink& beta_a,
                 Arena& scratch);

} // namespace mereo

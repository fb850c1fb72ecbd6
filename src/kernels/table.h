// The one table of function pointers that stands between the engine and any instruction set.
//
// Every entry works on plain pointers on the calling thread; splitting work among threads, blocking
// and scratch memory are the business of the files above (gemm.cpp, convolution.cpp, routing.cpp
// …). No SIMD type, template or inline function may appear here (see lanes.h).
#pragma once

#include "kernels/em_kernels.h"

#include <mereo/core.h>

#include <cstdint>

namespace mereo {

// ---- elementwise, reductions, rows --------------------------------------------------------------
// n counts elements; rows x size matrices are dense. `accumulate` adds to the destination instead
// of replacing it. Destinations may be the source (same address) but not overlap it otherwise.

/// What one Adam step needs besides the arrays (Kingma & Ba 2015, Algorithm 1).
struct AdamStep {
  real learning_rate, beta1, beta2, epsilon;
  /// 1 - beta^t, the bias corrections of step t.
  real correction1, correction2;
  /// Factor on the gradient (clipping), 1 for none.
  real gradient_scale;
};

struct ArithmeticKernels {
  /// y = a x, or y += a x.
  void (*scale)(std::int64_t n, real a, const real* x, real* y, bool accumulate);
  /// z = x + y.
  void (*add)(std::int64_t n, const real* x, const real* y, real* z);
  /// Sum of x, of x y, of (x - y)^2, of x^2: over 16 virtual lanes whatever the register's width.
  real (*sum)(std::int64_t n, const real* x);
  real (*dot)(std::int64_t n, const real* x, const real* y);
  real (*squared_distance)(std::int64_t n, const real* x, const real* y);
  /// Largest element, NaN if any is NaN; n >= 1.
  real (*max)(std::int64_t n, const real* x);
  /// grad_x (+)= a (x - y).
  void (*difference)(std::int64_t n, real a, const real* x, const real* y, real* grad_x,
                     bool accumulate);

  /// y = max(0, x); NaN stays NaN. The backward takes the output: grad_x (+)= grad_y where y > 0.
  void (*relu)(std::int64_t n, const real* x, real* y);
  void (*relu_backward)(std::int64_t n, const real* y, const real* grad_y, real* grad_x,
                        bool accumulate);
  /// y = 1 / (1 + exp(-x)); grad_x (+)= grad_y y (1 - y).
  void (*sigmoid)(std::int64_t n, const real* x, real* y);
  void (*sigmoid_backward)(std::int64_t n, const real* y, const real* grad_y, real* grad_x,
                           bool accumulate);
};

struct RowKernels {
  /// Each row: y = exp(x - max x) / sum; grad_x (+)= y (grad_y - <grad_y, y>).
  void (*softmax)(std::int64_t rows, std::int64_t size, const real* x, real* y);
  void (*softmax_backward)(std::int64_t rows, std::int64_t size, const real* y, const real* grad_y,
                           real* grad_x, bool accumulate);

  /// Each row: y = x |x| / (1 + |x|^2), with |x| = sqrt(sum x^2 + squash_epsilon): safe at zero.
  void (*squash)(std::int64_t rows, std::int64_t size, const real* x, real* y);
  void (*squash_backward)(std::int64_t rows, std::int64_t size, const real* x, const real* grad_y,
                          real* grad_x, bool accumulate);
  /// Each row: y = sqrt(sum x^2 + squash_epsilon); grad_x (+)= grad_y x / y.
  void (*length)(std::int64_t rows, std::int64_t size, const real* x, real* y);
  void (*length_backward)(std::int64_t rows, std::int64_t size, const real* x, const real* y,
                          const real* grad_y, real* grad_x, bool accumulate);
  /// y[c] (+)= sum over rows of x[row, c], rows in order.
  void (*column_sums)(std::int64_t rows, std::int64_t size, const real* x, real* y,
                      bool accumulate);
  /// y[c] = sum over rows of (x[row, c] - mean[c]) z[row, c], and of the square of the first
  /// factor.
  void (*column_products)(std::int64_t rows, std::int64_t size, const real* x, const real* mean,
                          const real* z, real* y);
  void (*column_squares)(std::int64_t rows, std::int64_t size, const real* x, const real* mean,
                         real* y);
  /// Each row: y[c] (+)= factor[c] (x[c] - mean[c]) + shift[c].
  void (*scale_columns)(std::int64_t rows, std::int64_t size, const real* x, const real* mean,
                        const real* factor, const real* shift, real* y, bool accumulate);
};

struct OptimiserKernels {
  /// One step over n parameters, reading gradient, first and second moment once.
  void (*adam)(std::int64_t n, const AdamStep& step, const real* gradient, real* first,
               real* second, real* parameter);
  /// velocity = momentum velocity + scale gradient; parameter -= rate velocity.
  void (*momentum)(std::int64_t n, real rate, real momentum, real gradient_scale,
                   const real* gradient, real* velocity, real* parameter);
};

struct ElementwiseKernels : ArithmeticKernels, RowKernels, OptimiserKernels {};

/// Added to |x|^2 before the square root, so that squash and length have a gradient at zero.
inline constexpr real squash_epsilon = real(1e-9);

// ---- GEMM ---------------------------------------------------------------------------------------

/// What happens to a finished element of a product: out = activation(scale * sum + bias[column]).
enum class Activation { none, relu };

/// One register tile of a product: row r of c (+)= scale * sum_d a(r, d) b(d, .), then the bias and
/// the activation.
struct GemmTile {
  std::int64_t depth;
  /// a(r, d) = a[r * row_stride + d * depth_stride]: packed either way round, or as it lies. One of
  /// the strides is 1.
  const real* a;
  std::int64_t row_stride, depth_stride;
  /// b(d, n) = b[d * b_stride + n]. Columns are read up to a multiple of `lanes`.
  const real* b;
  std::int64_t b_stride;
  /// Row r starts at c[r]. Rows may overlap when accumulating: they are updated in order.
  real* const* c;
  std::int64_t rows, columns; // 1 <= rows <= tile_rows, 1 <= columns <= tile_columns
  bool accumulate;
  real scale;
  const real* bias; // (columns), or null
  Activation activation;
  /// Cache lines the next tiles will want, fetched along the way; `ahead_count` may be 0.
  const real* const* ahead;
  std::int64_t ahead_count;
};

inline constexpr std::int64_t max_tile_rows = 16;

struct GemmKernels {
  /// Rows and columns of the largest register tile, and elements per register.
  std::int64_t tile_rows, tile_columns, lanes; // tile_rows <= max_tile_rows
  void (*tile)(const GemmTile& tile);
  /// Copies columns [begin, end) of `count` rows, column j of row i being
  /// source[i][offset + j - begin], into panels of `width` columns:
  /// packed[(j / width) * panel + i * width + j % width]. Nothing else is written.
  void (*pack)(std::int64_t count, std::int64_t begin, std::int64_t end, const real* const* source,
               std::int64_t offset, std::int64_t width, real* packed, std::int64_t panel);
  /// The transpose of it: element d < depth of row r < rows, source[r][d], becomes
  /// packed[(r / width) * panel + d * width + r % width].
  void (*pack_transposed)(std::int64_t rows, std::int64_t depth, const real* const* source,
                          std::int64_t width, real* packed, std::int64_t panel);
  /// Arithmetic in registers and nothing else, `peak_operations` a step: the limit of the machine,
  /// for benchmarks.
  real (*peak)(std::int64_t steps);
  std::int64_t peak_operations;
};

// ---- Winograd transforms ------------------------------------------------------------------------

/// The most inputs or outputs that a transform has along one axis.
inline constexpr std::int64_t winograd_limit = 12;

/// A matrix applied along one axis of a small image whose pixels are runs of channels: for i <
/// outs, b < columns and c < width,
///   out(i, b, c) (+)= sum over a < ins of matrix[a * matrix_stride + i] in(a, b, c),
/// then the bias and the activation; in(a, b, c) = in[a * in_row + b * in_column + c], and so out.
struct WinogradPass {
  std::int64_t outs, ins, columns, width; // outs, ins <= winograd_limit; all may be zero
  const real* matrix;
  std::int64_t matrix_stride;
  const real* in;
  std::int64_t in_row, in_column;
  real* out;
  std::int64_t out_row, out_column;
  bool accumulate;
  const real* bias; // (width), or null
  Activation activation;
  /// The result will not be read soon, and may go to memory past the caches. Then out lies on a
  /// cache line, out_row and out_column are multiples of one, and nothing is accumulated, biased or
  /// activated.
  bool stream;
};

struct WinogradKernels {
  void (*pass)(const WinogradPass& pass);
};

// ---- pooling ------------------------------------------------------------------------------------

/// The pixels of a pooling window that lie in the image: rows x columns runs of channels, the rows
/// row_stride elements apart. There is at least one pixel.
struct PoolingWindow {
  std::int64_t rows, columns, channels, row_stride;
};

struct PoolingKernels {
  /// y[c] = the largest x in the window, NaN if any is; grad_x += grad_y at the first that is y.
  void (*max)(const PoolingWindow& window, const real* x, real* y);
  void (*max_backward)(const PoolingWindow& window, const real* x, const real* y,
                       const real* grad_y, real* grad_x);
  /// y[c] = factor times the sum of x in the window; grad_x += factor grad_y at every pixel.
  void (*sum)(const PoolingWindow& window, real factor, const real* x, real* y);
  void (*sum_backward)(const PoolingWindow& window, real factor, const real* grad_y, real* grad_x);
};

// ---- dynamic routing ----------------------------------------------------------------------------
// Images are the lanes: a tile of `images` images is transposed so that one register holds the same
// number of all of them. Every sum then runs in order inside a lane, the softmax over parents needs
// no shuffles, and any J, E, D will do. I children, J parents, E parent pose, D child pose.
// A vote is u_hat_ij = W_ij u_i (E); b_ij = <V_j, u_hat_ij> are the logits of a preference V, the
// sum of the parents' outputs so far; c_ij = softmax over j of b_ij are the couplings.

struct RoutingShape {
  std::int64_t children, parents, parent_pose, child_pose;
  /// A zero logit beside the parents' (the paper's none-of-the-above category).
  bool none_of_the_above = false;
};

/// What the gradients need of every iteration t that they see.
struct RoutingHistory {
  std::int64_t iterations;
  /// V^(t-1) and gs^t, the gradient of the parents' sums: (iterations, tiles, J, E, images).
  const real* preferences;
  const real* grad_sums;
  /// The first iteration has zero logits, and its V is not read.
  bool starts_uniform;
  /// The gradient does not see that the couplings depend on the votes.
  bool constant_couplings;
};

struct RoutingKernels {
  /// Images per tile, the lanes of a register.
  std::int64_t images;
  /// Children that one call of `gradients` takes at most.
  std::int64_t block;
  /// Elements of scratch memory that any call below needs.
  std::int64_t (*scratch)(const RoutingShape& shape, std::int64_t iterations);
  /// Children [begin, end): adds sum_i c_ij u_hat_ij to sums (J, E, images).
  /// children (I, D, images); weights (I, J, E, D); preference (J, E, images), null means zero
  /// logits.
  void (*forward)(const RoutingShape& shape, std::int64_t begin, std::int64_t end,
                  const real* children, const real* weights, const real* preference, real* sums,
                  real* scratch);
  /// Few images would leave lanes without work; for them the lanes are children. The votes (E,
  /// lanes) of children for one parent: children (D, lanes), weights (E, D, lanes).
  void (*votes)(const RoutingShape& shape, const real* children, const real* weights, real* votes);
  /// Adds sum_i c_ij u_hat_ij to sums (J, E) for one image and `count` registers of children. votes
  /// (count, J, E, lanes); preference (J, E), null means zero logits.
  void (*forward_votes)(const RoutingShape& shape, std::int64_t count, const real* votes,
                        const real* preference, real* sums, real* scratch);
  /// Children [begin, end): adds sum_i p_ij u_hat_ij to grad_preference (J, E, images), where
  /// p_ij = c_ij (q_ij - sum_k c_ik q_ik) and q_ij = <grad_sums_j, u_hat_ij>. preference is not
  /// null.
  void (*backward)(const RoutingShape& shape, std::int64_t begin, std::int64_t end,
                   const real* children, const real* weights, const real* preference,
                   const real* grad_sums, real* grad_preference, real* scratch);
  /// `count` children, at most `block`, of every tile: with
  /// g_ij = sum over t of c^t_ij gs^t_j + p^t_ij V^(t-1)_j, writes sum_j W_ij^T g_ij to
  /// grad_children (count, D, images) where it is not null, and adds g_ij u_i^T, summed over all
  /// images, to grad_weights (count, J, E, D) where it is not null. children (count, D, images).
  /// The tiles of children and grad_children are stride and grad_stride elements apart.
  void (*gradients)(const RoutingShape& shape, std::int64_t count, std::int64_t tiles,
                    const real* children, std::int64_t stride, const real* weights,
                    const RoutingHistory& history, real* grad_children, std::int64_t grad_stride,
                    real* grad_weights, real* scratch);
};

// ---- the table ----------------------------------------------------------------------------------

struct Kernels {
  const char* name;
  ElementwiseKernels elementwise;
  GemmKernels gemm;
  RoutingKernels routing;
  WinogradKernels winograd;
  PoolingKernels pooling;
  EmKernels em;
};

/// The table in use (see <mereo/isa.h>). Ask once per operation, not per element.
const Kernels& kernels();
/// The table of one instruction set. Throws Error when it is unknown or cannot run here.
const Kernels& kernels(const char* isa);

} // namespace mereo

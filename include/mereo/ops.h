// Floor 4: differentiable operations that every network has. Each checks its shapes, takes its
// output from the tape's arena, calls one kernel and records one node. All throw Error for shapes
// that do not fit. Capsule operations are in <mereo/capsules.h>.
#pragma once

#include <mereo/random.h>
#include <mereo/tape.h>

#include <memory>
#include <span>

namespace mereo {

enum class Activity { linear, relu };
enum class Padding { valid, same };

/// x + y, same shape.
Variable add(Tape& tape, Variable x, Variable y);
/// a x.
Variable scale(Tape& tape, real a, Variable x);
/// Sum of all elements, a scalar.
Variable sum(Tape& tape, Variable x);
/// max(0, x). The gradient at zero is zero; NaN stays NaN.
Variable relu(Tape& tape, Variable x);
/// 1 / (1 + exp(-x)).
Variable sigmoid(Tape& tape, Variable x);
/// Over the last axis.
Variable softmax(Tape& tape, Variable x);

/// activity(x w + bias): x (B, N), w (N, M), bias (M) or empty -> (B, M).
Variable dense(Tape& tape, Variable x, Variable w, Variable bias, Activity activity);

/// How a convolution is computed: as one matrix product of all windows, or through Winograd's
/// transforms, which need a fraction of the multiplications where the kernel is large.
enum class ConvolutionMethod { automatic, direct, winograd };

struct ConvolutionOptions {
  std::int64_t stride = 1;
  Padding padding = Padding::valid;
  Activity activity = Activity::linear;
  /// Factor on the convolution, before the bias.
  real scale = 1;
  /// automatic: whichever is expected to be faster for the shape, the batch included; so a result
  /// may differ by rounding from one batch size to another.
  ConvolutionMethod method = ConvolutionMethod::automatic;
  /// The most outputs of a Winograd tile along each axis. For a 9x9 kernel with stride 2, as
  /// capsule networks have it, 3 needs 4.3 times fewer multiplications than the direct sum, and 6
  /// needs 8.1 times fewer; relative errors are near 3e-6 and 3e-5, where the direct sum has 4e-7.
  std::int64_t tile = 3;
};

/// What transform_weights() makes.
class WinogradWeights;

/// activity(scale * conv(x, w) + bias): x (B, H, W, C), w (KH, KW, C, N), bias (N) or empty
/// -> (B, OH, OW, N). Cross-correlation, as every network library means it.
/// `transformed`, where not null, is what transform_weights() made of w, and decides the method. It
/// is for inference: throws Error when w needs a gradient, and when it was made for another
/// convolution or another width of registers.
Variable convolution(Tape& tape, Variable x, Variable w, Variable bias,
                     const ConvolutionOptions& options,
                     const WinogradWeights* transformed = nullptr);

/// Weights w (KH, KW, C, N) through Winograd's transform, once for many passes over images of the
/// size of x (B, H, W, C), with the tile, up to options.tile, that is expected to be fastest for B
/// of them. They fit any other B. Null where the direct method is asked for, or is expected to be
/// faster still. For a 9x9 kernel with stride 2 they are 1.8 times the size of w with two outputs
/// of a tile, 2.4 times with 3, 4.9 times with 6.
std::shared_ptr<const WinogradWeights> transform_weights(const Shape& x, const Tensor& w,
                                                         const ConvolutionOptions& options);

enum class Pooling { max, average };

struct PoolingOptions {
  Pooling kind = Pooling::max;
  std::int64_t kernel = 2, stride = 2;
  /// What a window has outside the image does not count, neither as a maximum nor in an average.
  Padding padding = Padding::valid;
};

/// The largest or the mean value in each window of kernel x kernel pixels, channel by channel:
/// x (B, H, W, C) -> (B, OH, OW, C). Of equal ones, the gradient goes to the first, row by row; NaN
/// stays NaN.
Variable pool(Tape& tape, Variable x, const PoolingOptions& options);

/// Every pixel becomes factor x factor of them: x (B, H, W, C) -> (B, factor H, factor W, C).
Variable upsample(Tape& tape, Variable x, std::int64_t factor);

/// Mean and variance of each channel, (C) both.
struct ChannelMoments {
  Tensor mean, variance;
};

/// Batch normalisation (Ioffe & Szegedy 2015): gain (x - m) / sqrt(v + epsilon) + bias, x (..., C),
/// gain and bias (C), m and v the mean and variance of a channel over all of x. Writes to
/// `measured`, for evaluating, m and, of n > 1 values that a channel has, v n / (n - 1).
Variable batch_norm(Tape& tape, Variable x, Variable gain, Variable bias,
                    const ChannelMoments& measured, double epsilon = 1e-5);
/// The same with an m and v that do not depend on x.
Variable batch_norm_by(Tape& tape, Variable x, Variable gain, Variable bias,
                       const ChannelMoments& given, double epsilon = 1e-5);

/// Dropout (Srivastava et al. 2014), for training only: each element is zero with probability
/// `rate`, in [0, 1), and otherwise divided by 1 - rate. Element i is decided by the number that
/// `random` would draw after i others.
Variable dropout(Tape& tape, Variable x, double rate, const Random& random);

/// factor * sum (x - target)^2, a scalar; x and target have as many elements. The target's memory
/// must outlive the pass.
Variable squared_error(Tape& tape, Variable x, const Tensor& target, real factor);

/// Mean over the batch of -log softmax(scores)[label], a scalar: scores (B, classes), labels (B) in
/// [0, classes).
Variable cross_entropy(Tape& tape, Variable scores, std::span<const std::int32_t> labels);

/// factor * sum of -t log p - (1 - t) log (1 - p), a scalar: p = sigmoid(logits), and t the target,
/// in [0, 1], of as many elements, whose memory must outlive the pass.
Variable sigmoid_cross_entropy(Tape& tape, Variable logits, const Tensor& target, real factor);

/// mean + exp(log_variance / 2) e, all of one shape, e standard normal (Kingma & Welling 2014).
/// Element i of e is what `random` would draw after i others.
Variable sample_normal(Tape& tape, Variable mean, Variable log_variance, const Random& random);

/// factor times the divergence of such normals from the standard one, a scalar: half the sum of
/// mean^2 + exp(log_variance) - 1 - log_variance.
Variable normal_divergence(Tape& tape, Variable mean, Variable log_variance, real factor);

/// x (B, N) with all but columns [first, first + count) replaced, in every row, by held (N), which
/// is a constant.
Variable hold_columns(Tape& tape, Variable x, std::int64_t first, std::int64_t count,
                      const Tensor& held);

/// Every operation of this floor. Those of the capsules are in capsule_ops().
std::span<const Op* const> autodiff_ops();

} // namespace mereo

// convolution: y = activity(scale * x * w + bias), * the cross-correlation of x (B, H, W, C) with
//              w (KH, KW, C, N)
//              g = grad_y masked by the activity:  grad_x += scale g *^T w,  grad_w += scale x *^T
//              g, grad_bias += sum over images and pixels of g
#include "kernels/convolution.h"
#include "autodiff/affine.h"
#include "autodiff/op_list.h"
#include "autodiff/windows.h"
#include "kernels/winograd_weights.h"

namespace mereo {

namespace {

struct Saved {
  Variable x, w, bias, y;
  ConvolutionShape shape;
  Activity activity;
  real scale;
  bool winograd;
  WinogradTiling tiling;
};

void convolution_vjp(Tape& tape, const void* saved) {
  const auto& s = *static_cast<const Saved*>(saved);
  const real* grad = epilogue_vjp(tape, s.activity, s.y, s.bias, s.shape.filters);
  if (const GradientSink sink = tape.gradient_into(s.x)) {
    if (s.winograd)
      winograd_grad_input(s.shape, s.tiling, grad, s.w.data(), s.scale, sink.data, sink.accumulate,
                          tape.arena());
    else
      convolution_grad_input(s.shape, grad, s.w.data(), s.scale, sink.data, sink.accumulate,
                             tape.arena());
  }
  if (const GradientSink sink = tape.gradient_into(s.w)) {
    if (s.winograd)
      winograd_grad_weight(s.shape, s.tiling, s.x.data(), grad, s.scale, sink.data, sink.accumulate,
                           tape.arena());
    else
      convolution_grad_weight(s.shape, s.x.data(), grad, s.scale, sink.data, sink.accumulate,
                              tape.arena());
  }
}

std::string text(const Shape& x, const Shape& w) {
  return "image " + x.text() + ", kernel " + w.text();
}

ConvolutionShape check(const Shape& x, const Shape& w, const ConvolutionOptions& options) {
  const auto values = [&] { return text(x, w); };
  if (x.rank() != 4 || w.rank() != 4 || x[3] != w[2])
    throw Error("convolution", "image and kernel do not fit", values(),
                "image (B, H, W, C) takes kernel (KH, KW, C, N)");
  if (x.elements() == 0 || w.elements() == 0)
    throw Error("convolution", "there is nothing to convolve", values());
  if (!is_step(options.stride))
    throw Error("convolution", "the stride must be from 1 to 2^30", std::to_string(options.stride));
  if (options.tile < 1)
    throw Error("convolution", "the tile is not positive", std::to_string(options.tile));
  if (options.padding == Padding::valid && (w[0] > x[1] || w[1] > x[2]))
    throw Error("convolution", "the kernel is larger than the image", values(),
                "use larger images, a smaller kernel or padding \"same\"");
  const Extent rows = extent(x[1], w[0], options.stride, options.padding);
  const Extent columns = extent(x[2], w[1], options.stride, options.padding);
  return {.batch = x[0],
          .height = x[1],
          .width = x[2],
          .channels = x[3],
          .kernel_height = w[0],
          .kernel_width = w[1],
          .filters = w[3],
          .stride = options.stride,
          .pad_top = rows.pad_before,
          .pad_left = columns.pad_before,
          .out_height = rows.out,
          .out_width = columns.out};
}

/// Whether the transforms may be used; throws where they must be and cannot.
bool allows_winograd(const ConvolutionShape& shape, ConvolutionMethod method) {
  if (method == ConvolutionMethod::direct)
    return false;
  const bool possible = winograd_possible(shape);
  if (method == ConvolutionMethod::winograd && !possible)
    throw Error("convolution", "the kernel is too large for Winograd's transforms",
                std::to_string(shape.kernel_height) + " x " + std::to_string(shape.kernel_width) +
                    " taps, stride " + std::to_string(shape.stride),
                "use the direct method");
  return possible;
}

void check(const WinogradWeights& transformed, const ConvolutionShape& shape, Variable x,
           Variable w) {
  if (w.needs_gradient())
    throw Error("convolution", "transformed weights are for inference",
                "kernel " + w.shape().text(), "pass the weights alone where they need a gradient");
  if (!transformed.fit(shape))
    throw Error("convolution",
                "the transformed weights are those of another convolution or instruction set",
                text(x.shape(), w.shape()), "transform them again");
}

} // namespace

const Op ops::convolution = {"convolution", convolution_vjp};

Variable convolution(Tape& tape, Variable x, Variable w, Variable bias,
                     const ConvolutionOptions& options, const WinogradWeights* transformed) {
  const ConvolutionShape shape = check(x.shape(), w.shape(), options);
  if (!bias.empty() && !(bias.shape() == Shape{shape.filters}))
    throw Error("convolution", "the bias does not fit the kernel",
                "bias " + bias.shape().text() + ", kernel " + w.shape().text());
  if (transformed)
    check(*transformed, shape, x, w);
  const Variable y =
      tape.output({shape.batch, shape.out_height, shape.out_width, shape.filters}, {x, w, bias});
  const real* b = bias.empty() ? nullptr : bias.data();
  const Activation activation = kernel_activation(options.activity);
  const WinogradTiling tiling =
      transformed ? transformed->tiling() : WinogradTiling{.outputs = options.tile};
  const bool winograd =
      transformed ||
      (allows_winograd(shape, options.method) &&
       (options.method == ConvolutionMethod::winograd || winograd_suits(shape, tiling)));
  if (transformed)
    winograd_forward(shape, *transformed, x.data(), options.scale, b, activation, y.data(),
                     tape.arena());
  else if (winograd)
    winograd_forward(shape, tiling, x.data(), w.data(), options.scale, b, activation, y.data(),
                     tape.arena());
  else
    convolution_forward(shape, x.data(), w.data(), options.scale, b, activation, y.data(),
                        tape.arena());
  tape.record(ops::convolution, y,
              Saved{x, w, bias, y, shape, options.activity, options.scale, winograd, tiling});
  return y;
}

std::shared_ptr<const WinogradWeights> transform_weights(const Shape& x, const Tensor& w,
                                                         const ConvolutionOptions& options) {
  const ConvolutionShape shape = check(x, w.shape(), options);
  if (!allows_winograd(shape, options.method))
    return nullptr;
  const WinogradTiling tiling = winograd_transformed_tiling(shape, {.outputs = options.tile});
  if (options.method == ConvolutionMethod::automatic && !winograd_transformed_suits(shape, tiling))
    return nullptr;
  return std::make_shared<WinogradWeights>(shape, tiling, w.data());
}

} // namespace mereo

#include "kernels/convolution.h"

#include "kernels/gemm.h"

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

} // namespace mereo

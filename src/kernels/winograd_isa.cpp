// The transforms of the Winograd convolution, compiled once per instruction set.
#include "kernels/lanes.h"
#include "kernels/table.h"

#include <utility>

namespace mereo::MEREO_ISA {

extern const WinogradKernels winograd_kernels;

namespace {

// All outputs of a transform stay in registers, two registers of channels wide, so that each input
// is loaded once. Where there are sixteen registers they take two rounds.
#if defined(__AVX512F__) || !(defined(__x86_64__) || defined(__i386__))
constexpr int most_outs = winograd_limit;
#else
constexpr int most_outs = winograd_limit / 2;
#endif

MEREO_VERB V load_some(const float* p, std::int64_t count) {
  return count >= lanes ? load(p) : load_n(p, count);
}
MEREO_VERB void store_some(float* p, V v, std::int64_t count) {
  if (count >= lanes)
    store(p, v);
  else
    store_n(p, v, count);
}

/// Outs outputs, beginning with `first`, of column b and the `Registers` registers of channels
/// from c on, of which `count` exist. Only the last register may be partly filled.
template <int Outs, int Registers>
MEREO_VERB void combine(const WinogradPass& pass, std::int64_t first, std::int64_t b,
                        std::int64_t c, std::int64_t count) {
  const std::int64_t last = count - (Registers - 1) * lanes;
  const auto elements = [last](int k) __attribute__((always_inline)) {
    return k == Registers - 1 ? last : std::int64_t(lanes);
  };
  float* out = pass.out + first * pass.out_row + b * pass.out_column + c;
  V sums[Outs][Registers];
#pragma GCC unroll 16
  for (int i = 0; i < Outs; ++i)
#pragma GCC unroll 2
    for (int k = 0; k < Registers; ++k)
      sums[i][k] =
          pass.accumulate ? load_some(out + i * pass.out_row + k * lanes, elements(k)) : zero();

  const float* in = pass.in + b * pass.in_column + c;
  const float* matrix = pass.matrix + first;
  for (std::int64_t a = 0; a < pass.ins; ++a) {
    V value[Registers];
#pragma GCC unroll 2
    for (int k = 0; k < Registers; ++k)
      value[k] = load_some(in + k * lanes, elements(k));
#pragma GCC unroll 16
    for (int i = 0; i < Outs; ++i) {
      const V factor = broadcast(matrix[i]);
#pragma GCC unroll 2
      for (int k = 0; k < Registers; ++k)
        sums[i][k] = fma(factor, value[k], sums[i][k]);
    }
    in += pass.in_row;
    matrix += pass.matrix_stride;
  }

  if (pass.stream && count == Registers * lanes) {
#pragma GCC unroll 16
    for (int i = 0; i < Outs; ++i)
#pragma GCC unroll 2
      for (int k = 0; k < Registers; ++k)
        stream(out + i * pass.out_row + k * lanes, sums[i][k]);
    return;
  }
#pragma GCC unroll 16
  for (int i = 0; i < Outs; ++i)
#pragma GCC unroll 2
    for (int k = 0; k < Registers; ++k) {
      V v = sums[i][k];
      if (pass.bias)
        v = v + load_some(pass.bias + c + k * lanes, elements(k));
      if (pass.activation == Activation::relu)
        v = max(zero(), v); // in this order a NaN stays
      store_some(out + i * pass.out_row + k * lanes, v, elements(k));
    }
}

template <int Outs> void run(const WinogradPass& pass, std::int64_t first) {
  for (std::int64_t b = 0; b < pass.columns; ++b) {
    std::int64_t c = 0;
    for (; c + 2 * lanes <= pass.width; c += 2 * lanes)
      combine<Outs, 2>(pass, first, b, c, 2 * lanes);
    if (c + lanes <= pass.width) {
      combine<Outs, 1>(pass, first, b, c, lanes);
      c += lanes;
    }
    if (c < pass.width)
      combine<Outs, 1>(pass, first, b, c, pass.width - c);
  }
}

using Run = void (*)(const WinogradPass&, std::int64_t);
template <int... Outs>
void choose(const WinogradPass& pass, std::int64_t first, std::int64_t outs,
            std::integer_sequence<int, Outs...>) {
  static constexpr Run versions[] = {run<Outs + 1>...};
  versions[outs - 1](pass, first);
}

void pass(const WinogradPass& pass) {
  const std::int64_t rounds = (pass.outs + most_outs - 1) / most_outs;
  for (std::int64_t r = 0, first = 0; r < rounds; ++r) {
    const std::int64_t outs = (pass.outs - first + rounds - r - 1) / (rounds - r);
    choose(pass, first, outs, std::make_integer_sequence<int, most_outs>());
    first += outs;
  }
  if (pass.stream)
    finish_streams();
}

} // namespace

const WinogradKernels winograd_kernels = {pass};

} // namespace mereo::MEREO_ISA

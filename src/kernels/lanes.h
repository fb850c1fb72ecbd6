// The verbs that kernels are written in, and the only file that names xsimd or an intrinsic.
//
// A source named *_isa.cpp is compiled once per instruction set with -DMEREO_ISA=<name>, and reads
// the same on all of them. Everything here is always inlined and has internal linkage: an inline
// function that several of those objects shared would exist once in the program, compiled for
// whichever instruction set the linker happened to keep.
//
// xsimd does vertical arithmetic, comparison and select. What moves lanes, masks a tail or depends
// on the version of xsimd (8.1 multiplies and adds separately on AVX-512, has no masked load, names
// its reductions differently, and swaps the NaN rule of max in 14) is written out below.
#pragma once

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push // g++ 12 takes its own _mm512_undefined_ps() for a mistake (PR 105593)
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif
#include <xsimd/xsimd.hpp>
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

#include <cstdint>
#include <cstring>

#define MEREO_VERB [[maybe_unused]] [[gnu::always_inline]] static inline

namespace mereo::MEREO_ISA {

/// One register of floats.
using V = xsimd::batch<float>;
using Mask = V::batch_bool_type;
inline constexpr int lanes = int(V::size);

MEREO_VERB V load(const float* p) {
  return V::load_unaligned(p);
}
MEREO_VERB void store(float* p, V v) {
  v.store_unaligned(p);
}
MEREO_VERB V broadcast(float x) {
  return V(x);
}
/// p[0], p[1], p[0], p[1], ...
MEREO_VERB V broadcast_pair(const float* p) {
  double both;
  std::memcpy(&both, p, sizeof both);
#if defined(__AVX512F__) // by hand: xsimd's bitwise_cast changed its template argument
  return V(_mm512_castpd_ps(_mm512_set1_pd(both)));
#elif defined(__AVX2__)
  return V(_mm256_castpd_ps(_mm256_set1_pd(both)));
#elif defined(__SSE2__)
  return V(_mm_castpd_ps(_mm_set1_pd(both)));
#else
  return V(vreinterpretq_f32_f64(vdupq_n_f64(both)));
#endif
}
MEREO_VERB V zero() {
  return V(0.f);
}
MEREO_VERB V sqrt(V a) {
  return xsimd::sqrt(a);
}
/// mask, from a comparison such as a > b, chooses a where it holds and b elsewhere.
MEREO_VERB V select(Mask mask, V a, V b) {
  return xsimd::select(mask, a, b);
}

// The rest by instruction set:
//   fma(a, b, c)     a b + c, rounded once (twice on SSE2, which has no such instruction)
//   fnma(a, b, c)    c - a b
//   max, min         a NaN in b stays; one in a may be lost
//   load_n, store_n  the first n elements, 0 <= n <= lanes; the others are zero, or left alone.
//                    No byte beyond them is touched
//   sum(v)           lane i with lane i + half, until one is left: the same tree at any width
//   max_of(v)        the largest lane, of lanes without a NaN
//   power_of_two     a 2^n for whole n in [-252, 254], rounded once
//   split(x, m)      the whole n, and m in [sqrt(1/2), sqrt(2)), of a positive normal x = m 2^n

/// The bits of sqrt(1/2).
inline constexpr int root_half = 0x3f3504f3;

#if defined(__AVX512F__)

MEREO_VERB V fma(V a, V b, V c) {
  return V(_mm512_fmadd_ps(a, b, c));
}
MEREO_VERB V fnma(V a, V b, V c) {
  return V(_mm512_fnmadd_ps(a, b, c));
}
MEREO_VERB V max(V a, V b) {
  return V(_mm512_max_ps(a, b));
}
MEREO_VERB V min(V a, V b) {
  return V(_mm512_min_ps(a, b));
}

MEREO_VERB __mmask16 first_lanes(std::int64_t n) {
  return __mmask16((1u << n) - 1);
}
MEREO_VERB V load_n(const float* p, std::int64_t n) {
  return V(_mm512_maskz_loadu_ps(first_lanes(n), p));
}
MEREO_VERB void store_n(float* p, V v, std::int64_t n) {
  _mm512_mask_storeu_ps(p, first_lanes(n), v);
}

MEREO_VERB V power_of_two(V a, V n) {
  return V(_mm512_scalef_ps(a, n));
}

MEREO_VERB V split(V x, V& m) {
  const __m512i bits = _mm512_castps_si512(x);
  const __m512i n = _mm512_srai_epi32(_mm512_sub_epi32(bits, _mm512_set1_epi32(root_half)), 23);
  m = V(_mm512_castsi512_ps(_mm512_sub_epi32(bits, _mm512_slli_epi32(n, 23))));
  return V(_mm512_cvtepi32_ps(n));
}

#elif defined(__AVX2__)

MEREO_VERB V fma(V a, V b, V c) {
  return V(_mm256_fmadd_ps(a, b, c));
}
MEREO_VERB V fnma(V a, V b, V c) {
  return V(_mm256_fnmadd_ps(a, b, c));
}
MEREO_VERB V max(V a, V b) {
  return V(_mm256_max_ps(a, b));
}
MEREO_VERB V min(V a, V b) {
  return V(_mm256_min_ps(a, b));
}

MEREO_VERB __m256i first_lanes(std::int64_t n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(int(n)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
MEREO_VERB V load_n(const float* p, std::int64_t n) {
  return V(_mm256_maskload_ps(p, first_lanes(n)));
}
MEREO_VERB void store_n(float* p, V v, std::int64_t n) {
  _mm256_maskstore_ps(p, first_lanes(n), v);
}

MEREO_VERB V split(V x, V& m) {
  const __m256i bits = _mm256_castps_si256(x);
  const __m256i n = _mm256_srai_epi32(_mm256_sub_epi32(bits, _mm256_set1_epi32(root_half)), 23);
  m = V(_mm256_castsi256_ps(_mm256_sub_epi32(bits, _mm256_slli_epi32(n, 23))));
  return V(_mm256_cvtepi32_ps(n));
}

// In two halves, because one exponent field does not reach from the smallest denormal to overflow.
MEREO_VERB V power_of_two(V a, V n) {
  const __m256i whole = _mm256_cvtps_epi32(n), half = _mm256_srai_epi32(whole, 1);
  const __m256i rest = _mm256_sub_epi32(whole, half), bias = _mm256_set1_epi32(127);
  const __m256i first = _mm256_slli_epi32(_mm256_add_epi32(half, bias), 23);
  const __m256i second = _mm256_slli_epi32(_mm256_add_epi32(rest, bias), 23);
  return a * V(_mm256_castsi256_ps(first)) * V(_mm256_castsi256_ps(second));
}

#elif defined(__SSE2__)

MEREO_VERB V fma(V a, V b, V c) {
  return a * b + c;
}
MEREO_VERB V fnma(V a, V b, V c) {
  return c - a * b;
}
MEREO_VERB V max(V a, V b) {
  return V(_mm_max_ps(a, b));
}
MEREO_VERB V min(V a, V b) {
  return V(_mm_min_ps(a, b));
}

MEREO_VERB V load_n(const float* p, std::int64_t n) {
  if (n == 1)
    return V(_mm_load_ss(p));
  if (n >= 4)
    return load(p);
  if (n <= 0)
    return zero();
  const __m128 two = _mm_loadl_pi(_mm_setzero_ps(), reinterpret_cast<const __m64*>(p));
  return V(n == 2 ? two : _mm_movelh_ps(two, _mm_load_ss(p + 2)));
}
MEREO_VERB void store_n(float* p, V v, std::int64_t n) {
  const __m128 high = _mm_movehl_ps(v, v);
  if (n >= 4)
    return store(p, v);
  if (n >= 2)
    _mm_storel_pi(reinterpret_cast<__m64*>(p), v);
  if (n == 1)
    _mm_store_ss(p, v);
  if (n == 3)
    _mm_store_ss(p + 2, high);
}

MEREO_VERB V split(V x, V& m) {
  const __m128i bits = _mm_castps_si128(x);
  const __m128i n = _mm_srai_epi32(_mm_sub_epi32(bits, _mm_set1_epi32(root_half)), 23);
  m = V(_mm_castsi128_ps(_mm_sub_epi32(bits, _mm_slli_epi32(n, 23))));
  return V(_mm_cvtepi32_ps(n));
}

MEREO_VERB V power_of_two(V a, V n) {
  const __m128i whole = _mm_cvtps_epi32(n), half = _mm_srai_epi32(whole, 1);
  const __m128i rest = _mm_sub_epi32(whole, half), bias = _mm_set1_epi32(127);
  const __m128i first = _mm_slli_epi32(_mm_add_epi32(half, bias), 23);
  const __m128i second = _mm_slli_epi32(_mm_add_epi32(rest, bias), 23);
  return a * V(_mm_castsi128_ps(first)) * V(_mm_castsi128_ps(second));
}

#else // NEON

MEREO_VERB V fma(V a, V b, V c) {
  return V(vfmaq_f32(c, a, b));
}
MEREO_VERB V fnma(V a, V b, V c) {
  return V(vfmsq_f32(c, a, b));
}
MEREO_VERB V max(V a, V b) {
  return V(vmaxq_f32(a, b));
}
MEREO_VERB V min(V a, V b) {
  return V(vminq_f32(a, b));
}

MEREO_VERB V load_n(const float* p, std::int64_t n) {
  float buffer[4] = {};
  if (n > 0)
    std::memcpy(buffer, p, std::size_t(n) * sizeof(float));
  return load(buffer);
}
MEREO_VERB void store_n(float* p, V v, std::int64_t n) {
  float buffer[4];
  store(buffer, v);
  if (n > 0)
    std::memcpy(p, buffer, std::size_t(n) * sizeof(float));
}

MEREO_VERB V split(V x, V& m) {
  const int32x4_t bits = vreinterpretq_s32_f32(x);
  const int32x4_t n = vshrq_n_s32(vsubq_s32(bits, vdupq_n_s32(root_half)), 23);
  m = V(vreinterpretq_f32_s32(vsubq_s32(bits, vshlq_n_s32(n, 23))));
  return V(vcvtq_f32_s32(n));
}

MEREO_VERB V power_of_two(V a, V n) {
  const int32x4_t whole = vcvtq_s32_f32(n), half = vshrq_n_s32(whole, 1);
  const int32x4_t rest = vsubq_s32(whole, half), bias = vdupq_n_s32(127);
  const int32x4_t first = vshlq_n_s32(vaddq_s32(half, bias), 23);
  const int32x4_t second = vshlq_n_s32(vaddq_s32(rest, bias), 23);
  return a * V(vreinterpretq_f32_s32(first)) * V(vreinterpretq_f32_s32(second));
}

#endif

// stream(p, v) stores to memory past the caches, p on a boundary of whole registers, for what will
// not be read again soon; other threads may see it after finish_streams().

#if defined(__SSE2__)

MEREO_VERB void stream(float* p, V v) {
#if defined(__AVX512F__)
  _mm512_stream_ps(p, v);
#elif defined(__AVX2__)
  _mm256_stream_ps(p, v);
#else
  _mm_stream_ps(p, v);
#endif
}
MEREO_VERB void finish_streams() {
  _mm_sfence();
}

#else

MEREO_VERB void stream(float* p, V v) {
  store(p, v);
}
MEREO_VERB void finish_streams() {}

#endif

// Folding a register in halves, with `fold` the operation on two registers of four lanes.

#if defined(__SSE2__)

template <class Fold> MEREO_VERB float fold_lanes(V v, Fold fold) {
#if defined(__AVX512F__)
  const __m256 low = _mm512_castps512_ps256(v), high = _mm512_extractf32x8_ps(v, 1);
  const __m128 a = fold(_mm256_castps256_ps128(low), _mm256_castps256_ps128(high));
  const __m128 b = fold(_mm256_extractf128_ps(low, 1), _mm256_extractf128_ps(high, 1));
  const __m128 four = fold(a, b);
#elif defined(__AVX2__)
  const __m128 four = fold(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
#else
  const __m128 four = v;
#endif
  const __m128 two = fold(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(fold(two, _mm_shuffle_ps(two, two, 1)));
}

MEREO_VERB float sum(V v) {
  return fold_lanes(
      v, [](__m128 a, __m128 b) __attribute__((always_inline)) { return _mm_add_ps(a, b); });
}
MEREO_VERB float max_of(V v) {
  return fold_lanes(
      v, [](__m128 a, __m128 b) __attribute__((always_inline)) { return _mm_max_ps(a, b); });
}

#else

MEREO_VERB float sum(V v) {
  const float32x2_t two = vadd_f32(vget_low_f32(v), vget_high_f32(v));
  return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
}
MEREO_VERB float max_of(V v) {
  return vmaxvq_f32(v);
}

#endif

/// The first n elements at p, and fill in the other lanes.
MEREO_VERB V load_n(const float* p, std::int64_t n, V fill) {
  static constexpr float index[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  return select(load(index) < broadcast(float(n)), load_n(p, n), fill);
}

/// e^x to 1.1 ulp; denormal results are kept, and inf, -inf, NaN give inf, 0, NaN. Not xsimd's:
/// this one has the same bits on AVX2, AVX-512 and NEON, because all three run the same fused
/// operations.
///
/// e^x = 2^n e^r with n = round(x / ln 2), |r| <= ln(2) / 2. ln 2 is split in two so that n times
/// the first part (10 bits) is exact (Cody & Waite 1980). e^r = 1 + r + r^2 q(r), where q minimises
/// the largest relative error, 0.06 ulp (Remez).
MEREO_VERB V exp(V x) {
  const V limited = max(broadcast(-104.f), min(broadcast(89.f), x)); // beyond: 0 and inf
  const V magic = broadcast(12582912.f); // 1.5 2^23: adding it rounds to a whole number
  const V n = fma(limited, broadcast(1.44269504f), magic) - magic;
  const V r = fnma(n, broadcast(-2.12194440e-4f), fnma(n, broadcast(0.693359375f), limited));
  V q = fma(broadcast(0.00138145988f), r, broadcast(0.00836871658f));
  q = fma(q, r, broadcast(0.041668389f));
  q = fma(q, r, broadcast(0.166665211f));
  q = fma(q, r, broadcast(0.49999994f));
  const V e = fma(q * r, r, r) + broadcast(1.f);
  return power_of_two(e, n);
}

/// The natural logarithm of a positive normal number, to 0.8 ulp; infinity and NaN give NaN.
///
/// log x = n ln 2 + log m, and log(1 + f) = f - f^2 / 2 + f^3 q(f) for f in [-0.29, 0.42), with the
/// coefficients of Cephes' logf (Moshier); ln 2 in two parts as in exp.
MEREO_VERB V log(V x) {
  V m;
  const V n = split(x, m), f = m - broadcast(1.f), square = f * f;
  V q = fma(broadcast(7.0376836292e-2f), f, broadcast(-1.1514610310e-1f));
  q = fma(q, f, broadcast(1.1676998740e-1f));
  q = fma(q, f, broadcast(-1.2420140846e-1f));
  q = fma(q, f, broadcast(1.4249322787e-1f));
  q = fma(q, f, broadcast(-1.6668057665e-1f));
  q = fma(q, f, broadcast(2.0000714765e-1f));
  q = fma(q, f, broadcast(-2.4999993993e-1f));
  q = fma(q, f, broadcast(3.3333331174e-1f));
  const V small = fma(n, broadcast(-2.12194440e-4f), q * square * f);
  const V rest = fnma(broadcast(0.5f), square, small);
  return fma(n, broadcast(0.693359375f), f + rest) + (x - x);
}

// Transposing: blocks of 4 x 4 within the 128-bit quarters of a register, then the quarters.

#if defined(__AVX512F__)

MEREO_VERB V interleave_low(V a, V b) {
  return V(_mm512_unpacklo_ps(a, b));
}
MEREO_VERB V interleave_high(V a, V b) {
  return V(_mm512_unpackhi_ps(a, b));
}
MEREO_VERB V low_pairs(V a, V b) {
  return V(_mm512_shuffle_ps(a, b, 0x44));
}
MEREO_VERB V high_pairs(V a, V b) {
  return V(_mm512_shuffle_ps(a, b, 0xee));
}
MEREO_VERB V even_quarters(V a, V b) {
  return V(_mm512_shuffle_f32x4(a, b, 0x88));
}
MEREO_VERB V odd_quarters(V a, V b) {
  return V(_mm512_shuffle_f32x4(a, b, 0xdd));
}

#elif defined(__AVX2__)

MEREO_VERB V interleave_low(V a, V b) {
  return V(_mm256_unpacklo_ps(a, b));
}
MEREO_VERB V interleave_high(V a, V b) {
  return V(_mm256_unpackhi_ps(a, b));
}
MEREO_VERB V low_pairs(V a, V b) {
  return V(_mm256_shuffle_ps(a, b, 0x44));
}
MEREO_VERB V high_pairs(V a, V b) {
  return V(_mm256_shuffle_ps(a, b, 0xee));
}
MEREO_VERB V even_quarters(V a, V b) {
  return V(_mm256_permute2f128_ps(a, b, 0x20));
}
MEREO_VERB V odd_quarters(V a, V b) {
  return V(_mm256_permute2f128_ps(a, b, 0x31));
}

#elif defined(__SSE2__)

MEREO_VERB V interleave_low(V a, V b) {
  return V(_mm_unpacklo_ps(a, b));
}
MEREO_VERB V interleave_high(V a, V b) {
  return V(_mm_unpackhi_ps(a, b));
}
MEREO_VERB V low_pairs(V a, V b) {
  return V(_mm_movelh_ps(a, b));
}
MEREO_VERB V high_pairs(V a, V b) {
  return V(_mm_movehl_ps(b, a));
}

#else

MEREO_VERB V interleave_low(V a, V b) {
  return V(vzip1q_f32(a, b));
}
MEREO_VERB V interleave_high(V a, V b) {
  return V(vzip2q_f32(a, b));
}
MEREO_VERB V low_pairs(V a, V b) {
  return V(vcombine_f32(vget_low_f32(a), vget_low_f32(b)));
}
MEREO_VERB V high_pairs(V a, V b) {
  return V(vcombine_f32(vget_high_f32(a), vget_high_f32(b)));
}

#endif

/// Element j of rows[i] becomes element i of rows[j].
MEREO_VERB void transpose(V (&rows)[lanes]) {
#pragma GCC unroll 4
  for (int i = 0; i < lanes; i += 4) {
    const V ab = interleave_low(rows[i], rows[i + 1]), AB = interleave_high(rows[i], rows[i + 1]);
    const V cd = interleave_low(rows[i + 2], rows[i + 3]);
    const V CD = interleave_high(rows[i + 2], rows[i + 3]);
    rows[i] = low_pairs(ab, cd);
    rows[i + 1] = high_pairs(ab, cd);
    rows[i + 2] = low_pairs(AB, CD);
    rows[i + 3] = high_pairs(AB, CD);
  }
#if defined(__AVX512F__)
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    const V even_a = even_quarters(rows[j], rows[4 + j]),
            odd_a = odd_quarters(rows[j], rows[4 + j]);
    const V even_b = even_quarters(rows[8 + j], rows[12 + j]);
    const V odd_b = odd_quarters(rows[8 + j], rows[12 + j]);
    rows[j] = even_quarters(even_a, even_b);
    rows[4 + j] = even_quarters(odd_a, odd_b);
    rows[8 + j] = odd_quarters(even_a, even_b);
    rows[12 + j] = odd_quarters(odd_a, odd_b);
  }
#elif defined(__AVX2__)
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j) {
    const V first = rows[j], second = rows[4 + j];
    rows[j] = even_quarters(first, second);
    rows[4 + j] = odd_quarters(first, second);
  }
#endif
}

} // namespace mereo::MEREO_ISA

#include "kernel_sweep.h"
#include "kernels/gemm.h"

#include <mereo/core.h>

#include <algorithm>
#include <cmath>

using namespace mereo;
using namespace mereo::sweep;

namespace {

/// Puts the instruction set and the number of threads back.
struct Settings {
  std::string isa_before = isa();
  int threads_before = threads();
  ~Settings() {
    set_isa(isa_before);
    set_threads(threads_before);
  }
};

/// body() with every instruction set in use, the reference last, on one thread.
template <class Body> void with_each_isa(const Body& body) {
  Settings settings;
  for (const std::string& name : available_isas()) {
    INFO("instruction set ", name);
    set_isa(name);
    set_threads(1);
    body();
  }
}

/// A product with data of its own. Matrices are misaligned by 1, 3 and 2 elements, and c has more
/// columns than the product, which must stay as they were.
struct Case {
  static constexpr std::int64_t spare = 3;
  Gemm product{};
  Guarded a, b, c, bias;

  Case(std::int64_t m, std::int64_t n, std::int64_t k, bool a_transposed = false,
       bool b_transposed = false, std::uint64_t seed = 1)
      : a(m * k, 1), b(k * n, 3), c(m * (n + spare), 2), bias(n, 1) {
    Random random(seed);
    for (Guarded* matrix : {&a, &b, &c, &bias})
      matrix->fill(random, -1, 1);
    product = {m,
               n,
               k,
               nullptr,
               a_transposed ? m : k,
               a_transposed,
               nullptr,
               b_transposed ? k : n,
               b_transposed,
               nullptr,
               n + spare};
  }

  real left(std::int64_t m, std::int64_t k) const {
    return a[product.a_transposed ? k * product.lda + m : m * product.lda + k];
  }
  real right(std::int64_t k, std::int64_t n) const {
    return b[product.b_transposed ? n * product.ldb + k : k * product.ldb + n];
  }

  /// The result of gemm(), in a copy of c.
  Guarded result(const GemmBlocks* blocks = nullptr, bool with_bias = false) const {
    Guarded out = c;
    Gemm whole = product;
    whole.a = a.data();
    whole.b = b.data();
    whole.c = out.data();
    whole.bias = with_bias ? bias.data() : nullptr;
    static Arena arena;
    if (blocks)
      gemm(whole, *blocks, arena);
    else
      gemm(whole, arena);
    CHECK(arena.used() == 0);
    return out;
  }

  /// Against plain loops in double. A chain of k rounded sums errs by at most k eps sum |a||b|; the
  /// epilogue adds three more roundings of the result.
  void check(const GemmBlocks* blocks = nullptr, bool with_bias = false) const {
    const Guarded got = result(blocks, with_bias);
    double worst = 0;
    std::int64_t at_m = 0, at_n = 0;
    bool others_kept = true;
    for (std::int64_t m = 0; m < product.m; ++m) {
      for (std::int64_t n = 0; n < product.n; ++n) {
        double sum = 0, size = 0;
        for (std::int64_t k = 0; k < product.k; ++k) {
          const double term = double(left(m, k)) * right(k, n);
          sum += term;
          size += std::abs(term);
        }
        const double added =
            (product.accumulate ? c[m * product.ldc + n] : 0) + (with_bias ? bias[n] : 0);
        double want = product.scale * sum + added;
        const double bound =
            epsilon * (double(product.k) * std::abs(product.scale) * size + 3 * std::abs(added));
        if (product.activation == Activation::relu && want < 0)
          want = 0;
        const double ratio = error_ratio(got[m * product.ldc + n], want, bound);
        if (ratio > worst)
          worst = ratio, at_m = m, at_n = n;
      }
      for (std::int64_t n = product.n; n < product.ldc; ++n)
        others_kept = others_kept && got[m * product.ldc + n] == c[m * product.ldc + n];
    }
    if (worst <= 1 && others_kept && got.intact())
      return; // doctest's INFO costs more than a small product
    INFO("m ", product.m, " n ", product.n, " k ", product.k, " a^T ", product.a_transposed,
         " b^T ", product.b_transposed, " accumulate ", product.accumulate, "; worst at ", at_m,
         ", ", at_n);
    CHECK(worst <= 1);
    CHECK_MESSAGE(others_kept, "columns beyond n were written");
    CHECK_MESSAGE(got.intact(), "wrote outside c");
  }
};

} // namespace

TEST_CASE("a product agrees with plain loops at every size around the register tile") {
  with_each_isa([] {
    const GemmKernels& table = kernels().gemm;
    for (std::int64_t m = 1; m <= 2 * table.tile_rows + 1; ++m)
      for (std::int64_t n = 1; n <= 2 * table.tile_columns + 1; ++n)
        for (int transposes = 0; transposes < 4; ++transposes)
          Case(m, n, 1 + (m + n) % 7, transposes & 1, transposes & 2, std::uint64_t(m * n)).check();
  });
}

TEST_CASE("a product agrees with plain loops at every depth") {
  with_each_isa([] {
    for (std::int64_t k : lengths())
      for (int transposes = 0; transposes < 4; ++transposes)
        Case(17, 37, k, transposes & 1, transposes & 2, std::uint64_t(k)).check();
  });
}

TEST_CASE("a product agrees with plain loops across the borders of all blocks") {
  with_each_isa([] {
    const GemmKernels& table = kernels().gemm;
    const std::int64_t rows = table.tile_rows, columns = table.tile_columns;
    for (std::int64_t m : {rows - 1, 2 * rows, 8 * rows + 1, 20 * rows + 3})
      for (std::int64_t n : {columns - 1, columns, 2 * columns + 3, 3 * columns})
        for (std::int64_t k : {4, 5, 6, 10, 23})
          for (int transposes = 0; transposes < 4; ++transposes)
            for (std::int64_t pieces : {1, 2, 9}) {
              const GemmBlocks blocks{pieces * rows, (1 + pieces % 2) * columns,
                                      pieces == 2 ? 9 : k, 5};
              Case sample(m, n, k, transposes & 1, transposes & 2);
              sample.product.accumulate = k % 2;
              sample.check(&blocks);
            }
  });
}

TEST_CASE("a product agrees with plain loops when gemm() chooses the blocks") {
  with_each_isa([] {
    for (int transposes = 0; transposes < 4; ++transposes) {
      Case(300, 270, 2 * gemm_depth + 1, transposes & 1, transposes & 2).check();
      Case(250, 64, gemm_depth + 7, transposes & 1, transposes & 2).check();
      Case(3, 530, gemm_depth + 1, transposes & 1, transposes & 2).check();
      Case(5, 3, 35 * gemm_depth, transposes & 1, transposes & 2).check();
      Case(1, 1, 3 * gemm_depth, transposes & 1, transposes & 2).check();
    }
  });
}

TEST_CASE("scale, bias and activation come once, after the last block of the inner dimension") {
  with_each_isa([] {
    const GemmBlocks blocks{kernels().gemm.tile_rows, kernels().gemm.tile_columns, 13, 4};
    for (std::int64_t k : {0, 3, 4, 13})
      for (std::int64_t n : {1, 16, 37, 64})
        for (real scale : {real(1), real(-0.375)})
          for (Activation activation : {Activation::none, Activation::relu})
            for (bool bias : {false, true}) {
              Case sample(19, n, k);
              sample.product.scale = scale;
              sample.product.activation = activation;
              sample.check(&blocks, bias);
            }
    for (std::int64_t k : {0, 3, 4, 13}) {
      Case sample(19, 37, k);
      sample.product.scale = real(-0.375);
      sample.product.accumulate = true;
      sample.check(&blocks);
    }
  });
}

TEST_CASE("an empty inner dimension leaves the bias, or what was there") {
  with_each_isa([] {
    Case sample(3, 5, 0);
    const Guarded biased = sample.result(nullptr, true);
    sample.product.accumulate = true;
    const Guarded kept = sample.result();
    for (std::int64_t m = 0; m < 3; ++m)
      for (std::int64_t n = 0; n < 5; ++n) {
        CHECK(biased[m * sample.product.ldc + n] == sample.bias[n]);
        CHECK(kept[m * sample.product.ldc + n] == sample.c[m * sample.product.ldc + n]);
      }
  });
}

TEST_CASE("NaN and infinity reach the elements they belong to, and no others") {
  with_each_isa([] {
    for (std::int64_t n : {5, 37, 64})
      for (bool relu : {false, true})
        for (bool transposed : {false, true}) {
          Case sample(15, n, 6, transposed, transposed);
          if (relu)
            sample.product.activation = Activation::relu;
          sample.a[transposed ? 2 * sample.product.lda + 14 : 14 * sample.product.lda + 2] =
              std::numeric_limits<real>::quiet_NaN();
          sample.b[transposed ? 4 * sample.product.ldb + 3 : 3 * sample.product.ldb + 4] =
              std::numeric_limits<real>::infinity();
          const Guarded got = sample.result();
          for (std::int64_t m = 0; m < 15; ++m)
            for (std::int64_t j = 0; j < n; ++j) {
              const real value = got[m * sample.product.ldc + j];
              if (m == 14)
                CHECK(std::isnan(value));
              else if (j == 4)
                CHECK(value == (sample.left(m, 3) > 0 ? INFINITY : relu ? 0 : -INFINITY));
              else
                CHECK(std::isfinite(value));
            }
        }
  });
}

TEST_CASE("a product has the same bits on any number of threads, and each row in any batch") {
  with_each_isa([] {
    for (int transposes = 0; transposes < 4; ++transposes)
      for (std::int64_t m : {5, 400}) {
        const Case sample(m, 300, 450, transposes & 1, transposes & 2);
        set_threads(1);
        const Guarded one = sample.result();
        for (int count : {2, 3, 7}) {
          set_threads(count);
          CHECK(same_bits(one, sample.result()));
        }
      }
    const Case tall(20, 40, 35 * gemm_depth, true);
    set_threads(1);
    const Guarded one = tall.result();
    set_threads(3);
    CHECK(same_bits(one, tall.result()));
    Case many(400, 70, 800), few(7, 70, 800);
    std::copy_n(many.a.data(), few.a.size(), few.a.data());
    std::copy_n(many.b.data(), few.b.size(), few.b.data());
    const Guarded all = many.result(), first = few.result();
    for (std::int64_t m = 0; m < 7; ++m)
      CHECK(std::equal(&first.data()[m * few.product.ldc], &first.data()[m * few.product.ldc + 70],
                       &all.data()[m * many.product.ldc]));
  });
}

TEST_CASE("a product has the same bits wherever multiply and add are fused") {
  Settings settings;
  const std::vector<std::string> names = available_isas();
  for (const char* name : {"avx2", "avx512"})
    if (std::find(names.begin(), names.end(), name) == names.end())
      return;
  for (int transposes = 0; transposes < 4; ++transposes) {
    const Case sample(50, 90, 900, transposes & 1, transposes & 2);
    set_isa("avx2");
    const Guarded narrow = sample.result();
    set_isa("avx512");
    CHECK(same_bits(narrow, sample.result()));
  }
}

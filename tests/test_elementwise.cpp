// The elementwise kernels of every instruction set against the reference.
#include "elementwise_cases.h"

#include <algorithm>
#include <functional>

using namespace mereo;
using namespace mereo::sweep;

namespace {

/// Where two results differ only because one flushes what is below the normal range to zero.
constexpr double smallest = std::numeric_limits<real>::min();

std::int64_t extent(Extent e, std::int64_t rows, std::int64_t size) {
  return e == Extent::whole ? rows * size : e == Extent::row ? rows : size;
}

std::vector<Guarded> make_arrays(const ElementwiseCase& c, std::int64_t rows, std::int64_t size,
                                 int offset, std::uint64_t seed) {
  const bool adam = std::string(c.name) == "adam",
             divides = std::string(c.name) == "length_backward";
  Random random(seed);
  std::vector<Guarded> arrays;
  for (std::size_t k = 0; k < c.arrays.size(); ++k) {
    // Every array at its own offset; the second moment and a length cannot be negative.
    arrays.emplace_back(extent(c.arrays[k], rows, size), (offset + int(k) * (offset > 0)) % 4);
    const bool positive = (adam && k == 2) || (divides && k == 1);
    arrays.back().fill(random, positive ? 0.1 : -2, 2);
  }
  return arrays;
}

std::vector<Guarded> run(const ElementwiseCase& c, const Kernels& table, std::int64_t rows,
                         std::int64_t size, bool accumulate, std::vector<Guarded> arrays) {
  std::vector<real*> pointers;
  for (Guarded& array : arrays)
    pointers.push_back(array.data());
  c.run(table.elementwise, rows, size, accumulate, pointers.data());
  return arrays;
}

void compare(const ElementwiseCase& c, const Kernels& table, std::int64_t rows, std::int64_t size,
             bool accumulate, const std::vector<Guarded>& before) {
  const auto want = run(c, reference(), rows, size, accumulate, before);
  const auto got = run(c, table, rows, size, accumulate, before);
  const Before view{rows, size, accumulate, before};
  for (std::size_t k = 0; k < want.size(); ++k)
    check_close(std::string(c.name) + ", array " + std::to_string(k), got[k], want[k],
                [&](std::int64_t i) {
                  if (int(k) < c.first_output)
                    return 0.0;
                  return epsilon * c.bound(view, int(k), i, want[k][i]) + smallest;
                });
}

using Body = std::function<void(std::int64_t rows, std::int64_t size, bool accumulate,
                                const std::vector<Guarded>& arrays)>;

/// body for every shape, offset and accumulation of a case.
void sweep_shapes(const ElementwiseCase& c, const Body& body) {
  for (std::int64_t size : lengths())
    for (int offset : offsets)
      for (int accumulate = 0; accumulate <= int(c.accumulates); ++accumulate) {
        CAPTURE(size);
        CAPTURE(offset);
        CAPTURE(accumulate);
        const std::int64_t rows = c.rows ? 3 : 1;
        body(rows, size, accumulate, make_arrays(c, rows, size, offset, std::uint64_t(size)));
      }
}

} // namespace

TEST_CASE("every entry of every table is there, and every elementwise entry has a case") {
  for (const std::string& name : available_isas()) {
    CAPTURE(name);
    const Kernels& table = kernels(name.c_str());
    CHECK(table.name == name);
    // Pointers and tile sizes, none of which may be zero.
    std::uintptr_t words[(sizeof table) / sizeof(std::uintptr_t)];
    std::memcpy(words, &table, sizeof table);
    for (std::uintptr_t word : words)
      CHECK(word != 0);
  }
  CHECK(elementwise_cases().size() == sizeof(ElementwiseKernels) / sizeof(void (*)()));
}

TEST_CASE("elementwise kernels agree with the reference at every length and offset") {
  for_each_isa([](const Kernels& table) {
    for (const ElementwiseCase& c : elementwise_cases())
      sweep_shapes(c,
                   [&](std::int64_t rows, std::int64_t size, bool accumulate, const auto& arrays) {
                     compare(c, table, rows, size, accumulate, arrays);
                   });
  });
}

TEST_CASE("elementwise kernels treat NaN, infinities, zeros and denormals as the reference does") {
  const real nan = std::numeric_limits<real>::quiet_NaN();
  const real infinity = std::numeric_limits<real>::infinity();
  const real specials[] = {nan, infinity,   -infinity, real(1e-40), real(-1e-40),
                           0,   real(-0.0), -110,      90};
  for_each_isa([&](const Kernels& table) {
    for (const ElementwiseCase& c : elementwise_cases())
      for (real special : specials)
        for (std::int64_t size : {1, 5, 16, 33})
          for (std::int64_t at : {std::int64_t(0), size / 2, size - 1}) {
            CAPTURE(special);
            CAPTURE(size);
            CAPTURE(at);
            const std::int64_t rows = c.rows ? 3 : 1;
            auto arrays = make_arrays(c, rows, size, 1, 7);
            arrays[0][(rows - 1) * size + at] = special;
            compare(c, table, rows, size, c.accumulates, arrays);
          }
  });
}

TEST_CASE("AVX2 and AVX-512 give the same bits in every elementwise kernel") {
  const auto names = available_isas();
  if (std::find(names.begin(), names.end(), "avx512") == names.end())
    return;
  for (const ElementwiseCase& c : elementwise_cases()) {
    CAPTURE(c.name);
    sweep_shapes(c, [&](std::int64_t rows, std::int64_t size, bool accumulate, const auto& arrays) {
      const auto narrow = run(c, kernels("avx2"), rows, size, accumulate, arrays);
      const auto wide = run(c, kernels("avx512"), rows, size, accumulate, arrays);
      for (std::size_t k = 0; k < narrow.size(); ++k)
        CHECK(same_bits(narrow[k], wide[k]));
    });
  }
}

TEST_CASE("elementwise kernels may write over what they read") {
  using K = ElementwiseKernels;
  using InPlace = void (*)(const K&, std::int64_t n, const real* x, real* y);
  const InPlace all[] = {
      [](const K& k, std::int64_t n, const real* x, real* y) { k.scale(n, 3, x, y, false); },
      [](const K& k, std::int64_t n, const real* x, real* y) { k.add(n, x, x, y); },
      [](const K& k, std::int64_t n, const real* x, real* y) { k.relu(n, x, y); },
      [](const K& k, std::int64_t n, const real* x, real* y) {
        k.relu_backward(n, x, x, y, false);
      },
      [](const K& k, std::int64_t n, const real* x, real* y) { k.sigmoid(n, x, y); },
      [](const K& k, std::int64_t n, const real* x, real* y) {
        k.sigmoid_backward(n, x, x, y, false);
      },
      [](const K& k, std::int64_t n, const real* x, real* y) { k.softmax(1, n, x, y); },
      [](const K& k, std::int64_t n, const real* x, real* y) {
        k.softmax_backward(1, n, x, x, y, false);
      },
      [](const K& k, std::int64_t n, const real* x, real* y) { k.squash(1, n, x, y); },
      [](const K& k, std::int64_t n, const real* x, real* y) {
        k.squash_backward(1, n, x, x, y, false);
      },
  };
  for (const std::string& name : available_isas())
    for (std::size_t k = 0; k < std::size(all); ++k)
      for (std::int64_t n : lengths()) {
        CAPTURE(name);
        CAPTURE(k);
        CAPTURE(n);
        const K& table = kernels(name.c_str()).elementwise;
        Guarded x(n, 1), y(n, 1);
        Random random(n);
        x.fill(random, -2, 2);
        all[k](table, n, x.data(), y.data());
        all[k](table, n, x.data(), x.data());
        CHECK(same_bits(x, y));
      }
}

TEST_CASE("softmax sums to one, and squash stays shorter than one and keeps its direction") {
  for (const std::string& name : available_isas()) {
    CAPTURE(name);
    const ElementwiseKernels& k = kernels(name.c_str()).elementwise;
    const real logits[] = {1000, 1000, -1000, 999};
    real y[4];
    k.softmax(1, 4, logits, y);
    CHECK(k.sum(4, y) == doctest::Approx(1).epsilon(1e-6));
    CHECK(y[0] == doctest::Approx(1 / (2 + std::exp(-1.0))).epsilon(1e-6));
    CHECK(y[2] == 0);

    // |x| = 5: 5 / 26 of x. At zero: zero, and a finite gradient.
    const real x[] = {3, 0, -4, 0}, zeros[4] = {}, ones[] = {1, 1, 1, 1};
    k.squash(1, 4, x, y);
    CHECK(y[0] == doctest::Approx(3 * 5 / 26.0).epsilon(1e-6));
    CHECK(y[2] == doctest::Approx(-4 * 5 / 26.0).epsilon(1e-6));
    k.squash(1, 4, zeros, y);
    CHECK(y[0] == 0);
    k.squash_backward(1, 4, zeros, ones, y, false);
    CHECK(y[3] == doctest::Approx(std::sqrt(1e-9)).epsilon(1e-5));
  }
}

TEST_CASE("the exponential is right over its whole range, down to denormals") {
  for_each_isa([](const Kernels& table) {
    for (double x = 0; x < 110; x += 0.37) {
      const real logits[] = {0, real(-x)}; // y[1] / y[0] = e^-x
      real y[2];
      table.elementwise.softmax(1, 2, logits, y);
      const double want = std::exp(double(logits[1])) * y[0];
      CAPTURE(x);
      CHECK(std::abs(y[1] - want) <= 2 * epsilon * want + 2 * smallest * epsilon);
    }
  });
}

TEST_CASE("a long sum does not lose its small terms") {
  const std::int64_t n = 1 << 20;
  Guarded x(n);
  for (std::int64_t i = 0; i < n; ++i)
    x[i] = real(0.1);
  for_each_isa([&](const Kernels& table) {
    CHECK(table.elementwise.sum(n, x.data()) ==
          doctest::Approx(n * double(real(0.1))).epsilon(1e-3));
  });
}

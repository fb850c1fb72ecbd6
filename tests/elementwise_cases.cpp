// The bounds: a sum of n terms in any order errs by at most n epsilon times the sum of their
// absolute values; a chain of k roundings by about k / 2 epsilon of its result.
#include "elementwise_cases.h"

namespace mereo::sweep {

using std::abs, std::sqrt;
using I = std::int64_t;
using K = ElementwiseKernels;
using enum Extent;

static constexpr real factor = real(-1.7);

AdamStep adam_step() {
  return {real(1e-2), real(0.9), real(0.999), real(0.05), real(0.271), real(0.002997), real(0.5)};
}

/// |x|^2 of the row that element i of array 0 lies in, as squash takes it.
static double squared_length(const Before& b, I row) {
  return b.row_sum(row, [&](I k) { return b(0, k) * b(0, k); }) + squash_epsilon;
}

static double no_error(const Before&, int, I, double) {
  return 0;
}

static double softmax_bound(const Before& b, int, I i, double want) {
  double largest = 0;
  b.row_sum(i / b.size, [&](I k) { return largest = std::max(largest, abs(b(0, k))); });
  return want *
         (8 + double(b.size) + 2 * largest); // 2 |x|: the rounding of x - max, in the exponent
}

static double softmax_backward_bound(const Before& b, int, I i, double) {
  const double mean = b.row_sum(i / b.size, [&](I k) { return b(0, k) * b(1, k); });
  return double(b.size + 4) * abs(b(0, i)) * (abs(b(1, i)) + mean) + b.kept(2, i);
}

// (1 - s) is bounded by 1 + s, because it may cancel.
static double squash_backward_bound(const Before& b, int, I i, double) {
  const double square = squared_length(b, i / b.size), length = sqrt(square);
  const double along = b.row_sum(i / b.size, [&](I k) { return b(0, k) * b(1, k); });
  const double result =
      length / (1 + square) * abs(b(1, i)) + along * abs(b(0, i)) / (length * (1 + square));
  return double(2 * b.size + 16) * result + b.kept(2, i);
}

/// Sum over rows of |term(index)| in column i.
template <class Term> static double column_total(const Before& b, I i, const Term& term) {
  double total = 0;
  for (I r = 0; r < b.rows; ++r)
    total += abs(term(r * b.size + i));
  return total;
}

static double column_sums_bound(const Before& b, int, I i, double) {
  const double total = column_total(b, i, [&](I at) { return b(0, at); });
  return double(b.rows) * total + b.kept(1, i);
}

// The difference from the mean errs by epsilon times itself, as the products do.
static double column_products_bound(const Before& b, int, I i, double) {
  return double(b.rows + 2) *
         column_total(b, i, [&](I at) { return (b(0, at) - b(1, i)) * b(2, at); });
}

static double column_squares_bound(const Before& b, int, I i, double) {
  return double(b.rows + 3) *
         column_total(b, i, [&](I at) { return std::pow(b(0, at) - b(1, i), 2); });
}

static double scale_columns_bound(const Before& b, int, I i, double) {
  const I c = i % b.size;
  return 4 * abs((b(0, i) - b(1, c)) * b(2, c)) + 2 * abs(b(3, c)) + b.kept(4, i);
}

static double adam_bound(const Before& b, int array, I i, double) {
  const AdamStep step = adam_step();
  const double g = step.gradient_scale * b(0, i), rest2 = 1 - double(step.beta2);
  const double m = abs(step.beta1 * b(1, i)) + abs((1 - step.beta1) * g);
  const double v = step.beta2 * b(2, i) + rest2 * g * g;
  if (array == 1)
    return 2 * m;
  if (array == 2)
    return 2 * v;
  const double update =
      step.learning_rate / step.correction1 * m / (sqrt(v / step.correction2) + step.epsilon);
  return abs(b(3, i)) + 12 * update;
}

static double momentum_bound(const Before& b, int array, I i, double) {
  const double velocity = abs(0.9 * b(1, i)) + abs(0.5 * b(0, i));
  return array == 1 ? 2 * velocity : abs(b(2, i)) + 3 * abs(factor) * velocity;
}

const std::vector<ElementwiseCase>& elementwise_cases() {
  static const std::vector<ElementwiseCase> cases = {
      // name, rows, accumulates, arrays, run, first output, bound
      {"scale",
       false,
       true,
       {whole, whole},
       [](const K& k, I, I n, bool acc, real* const* a) { k.scale(n, factor, a[0], a[1], acc); },
       1,
       [](const Before& b, int, I i, double) { return abs(factor * b(0, i)) + b.kept(1, i); }},
      {"add",
       false,
       false,
       {whole, whole, whole},
       [](const K& k, I, I n, bool, real* const* a) { k.add(n, a[0], a[1], a[2]); },
       2,
       no_error},
      {"sum",
       false,
       false,
       {whole, row},
       [](const K& k, I, I n, bool, real* const* a) { a[1][0] = k.sum(n, a[0]); },
       1,
       [](const Before& b, int, I, double) {
         return double(b.size) * b.row_sum(0, [&](I i) { return b(0, i); });
       }},
      {"dot",
       false,
       false,
       {whole, whole, row},
       [](const K& k, I, I n, bool, real* const* a) { a[2][0] = k.dot(n, a[0], a[1]); },
       2,
       [](const Before& b, int, I, double) {
         return double(b.size) * b.row_sum(0, [&](I i) { return b(0, i) * b(1, i); });
       }},
      {"squared_distance",
       false,
       false,
       {whole, whole, row},
       [](const K& k, I, I n, bool, real* const* a) {
         a[2][0] = k.squared_distance(n, a[0], a[1]);
       },
       2,
       [](const Before& b, int, I, double want) { return double(b.size + 2) * want; }},
      {"max",
       false,
       false,
       {whole, row},
       [](const K& k, I, I n, bool, real* const* a) { a[1][0] = n > 0 ? k.max(n, a[0]) : 0; },
       1,
       no_error},
      {"difference",
       false,
       true,
       {whole, whole, whole},
       [](const K& k, I, I n, bool acc, real* const* a) {
         k.difference(n, factor, a[0], a[1], a[2], acc);
       },
       2,
       [](const Before& b, int, I i, double) {
         return 2 * abs(factor * (b(0, i) - b(1, i))) + b.kept(2, i);
       }},
      {"relu",
       false,
       false,
       {whole, whole},
       [](const K& k, I, I n, bool, real* const* a) { k.relu(n, a[0], a[1]); },
       1,
       no_error},
      {"relu_backward",
       false,
       true,
       {whole, whole, whole},
       [](const K& k, I, I n, bool acc, real* const* a) {
         k.relu_backward(n, a[0], a[1], a[2], acc);
       },
       2,
       [](const Before& b, int, I i, double) { return abs(b(1, i)) + b.kept(2, i); }},
      {"sigmoid",
       false,
       false,
       {whole, whole},
       [](const K& k, I, I n, bool, real* const* a) { k.sigmoid(n, a[0], a[1]); },
       1,
       [](const Before&, int, I, double want) { return 4 * want; }},
      {"sigmoid_backward",
       false,
       true,
       {whole, whole, whole},
       [](const K& k, I, I n, bool acc, real* const* a) {
         k.sigmoid_backward(n, a[0], a[1], a[2], acc);
       },
       2,
       [](const Before& b, int, I i, double) {
         return 4 * abs(b(1, i) * b(0, i) * (1 - b(0, i))) + b.kept(2, i);
       }},
      {"softmax",
       true,
       false,
       {whole, whole},
       [](const K& k, I r, I n, bool, real* const* a) { k.softmax(r, n, a[0], a[1]); },
       1,
       softmax_bound},
      {"softmax_backward",
       true,
       true,
       {whole, whole, whole},
       [](const K& k, I r, I n, bool acc, real* const* a) {
         k.softmax_backward(r, n, a[0], a[1], a[2], acc);
       },
       2,
       softmax_backward_bound},
      {"squash",
       true,
       false,
       {whole, whole},
       [](const K& k, I r, I n, bool, real* const* a) { k.squash(r, n, a[0], a[1]); },
       1,
       [](const Before& b, int, I, double want) { return double(b.size + 8) * abs(want); }},
      {"squash_backward",
       true,
       true,
       {whole, whole, whole},
       [](const K& k, I r, I n, bool acc, real* const* a) {
         k.squash_backward(r, n, a[0], a[1], a[2], acc);
       },
       2,
       squash_backward_bound},
      {"length",
       true,
       false,
       {whole, row},
       [](const K& k, I r, I n, bool, real* const* a) { k.length(r, n, a[0], a[1]); },
       1,
       [](const Before& b, int, I, double want) { return double(b.size + 4) * want; }},
      {"length_backward",
       true,
       true,
       {whole, row, row, whole},
       [](const K& k, I r, I n, bool acc, real* const* a) {
         k.length_backward(r, n, a[0], a[1], a[2], a[3], acc);
       },
       3,
       [](const Before& b, int, I i, double) {
         return 2 * abs(b(0, i) * b(2, i / b.size) / b(1, i / b.size)) + b.kept(3, i);
       }},
      {"column_sums",
       true,
       true,
       {whole, column},
       [](const K& k, I r, I n, bool acc, real* const* a) { k.column_sums(r, n, a[0], a[1], acc); },
       1,
       column_sums_bound},
      {"column_products",
       true,
       false,
       {whole, column, whole, column},
       [](const K& k, I r, I n, bool, real* const* a) {
         k.column_products(r, n, a[0], a[1], a[2], a[3]);
       },
       3,
       column_products_bound},
      {"column_squares",
       true,
       false,
       {whole, column, column},
       [](const K& k, I r, I n, bool, real* const* a) { k.column_squares(r, n, a[0], a[1], a[2]); },
       2,
       column_squares_bound},
      {"scale_columns",
       true,
       true,
       {whole, column, column, column, whole},
       [](const K& k, I r, I n, bool acc, real* const* a) {
         k.scale_columns(r, n, a[0], a[1], a[2], a[3], a[4], acc);
       },
       4,
       scale_columns_bound},
      {"adam",
       false,
       false,
       {whole, whole, whole, whole},
       [](const K& k, I, I n, bool, real* const* a) {
         k.adam(n, adam_step(), a[0], a[1], a[2], a[3]);
       },
       1,
       adam_bound},
      {"momentum",
       false,
       false,
       {whole, whole, whole},
       [](const K& k, I, I n, bool, real* const* a) {
         k.momentum(n, factor, real(0.9), real(0.5), a[0], a[1], a[2]);
       },
       1,
       momentum_bound},
  };
  return cases;
}

} // namespace mereo::sweep

#include "error_of.h"
#include "lab/statistics.h"

#include <mereo/graphics.h>
#include <mereo/random.h>

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

using namespace mereo;
using namespace mereo::lab;

namespace {

constexpr double missing = std::numeric_limits<double>::quiet_NaN();

Matrix drawn(std::int64_t rows, std::int64_t columns, std::uint64_t seed) {
  Matrix m(rows, columns);
  Random random(seed);
  for (double& x : m.values)
    x = double(random.normal());
  return m;
}

std::vector<double> rotation(const Vec3& axis, double degrees) {
  const Pose pose = Pose::rotation(axis, degrees * std::acos(-1.0) / 180);
  return {pose(0, 0), pose(0, 1), pose(0, 2), pose(1, 0), pose(1, 1),
          pose(1, 2), pose(2, 0), pose(2, 1), pose(2, 2)};
}

} // namespace

TEST_CASE("mean and deviation over seeds") {
  const double three[] = {2, 4, 9};
  CHECK(summarise(three).mean == doctest::Approx(5));
  CHECK(summarise(three).deviation == doctest::Approx(std::sqrt(13.0))); // (9 + 1 + 16) / 2
  const double gaps[] = {missing, 3, missing, 5};
  CHECK(summarise(gaps).mean == doctest::Approx(4));
  CHECK(summarise(gaps).count == 2);
  const double one[] = {7};
  CHECK(summarise(one).mean == 7);
  CHECK(std::isnan(summarise(one).deviation));
  CHECK(std::isnan(summarise({}).mean));
}

TEST_CASE("area under the ROC curve") {
  const double high[] = {0.8, 0.9, 0.7}, low[] = {0.1, 0.2}, mixed[] = {0.75, 0.1, 0.85, 0.95};
  CHECK(auroc(high, low) == 1);
  CHECK(auroc(low, high) == 0);
  CHECK(auroc(high, high) == 0.5);
  // 0.8 beats two of four, 0.9 three, 0.7 one.
  CHECK(auroc(high, mixed) == doctest::Approx(6.0 / 12));
  const double tied[] = {1, 1}, half[] = {1, 0};
  CHECK(auroc(tied, half) == doctest::Approx(0.75));
  const double broken[] = {missing};
  CHECK(has(error_of([&] { auroc(high, {}); }), "0 negative"));
  CHECK(has(error_of([&] { auroc(high, broken); }), "not a number"));
}

TEST_CASE("a linear map is found again") {
  const Matrix x = drawn(60, 5, 1), weights = drawn(5, 3, 2);
  Matrix y(60, 3);
  for (std::int64_t r = 0; r < 60; ++r)
    for (std::int64_t q = 0; q < 3; ++q) {
      y.row(r)[q] = 10 * double(q + 1);
      for (std::int64_t p = 0; p < 5; ++p)
        y.row(r)[q] += x.row(r)[p] * weights.row(p)[q];
    }
  const Matrix elsewhere = drawn(4, 5, 3), told = LinearMap(x, y, 0).apply(elsewhere);
  for (std::int64_t r = 0; r < 4; ++r)
    for (std::int64_t q = 0; q < 3; ++q) {
      double want = 10 * double(q + 1);
      for (std::int64_t p = 0; p < 5; ++p)
        want += elsewhere.row(r)[p] * weights.row(p)[q];
      CHECK(told.row(r)[q] == doctest::Approx(want).epsilon(1e-10));
    }
  CHECK(r_squared(y, LinearMap(x, y, 0).apply(x)) == doctest::Approx(1));
  CHECK(r_squared(y, fit_linear(x, y).apply(x)) > 0.99999);
}

TEST_CASE("least squares on a line through three points, and ridge regression") {
  // y = 1, 2, 2 at x = 0, 1, 2: slope 1/2, intercept 7/6. The deviation of x is sqrt(2/3).
  Matrix x(3, 1), y(3, 1);
  x.values = {0, 1, 2};
  y.values = {1, 2, 2};
  Matrix at(1, 1);
  at.values = {4};
  CHECK(LinearMap(x, y, 0).apply(at).values[0] == doctest::Approx(7.0 / 6 + 2));
  // A ridge of 1 halves the weight of a feature of deviation 1.
  CHECK(LinearMap(x, y, 1).apply(at).values[0] == doctest::Approx(5.0 / 3 + 0.75));
}

TEST_CASE("features that are constant or alike") {
  Matrix x = drawn(20, 3, 4), y(20, 1);
  for (std::int64_t r = 0; r < 20; ++r) {
    y.row(r)[0] = 3 * x.row(r)[0];
    x.row(r)[1] = 0.1;         // tells nothing
    x.row(r)[2] = x.row(r)[0]; // tells nothing new
  }
  CHECK(has(error_of([&] { LinearMap(x, y, 0); }), "undetermined"));
  CHECK(r_squared(y, LinearMap(x, y, 1e-9).apply(x)) == doctest::Approx(1));
  x.row(7)[1] = missing;
  CHECK(has(error_of([&] { LinearMap(x, y, 1); }), "finite"));
  CHECK(has(error_of([&] { LinearMap(x, Matrix(19, 1), 1); }), "19 x 1"));
  CHECK(has(error_of([&] { LinearMap(drawn(9, 1, 1), drawn(9, 1, 2), 1).apply(x); }), "3, not 1"));
  CHECK(has(error_of([&] { fit_linear(drawn(9, 1, 1), drawn(9, 1, 2)); }), "ten samples"));
}

TEST_CASE("many useless features are held down by a ridge that is chosen") {
  const Matrix x = drawn(60, 50, 5), noise = drawn(60, 1, 6);
  Matrix y(60, 1);
  for (std::int64_t r = 0; r < 60; ++r)
    y.row(r)[0] = x.row(r)[0] + noise.row(r)[0];
  const Matrix fresh = drawn(1000, 50, 7);
  Matrix truth(1000, 1);
  for (std::int64_t r = 0; r < 1000; ++r)
    truth.row(r)[0] = fresh.row(r)[0];
  CHECK(r_squared(truth, fit_linear(x, y).apply(fresh)) >
        r_squared(truth, LinearMap(x, y, 0).apply(fresh)) + 0.5);
}

TEST_CASE("R squared") {
  Matrix y(4, 1), told(4, 1);
  y.values = {1, 2, 3, 4};
  told.values = {2.5, 2.5, 2.5, 2.5};
  CHECK(r_squared(y, told) == doctest::Approx(0)); // the mean
  told.values = {1, 2, 3, 3};
  CHECK(r_squared(y, told) == doctest::Approx(0.8));
  told.values = {4, 3, 2, 1};
  CHECK(r_squared(y, told) == doctest::Approx(-3));
  CHECK(has(error_of([&] { r_squared(told, Matrix(3, 1)); }), "3 x 1"));
  CHECK(has(error_of([&] { r_squared(Matrix(3, 1), Matrix(3, 1)); }), "no variance"));
}

TEST_CASE("angles between rotations") {
  for (const double degrees : {0.0, 1e-6, 0.5, 30.0, 90.0, 179.0, 180.0})
    CHECK(angle_between(rotation({0, 0, 1}, 20), rotation({0, 0, 1}, 20 + degrees)) ==
          doctest::Approx(degrees).epsilon(1e-7));
  CHECK(angle_between(rotation({1, 2, 3}, 40), rotation({1, 2, 3}, -30)) == doctest::Approx(70));
  CHECK(has(error_of([&] { angle_between(rotation({0, 0, 1}, 1), {}); }), "0 numbers"));
}

TEST_CASE("the nearest rotation") {
  const std::vector<double> r = rotation({3, -1, 2}, 130);
  std::vector<double> m = r;
  for (double& x : m)
    x *= 7;
  CHECK(angle_between(nearest_rotation(m), r) < 1e-5); // whatever its size
  // R S with S symmetric and positive has the polar factor R.
  const double s[] = {2, 0.5, 0.1, 0.5, 1, -0.2, 0.1, -0.2, 3};
  for (std::size_t i = 0; i < 3; ++i)
    for (std::size_t j = 0; j < 3; ++j)
      m[3 * i + j] = r[3 * i] * s[j] + r[3 * i + 1] * s[3 + j] + r[3 * i + 2] * s[6 + j];
  CHECK(angle_between(nearest_rotation(m), r) < 1e-5);
  // Of a mirror image, that which turns the weakest axis over.
  const double mirrored[] = {3, 0, 0, 0, -1, 0, 0, 0, 2};
  CHECK(angle_between(nearest_rotation(mirrored), rotation({0, 0, 1}, 0)) < 1e-5);
  CHECK(has(error_of([] { nearest_rotation(std::vector<double>(9)); }), "zero"));
}

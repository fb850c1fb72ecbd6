// Dropout and batch normalisation: what they compute, on any number of threads.
#include "error_of.h"

#include <mereo/isa.h>
#include <mereo/nn.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

using namespace mereo;

namespace {

Tensor normal(const Shape& shape, double mean = 0, double deviation = 1) {
  Tensor x(shape);
  Random random(11);
  for (real& value : x.values())
    value = real(mean + deviation * random.normal());
  return x;
}

std::vector<real> dropped(const Tensor& x, double rate, const Random& random, int count = 1) {
  const int before = threads();
  set_threads(count);
  Tape tape;
  const auto y = dropout(tape, tape.constant(x), rate, random).value().values();
  set_threads(before);
  return {y.begin(), y.end()};
}

Tensor filled(const Shape& shape, real value) {
  const Tensor x(shape);
  std::fill_n(x.data(), x.elements(), value);
  return x;
}

} // namespace

TEST_CASE("dropout keeps its share, scaled so that the mean stays") {
  const Tensor ones = filled({100, 1000}, 1);
  for (double rate : {0.1, 0.5, 0.8}) {
    const std::vector<real> y = dropped(ones, rate, Random(1, 2));
    const auto kept = double(std::count(y.begin(), y.end(), real(1 / (1 - rate))));
    CHECK(kept + double(std::count(y.begin(), y.end(), real(0))) == 1e5);
    const double deviation = std::sqrt(1e5 * rate * (1 - rate));
    CHECK(std::abs(kept - 1e5 * (1 - rate)) < 4 * deviation);
  }
  CHECK(dropped(ones, 0, Random(1)) == std::vector<real>(ones.data(), ones.data() + 100'000));
}

TEST_CASE("what dropout drops depends on the stream and the element, not on threads or shape") {
  const Tensor ones = filled({70'000}, 1); // several chunks
  const std::vector<real> one = dropped(ones, 0.5, Random(3, 4));
  for (int count : {2, 3, 7})
    CHECK(dropped(ones, 0.5, Random(3, 4), count) == one);
  CHECK(dropped(ones.reshape({7, 10'000}), 0.5, Random(3, 4)) == one);
  // Later in the stream: the same draws, moved.
  const std::vector<real> later = dropped(ones.rows(0, 1000), 0.5, Random(3, 4, 69'000));
  CHECK(std::equal(later.begin(), later.end(), one.begin() + 69'000));
  // Other streams agree in about half of the elements.
  for (const Random& other : {Random(3, 5), Random(4, 4)}) {
    const std::vector<real> y = dropped(ones, 0.5, other);
    std::int64_t equal = 0;
    for (std::size_t i = 0; i < y.size(); ++i)
      equal += y[i] == one[i];
    CHECK(std::abs(double(equal) - 35'000) < 4 * std::sqrt(70'000 * 0.25));
  }
}

TEST_CASE("dropout gives no gradient to what it drops") {
  const Tensor x = normal({50, 40}), gradient(x.shape());
  Tape tape;
  const Variable y = dropout(tape, tape.leaf(x, gradient), 0.25, Random(9));
  tape.backward(y, filled(x.shape(), 3));
  for (std::int64_t i = 0; i < x.elements(); ++i)
    REQUIRE(gradient.data()[i] == (y.data()[i] == 0 ? 0 : 4));
}

TEST_CASE("batch normalisation brings each channel to the deviation and mean it is told") {
  const Tensor x = normal({40, 9, 8, 5}, 100, 3); // several chunks of rows, a mean far from zero
  const Tensor gain({5}, std::vector<real>{1, 2, 0.5f, -1, 3});
  const Tensor bias({5}, std::vector<real>{0, 1, 2, 3, 4});
  const ChannelMoments moments{Tensor({5}), Tensor({5})};
  Tape tape;
  const Variable y =
      batch_norm(tape, tape.constant(x), tape.constant(gain), tape.constant(bias), moments);
  const std::int64_t n = x.elements() / 5;
  for (std::int64_t c = 0; c < 5; ++c) {
    double sum[2] = {}, squares[2] = {};
    for (std::int64_t i = 0; i < n; ++i)
      for (int which = 0; which < 2; ++which) {
        const double value = (which ? y.data() : x.data())[i * 5 + c];
        sum[which] += value;
        squares[which] += value * value;
      }
    const double mean = sum[0] / double(n), out = sum[1] / double(n);
    CHECK(moments.mean.data()[c] == doctest::Approx(mean).epsilon(1e-6));
    CHECK(moments.variance.data()[c] ==
          doctest::Approx((squares[0] - double(n) * mean * mean) / double(n - 1)).epsilon(1e-5));
    CHECK(out == doctest::Approx(bias.data()[c]).epsilon(1e-4).scale(1));
    CHECK(std::sqrt(squares[1] / double(n) - out * out) ==
          doctest::Approx(std::abs(gain.data()[c])).epsilon(1e-4));
  }
}

TEST_CASE("given moments are used as they are, and a channel that never varies does no harm") {
  const Tensor x({2, 1}, std::vector<real>{7, 7}), gain = filled({1}, 2), bias = filled({1}, 1);
  const ChannelMoments moments{filled({1}, 5), filled({1}, 4)};
  Tape tape;
  const auto on = [&](const Tensor& value) { return tape.constant(value); };
  const Variable given = batch_norm_by(tape, on(x), on(gain), on(bias), moments, 1e-12);
  CHECK(given.data()[0] == doctest::Approx(2 * (7 - 5) / 2.0 + 1));
  CHECK(moments.mean.data()[0] == 5);
  const Variable flat = batch_norm(tape, on(x), on(gain), on(bias), moments);
  CHECK(flat.data()[1] == 1);
  CHECK(moments.variance.data()[0] == 0);
  // One value has no variance, and that of earlier batches stays.
  moments.variance.data()[0] = 3;
  const Variable one = batch_norm(tape, on(x.rows(0, 1)), on(gain), on(bias), moments);
  CHECK(one.data()[0] == 1);
  CHECK(moments.mean.data()[0] == 7);
  CHECK(moments.variance.data()[0] == 3);
}

TEST_CASE("a running variance stays as it is where a batch has one value a channel") {
  Parameters parameters;
  const BatchNormLayer layer(parameters, "norm", 2);
  parameters.allocate(1);
  const auto average = [&](int index, std::int64_t c) { return parameters.value(index).data()[c]; };
  enum { gain, bias, mean, variance };
  const Tensor images({3, 2}, std::vector<real>{1, 5, 2, 3, 6, 1});
  Tape tape;
  const auto step = [&](const Tensor& x) {
    tape.reset();
    layer.forward(tape, parameters, tape.constant(x), Mode::training);
    parameters.step_averages();
  };
  step(images);
  CHECK(average(mean, 0) == doctest::Approx(0.3));
  CHECK(average(variance, 0) == doctest::Approx(0.9 + 0.1 * 7));
  const real before = average(variance, 0);
  step(images.rows(1, 2));
  CHECK(average(mean, 0) == doctest::Approx(0.9 * 0.3 + 0.1 * 2));
  CHECK(average(variance, 0) == before);
}

TEST_CASE("batch normalisation has the same bits on any number of threads") {
  const Tensor x = normal({300, 13, 12, 3}), gain = filled({3}, 2), bias = filled({3}, 1);
  const auto run = [&](int count) {
    const int before = threads();
    set_threads(count);
    const Tensor grad_x(x.shape()), grad_gain({3}), grad_bias({3});
    const ChannelMoments moments{Tensor({3}), Tensor({3})};
    Tape tape;
    const Variable y = batch_norm(tape, tape.leaf(x, grad_x), tape.leaf(gain, grad_gain),
                                  tape.leaf(bias, grad_bias), moments);
    tape.backward(y, normal(x.shape(), 0.5));
    std::vector<real> bits(y.data(), y.data() + y.elements());
    for (const Tensor& part : {grad_x, grad_gain, grad_bias, moments.mean, moments.variance})
      bits.insert(bits.end(), part.data(), part.data() + part.elements());
    set_threads(before);
    return bits;
  };
  const std::vector<real> one = run(1);
  for (int count : {2, 3, 7})
    CHECK(run(count) == one);
}

TEST_CASE("dropout and batch normalisation say what does not fit") {
  Tape tape;
  const Tensor x({4, 3}), three({3}), two({2});
  const auto on = [&](const Tensor& value) { return tape.constant(value); };
  for (double rate : {-0.1, 1.0, double(NAN)})
    CHECK(error_of([&] { dropout(tape, on(x), rate, Random(1)); }).find("[0, 1)") !=
          std::string::npos);
  const auto norm = [&](const Tensor& in, const Tensor& gain, const Tensor& mean, double epsilon) {
    return error_of([&] {
      batch_norm(tape, on(in), on(gain), on(three), {mean, Tensor({3})}, epsilon);
    });
  };
  CHECK(norm(x, three, three, 1e-5).empty());
  CHECK(norm(x, two, three, 1e-5).find("(2), not (3)") != std::string::npos);
  CHECK_FALSE(norm(x, three, two, 1e-5).empty());
  CHECK_FALSE(norm(three, three, three, 1e-5).empty());
  CHECK_FALSE(norm(Tensor({0, 3}), three, three, 1e-5).empty());
  CHECK_FALSE(norm(x, three, three, 0).empty());
}

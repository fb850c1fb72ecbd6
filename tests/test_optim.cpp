#include <mereo/isa.h>
#include <mereo/optim.h>
#include <mereo/random.h>

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

using namespace mereo;

namespace {

std::vector<real> draw(std::int64_t count, std::uint64_t seed) {
  Random random(seed);
  std::vector<real> values(static_cast<std::size_t>(count));
  for (real& x : values)
    x = real(random.normal());
  return values;
}

struct Threads {
  int before = threads();
  ~Threads() { set_threads(before); }
};

} // namespace

TEST_CASE("Adam takes the steps of its paper") {
  // Kingma & Ba 2015, Algorithm 1, in double.
  const double rate = 0.01, scale = 0.5;
  const auto update = adam(3);
  std::vector<real> x = {real(1), real(-2), real(0.5)};
  std::vector<double> want(x.begin(), x.end()), m(3), v(3);
  for (int t = 1; t <= 50; ++t) {
    std::vector<real> gradient(3);
    for (int i = 0; i < 3; ++i)
      gradient[i] = real(std::sin(t * (i + 1)) + 0.1 * i);
    for (int i = 0; i < 3; ++i) {
      const double g = scale * gradient[i];
      m[i] = 0.9 * m[i] + 0.1 * g;
      v[i] = 0.999 * v[i] + 0.001 * g * g;
      want[i] -= rate * (m[i] / (1 - std::pow(0.9, t))) /
                 (std::sqrt(v[i] / (1 - std::pow(0.999, t))) + 1e-8);
    }
    update->step(x, gradient, rate, scale);
    // Each step moves by at most the rate; float rounds x (|x| < 4) and the step once per step.
    for (int i = 0; i < 3; ++i)
      CHECK(std::abs(x[i] - want[i]) <= t * (4 + 8 * rate) * 6e-8);
  }
  CHECK(update->steps == 50);
}

TEST_CASE("the first Adam step moves every parameter by the learning rate") {
  const auto update = adam(2);
  std::vector<real> x = {0, 0};
  const std::vector<real> gradient = {real(1e-3), real(-70)};
  update->step(x, gradient, 0.25, 1);
  CHECK(x[0] == doctest::Approx(-0.25).epsilon(1e-4));
  CHECK(x[1] == doctest::Approx(0.25).epsilon(1e-4));
}

TEST_CASE("gradient descent with momentum follows its recurrence") {
  const auto update = sgd(1, 0.5);
  std::vector<real> x = {1};
  const std::vector<real> gradient = {2};
  update->step(x, gradient, 0.25, 0.5); // velocity 1, x 0.75
  CHECK(x[0] == real(0.75));
  update->step(x, gradient, 0.25, 0.5); // velocity 1.5, x 0.375
  CHECK(x[0] == real(0.375));
  const auto plain = sgd(1, 0);
  plain->step(x, gradient, 0.125, 1);
  plain->step(x, gradient, 0.125, 1);
  CHECK(x[0] == real(-0.125));
}

TEST_CASE("an optimiser carried over in its state blocks continues with the same bits") {
  for (const char* name : {"adam", "sgd"}) {
    CAPTURE(name);
    const std::int64_t size = 1000;
    const auto unbroken = make_optimizer(name, size), broken = make_optimizer(name, size);
    std::vector<real> x = draw(size, 1), y = x;
    for (int t = 0; t < 3; ++t)
      unbroken->step(x, draw(size, 10 + t), 1e-2, 1);
    for (int t = 0; t < 2; ++t)
      broken->step(y, draw(size, 10 + t), 1e-2, 1);
    const auto resumed = make_optimizer(name, size);
    resumed->steps = broken->steps;
    auto from = broken->state(), to = resumed->state();
    REQUIRE(from.size() == to.size());
    for (std::size_t i = 0; i < from.size(); ++i) {
      CHECK(from[i].first == to[i].first);
      std::copy(from[i].second.begin(), from[i].second.end(), to[i].second.begin());
    }
    resumed->step(y, draw(size, 12), 1e-2, 1);
    CHECK(x == y);
  }
}

TEST_CASE("optimisers and the gradient norm have the same bits on any number of threads") {
  const Threads restore;
  const std::int64_t size = 100003;
  std::vector<std::vector<real>> parameters;
  std::vector<double> norms;
  for (const int count : {1, 2, 3, 7}) {
    set_threads(count);
    const auto update = adam(size);
    std::vector<real> x = draw(size, 1);
    for (int t = 0; t < 3; ++t)
      update->step(x, draw(size, 20 + t), 1e-3, 1);
    parameters.push_back(x);
    norms.push_back(gradient_norm(x));
  }
  for (std::size_t i = 1; i < parameters.size(); ++i) {
    CHECK(parameters[i] == parameters[0]);
    CHECK(norms[i] == norms[0]);
  }
}

TEST_CASE("the gradient norm is the Euclidean length, and clipping brings it to its limit") {
  const std::vector<real> x = draw(40001, 3);
  double sum = 0;
  for (const real v : x)
    sum += double(v) * v;
  CHECK(gradient_norm(x) == doctest::Approx(std::sqrt(sum)).epsilon(1e-5));
  CHECK(gradient_norm({}) == 0);
  CHECK(clip_scale(10, 4) == 0.4);
  CHECK(clip_scale(3, 4) == 1);
  CHECK(clip_scale(10, 0) == 1);
  std::vector<real> broken = x;
  broken[40000] = real(NAN);
  CHECK_FALSE(std::isfinite(gradient_norm(broken)));
}

TEST_CASE("the default schedule is 0.96 per 2000 steps, continuous, down to 1e-6") {
  const Schedule schedule;
  CHECK(schedule.at(0) == 1e-3);
  CHECK(schedule.at(2000) == doctest::Approx(0.96e-3).epsilon(1e-12));
  CHECK(schedule.at(1000) == doctest::Approx(1e-3 * std::sqrt(0.96)).epsilon(1e-12));
  CHECK(schedule.at(300000) == doctest::Approx(2.19e-6).epsilon(1e-2));
  CHECK(schedule.at(1000000) == 1e-6);
}

TEST_CASE("constant, step and cosine schedules have their stated values") {
  Schedule s;
  s.start = 0.1;
  s.kind = Schedule::Kind::constant;
  CHECK(s.at(123456) == 0.1);
  s.kind = Schedule::Kind::step;
  s.decay = 0.5;
  s.period = 10;
  CHECK(s.at(9) == 0.1);
  CHECK(s.at(10) == 0.05);
  CHECK(s.at(29) == 0.025);
  s.kind = Schedule::Kind::cosine;
  s.total = 100;
  s.floor = 0.02;
  CHECK(s.at(0) == doctest::Approx(0.1));
  CHECK(s.at(50) == doctest::Approx(0.06));
  CHECK(s.at(100) == doctest::Approx(0.02));
  CHECK(s.at(1000) == doctest::Approx(0.02));
}

TEST_CASE("a warm-up rises linearly to the schedule and then leaves it alone") {
  Schedule warm;
  warm.warmup = 100;
  const Schedule plain;
  CHECK(warm.at(0) == doctest::Approx(plain.at(0) / 100).epsilon(1e-12));
  CHECK(warm.at(49) == doctest::Approx(plain.at(49) / 2).epsilon(1e-12));
  CHECK(warm.at(99) == plain.at(99));
  CHECK(warm.at(5000) == plain.at(5000));
  warm.warmup = -1;
  CHECK_THROWS_AS(warm.check(), Error);
}

TEST_CASE("wrong names, numbers and sizes for an optimiser or schedule are errors") {
  CHECK_THROWS_AS(make_optimizer("adm", 3), Error);
  CHECK_THROWS_AS(schedule_kind("linear"), Error);
  for (const char* name : {"constant", "exponential", "step", "cosine"})
    CHECK(schedule_name(schedule_kind(name)) == name);
  CHECK_THROWS_AS(adam(3, 1.0), Error);
  CHECK_THROWS_AS(sgd(3, -0.1), Error);
  Schedule schedule;
  schedule.start = 0;
  CHECK_THROWS_AS(schedule.check(), Error);
  schedule = {};
  schedule.decay = 1.5;
  CHECK_THROWS_AS(schedule.check(), Error);
  const auto update = adam(3);
  std::vector<real> x(4), gradient(3);
  CHECK_THROWS_AS(update->step(x, gradient, 0.1, 1), Error);
}

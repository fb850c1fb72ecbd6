// Losses that tell classes apart: values by hand, extremes, wrong labels.
#include "error_of.h"

#include <mereo/capsules.h>

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

using namespace mereo;

namespace {

const std::vector<std::int32_t> labels = {2, 0};

using Loss = Variable (*)(Tape&, Variable, std::span<const std::int32_t>);
constexpr Loss losses[] = {[](Tape& tape, Variable x, std::span<const std::int32_t> t) {
                             return margin_loss(tape, x, t, {});
                           },
                           [](Tape& tape, Variable x, std::span<const std::int32_t> t) {
                             return spread_loss(tape, x, t, 0.5);
                           },
                           [](Tape& tape, Variable x, std::span<const std::int32_t> t) {
                             return cross_entropy(tape, x, t);
                           }};

double loss_of(Loss loss, const std::vector<real>& scores) {
  Tape tape;
  const Tensor x({2, 3}, scores);
  return loss(tape, tape.constant(x), labels).item();
}

} // namespace

TEST_CASE("spread loss: squares of how far wrong classes come within the margin of the true one") {
  // Image 0: 0.6 - 0.2 is 0.1 short of 0.5, 0.6 - 0.5 is 0.4 short. Image 1: 0.2 and 0 short.
  const double want = (0.1 * 0.1 + 0.4 * 0.4 + 0.2 * 0.2) / 2;
  CHECK(loss_of(losses[1], {0.2f, 0.5f, 0.6f, 0.9f, 0.6f, 0.1f}) == doctest::Approx(want));
}

TEST_CASE("the margin rises in a line, or as the authors' does over 700,000 steps") {
  CHECK(spread_margin(MarginSchedule::linear, 0) == doctest::Approx(0.2));
  CHECK(spread_margin(MarginSchedule::linear, 0.5) == doctest::Approx(0.55));
  CHECK(spread_margin(MarginSchedule::linear, 1) == doctest::Approx(0.9));
  for (const auto& [step, margin] : {std::pair{0, 0.214},
                                     {50, 0.237},
                                     {100, 0.294},
                                     {200, 0.595},
                                     {300, 0.896},
                                     {400, 0.976},
                                     {700, 0.990}})
    CHECK(spread_margin(MarginSchedule::sigmoid, step / 700.0) ==
          doctest::Approx(margin).epsilon(0.002));
  CHECK_FALSE(error_of([] { spread_margin(MarginSchedule::linear, 1.01); }).empty());
  CHECK_FALSE(error_of([] { spread_margin(MarginSchedule::sigmoid, -0.01); }).empty());
}

TEST_CASE("cross-entropy: the logarithm of the true class's share, whatever its scale") {
  const double e = std::exp(1.0);
  CHECK(loss_of(losses[2], {0, 0, 0, 0, 0, 0}) == doctest::Approx(std::log(3.0)));
  CHECK(loss_of(losses[2], {1, 2, 3, 2, 1, 1}) ==
        doctest::Approx((std::log(1 + 1 / e + 1 / (e * e)) + std::log(1 + 2 / e)) / 2));
  CHECK(loss_of(losses[2], {30000, 0, 30000, -30000, -30000, 0}) ==
        doctest::Approx((std::log(2.0) + 30000) / 2));
}

TEST_CASE("a score that is not a number shows in every loss") {
  for (const Loss loss : losses)
    for (std::size_t at = 0; at < 6; ++at) {
      std::vector<real> scores(6, real(0.3));
      scores[at] = std::numeric_limits<real>::quiet_NaN();
      CHECK(std::isnan(loss_of(loss, scores)));
    }
}

TEST_CASE("labels must be classes, one for each image, in every loss") {
  for (const Loss loss : losses) {
    Tape tape;
    const Tensor scores({2, 3}), flat(Shape{6});
    const auto error = [&](const Tensor& x, const std::vector<std::int32_t>& t) {
      return error_of([&] { loss(tape, tape.constant(x), t); });
    };
    CHECK(error(scores, {2, 0}).empty());
    CHECK(error(scores, {2, 3}).find("label 3 of 3 classes") != std::string::npos);
    CHECK(error(scores, {-1, 0}).find("label -1") != std::string::npos);
    CHECK(error(scores, {2}).find("(2, 3), 1 labels") != std::string::npos);
    CHECK_FALSE(error(flat, {1, 1, 1, 1, 1, 1}).empty());
  }
}

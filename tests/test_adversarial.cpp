#include "error_of.h"
#include "lab/adversarial.h"
#include "train_fixture.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

using namespace mereo;
using namespace mereo::lab;

namespace {

constexpr double sizes[] = {0, 0.03, 0.2};

/// A tiny network that has seen bars, and some of them.
struct Victim {
  CapsNet model;
  Tensor pictures{Shape{6, 12, 12, 1}};
  std::vector<std::int32_t> labels, targets;
  Tape tape;

  Victim() : model(config(), 1) {
    const Dataset data = fixture::bars(60);
    fixture::Recorder recorder;
    train(model, data, fixture::tiny_options(), recorder);
    for (std::int64_t i = 0; i < 6; ++i) {
      data.copy_image(i, pictures.data() + i * 144);
      labels.push_back(data.labels[std::size_t(i)]);
      targets.push_back((labels.back() + 1) % 3);
    }
  }
  static CapsNetConfig config() {
    CapsNetConfig config = fixture::tiny_config();
    config.decoder = false;
    return config;
  }
  double loss(const Tensor& shown, std::span<const std::int32_t> of) {
    tape.reset();
    return double(model.forward(tape, shown, of, Mode::evaluation).loss.item());
  }
};

} // namespace

TEST_CASE("an attack changes no pixel by more than its size, and raises the loss") {
  Victim victim;
  const double before = victim.loss(victim.pictures, victim.labels);
  double last = before;
  for (const int steps : {1, 5})
    for (const Ascent ascent : {Ascent::loss, Ascent::scores})
      for (const double size : sizes) {
        const Tensor changed = attacked(victim.model, victim.tape, victim.pictures, victim.labels,
                                        {.size = size, .steps = steps, .ascent = ascent}, false);
        double farthest = 0;
        for (std::int64_t i = 0; i < changed.elements(); ++i) {
          const double x = double(changed.data()[i]);
          REQUIRE((x >= 0 && x <= 1));
          farthest = std::max(farthest, std::abs(x - double(victim.pictures.data()[i])));
        }
        CHECK(farthest == doctest::Approx(size).epsilon(1e-5));
        const double after = victim.loss(changed, victim.labels);
        if (size == 0)
          last = before;
        CHECK((size == 0 ? after == before : after > last)); // the more the larger
        last = after;
      }
}

TEST_CASE("a targeted attack lowers the loss of its target") {
  Victim victim;
  const double before = victim.loss(victim.pictures, victim.targets);
  for (const Ascent ascent : {Ascent::loss, Ascent::scores}) {
    const auto after = [&](int steps) {
      return victim.loss(attacked(victim.model, victim.tape, victim.pictures, victim.targets,
                                  {.size = 0.1, .steps = steps, .targeted = true, .ascent = ascent},
                                  false),
                         victim.targets);
    };
    CHECK(after(1) < before);
    CHECK(after(10) < before);
  }
}

TEST_CASE("the gradient of pixels is the slope of what is climbed") {
  Victim victim;
  for (const bool standardized : {false, true})
    for (const Ascent ascent : {Ascent::loss, Ascent::scores}) {
      const auto climbed = [&](const Tensor& pictures) {
        return pixel_gradient(victim.model, victim.tape, pictures, victim.targets,
                              {.ascent = ascent}, standardized);
      };
      const PixelGradient at = climbed(victim.pictures);
      const double factor = ascent == Ascent::loss ? 6 : 1; // the loss is a mean
      // Along the gradient itself, where the slope is its square.
      double square = 0;
      for (const real g : at.gradient.values())
        square += double(g) * double(g);
      const double step = 1e-3 / std::sqrt(square);
      const auto moved = [&](double by) {
        const Tensor pictures = victim.pictures.clone();
        for (std::int64_t i = 0; i < pictures.elements(); ++i)
          pictures.data()[i] += real(by * double(at.gradient.data()[i]));
        return climbed(pictures).value;
      };
      CHECK((moved(step) - moved(-step)) / (2 * step) ==
            doctest::Approx(factor * square).epsilon(0.02));
      CHECK(at.mean_size > 0);
      CHECK(at.zero_share < 0.5);
    }
}

TEST_CASE("a saturated loss has no gradient, the scores have") {
  Victim victim;
  // Whatever is within the margins costs nothing: between 0 and 1 all is.
  CapsNetConfig config = Victim::config();
  config.margin = {.present = 0, .absent = 1};
  CapsNet flat(config, 1);
  const PixelGradient loss =
      pixel_gradient(flat, victim.tape, victim.pictures, victim.labels, {}, false);
  CHECK(loss.zero_share == 1);
  CHECK(loss.mean_size == 0);
  const PixelGradient scores = pixel_gradient(flat, victim.tape, victim.pictures, victim.labels,
                                              {.ascent = Ascent::scores}, false);
  CHECK(scores.zero_share < 0.5);
}

TEST_CASE("a watched value is a constant no longer, until the tape is reset") {
  Victim victim;
  const Tensor gradient(victim.pictures.shape());
  const auto needs = [&] { return victim.tape.constant(victim.pictures).needs_gradient(); };
  CHECK_FALSE(needs());
  victim.tape.watch(victim.pictures, gradient);
  CHECK(needs());
  CHECK_FALSE(victim.tape.constant(gradient).needs_gradient());
  victim.tape.reset();
  CHECK_FALSE(needs());
}

TEST_CASE("attacks out of range are refused") {
  Victim victim;
  const auto error = [&](const Attack& attack, const Tensor& pictures) {
    return error_of(
        [&] { attacked(victim.model, victim.tape, pictures, victim.labels, attack, false); });
  };
  CHECK(has(error({.size = -0.1}, victim.pictures), "-0.1"));
  CHECK(has(error({.size = 0.1, .steps = 0}, victim.pictures), "step"));
  CHECK(has(error({}, victim.pictures.rows(0, 5)), "(5, 12, 12, 1), 6 labels"));
  const Tensor bright = victim.pictures.clone();
  bright.data()[3] = 2;
  CHECK(has(error({}, bright), "[0, 1]"));
}

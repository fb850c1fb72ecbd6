// What a run adds to the loss, and what it tells the model of its progress.
#include "train_fixture.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

using namespace fixture;

namespace {

/// A CapsNet that notes how much of the training it was told is done.
class Progressing : public CapsNet {
public:
  using CapsNet::CapsNet;
  bool changes_with_progress() const override { return true; }
  Outputs forward(Tape& tape, const Tensor& images, std::span<const std::int32_t> labels, Mode mode,
                  double progress, const Targets&, const Noise&) override {
    (mode == Mode::training ? training : evaluation).push_back(progress);
    return CapsNet::forward(tape, images, labels, mode);
  }
  std::vector<double> training, evaluation;
};

} // namespace

TEST_CASE("weight decay pulls weights towards zero, and leaves biases alone") {
  const auto start = [] {
    CapsNet model(tiny_config(), 7);
    const auto values = model.parameters().values();
    return std::vector<real>(values.begin(), values.end());
  }();
  const auto after_a_step = [](double decay) {
    CapsNet model(tiny_config(), 7);
    TrainOptions options = tiny_options();
    options.optimizer = "sgd"; // whose first step is the gradient
    options.schedule = {.kind = Schedule::Kind::constant, .start = 0.5};
    options.clip = 0;
    options.weight_decay = decay;
    Recorder recorder;
    recorder.stop_after_step = 1;
    train(model, bars(60), options, recorder);
    const auto values = model.parameters().values();
    return std::vector<real>(values.begin(), values.end());
  };
  const std::vector<real> plain = after_a_step(0), decayed = after_a_step(0.02);
  CapsNet model(tiny_config(), 7);
  const Parameters& parameters = model.parameters();
  for (int i = 0; i < parameters.count(); ++i) {
    CAPTURE(parameters.name(i));
    const bool weight = parameters.name(i).ends_with(".weight");
    CHECK(weight != parameters.name(i).ends_with(".bias"));
    const auto from = std::size_t(parameters.offset(i));
    const auto count = std::size_t(parameters.value(i).elements());
    double off = 0, moved = 0;
    for (std::size_t at = from; at < from + count; ++at) {
      const double pull = weight ? 0.5 * 0.02 * double(start[at]) : 0;
      off = std::max(off, std::abs(double(plain[at]) - double(decayed[at]) - pull));
      moved = std::max(moved, std::abs(pull));
    }
    CHECK((moved > 0) == weight);
    CHECK(off <= 4e-7 * (weight ? 1 : 0)); // weights of up to 1, rounded twice
  }
}

TEST_CASE("a model is told the progress of the training, and when judged that it is done") {
  for (const double steps : {0, 10}) {
    Progressing model(tiny_config(), 7);
    TrainOptions options = tiny_options(); // 4 epochs of 6 steps
    options.margin_steps = steps;
    Recorder recorder;
    train(model, bars(60), options, recorder);
    std::vector<double> told = model.training;
    told.erase(told.begin(), told.end() - 24); // the first one measures memory
    for (std::size_t step = 0; step < 24; ++step)
      CHECK(told[step] == std::min(1.0, double(step) / (steps > 0 ? steps : 24)));
    REQUIRE_FALSE(model.evaluation.empty());
    for (const double progress : model.evaluation)
      CHECK(progress == 1);
  }
}

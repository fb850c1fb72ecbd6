// Runs of convolutional networks with dropout and batch normalisation: any number of threads,
// stopping and resuming give the same bits, running averages included.
#include "train_fixture.h"

#include <mereo/cnn.h>

#include <doctest/doctest.h>

#include <algorithm>

using namespace fixture;

namespace {

struct Trace {
  std::vector<double> losses;
  std::vector<real> values; // parameters and running averages
  bool operator==(const Trace&) const = default;
};

CnnConfig bars_config(bool batch_norm) {
  CnnConfig config;
  config.input = {.height = 12, .width = 12, .channels = 1, .classes = 3};
  config.convolutions = {{8, 3, 1, 2}, {8, 3, 1, 2}};
  config.dense = {24};
  config.batch_norm = batch_norm;
  return config;
}

std::vector<real> values_of(Model& model) {
  std::vector<real> all;
  for (int i = 0; i < model.parameters().count(); ++i) {
    const auto values = model.parameters().value(i).values();
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

Trace run(const TrainOptions& options, Recorder& recorder) {
  Cnn model(bars_config(true), 7);
  train(model, bars(60), options, recorder);
  return {recorder.losses, values_of(model)};
}

Trace run(const TrainOptions& options) {
  Recorder recorder;
  return run(options, recorder);
}

} // namespace

TEST_CASE("convolutional networks learn to tell bars apart") {
  for (const bool batch_norm : {false, true}) {
    TrainOptions options = tiny_options();
    options.epochs = 12;
    options.view.max_shift = 0;
    options.schedule = {.kind = Schedule::Kind::constant, .start = 3e-3};
    Recorder recorder;
    Cnn model(bars_config(batch_norm), 7);
    train(model, bars(180), options, recorder);
    CHECK(recorder.epochs.front().training_error_percent > 10);
    CHECK(recorder.epochs.back().validation_error_percent == 0);
  }
}

TEST_CASE("any number of threads gives a convolutional network the same losses and values") {
  const int before = threads();
  set_threads(1);
  const Trace one = run(tiny_options());
  REQUIRE(one.losses.size() == 24);
  for (const int count : {2, 3, 7}) {
    CAPTURE(count);
    set_threads(count);
    CHECK(run(tiny_options()) == one);
  }
  set_threads(before);
}

TEST_CASE(
    "a run of a convolutional network, stopped and resumed, has the bits of one never stopped") {
  const Scratch scratch;
  const Trace unbroken = run(tiny_options());
  TrainOptions options = tiny_options(scratch.path("parts"));
  Recorder first;
  first.stop_after_step = 9; // in the middle of an epoch
  const Trace before = run(options, first);
  CHECK(before.losses.size() == 9);
  options.resume = true;
  Trace after = run(options);
  after.losses.insert(after.losses.begin(), before.losses.begin(), before.losses.end());
  CHECK(after == unbroken);

  const LoadedModel loaded = load_model(scratch.path("parts") + "/last.safetensors");
  CHECK(loaded.info.model == "cnn");
  CHECK(values_of(*loaded.model) == unbroken.values);
}

TEST_CASE("running averages follow what training has seen, and only evaluating uses them") {
  Cnn network(bars_config(true), 1);
  const Parameters& parameters = network.parameters();
  int mean = 0;
  while (parameters.name(mean) != "norm1.mean")
    ++mean;
  CHECK(parameters.is_average(mean));
  CHECK_FALSE(parameters.is_average(mean - 1));
  const Tensor images({4, 12, 12, 1});
  std::fill_n(images.data(), images.elements(), real(0.5));
  Tape tape;
  const auto score = [&](Mode mode) {
    tape.reset();
    return network.forward(tape, images, {}, mode).scores.data()[0];
  };
  const std::vector<real> start = values_of(network);
  const real evaluated = score(Mode::evaluation), trained = score(Mode::training);
  CHECK(values_of(network) == start); // a pass changes nothing ...
  const real seen = parameters.gradient(mean).data()[0];
  CHECK(seen != 0);
  parameters.step_averages(); // ... a step does
  CHECK(parameters.value(mean).data()[0] == doctest::Approx(0.1 * seen));
  CHECK(score(Mode::evaluation) != evaluated);
  CHECK(score(Mode::training) == trained);
  for (int step = 0; step < 300; ++step)
    parameters.step_averages();
  CHECK(parameters.value(mean).data()[0] == doctest::Approx(seen));
  // Neither counted nor told to an optimiser: gain and bias are.
  CHECK(parameters.elements() == 8 * 9 + 8 * 8 * 9 + 2 * 2 * 8 + 72 * 24 + 24 + 24 * 3 + 3);
}

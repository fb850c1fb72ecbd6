// Runs of matrix capsules: any number of threads, stopping and resuming give the same bits.
#include "train_fixture.h"

#include <doctest/doctest.h>

using namespace fixture;

namespace {

struct Threads {
  int before = threads();
  ~Threads() { set_threads(before); }
};

struct Trace {
  std::vector<double> losses;
  std::vector<real> parameters;
  bool operator==(const Trace&) const = default;
};

MatrixCapsNetConfig bars_config() {
  MatrixCapsNetConfig config;
  config.input = {.height = 12, .width = 12, .channels = 1, .classes = 3};
  config.conv_kernel = 3;
  config.conv_stride = 1;
  config.conv_filters = 16;
  config.primary_types = 3;
  config.capsules1 = {4, 3, 2};
  config.capsules2 = {4, 2, 1};
  return config;
}

Trace run(const TrainOptions& options, Recorder& recorder) {
  MatrixCapsNet model(bars_config(), 7);
  train(model, bars(120), options, recorder);
  const auto values = model.parameters().values();
  return {recorder.losses, {values.begin(), values.end()}};
}

TrainOptions bars_options(const std::string& directory = "") {
  TrainOptions options = tiny_options(directory);
  options.weight_decay = 2e-7;
  options.batch = 24;
  return options;
}

Trace run(const TrainOptions& options) {
  Recorder recorder;
  return run(options, recorder);
}

} // namespace

TEST_CASE("matrix capsules learn to tell bars apart") {
  TrainOptions options = bars_options();
  options.epochs = 16;
  options.view.max_shift = 0;
  options.schedule = {.kind = Schedule::Kind::constant, .start = 1e-2};
  Recorder recorder;
  run(options, recorder);
  CHECK(recorder.epochs.front().training_error_percent > 40);
  CHECK(recorder.epochs.back().training_error_percent < 4);
  CHECK(recorder.epochs.back().validation_error_percent == 0);
}

TEST_CASE("any number of threads gives matrix capsules the same losses and parameters") {
  const Threads restore;
  set_threads(1);
  const Trace one = run(bars_options());
  REQUIRE(one.losses.size() == 20);
  for (const int count : {2, 3, 7}) {
    CAPTURE(count);
    set_threads(count);
    CHECK(run(bars_options()) == one);
  }
}

TEST_CASE("a run of matrix capsules, stopped and resumed, has the bits of one never stopped") {
  const Scratch scratch;
  const Trace unbroken = run(bars_options());
  TrainOptions options = bars_options(scratch.path("parts"));
  Recorder first;
  first.stop_after_step = 7; // in the middle of an epoch, the margin on its way
  const Trace before = run(options, first);
  CHECK(before.losses.size() == 7);
  options.resume = true;
  Trace after = run(options);
  after.losses.insert(after.losses.begin(), before.losses.begin(), before.losses.end());
  CHECK(after == unbroken);
  options.epochs = 5; // another course of the margin
  CHECK_THROWS_WITH_AS(run(options), doctest::Contains("margin_total"), Error);

  const LoadedModel loaded = load_model(scratch.path("parts") + "/last.safetensors");
  CHECK(loaded.info.model == "matrix-capsnet");
  const auto values = loaded.model->parameters().values();
  CHECK(std::equal(values.begin(), values.end(), unbroken.parameters.begin()));
}

// Training as a function of its options: stopping and resuming do not change a bit.
#include "train_fixture.h"

#include "train/memory_need.h"

#include <mereo/isa.h>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstring>

using namespace fixture;

namespace {

/// Everything a run leaves that must not depend on how it was run.
struct Trace {
  std::vector<double> losses;
  std::vector<real> parameters;
  bool operator==(const Trace&) const = default;
};

Trace run(const TrainOptions& options, Recorder& recorder) {
  CapsNet model(tiny_config(), 7);
  train(model, bars(60), options, recorder);
  const auto values = model.parameters().values();
  return {recorder.losses, {values.begin(), values.end()}};
}

Trace run(const TrainOptions& options) {
  Recorder recorder;
  return run(options, recorder);
}

/// The history without the fields that measure time.
std::vector<std::string> history(const std::string& directory) {
  std::vector<std::string> lines;
  for (Fields line : read_json_lines(directory + "/history.jsonl")) {
    std::erase_if(line, [](const auto& field) {
      return field.first == "seconds" || field.first == "images_per_second";
    });
    lines.push_back(to_json(line));
  }
  return lines;
}

void check_same_checkpoint(const std::string& a, const std::string& b) {
  const TensorFile x = read_safetensors(a), y = read_safetensors(b);
  REQUIRE(x.tensors.size() == y.tensors.size());
  for (std::size_t i = 0; i < x.tensors.size(); ++i) {
    CAPTURE(x.tensors[i].first);
    CHECK(x.tensors[i].first == y.tensors[i].first);
    const auto one = x.tensors[i].second.values(), two = y.tensors[i].second.values();
    REQUIRE(one.size() == two.size());
    CHECK(std::memcmp(one.data(), two.data(), one.size_bytes()) == 0);
  }
  for (const auto& [key, text] : x.metadata) {
    if (key == "checksum")
      continue;
    const std::string field = key;
    CAPTURE(field);
    if (key != "state") {
      CHECK(text == y.metadata.at(key));
      continue;
    }
    Fields one = parse_json_object(text), two = parse_json_object(y.metadata.at(key));
    const auto time = [](const auto& field) { return field.first == "seconds"; };
    std::erase_if(one, time);
    std::erase_if(two, time);
    CHECK(to_json(one) == to_json(two));
  }
}

void check_same_run(const std::string& a, const std::string& b) {
  check_same_checkpoint(a + "/last.safetensors", b + "/last.safetensors");
  check_same_checkpoint(a + "/best.safetensors", b + "/best.safetensors");
  CHECK(history(a) == history(b));
  CHECK(read_file(a + "/reconstructions.png") == read_file(b + "/reconstructions.png"));
}

} // namespace

TEST_CASE("training learns an easy task") {
  TrainOptions options = tiny_options();
  options.epochs = 15;
  CapsNet model(tiny_config(), 7);
  Recorder recorder;
  const Dataset data = bars(120);
  const TrainResult result = train(model, data, options, recorder);
  CHECK_FALSE(result.stopped);
  CHECK(result.epochs == 15);
  REQUIRE(recorder.epochs.size() == 15);
  CHECK(recorder.epochs.back().loss < 0.3 * recorder.epochs.front().loss);
  CHECK(evaluate(model, bars(90, 5)).error_percent() < 10);
  CHECK(result.last_checkpoint.empty());
}

TEST_CASE("what a run announces is what it is") {
  TrainOptions options = tiny_options();
  Recorder recorder;
  CapsNet model(tiny_config(), 7);
  train(model, bars(60), options, recorder);
  CHECK(recorder.start.isa == isa());
  CHECK(recorder.start.training == 48);
  CHECK(recorder.start.validation == 12);
  CHECK(recorder.start.batches == 6);
  std::int64_t elements = 0;
  for (const LayerSize& layer : recorder.start.layers)
    elements += layer.elements;
  CHECK(elements == model.parameters().elements());
  CHECK(recorder.start.layers.front().name == "conv1");
  CHECK(recorder.start.memory.optimizer == 2 * recorder.start.memory.parameters);
}

TEST_CASE("the memory announced is what a step takes") {
  CapsNetConfig config = tiny_config();
  SUBCASE("few channels") {}
  SUBCASE("so many that the transforms take them in blocks") {
    config.conv_filters = 300;
    config.convolution = ConvolutionMethod::winograd;
  }
  CapsNet model(config, 7);
  const Dataset data = bars(100);
  const auto optimizer = make_optimizer("adam", std::int64_t(model.parameters().values().size()));
  const MemoryNeed need = measure_memory(model, *optimizer, data, 100);
  Tape tape;
  Loader loader(data, all_indices(100), {.batch = 100});
  Batch batch;
  REQUIRE(loader.next(batch));
  tape.backward(model.forward(tape, batch.images, batch.labels, Mode::training).loss);
  const double peak = double(tape.arena().peak());
  CHECK(double(need.activations) > 0.9 * peak);
  CHECK(double(need.activations) < 1.1 * peak);
}

TEST_CASE("another seed gives another run") {
  TrainOptions other = tiny_options();
  other.seed = 2;
  CHECK(run(tiny_options()).losses != run(other).losses);
}

TEST_CASE("a run stopped anywhere and resumed has the bits of one never stopped") {
  const Scratch scratch;
  const std::string whole = scratch.path("whole"), parts = scratch.path("parts");
  const Trace unbroken = run(tiny_options(whole));
  // In the middle of an epoch, after an epoch's last step, and in the evaluation.
  for (const std::int64_t step : {9, 12, -1}) {
    CAPTURE(step);
    TrainOptions options = tiny_options(parts);
    Recorder first;
    first.stop_after_step = step;
    first.stop_in_evaluation = step < 0;
    const Trace before = run(options, first);
    CHECK(std::int64_t(before.losses.size()) == (step < 0 ? 6 : step));
    options.resume = true;
    Trace after = run(options);
    after.losses.insert(after.losses.begin(), before.losses.begin(), before.losses.end());
    CHECK(after == unbroken);
    check_same_run(whole, parts);
    std::filesystem::remove_all(parts);
  }
}

TEST_CASE(
    "a run that died is resumed from its last checkpoint, and its history has no line twice") {
  const Scratch scratch;
  const std::string whole = scratch.path("whole"), parts = scratch.path("parts");
  TrainOptions options = tiny_options(whole);
  options.history_steps = 1;
  options.save_steps = 4;
  run(options);
  options.directory = parts;
  Recorder dying;
  dying.act_after_step = 11;
  dying.act = [] { throw std::runtime_error("power failure"); };
  CHECK_THROWS_WITH_AS(run(options, dying), "power failure", std::runtime_error);
  CHECK(history(parts).size() == 11); // ten or eleven steps and an epoch; the checkpoint is of 8
  options.resume = true;
  Recorder resumed;
  run(options, resumed);
  CHECK(resumed.start.first_step == 8);
  check_same_run(whole, parts);
}

TEST_CASE("a finished run can be made longer") {
  const Scratch scratch;
  const std::string whole = scratch.path("whole"), parts = scratch.path("parts");
  run(tiny_options(whole));
  TrainOptions options = tiny_options(parts);
  options.epochs = 2;
  run(options);
  options.epochs = 4;
  options.resume = true;
  run(options);
  check_same_run(whole, parts);
  // Nothing is left to do, and nothing changes.
  Recorder none;
  run(options, none);
  CHECK(none.losses.empty());
  check_same_run(whole, parts);
}

TEST_CASE("a cosine ends with the last epoch, so its run cannot be made longer") {
  const Scratch scratch;
  TrainOptions options = tiny_options(scratch.folder());
  options.schedule.kind = Schedule::Kind::cosine;
  options.epochs = 2;
  Recorder recorder;
  run(options, recorder);
  CHECK(recorder.epochs.back().learning_rate < 0.02 * options.schedule.start);
  options.resume = true;
  CHECK_NOTHROW(run(options));
  options.epochs = 3;
  CHECK_THROWS_WITH_AS(run(options), doctest::Contains("number of epochs"), Error);
}

TEST_CASE("the best checkpoint is the one with the lowest validation error") {
  const Scratch scratch;
  Recorder recorder;
  CapsNet model(tiny_config(), 7);
  TrainOptions options = tiny_options(scratch.folder());
  const TrainResult result = train(model, bars(60), options, recorder);
  double best = 1e9, loss = 1e9;
  std::int64_t epoch = 0;
  for (const EpochResult& e : recorder.epochs)
    if (e.validation_error_percent < best ||
        (e.validation_error_percent == best && e.validation_loss < loss)) {
      best = e.validation_error_percent;
      loss = e.validation_loss;
      epoch = e.epoch;
    }
  CHECK(result.best_epoch == epoch);
  CHECK(result.best_error_percent == best);
  const LoadedModel loaded = load_model(result.best_checkpoint);
  CHECK(loaded.info.epochs == epoch);
  CHECK(loaded.info.validation_error_percent == best);
  CHECK(loaded.info.data == "bars");
  CHECK(loaded.info.class_names == bars(3).class_names);
  CHECK(loaded.info.background == doctest::Approx(0.1).epsilon(0.2));
}

TEST_CASE("without validation pictures there is no best checkpoint") {
  const Scratch scratch;
  TrainOptions options = tiny_options(scratch.folder());
  options.validation = 0;
  options.epochs = 1;
  Recorder recorder;
  CapsNet model(tiny_config(), 7);
  const TrainResult result = train(model, bars(60), options, recorder);
  CHECK(result.best_epoch == 0);
  CHECK(result.best_checkpoint.empty());
  CHECK_FALSE(std::filesystem::exists(scratch.path("best.safetensors")));
  CHECK(std::isnan(recorder.epochs.at(0).validation_error_percent));
}

TEST_CASE("a run folder is never overwritten, and resumed only as it was started") {
  const Scratch scratch;
  TrainOptions options = tiny_options(scratch.folder());
  options.epochs = 1;
  const Trace first = run(options);
  CHECK_THROWS_WITH_AS(run(options), doctest::Contains("run in this folder already"), Error);
  options.resume = true;
  options.batch = 16;
  CHECK_THROWS_WITH_AS(run(options), doctest::Contains("another batch"), Error);
  options.batch = 8;
  options.optimizer = "sgd";
  CHECK_THROWS_WITH_AS(run(options), doctest::Contains("another optimizer"), Error);
  options.optimizer = "adam";
  CHECK(run(options).parameters == first.parameters);
  options.directory += "/nothing";
  CHECK_THROWS_WITH_AS(run(options), doctest::Contains("no run to resume"), Error);
}

TEST_CASE("options out of range and unfitting data are errors") {
  CapsNet model(tiny_config(), 7);
  TrainListener silent;
  const auto fails = [&](auto change) {
    TrainOptions options = tiny_options();
    change(options);
    CHECK_THROWS_AS(train(model, bars(60), options, silent), Error);
  };
  fails([](TrainOptions& o) { o.epochs = 0; });
  fails([](TrainOptions& o) { o.batch = 0; });
  fails([](TrainOptions& o) { o.validation = 60; });
  fails([](TrainOptions& o) { o.clip = -1; });
  fails([](TrainOptions& o) { o.weight_decay = -1; });
  fails([](TrainOptions& o) { o.margin_steps = -1; });
  fails([](TrainOptions& o) { o.view.max_shift = -1; });
  fails([](TrainOptions& o) { o.optimizer = "adagrad"; });
  fails([](TrainOptions& o) { o.schedule.start = -1; });
  Dataset coloured = bars(60);
  coloured.channels = 3;
  coloured.pixels.resize(coloured.pixels.size() * 3);
  CHECK_THROWS_WITH_AS(train(model, coloured, tiny_options(), silent),
                       doctest::Contains("12x12x3, 3 classes; model 12x12x1, 3 classes"), Error);
}

TEST_CASE("evaluation counts every picture once, in the row of its class") {
  CapsNet model(tiny_config(), 7);
  const Dataset data = bars(50);
  const Evaluation all = evaluate(model, data, {.batch = 7});
  CHECK(all.count == 50);
  const std::int64_t of_class[] = {17, 17, 16};
  std::int64_t right = 0;
  for (int k = 0; k < 3; ++k) {
    CHECK(all.confusion[3 * k] + all.confusion[3 * k + 1] + all.confusion[3 * k + 2] ==
          of_class[k]);
    right += all.confusion[4 * k];
  }
  CHECK(all.wrong == 50 - right);
  CHECK(all.error_percent() == 100.0 * double(all.wrong) / 50);
  const Evaluation again = evaluate(model, data, {.batch = 50});
  CHECK(again.confusion == all.confusion);
  CHECK(again.loss == doctest::Approx(all.loss).epsilon(1e-5));
  const std::vector<std::int64_t> some = {0, 3, 6};
  const Evaluation part = evaluate(model, data, {.indices = some});
  CHECK(part.count == 3);
  CHECK(part.confusion[3] + part.confusion[4] + part.confusion[5] == 0);
}

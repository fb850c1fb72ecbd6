// Training and evaluating through a view.
#include "error_of.h"
#include "train_fixture.h"

#include "train/checkpoint.h"
#include "train/run_folder.h"

#include <doctest/doctest.h>

#include <algorithm>

using namespace fixture;

namespace {

/// For crops of 10x10.
CapsNetConfig cropped_config() {
  CapsNetConfig config = tiny_config();
  config.input.height = config.input.width = 10;
  config.decoder = false;
  return config;
}

TrainOptions view_options(const std::string& directory = "") {
  TrainOptions options = tiny_options(directory);
  options.view = {.brightness = 0.2, .contrast = 0.5, .crop = 10, .standardize = true};
  return options;
}

struct Trace {
  std::vector<double> losses;
  std::vector<real> parameters;
  bool operator==(const Trace&) const = default;
};

Trace run(const TrainOptions& options, Recorder&& recorder = {}) {
  CapsNet model(cropped_config(), 7);
  train(model, bars(60), options, recorder);
  const auto values = model.parameters().values();
  return {recorder.losses, {values.begin(), values.end()}};
}

Recorder stopping_after(std::int64_t step) {
  Recorder recorder;
  recorder.stop_after_step = step;
  return recorder;
}

/// The number of threads as it was, at the end of the scope.
struct Threads {
  int before = threads();
  ~Threads() { set_threads(before); }
};

} // namespace

TEST_CASE("a run through a view learns, and has the same bits when stopped and on more threads") {
  const Threads restore;
  const Scratch scratch;
  TrainOptions options = view_options(scratch.path("whole"));
  set_threads(1);
  const Trace whole = run(options);
  CHECK(whole.losses.back() < 0.7 * whole.losses.front());
  set_threads(3);
  CHECK(run(view_options()) == whole);
  for (const std::int64_t step : {3, 9, 12}) {
    options.directory = scratch.path("parts" + std::to_string(step));
    const Trace before = run(options, stopping_after(step));
    options.resume = true;
    Trace after = run(options);
    options.resume = false;
    after.losses.insert(after.losses.begin(), before.losses.begin(), before.losses.end());
    CHECK(after == whole);
  }
}

TEST_CASE("a checkpoint knows what its network sees, and evaluates as the run did") {
  const Scratch scratch;
  const TrainOptions options = view_options(scratch.folder());
  CapsNet model(cropped_config(), 7);
  Recorder recorder;
  const Dataset data = bars(60);
  const TrainResult result = train(model, data, options, recorder);
  LoadedModel loaded = load_model(result.last_checkpoint);
  CHECK(loaded.info.height == 12);
  CHECK(loaded.info.width == 12);
  CHECK(loaded.info.view.crop == 10);
  CHECK(loaded.info.view.standardize);
  CHECK(loaded.info.view.brightness == 0);
  CHECK(loaded.info.view.contrast == 0);
  const auto validation = carve_validation(data.labels, 12, options.seed).validation;
  const Evaluation judged =
      evaluate(*loaded.model, data, {.batch = 8, .view = loaded.info.view, .indices = validation});
  CHECK(judged.error_percent() == recorder.epochs.back().validation_error_percent);
  CHECK(judged.loss == recorder.epochs.back().validation_loss);
  CHECK_THROWS_WITH_AS(evaluate(*loaded.model, data),
                       doctest::Contains("12x12x1, 3 classes; model 10x10x1"), Error);
}

TEST_CASE("a run is resumed only with the view it was started with") {
  const Scratch scratch;
  TrainOptions options = view_options(scratch.folder());
  run(options, stopping_after(3));
  options.resume = true;
  options.view.contrast = 0.4;
  CHECK(error_of([&] { run(options); }).find("another contrast") != std::string::npos);
  options = view_options(scratch.folder());
  options.resume = true;
  options.view.standardize = false;
  CHECK(error_of([&] { run(options); }).find("another standardize") != std::string::npos);
}

TEST_CASE("checkpoints from before there were views load, and their runs go on") {
  const Scratch scratch;
  TrainOptions options = tiny_options(scratch.folder());
  Recorder recorder = stopping_after(3);
  CapsNet model(tiny_config(), 7);
  const std::string path = train(model, bars(60), options, recorder).last_checkpoint;
  TensorFile file = read_safetensors(path);
  Fields recipe = parse_json_object(file.metadata["recipe"]);
  CHECK(std::erase_if(recipe, [](const auto& field) {
          const std::string& name = field.first;
          return name == "brightness" || name == "contrast" || name == "crop" ||
                 name == "standardize";
        }) == 4);
  file.metadata["recipe"] = to_json(recipe);
  file.metadata["input"] = to_json({{"background", 0.1}});
  file.metadata["checksum"] = checkpoint_checksum(file);
  write_safetensors(path, file);

  const LoadedModel loaded = load_model(path);
  CHECK(loaded.info.height == 12);
  CHECK(loaded.info.width == 12);
  CHECK(loaded.info.view.crop == 0);
  CHECK(!loaded.info.view.standardize);
  CHECK(evaluate(*loaded.model, bars(9), {.view = loaded.info.view}).count == 9);
  options.resume = true;
  Recorder rest;
  CHECK(train(model, bars(60), options, rest).epochs == 4);
}

TEST_CASE("a checkpoint whose view is not its model's is an error") {
  const Scratch scratch;
  const TrainOptions options = view_options(scratch.folder());
  Recorder recorder = stopping_after(1);
  CapsNet model(cropped_config(), 7);
  const std::string path = train(model, bars(60), options, recorder).last_checkpoint;
  const TensorFile good = read_safetensors(path);
  for (const Fields& input :
       {Fields{{"background", 0}, {"height", 12}, {"width", 12}, {"crop", 9}, {"standardize", 1}},
        Fields{{"background", 0}, {"height", 9}, {"width", 12}, {"crop", 10}, {"standardize", 1}},
        Fields{{"background", 0}, {"height", 12}, {"width", 12}, {"crop", 0}, {"standardize", 1}},
        Fields{{"background", 0}, {"height", 12}, {"width", 12}, {"crop", 10}},
        Fields{
            {"background", 0}, {"height", -1}, {"width", 12}, {"crop", 10}, {"standardize", 0}}}) {
    TensorFile file = good;
    file.metadata["input"] = to_json(input);
    file.metadata["checksum"] = checkpoint_checksum(file);
    write_safetensors(path, file);
    CHECK(error_of([&] { load_model(path); }).starts_with(path));
  }
}

TEST_CASE("a network that reconstructs its pictures must be shown pixels in [0, 1]") {
  const Scratch scratch;
  CapsNetConfig config = cropped_config();
  config.decoder = true;
  TrainOptions options = view_options(scratch.path("run"));
  Recorder recorder;
  CapsNet model(config, 7);
  const auto complaint = [&] {
    return error_of([&] { train(model, bars(60), options, recorder); });
  };
  CHECK(complaint().find("decoder=false") != std::string::npos);
  CHECK(!std::filesystem::exists(options.directory));
  options.view = {.brightness = 0.1, .crop = 10};
  CHECK(complaint().find("decoder=false") != std::string::npos);

  // A crop is a picture like another, and what is made of it is written down.
  options.view = {.crop = 10};
  CHECK(complaint().empty());
  const Image sheet = read_image(options.directory + "/reconstructions.png");
  CHECK(sheet.width == 12 * 11 + 1);
  CHECK(sheet.height == 2 * 11 + 1);
}

TEST_CASE("a network without a decoder leaves no pictures of what it makes") {
  const Scratch scratch;
  run(view_options(scratch.folder()));
  CHECK(!std::filesystem::exists(scratch.path("reconstructions.png")));
}

TEST_CASE("several crops: each one's scores, as shares of their sum, are added up") {
  CapsNet model(cropped_config(), 7);
  const Dataset data = bars(30);
  const View view{.crop = 10, .standardize = true};
  const std::vector<CropOffset> crops = {{0, 0}, {-1, -1}, {1, 0}};
  Tensor pictures(Shape{30, 12, 12, 1});
  for (std::int64_t i = 0; i < 30; ++i)
    data.copy_image(i, pictures.rows(i, i + 1).data());
  std::vector<double> sums(90);
  double loss = 0;
  for (const CropOffset& crop : crops) {
    Tape tape;
    const Outputs outputs =
        model.forward(tape, apply_view(pictures, view, crop), data.labels, Mode::evaluation);
    for (std::size_t i = 0; i < 90; ++i) {
      const real* row = outputs.scores.data() + i / 3 * 3;
      sums[i] += outputs.scores.data()[i] / (double(row[0]) + row[1] + row[2]);
    }
    loss += outputs.loss.item() / 3;
  }
  std::vector<std::int64_t> confusion(9);
  for (std::size_t i = 0; i < 30; ++i)
    ++confusion[std::size_t(data.labels[i] * 3) +
                std::size_t(std::max_element(&sums[3 * i], &sums[3 * i] + 3) - &sums[3 * i])];

  const Evaluation judged = evaluate(model, data, {.batch = 7, .view = view, .crops = crops});
  CHECK(judged.count == 30);
  CHECK(judged.confusion == confusion);
  CHECK(judged.loss == doctest::Approx(loss).epsilon(1e-5));
  const std::vector<CropOffset> middle(1);
  CHECK(evaluate(model, data, {.view = view, .crops = middle}).confusion ==
        evaluate(model, data, {.view = view}).confusion);
  CHECK_THROWS_AS(evaluate(model, data, {.view = view, .crops = thirteen_crops()}), Error);
}

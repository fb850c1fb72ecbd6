// A training run small enough for tests: an easy synthetic data set and a tiny CapsNet.
#pragma once

#include "scratch.h"

#include <mereo/random.h>
#include <mereo/train.h>

#include <functional>
#include <string>
#include <vector>

namespace fixture {

using namespace mereo;

/// Bright bars, upright, lying or slanted, with noise, 12x12.
inline Dataset bars(std::int64_t count, std::uint64_t seed = 1) {
  Dataset data{.name = "bars",
               .count = count,
               .height = 12,
               .width = 12,
               .channels = 1,
               .classes = 3,
               .pixels = {},
               .labels = {},
               .class_names = {"upright", "lying", "slant"}};
  Random random(seed);
  for (std::int64_t i = 0; i < count; ++i) {
    const int label = int(i % 3), at = 3 + int(random.below(6));
    data.labels.push_back(label);
    for (int y = 0; y < 12; ++y)
      for (int x = 0; x < 12; ++x) {
        const int place = label == 0 ? x : label == 1 ? y : (x + y) / 2;
        const bool on = place == at && y > 1 && y < 10 && x > 1 && x < 10;
        data.pixels.push_back(std::uint8_t((on ? 200 : 0) + random.below(50)));
      }
  }
  return data;
}

inline CapsNetConfig tiny_config() {
  CapsNetConfig config;
  config.input = {.height = 12, .width = 12, .channels = 1, .classes = 3};
  config.kernel = 5;
  config.conv_filters = 8;
  config.primary_types = 4;
  config.primary_pose = 4;
  config.class_pose = 4;
  config.decoder_hidden1 = 16;
  config.decoder_hidden2 = 24;
  return config;
}

/// 60 pictures, 12 of them for validation: 6 batches an epoch, the last one like the others.
inline TrainOptions tiny_options(const std::string& directory = "") {
  TrainOptions options;
  options.epochs = 4;
  options.batch = 8;
  options.validation = 12;
  options.schedule = {.kind = Schedule::Kind::exponential, .start = 5e-3, .period = 10};
  options.clip = 2;
  options.directory = directory;
  options.history_steps = 5;
  return options;
}

/// Notes the losses, and stops or does something after a chosen step.
class Recorder : public TrainListener {
public:
  std::vector<double> losses;
  std::vector<EpochResult> epochs;
  TrainStart start;
  std::int64_t stop_after_step = -1, act_after_step = -1;
  bool stop_in_evaluation = false;
  std::function<void()> act;
  int saved = 0;

  void started(const TrainStart& s) override { start = s; }
  void stepped(const TrainProgress& progress) override {
    losses.push_back(progress.loss);
    stop_ = progress.step == stop_after_step;
    if (progress.step == act_after_step)
      act();
  }
  void evaluated(std::int64_t, std::int64_t) override { stop_ = stop_in_evaluation; }
  void epoch_finished(const EpochResult& epoch) override { epochs.push_back(epoch); }
  void checkpoint_saved(const std::string&) override { ++saved; }
  bool stop() override { return stop_; }

private:
  bool stop_ = false;
};

} // namespace fixture

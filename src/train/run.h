// One training run: what it holds and the steps it is made of.
#pragma once

#include "train/run_folder.h"

#include <chrono>

namespace mereo {

class Run {
public:
  /// All arguments must outlive the run; the options are settled (see options.h).
  Run(Model& model, const Dataset& data, const TrainOptions& options, TrainListener& listener);

  TrainResult run();

private:
  using Clock = std::chrono::steady_clock;
  static double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  }

  /// Makes the run folder, or takes everything over from it.
  void begin();
  void announce();
  /// The rest of the current epoch; false when stopped in it.
  bool run_epoch();
  void step();
  /// Adds what a step computed to the sums and the progress.
  void account(const Outputs& outputs);
  void report_step();
  /// Judges the epoch, writes it down and saves; false when stopped before it was judged.
  bool finish_epoch();
  EpochResult epoch_result(const Evaluation& judged) const;
  void save_sometimes();
  void save(const std::string& path);
  TrainResult result(bool stopped) const;

  [[noreturn]] void fail_loss(double loss) const;
  [[noreturn]] void fail_gradient(double norm) const;
  Error not_finite(const std::string& what, const std::string& where) const;

  Model& model_;
  const Dataset& data_;
  const TrainOptions& options_;
  TrainListener& listener_;
  TrainValidation split_;
  Loader loader_;
  std::unique_ptr<Optimizer> optimizer_;
  Fields recipe_;
  CheckpointInfo info_;
  RunFolder folder_;

  Tape tape_;
  Batch batch_;
  std::vector<std::int32_t> predicted_;
  TrainState state_;
  TrainProgress progress_{};
  Clock::time_point saved_;
  /// Pictures and seconds of the steps of the last half minute or so, older ones fading, and of the
  /// steps of this epoch in this process.
  double recent_pictures_ = 0, recent_seconds_ = 0;
  double judging_seconds_ = 0; // of the last epoch
  std::int64_t epoch_pictures_ = 0;
  double epoch_seconds_ = 0;
};

} // namespace mereo

// What a run remembers, and how it is kept in a file.
#pragma once

#include <mereo/train.h>

namespace mereo {

/// Sums over the pictures of the epoch that is running.
struct EpochSums {
  double loss = 0, margin = 0, reconstruction = 0;
  std::int64_t pictures = 0, wrong = 0;
};

/// All that a run needs to continue with the same bits, besides parameters and optimiser. There is
/// no generator to save: random numbers are a function of the seed, the epoch and the picture.
struct TrainState {
  std::int64_t step = 0;
  LoaderPosition position;
  EpochSums sums;
  std::int64_t best_epoch = 0; // from 1, 0 for none
  double best_error_percent = 0, best_loss = 0;
  /// Of the last epoch that was judged.
  double validation_error_percent = std::numeric_limits<double>::quiet_NaN();
  std::int64_t history_lines = 0;
  double seconds = 0;
};

/// What a checkpoint holds besides tensors.
struct Checkpoint {
  CheckpointInfo info;
  /// Every option that the bits of a run depend on, but the number of epochs.
  Fields recipe;
  TrainState state;
};

/// Over everything in the file but the checksum itself.
std::string checkpoint_checksum(const TensorFile& file);

/// Throws Error when a parameter is not finite, or the file cannot be written.
void write_checkpoint(const std::string& path, const Checkpoint& about, Model& model,
                      Optimizer& optimizer);

/// A checkpoint as it was read: its format and checksum are right.
struct CheckpointFile {
  std::string path;
  Checkpoint about;
  TensorFile tensors;
};
CheckpointFile read_checkpoint(const std::string& path);

/// Copies parameters, and with an optimiser its state, out of a checkpoint: all or, throwing Error,
/// nothing. Thaws the model.
void restore(const CheckpointFile& file, Model& model, Optimizer* optimizer);

} // namespace mereo

// CapsNet as it is trained and used, on made-up pictures.
#pragma once

#include <mereo/models.h>
#include <mereo/optim.h>

namespace bench {

struct Pictures {
  mereo::Tensor images;             // (B, 28, 28, 1) in [0, 1)
  std::vector<std::int32_t> labels; // (B)
  explicit Pictures(std::int64_t batch);
};

/// With decoder and Adam.
class Training {
public:
  explicit Training(const mereo::CapsNetConfig& config);

  /// What train/run.cpp does in a step, in its four parts.
  void forward(const mereo::Tensor& images, std::span<const std::int32_t> labels);
  void backward();
  void check(); // whether the gradients are finite, by their norm
  void update();

  mereo::Tape& tape() { return tape_; }
  mereo::Parameters& parameters() { return model_.parameters(); }

private:
  mereo::CapsNet model_;
  std::unique_ptr<mereo::Optimizer> optimizer_;
  mereo::Tape tape_;
  mereo::Outputs outputs_;
};

} // namespace bench

// Floor 7: the convolutional networks that capsules are compared with.
#pragma once

#include <mereo/models.h>

#include <optional>

namespace mereo {

/// The convolutional networks that capsules are compared with: convolutions with ReLU, each of
/// which may be followed by pooling, and fully connected layers with ReLU, the last one with
/// dropout. The defaults are the network of Hinton, Sabour, Frosst 2018, section 5.
///
/// The number of parameters depends on the size of the pictures, because each pixel of the last
/// grid has its own weights in the first fully connected layer.
struct CnnConfig {
  InputShape input;
  struct Convolution {
    std::int64_t filters, kernel, stride = 1;
    /// So many pixels a side become one; 1: there is no pooling.
    std::int64_t pool = 1;
  };
  std::vector<Convolution> convolutions = {{32, 5, 1, 2}, {64, 5, 1, 2}};
  Pooling pooling = Pooling::max;
  Padding padding = Padding::same;
  /// Each convolution is normalised before its ReLU.
  bool batch_norm = false;
  /// How convolutions are computed, as in ConvolutionOptions.
  ConvolutionMethod convolution = ConvolutionMethod::automatic;
  std::int64_t convolution_tile = 6;
  /// Outputs of the fully connected layers before that of the classes.
  std::vector<std::int64_t> dense = {1024};
  /// Of what the class scores are computed from, the share that is left out in training.
  double dropout = 0.5;
};

/// 4,253,349 parameters for pairs of 32x32 and five classes. The scores are a softmax, or, where
/// images have several labels, sigmoids; the loss is their cross-entropy.
class Cnn : public Model {
public:
  Cnn(const CnnConfig& config, std::uint64_t seed);

  std::string name() const override { return "cnn"; }
  InputShape input() const override { return config_.input; }
  std::string config() const override;
  Parameters& parameters() override { return parameters_; }
  Outputs forward(Tape& tape, const Tensor& images, std::span<const std::int32_t> labels, Mode mode,
                  double progress = 1, const Targets& targets = {},
                  const Noise& noise = {}) override;
  void freeze(std::int64_t batch) override;
  void thaw() override;

  /// How many numbers the parameters of such a network are, without making it.
  static std::int64_t parameter_elements(const CnnConfig& config);

private:
  struct Block {
    ConvolutionLayer convolution;
    std::optional<BatchNormLayer> norm;
    std::int64_t pool;
    Shape input; // (H, W, C)
  };
  explicit Cnn(const CnnConfig& config); // parameters declared, not allocated
  Variable block(Tape& tape, const Block& block, Variable x, Mode mode) const;
  Variable loss(Tape& tape, Variable logits, std::span<const std::int32_t> labels) const;

  CnnConfig config_;
  Parameters parameters_;
  std::vector<Block> blocks_;
  std::vector<DenseLayer> dense_;
};

} // namespace mereo

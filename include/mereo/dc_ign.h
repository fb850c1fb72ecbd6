// Floor 7: an autoencoder whose latents are a graphics code.
#pragma once

#include <mereo/nn.h>

#include <memory>
#include <string>
#include <vector>

namespace mereo {

/// Kulkarni, Whitney, Kohli, Tenenbaum 2015, "Deep convolutional inverse graphics network". The
/// defaults are the authors' network for faces.
struct DcIgnConfig {
  /// Pixels a side, of one channel. Without padding 16 g - 90 for a whole g, as 150 is, with it a
  /// multiple of 16.
  std::int64_t size = 150;
  std::int64_t latents = 200;
  /// Filters of the encoder's convolutions, each of which is followed by 2x2 max-pooling.
  std::vector<std::int64_t> encoder = {96, 48, 24};
  std::int64_t encoder_kernel = 5;
  /// Channels of the grid that the decoder begins with, and filters of its convolutions, each of
  /// which follows 2x2 upsampling; a last one makes the pixels.
  std::vector<std::int64_t> decoder = {24, 48, 96, 96};
  std::int64_t decoder_kernel = 7;
  /// Of all convolutions.
  Padding padding = Padding::valid;
};

/// Latents that a mini-batch may vary. The others are held at one value for the whole of it.
struct FreeLatents {
  std::int64_t first = 0, count = 0;
};

/// What becomes of the latents that are not free.
struct Clamping {
  /// The batch's mean in the paper, the latent of its first picture in the authors' code.
  enum class To { mean, first } to = To::mean;
  /// Their gradient is this times their difference from the batch's mean: 1/100 in the paper, 0 in
  /// the code unless it is told otherwise.
  double invariance = 0.01;
};

/// 4,131,137 parameters for 150x150. Not thread-safe: one pass at a time.
class DcIgn {
public:
  /// What the encoder says of B pictures, both (B, latents).
  struct Code {
    Variable mean, log_variance;
  };

  DcIgn(const DcIgnConfig& config, std::uint64_t seed);

  const DcIgnConfig& config() const { return config_; }
  Parameters& parameters() { return parameters_; }

  /// images (B, size, size, 1) in [0, 1].
  Code encode(Tape& tape, const Tensor& images, Mode mode) const;
  /// z (B, latents) -> logits of pixels (B, size * size): their sigmoids are the picture.
  Variable decode(Tape& tape, Variable z, Mode mode) const;

  /// The objective of SGVB to minimise, a mean over pictures: the cross-entropy of their pixels,
  /// decoded from a sample of the latents, and the divergence of the latents from a standard
  /// normal. Latents that are not free are clamped, mean and variance both, before either; with
  /// their difference from the mean times `invariance` for a gradient there is a third term, half
  /// the sum of its squares times that factor.
  Variable loss(Tape& tape, const Tensor& images, const FreeLatents& free, const Clamping& clamping,
                Mode mode, const Noise& noise) const;

private:
  Variable clamp(Tape& tape, Variable x, const FreeLatents& free, const Clamping& clamping,
                 Variable& penalty) const;

  DcIgnConfig config_;
  std::int64_t grid_; // that the decoder begins with, pixels a side
  Parameters parameters_;
  std::vector<ConvolutionLayer> encoder_, decoder_;
  std::unique_ptr<DenseLayer> mean_, log_variance_, spread_;
};

} // namespace mereo

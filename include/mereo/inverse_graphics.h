// Floor 8: training DC-IGN, and how well its latents follow what they should stand for.
#pragma once

#include <mereo/dc_ign.h>
#include <mereo/factors.h>

#include <functional>

namespace mereo {

/// Kulkarni, Whitney, Kohli, Tenenbaum 2015, with the rates of the authors' code.
struct DcIgnTraining {
  std::int64_t steps = 5000;
  /// Of the mini-batches: their size, the ratio of their kinds, and the seed of all that is random.
  FactorOptions batches = {};
  /// False: no latent is clamped, though the mini-batches are the same. That is the entangled twin
  /// to compare with.
  bool clamp = true;
  Clamping clamping = {};
  /// So many first steps clamp nothing: the authors' code starts from a network that was trained
  /// so.
  std::int64_t free_steps = 0;
  double learning_rate = 5e-4;
};

/// The latents that stand for a factor: number 0, 1 and 2 for azimuth, elevation and lighting, the
/// others for shape.
FreeLatents latents_of(Factor factor, const DcIgnConfig& config);

/// Trains with Adam (beta 0.9 and 0.99) on pictures of one channel whose viewpoints are known.
/// progress hears the steps done and the loss of the last one (see DcIgn::loss), and ends the
/// training when it answers false. The same bits on any number of threads. Throws Error for
/// pictures of another shape, options out of range, and a loss that is no longer finite.
void train_dc_ign(DcIgn& network, const Dataset& training, const DcIgnTraining& options,
                  const std::function<bool(std::int64_t, double)>& progress = nullptr);

/// What the encoder makes of some pictures of a set, spread evenly over it.
struct EncodedSet {
  const Dataset* data; // outlives this
  std::vector<std::int64_t> pictures;
  Tensor latents; // their means (pictures, latents)
};

/// Encodes so many pictures, or all when there are no more. Throws Error where there are none, and
/// where their viewpoints are not known.
EncodedSet encode_set(const DcIgn& network, const Dataset& data, std::int64_t pictures = 4000);

/// The latent that varies most in mini-batches of these pictures in which only this factor varies,
/// as the paper picks one for the entangled twin.
std::int64_t most_varying_latent(const DcIgn& network, const Dataset& data, Factor factor);

/// How well one latent tells a factor: fitted as a function of it, constant between so many of its
/// quantiles, to one set, and told of another one. The target is, of azimuth, its sine and cosine,
/// of elevation the angle, of lighting which of them it is, and of shape which class. Returns the
/// share of its variance that is explained (R2), below zero where the mean explains more. Throws
/// Error for a latent that is not there, fewer than two bins, and a factor that does not vary in
/// the pictures to judge by.
double fit_latent(const EncodedSet& training, const EncodedSet& test, Factor factor,
                  std::int64_t latent, std::int64_t bins = 24);

} // namespace mereo

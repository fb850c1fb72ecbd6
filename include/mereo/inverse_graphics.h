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

/// How well one latent tells a factor.
struct LatentFit {
  std::int64_t latent = 0;
  /// Share of the factor's variance that is explained; below zero where the mean explains more.
  double r2 = 0;
};

struct LatentFitOptions {
  /// -1: the one that varies most in mini-batches in which only this factor varies, as the paper
  /// picks one for the entangled twin.
  std::int64_t latent = -1;
  /// Pictures of each set, spread evenly over it; and quantiles of the latent.
  std::int64_t pictures = 4000, bins = 24;
};

/// Fits the factor as a function of one latent, constant between its quantiles, on one set, and
/// tells R2 of that function on another one. The target is, of azimuth, its sine and cosine, of
/// elevation the angle, of lighting which of them it is, and of shape which class. Throws Error
/// where viewpoints are not known or options are out of range.
LatentFit fit_latent(DcIgn& network, const Dataset& training, const Dataset& test, Factor factor,
                     const LatentFitOptions& options = {});

} // namespace mereo

// Adversarial pictures (Goodfellow, Shlens, Szegedy 2015; Kurakin, Goodfellow, Bengio 2017):
// pictures that are changed by so little, along the sign of the gradient, that they are taken for
// another class.
#pragma once

#include <mereo/data.h>
#include <mereo/models.h>

#include <cstdint>
#include <span>

namespace mereo::lab {

/// What an attack climbs.
enum class Ascent {
  loss,  // the classification loss, as in Hinton, Sabour, Frosst 2018: flat where it is saturated
  scores // the largest score of another class minus that of the true one
};

struct Attack {
  /// Most that a pixel is changed by; white is 1.
  double size = 0.1;
  /// 1: the fast gradient sign method (FGSM); more: the basic iterative method (BIM), in steps of
  /// size / steps.
  int steps = 1;
  /// The labels are the classes that pictures shall be taken for, not those that they are of.
  bool targeted = false;
  Ascent ascent = Ascent::loss;
};

/// The gradient by the pixels, and what was climbed, summed over pictures.
struct PixelGradient {
  Tensor gradient; // (B, H, W, C)
  double value;
  /// Of the gradient by what the network sees, the share that is exactly zero, and the mean size.
  double zero_share, mean_size;
};

/// Of pictures (B, H, W, C) in [0, 1], which the model sees brought to mean 0 and deviation 1 if
/// `standardized`. The model works as in Mode::evaluation: its parameters have no gradients.
PixelGradient pixel_gradient(Model& model, Tape& tape, const Tensor& pictures,
                             std::span<const std::int32_t> labels, const Attack& attack,
                             bool standardized);

/// The attacked pictures, in [0, 1], no pixel farther than attack.size from where it was. Throws
/// Error for a size that is negative or no number, no step, or pictures out of [0, 1].
Tensor attacked(Model& model, Tape& tape, const Tensor& pictures,
                std::span<const std::int32_t> labels, const Attack& attack, bool standardized);

/// Turns the gradient g by the standardised pixels z of one picture of count pixels into that by
/// the pixels: (g - mean(g) - z mean(g z)) / deviation; zero for a picture of one grey.
void standardize_gradient(std::int64_t count, const real* pixels, const real* standardized,
                          real* gradient);

} // namespace mereo::lab

// What each dimension of a class capsule's pose does to the reconstruction.
#pragma once

#include <mereo/models.h>

namespace mereo {

/// Added to one dimension at a time, after squash and without bringing the length back: -0.25 to
/// 0.25 in steps of 0.05 (Sabour et al. 2017, section 5.1).
inline constexpr std::int64_t perturbation_steps = 11;
double perturbation(std::int64_t step);

/// The class capsule `which` of the only image of capsules (1, classes, pose), decoded with each of
/// its dimensions perturbed: (pose * steps, H, W, C), a dimension's steps one behind the other.
Tensor perturbed_frames(Model& model, Tape& tape, const Tensor& capsules, std::int32_t which);

/// One reconstruction (H, W, C) of a class capsule.
Tensor decoded(Model& model, Tape& tape, const Tensor& capsules, std::int32_t which);

} // namespace mereo

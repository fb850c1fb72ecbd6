// Floor 9: experiments that put what the papers claim to the test.
//
// A new one is a file that defines its function, a line here and an entry in experiments.cpp.
#pragma once

#include "lab/lab.h"

namespace mereo::lab {

struct Experiment {
  const char* name;
  const char* question;
  /// About what three seeds take on two cores with the small budget, and a guess for the full one;
  /// an experiment that can use another one's networks takes less.
  const char* small_time;
  const char* full_time;
  Report (*run)(Lab& lab);
};

/// In the order in which they are run.
const std::vector<Experiment>& experiments();

Report ablation(Lab& lab);
Report affine(Lab& lab);
Report attack(Lab& lab);
Report dc_ign(Lab& lab);
Report linearity(Lab& lab);
Report overlap(Lab& lab);
Report scramble(Lab& lab);
Report viewpoint(Lab& lab);

// --- what several of them share

/// Measures the error on the test pictures in per cent, "test", at the end.
Trained train_and_test(Lab& lab, const Network& network, std::uint64_t seed,
                       const Dataset& training, const Dataset& test);
/// Pictures of test sets of toys that a small budget looks at.
inline constexpr std::int64_t toys_test_limit = 8100, viewpoint_test_limit = 2700;

/// Trains on the viewpoints of a training set, and measures the error in per cent on "familiar" and
/// "novel" ones once an epoch.
Trained train_for_viewpoints(Lab& lab, const Network& network, std::uint64_t seed,
                             const Dataset& training, const Dataset& familiar,
                             const Dataset& novel);

} // namespace mereo::lab

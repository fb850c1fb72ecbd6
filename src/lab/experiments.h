// Floor 9: experiments that put what the papers claim to the test.
//
// A new one is a file that defines its function, a line here and an entry in experiments.cpp.
#pragma once

#include "lab/lab.h"
#include "lab/report.h"

namespace mereo::lab {

struct Experiment {
  const char* name;
  const char* question;
  /// What three seeds take on two cores with the small budget, and a guess for the full one.
  const char* small_time;
  const char* full_time;
  Report (*run)(Lab& lab);
};

/// In the order in which they are run.
const std::vector<Experiment>& experiments();

Report ablation(Lab& lab);
Report viewpoint(Lab& lab);

/// Trains on the viewpoints of a training set, and measures the error in per cent on "familiar" and
/// "novel" ones once an epoch.
Trained train_for_viewpoints(Lab& lab, const Network& network, std::uint64_t seed,
                             const Dataset& training, const Dataset& familiar,
                             const Dataset& novel);

} // namespace mereo::lab

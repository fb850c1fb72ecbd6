#include "lab/experiments.h"

namespace mereo::lab {

const std::vector<Experiment>& experiments() {
  static const std::vector<Experiment> list = {
      {"ablation",
       "What do routing iterations, matrix poses, coordinate addition and the spread loss bring?",
       "40 minutes", "three weeks", ablation},
      {"viewpoint", "Who errs less on viewpoints that were never seen in training?", "30 minutes",
       "a week", viewpoint},
  };
  return list;
}

} // namespace mereo::lab

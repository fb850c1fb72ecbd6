#include "lab/experiments.h"

namespace mereo::lab {

const std::vector<Experiment>& experiments() {
  static const std::vector<Experiment> list = {
      {"ablation",
       "What do routing iterations, matrix poses, coordinate addition and the spread loss bring?",
       "35 minutes", "three weeks", ablation},
      {"viewpoint", "Who errs less on viewpoints that were never seen in training?", "25 minutes",
       "ten days", viewpoint},
      {"linearity", "Is the true rotation a linear function of a capsule's pose?", "5 minutes",
       "three days", linearity},
      {"scramble", "Does a network notice that the parts of a face are in the wrong places?",
       "20 minutes", "five days", scramble},
      {"affine", "Who recognises digits that are turned and sheared as none was in training?",
       "12 minutes", "two days", affine},
      {"overlap", "Who tells two digits on top of each other?", "12 minutes", "three days",
       overlap},
      {"attack", "How little must change for a picture to be taken for another class?", "5 minutes",
       "two days", attack},
  };
  return list;
}

} // namespace mereo::lab

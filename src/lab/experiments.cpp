#include "lab/experiments.h"

namespace mereo::lab {

const std::vector<Experiment>& experiments() {
  static const std::vector<Experiment> list = {
      {"ablation",
       "What do routing iterations, matrix poses, coordinate addition and the spread loss bring?",
       "70 minutes", "eleven days", ablation},
      {"viewpoint", "Who errs less on viewpoints that were never seen in training?", "20 minutes",
       "four days", viewpoint},
      {"linearity", "Is the true rotation a linear function of a capsule's pose?", "8 minutes",
       "four days", linearity},
      {"dc-ign", "Does a single latent come to stand for azimuth, elevation or light?", "6 minutes",
       "two days", dc_ign},
      {"scramble", "Does a network notice that the parts of a face are in the wrong places?",
       "18 minutes", "two days", scramble},
      {"affine", "Who recognises digits that are turned and sheared as none was in training?",
       "18 minutes", "one day", affine},
      {"overlap", "Who tells two digits on top of each other?", "12 minutes", "two days", overlap},
      {"attack", "How little must change for a picture to be taken for another class?",
       "10 minutes", "one day", attack},
  };
  return list;
}

} // namespace mereo::lab

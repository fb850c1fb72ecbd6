// Convolutional networks against PyTorch: tools/make_cnn_goldens.py wrote what they must compute.
#include "golden_network.h"

using namespace golden;

namespace {

// As of CapsNet (test_golden.cpp), with shorter sums: relative to the largest magnitude in the
// tensor.
constexpr Tolerances tolerances = {
    .forward = 1e-5, .gradient = 2e-5, .loss = 1e-5, .training = 5e-5};

void check(const std::string& path) {
  const Golden golden(path);
  Tape tape;
  const Outputs out =
      golden.model->forward(tape, golden.file.get("images"), golden.labels, Mode::training);
  for (const std::string layer :
       {"conv1", "norm1", "conv2", "norm2", "dense1", "dense2", "classes"})
    if (golden.file.find("output." + layer))
      golden.require(layer, node_of(tape, layer).output, tolerances.forward);
  golden.require("scores", out.scores, tolerances.forward);
  golden.require("loss", out.loss, tolerances.loss);
  check_training(golden, tape, out.loss, tolerances);
}

} // namespace

TEST_CASE("convolutional networks compute what PyTorch computes: max pooling, pixels left over") {
  on_every_isa("cnn_max", check);
}

TEST_CASE("convolutional networks compute what PyTorch computes: average pooling") {
  on_every_isa("cnn_average", check);
}

TEST_CASE("convolutional networks compute what PyTorch computes: batch norm, stride, no padding") {
  on_every_isa("cnn_normalised", check);
}

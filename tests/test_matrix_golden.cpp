// Matrix capsules against PyTorch: tools/make_matrix_goldens.py wrote what they must compute.
#include "golden_network.h"

using namespace golden;

namespace {

// All relative to the largest magnitude in the tensor. An assignment is the exponential of a sum of
// squares that are divided by variances as small as their floor, so that three iterations enlarge
// rounding errors more than long sums do: 1.2e-5 measured in poses of the last layer, 1.6e-5 in
// gradients, 5e-6 in losses after steps of Adam.
constexpr Tolerances tolerances = {
    .forward = 5e-5, .gradient = 1e-4, .loss = 1e-5, .training = 5e-5};

void check_layer(const Golden& golden, const std::string& layer, const Variable& poses,
                 const Variable& activations) {
  golden.require(layer + ".poses", poses, tolerances.forward);
  golden.require(layer + ".activations", activations, tolerances.forward);
}

void check(const std::string& path) {
  const Golden golden(path);
  Tape tape;
  const Outputs out =
      golden.model->forward(tape, golden.file.get("images"), golden.labels, Mode::training);
  golden.require("conv1", node_of(tape, "conv1").output, tolerances.forward);
  check_layer(golden, "primary", node_of(tape, "primary.pose").output,
              node_of(tape, "primary.activation").output);
  for (const std::string layer : {"capsules1", "capsules2"})
    if (golden.file.find("output." + layer + ".poses")) {
      const Tape::Node& node = node_of(tape, layer);
      check_layer(golden, layer, node.output, node.second);
    }
  check_layer(golden, "classes", out.capsules, out.scores);
  golden.require("loss", out.loss, tolerances.loss);
  check_training(golden, tape, out.loss, tolerances);
}

} // namespace

TEST_CASE("matrix capsules compute what PyTorch computes: strides 2 and 1, two iterations") {
  on_every_isa("matrix_capsnet_paper", check);
}

TEST_CASE("matrix capsules compute what PyTorch computes: relative costs, three iterations") {
  on_every_isa("matrix_capsnet_relative", check);
}

TEST_CASE("matrix capsules compute what PyTorch computes: vector poses, cross-entropy") {
  on_every_isa("matrix_capsnet_vector", check);
}

TEST_CASE("matrix capsules compute what PyTorch computes: each field by itself, margin loss") {
  on_every_isa("matrix_capsnet_fields", check);
}

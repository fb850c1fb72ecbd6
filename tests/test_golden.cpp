// CapsNet against PyTorch: tools/make_goldens.py wrote what it must compute.
#include "golden_network.h"

using namespace golden;

namespace {

// All relative to the largest magnitude in the tensor. The goldens were computed in double and
// rounded once. Here the longest sums have some 650 terms, whose rounding errors walk at random:
// sqrt(650) eps = 1.5e-6 at most, 4e-7 measured. A gradient passes all layers twice and sums over
// images and pixels: 1.3e-6 measured. Ten steps of Adam divide gradients by their own size, which
// makes the noise of the smallest ones as large as the steps: 9e-6 measured.
constexpr Tolerances tolerances = {
    .forward = 1e-5, .gradient = 2e-5, .loss = 1e-5, .training = 5e-5};

void check_forward(const Golden& golden, const Tape& tape, const Outputs& out) {
  for (const char* layer : {"conv1", "primary", "classes"})
    golden.require(layer, node_of(tape, layer).output, tolerances.forward);
  golden.require("classes", out.capsules, tolerances.forward);
  golden.require("lengths", out.scores, tolerances.forward);
  if (golden.file.find("output.reconstruction")) {
    for (const char* layer : {"decoder.dense1", "decoder.dense2"})
      golden.require(layer, node_of(tape, layer).output, tolerances.forward);
    golden.require("reconstruction", out.reconstruction, tolerances.forward);
  } else
    CHECK(out.reconstruction.empty());
  golden.require("margin_loss", out.classification_loss, tolerances.loss);
  if (!out.reconstruction.empty())
    golden.require("reconstruction_loss", out.reconstruction_loss, tolerances.loss);
  golden.require("loss", out.loss, tolerances.loss);
}

void check(const std::string& path) {
  const Golden golden(path);
  Tape tape;
  const Outputs out =
      golden.model->forward(tape, golden.file.get("images"), golden.labels, Mode::training);
  check_forward(golden, tape, out);
  check_training(golden, tape, out.loss, tolerances);
}

} // namespace

TEST_CASE("CapsNet computes what PyTorch computes: the paper's reading") {
  on_every_isa("capsnet_paper", check);
}

TEST_CASE("CapsNet computes what PyTorch computes: the authors' recipe, two channels") {
  on_every_isa("capsnet_authors", check);
}

TEST_CASE("CapsNet computes what PyTorch computes: same padding, none of the above, no decoder") {
  on_every_isa("capsnet_same", check);
}

TEST_CASE("the couplings of the last iteration are PyTorch's") {
  Golden golden("tests/golden/capsnet_paper.safetensors");
  Model& network = *golden.model;
  const Tensor& images = golden.file.get("images");
  const Tensor& want = golden.file.get("output.couplings");
  Tape tape;
  for (std::int64_t b = 0; b < images.shape()[0]; ++b) {
    tape.reset();
    const Tensor image = images.rows(b, b + 1);
    const Tensor got = network.inspect(tape, image).layers[0].couplings.back();
    require_close("couplings of image " + std::to_string(b), got.values(),
                  want.rows(b, b + 1).values(), tolerances.forward);
  }
}

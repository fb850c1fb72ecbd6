// Whole networks against PyTorch: tools/make_goldens.py wrote what they must compute.
#include <mereo/io.h>
#include <mereo/isa.h>
#include <mereo/models.h>
#include <mereo/optim.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

using namespace mereo;

namespace {

// All relative to the largest magnitude in the tensor. The goldens were computed in double and
// rounded once. Here the longest sums have some 650 terms, whose rounding errors walk at random:
// sqrt(650) eps = 1.5e-6 at most, 4e-7 measured. A gradient passes all layers twice and sums over
// images and pixels: 1.3e-6 measured. Ten steps of Adam divide gradients by their own size, which
// makes the noise of the smallest ones as large as the steps: 9e-6 measured.
constexpr double forward_tolerance = 1e-5;
constexpr double gradient_tolerance = 2e-5;
constexpr double loss_tolerance = 1e-5;
constexpr double training_tolerance = 5e-5;

/// The largest difference, relative to the largest magnitude wanted, must stay below the tolerance.
/// A REQUIRE, because whatever comes behind the first tensor that differs is its consequence.
void require_close(const std::string& what, std::span<const real> got, std::span<const real> want,
                   double tolerance) {
  INFO("tensor " << what);
  REQUIRE(got.size() == want.size());
  double largest = 0, worst = -1;
  std::size_t at = 0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    largest = std::max(largest, std::abs(double(want[i])));
    const double difference = std::abs(double(got[i]) - double(want[i]));
    if (difference > worst || std::isnan(difference)) {
      worst = std::isnan(difference) ? INFINITY : difference;
      at = i;
    }
  }
  INFO("worst at flat index " << at << ": " << got[at] << ", wanted " << want[at] << "; "
                              << worst / largest << " of the largest, " << largest);
  REQUIRE(worst <= tolerance * largest);
}

/// What the layer left on the tape last.
Variable output_of(const Tape& tape, const char* layer) {
  Variable found;
  for (const Tape::Node& node : tape.nodes())
    if (std::strcmp(node.layer, layer) == 0)
      found = node.output;
  INFO("layer " << layer);
  REQUIRE_FALSE(found.empty());
  return found;
}

struct Golden {
  TensorFile file;
  std::unique_ptr<Model> model;
  std::vector<std::int32_t> labels;

  explicit Golden(const std::string& path) : file(read_safetensors(path)) {
    model = make_model(file.metadata.at("model"), file.metadata.at("config"), 1);
    Parameters& parameters = model->parameters();
    std::size_t given = 0;
    for (const auto& [name, tensor] : file.tensors)
      given += name.starts_with("parameter.");
    REQUIRE(given == std::size_t(parameters.count()));
    for (int i = 0; i < parameters.count(); ++i) {
      const Tensor& value = file.get("parameter." + parameters.name(i));
      CAPTURE(parameters.name(i));
      REQUIRE(value.shape().text() == parameters.value(i).shape().text());
      std::copy_n(value.data(), value.elements(), parameters.value(i).data());
    }
    for (real label : file.get("labels").values())
      labels.push_back(std::int32_t(label));
  }

  void require(const std::string& name, const Variable& got, double tolerance) const {
    require_close(name, got.value().values(), file.get("output." + name).values(), tolerance);
  }
};

void check_forward(const Golden& golden, const Tape& tape, const Outputs& out) {
  for (const char* layer : {"conv1", "primary", "classes"})
    golden.require(layer, output_of(tape, layer), forward_tolerance);
  golden.require("classes", out.capsules, forward_tolerance);
  golden.require("lengths", out.scores, forward_tolerance);
  if (golden.file.find("output.reconstruction")) {
    for (const char* layer : {"decoder.dense1", "decoder.dense2"})
      golden.require(layer, output_of(tape, layer), forward_tolerance);
    golden.require("reconstruction", out.reconstruction, forward_tolerance);
  } else
    CHECK(out.reconstruction.empty());
  golden.require("margin_loss", out.classification_loss, loss_tolerance);
  if (!out.reconstruction.empty())
    golden.require("reconstruction_loss", out.reconstruction_loss, loss_tolerance);
  golden.require("loss", out.loss, loss_tolerance);
}

void check_golden(const std::string& path) {
  Golden golden(path);
  Parameters& parameters = golden.model->parameters();
  const Tensor& images = golden.file.get("images");
  Tape tape;
  const Outputs out = golden.model->forward(tape, images, golden.labels, Mode::training);
  check_forward(golden, tape, out);

  tape.backward(out.loss);
  for (int i = parameters.count(); i-- > 0;) {
    const std::string name = "gradient." + parameters.name(i);
    require_close(name, parameters.gradient(i).values(), golden.file.get(name).values(),
                  gradient_tolerance);
  }

  const auto optimizer = adam(std::int64_t(parameters.values().size()));
  const Tensor& losses = golden.file.get("losses");
  for (std::int64_t step = 0; step < losses.elements(); ++step) {
    tape.reset();
    const Variable loss = golden.model->forward(tape, images, golden.labels, Mode::training).loss;
    const real got = loss.item();
    require_close("loss of step " + std::to_string(step), {&got, 1},
                  losses.values().subspan(std::size_t(step), 1), training_tolerance);
    tape.backward(loss);
    optimizer->step(parameters.values(), parameters.gradients(), 1e-3, 1);
  }
}

/// With every instruction set in turn; the one in use is restored.
void check_everywhere(const std::string& name) {
  const std::string before = isa();
  for (const std::string& each : available_isas()) {
    CAPTURE(each);
    set_isa(each);
    check_golden("tests/golden/" + name + ".safetensors");
  }
  set_isa(before);
}

} // namespace

TEST_CASE("CapsNet computes what PyTorch computes: the paper's reading") {
  check_everywhere("capsnet_paper");
}

TEST_CASE("CapsNet computes what PyTorch computes: the authors' recipe, two channels") {
  check_everywhere("capsnet_authors");
}

TEST_CASE("CapsNet computes what PyTorch computes: same padding, none of the above, no decoder") {
  check_everywhere("capsnet_same");
}

TEST_CASE("the couplings of the last iteration are PyTorch's") {
  Golden golden("tests/golden/capsnet_paper.safetensors");
  auto& network = dynamic_cast<CapsNet&>(*golden.model);
  const Tensor& images = golden.file.get("images");
  const Tensor& want = golden.file.get("output.couplings");
  Tape tape;
  for (std::int64_t b = 0; b < images.shape()[0]; ++b) {
    tape.reset();
    const Tensor got = network.couplings(tape, images.rows(b, b + 1));
    require_close("couplings of image " + std::to_string(b), got.values(),
                  want.rows(b, b + 1).values(), forward_tolerance);
  }
}

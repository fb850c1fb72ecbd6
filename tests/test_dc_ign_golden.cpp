// DC-IGN against PyTorch: tools/make_dc_ign_goldens.py wrote what it must compute.
#include "golden_network.h"

#include <mereo/dc_ign.h>

using namespace golden;

namespace {

// As of convolutional networks (test_cnn_golden.cpp); the longest sums are those of the pixels.
constexpr Tolerances tolerances = {
    .forward = 1e-5, .gradient = 2e-5, .loss = 1e-5, .training = 2e-5};

constexpr std::uint64_t seed = 11; // of the noise

struct Case {
  DcIgnConfig config;
  Clamping clamping; // in training
};

const Case paper = {{.size = 22,
                     .latents = 6,
                     .encoder = {3, 4},
                     .encoder_kernel = 5,
                     .decoder = {3, 4},
                     .decoder_kernel = 3},
                    {Clamping::To::mean, 0.01}};
const Case code = {{.size = 16,
                    .latents = 5,
                    .encoder = {4, 3},
                    .encoder_kernel = 3,
                    .decoder = {3, 4, 2},
                    .decoder_kernel = 4,
                    .padding = Padding::same},
                   {Clamping::To::first, 0}};

void require_number(const std::string& what, real got, real want, double tolerance) {
  require_close(what, {&got, 1}, {&want, 1}, tolerance);
}

/// Latent by latent, because the gradient of clamped ones is much smaller than that of others.
void require_columns(const std::string& what, const Tensor& got, const Tensor& want) {
  REQUIRE(got.shape() == want.shape());
  const std::int64_t B = want.shape()[0], N = want.shape()[1];
  for (std::int64_t k = 0; k < N; ++k) {
    std::vector<real> column[2];
    for (std::int64_t b = 0; b < B; ++b) {
      column[0].push_back(got.data()[b * N + k]);
      column[1].push_back(want.data()[b * N + k]);
    }
    // A clamped latent's is a difference of latents that are alike.
    require_close(what + " " + std::to_string(k), column[0], column[1], 5e-5);
  }
}

/// The encoder's and the decoder's outputs, the loss, and every parameter's gradient, no latent
/// being clamped.
void check_free(const TensorFile& file, const DcIgn& network, const Parameters& parameters) {
  const Tensor& images = file.get("images");
  const std::int64_t N = network.config().latents;
  Tape tape;
  const DcIgn::Code code = network.encode(tape, images, Mode::evaluation);
  const auto require = [&](const char* name, const Variable& got) {
    require_close(name, got.value().values(), file.get(std::string("output.") + name).values(),
                  tolerances.forward);
  };
  require("mean", code.mean);
  require("log_variance", code.log_variance);
  const Tensor z(code.mean.shape());
  for (std::int64_t i = 0; i < z.elements(); ++i)
    z.data()[i] = code.mean.data()[i] +
                  std::exp(code.log_variance.data()[i] / 2) * file.get("noise").data()[i];
  require("logits", network.decode(tape, tape.constant(z), Mode::evaluation));

  tape.reset();
  const Variable loss = network.loss(tape, images, {0, N}, {}, Mode::training, {seed, 0});
  require_number("loss", loss.item(), file.get("output.loss").data()[0], tolerances.loss);
  tape.backward(loss);
  require_gradients(file, parameters, tolerances.gradient);
}

/// The loss, and the gradient at the latents, where all but two of them are clamped.
void check_clamped(const TensorFile& file, const DcIgn& network, const std::string& variant,
                   const Clamping& clamping) {
  CAPTURE(variant);
  Tape tape;
  const Variable loss =
      network.loss(tape, file.get("images"), {1, 2}, clamping, Mode::training, {seed, 0});
  require_number("loss", loss.item(), file.get(variant + ".loss").data()[0], tolerances.loss);
  tape.backward(loss);
  for (const std::string name : {"mean", "log_variance"})
    require_columns("gradient of " + name, node_of(tape, "encoder." + name).output.gradient(),
                    file.get(variant + ".gradient." + name));
}

void check_training(const TensorFile& file, DcIgn& network, const Clamping& clamping) {
  const std::int64_t N = network.config().latents;
  const FreeLatents free[] = {{0, 1}, {1, 1}, {2, 1}, {3, N - 3}, {0, N}};
  const Parameters& parameters = network.parameters();
  const auto optimizer = adam(std::int64_t(parameters.values().size()), 0.9, 0.99);
  const Tensor& losses = file.get("losses");
  Tape tape;
  for (std::int64_t step = 0; step < losses.elements(); ++step) {
    tape.reset();
    const Variable loss = network.loss(tape, file.get("images"), free[step % 5], clamping,
                                       Mode::training, {seed, step});
    require_number("loss of step " + std::to_string(step), loss.item(), losses.data()[step],
                   tolerances.training);
    tape.backward(loss);
    optimizer->step(parameters.values(), parameters.gradients(), 1e-3, 1);
  }
}

void check(const std::string& path, const Case& c) {
  const TensorFile file = read_safetensors(path);
  DcIgn network(c.config, 1);
  read_parameters(file, network.parameters());
  check_free(file, network, network.parameters());
  check_clamped(file, network, "paper", {Clamping::To::mean, 0.01});
  check_clamped(file, network, "code", {Clamping::To::first, 0});
  check_training(file, network, c.clamping);
}

} // namespace

TEST_CASE("DC-IGN computes what PyTorch computes: no padding, trained as the paper has it") {
  on_every_isa("dc_ign_paper", [](const std::string& path) { check(path, paper); });
}

TEST_CASE("DC-IGN computes what PyTorch computes: padding, trained as the authors' code has it") {
  on_every_isa("dc_ign_code", [](const std::string& path) { check(path, code); });
}

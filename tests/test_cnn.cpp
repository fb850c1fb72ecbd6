#include "error_of.h"
#include "models/cnn_config.h"
#include "random_images.h"
#include "train_fixture.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

using namespace fixture;

namespace {

constexpr InputShape mnist = {.height = 28, .width = 28, .channels = 1, .classes = 10};
constexpr InputShape norb = {.height = 32, .width = 32, .channels = 2, .classes = 5};

CnnConfig preset(const std::string& name, const InputShape& input) {
  CnnConfig config = parse_cnn_config(to_json(cnn_preset(name)));
  config.input = input;
  return config;
}

CnnConfig small_config() {
  CnnConfig config;
  config.input = {.height = 12, .width = 12, .channels = 1, .classes = 3};
  config.convolutions = {{8, 3, 1, 2}, {6, 3, 1, 2}};
  config.dense = {20};
  return config;
}

/// The multiplications of one picture: of a convolution, each of its weights at each output pixel.
std::int64_t multiplications(const CnnConfig& config) {
  Cnn network(config, 1);
  Tape tape;
  network.forward(tape, random_images(1, config.input), {}, Mode::evaluation);
  std::int64_t total = 0;
  const Parameters& parameters = network.parameters();
  for (const Tape::Node& node : tape.nodes())
    for (int i = 0; i < parameters.count(); ++i)
      if (parameters.name(i) == std::string(node.layer) + ".weight") {
        const std::int64_t outputs = parameters.value(i).shape()[-1];
        total += parameters.value(i).elements() * (node.output.elements() / outputs);
      }
  return total;
}

std::vector<real> copy(std::span<const real> values) {
  return {values.begin(), values.end()};
}

std::vector<real> all_values(const Parameters& parameters) {
  std::vector<real> all;
  for (int i = 0; i < parameters.count(); ++i) {
    const auto values = parameters.value(i).values();
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

} // namespace

TEST_CASE("the baselines have the parameters of the papers") {
  CHECK(Cnn::parameter_elements(preset("mnist", mnist)) == 35'445'522);
  CHECK(Cnn::parameter_elements(preset("multimnist", {36, 36, 1, 10})) == 24'563'978);
  CHECK(Cnn::parameter_elements(preset("norb", norb)) == 4'253'349);
  CnnConfig config;
  config.input = norb;
  CHECK(Cnn::parameter_elements(config) == 4'253'349); // the defaults
  for (const auto& [filters, kernel, stride, pool] : preset("mnist", mnist).convolutions)
    CHECK(pool == 1);
}

TEST_CASE("the other presets come near what they are compared with") {
  CHECK(Cnn::parameter_elements(preset("parameters", mnist)) == 8'209'674);
  CHECK(CapsNet::parameter_elements({}) == 8'215'568);
  CHECK(Cnn::parameter_elements(preset("small", norb)) == 69'669);
  // Of CapsNet: 203.2 million, 191.1 of them in the primary capsules.
  CHECK(multiplications(preset("compute", mnist)) == 202'158'080);
}

TEST_CASE("average pooling leaves everything else of a network as it is") {
  for (const std::string name : {"multimnist", "norb", "parameters", "compute", "small"}) {
    CnnConfig config = preset(name, {16, 16, 1, 4});
    const std::int64_t count = Cnn::parameter_elements(config);
    config.pooling = Pooling::average;
    CHECK(Cnn::parameter_elements(config) == count);
  }
  CnnConfig config = small_config();
  Cnn largest(config, 3);
  config.pooling = Pooling::average;
  Cnn mean(config, 3);
  CHECK(all_values(largest.parameters()) == all_values(mean.parameters()));
  Tape tape;
  const Tensor images = random_images(2, config.input);
  const auto scores = [&](Cnn& network) {
    return copy(network.forward(tape, images, {}, Mode::evaluation).scores.value().values());
  };
  CHECK(scores(largest) != scores(mean));
}

TEST_CASE("a convolutional network's scores are shares, and its loss is their cross-entropy") {
  Cnn network(small_config(), 1);
  const std::vector<std::int32_t> labels = {2, 0, 1};
  Tape tape;
  const Outputs out =
      network.forward(tape, random_images(3, network.input()), labels, Mode::evaluation);
  double loss = 0;
  for (std::int64_t b = 0; b < 3; ++b) {
    const real* row = out.scores.data() + b * 3;
    CHECK(row[0] + row[1] + row[2] == doctest::Approx(1));
    loss -= std::log(double(row[labels[std::size_t(b)]])) / 3;
  }
  CHECK(out.loss.item() == doctest::Approx(loss).epsilon(1e-5));
  CHECK(out.capsules.empty());
  CHECK_FALSE(network.reconstructs());
}

TEST_CASE("of several labels, each class is a yes or no of its own") {
  CnnConfig config = small_config();
  config.input.labels_per_image = 2;
  Cnn network(config, 1);
  const std::vector<std::int32_t> labels = {2, 0, 1, 2};
  Tape tape;
  const Outputs out =
      network.forward(tape, random_images(2, config.input), labels, Mode::evaluation);
  double loss = 0;
  for (std::int64_t i = 0; i < 6; ++i) {
    const double share = out.scores.data()[i];
    const bool present = i != 1 && i != 3; // of {2, 0} and {1, 2}
    loss -= std::log(present ? share : 1 - share) / 2;
  }
  CHECK(out.loss.item() == doctest::Approx(loss).epsilon(1e-5));
  const auto error = [&](const std::vector<std::int32_t>& wrong) {
    return error_of(
        [&] { network.forward(tape, random_images(2, config.input), wrong, Mode::evaluation); });
  };
  CHECK(has(error({2, 0, 1, 3}), "label 3"));
  CHECK(has(error({2, 0, 1, -1}), "label -1"));
  CHECK_FALSE(error({2, 0}).empty());
  config.input.labels_per_image = 4;
  CHECK(has(error_of([&] { Cnn(config, 1); }), "4 of 3"));
}

TEST_CASE("dropout is for training, and follows the noise it is given") {
  Cnn network(small_config(), 1);
  const Tensor images = random_images(4, network.input());
  const std::vector<std::int32_t> labels = {0, 1, 2, 0};
  Tape tape;
  const auto loss = [&](Mode mode, const Noise& noise) {
    tape.reset();
    return network.forward(tape, images, labels, mode, 1, {}, noise).loss.item();
  };
  CHECK(loss(Mode::training, {1, 0}) == loss(Mode::training, {1, 0}));
  CHECK(loss(Mode::training, {1, 0}) != loss(Mode::training, {1, 1}));
  CHECK(loss(Mode::training, {1, 0}) != loss(Mode::training, {2, 0}));
  CHECK(loss(Mode::evaluation, {1, 0}) == loss(Mode::evaluation, {1, 1}));
}

TEST_CASE("a convolutional configuration makes the same network again, and says what is wrong") {
  CnnConfig config = small_config();
  config.convolutions.push_back({5, 2, 2, 1});
  config.dense = {7, 9};
  config.batch_norm = true;
  config.pooling = Pooling::average;
  Cnn network(config, 7);
  CHECK(has(network.config(), R"("8x3p2,6x3p2,5x2s2")"));
  CHECK(has(network.config(), R"("7,9")"));
  const std::unique_ptr<Model> again = make_model("cnn", network.config(), 7);
  CHECK(again->config() == network.config());
  CHECK(all_values(network.parameters()) == all_values(again->parameters()));

  const auto error = [](const std::string& text) {
    return error_of([&] { make_model("cnn", text, 1); });
  };
  CHECK(error(R"({"convolutions": "", "dense": ""})").empty());
  CHECK(error(R"({"convolutions": "4x3s2p2", "dense": 12})").empty());
  for (const std::string wrong : {"\"4\"", "\"4x\"", "\"4x3,,4x3\"", "\"4x3q2\"", "\"4x3p2s2\"",
                                  "\"-4x3\"", "\"4x0\"", "\"4x9999999\"", "12"})
    CHECK(has(error("{\"convolutions\": " + wrong + "}"), "32x5p2,64x5p2"));
  for (const std::string wrong :
       {"\"4 5\"", "\"4,,5\"", "\"-3\"", "2.5", "\"99999999999999999999\""})
    CHECK(has(error("{\"dense\": " + wrong + "}"), "dense"));
  CHECK(has(error(R"({"dense": "0"})"), "from 1 to"));
  config.convolutions = {{4, 3, INT64_MAX}};
  CHECK(has(error_of([&] { Cnn(config, 1); }), "stride of a convolution must be from 1 to"));
  CHECK(has(error(R"({"dropout": 1})"), "[0, 1)"));
  CHECK(has(error(R"({"pooling": "mean"})"), "\"max\" or \"average\""));
  CHECK(has(error(R"({"convolutions": "4x3p29"})"), "nothing is left by conv1"));
  CHECK(has(error(R"({"convolutions": "4x29", "padding": "valid"})"), "nothing is left"));
  CHECK(has(error_of([] { cnn_preset("large"); }), "parameters, compute or small"));
}

TEST_CASE("a frozen convolutional network answers as before, for any batch") {
  CnnConfig config = small_config();
  config.convolution = ConvolutionMethod::winograd;
  Cnn network(config, 2);
  const Tensor images = random_images(5, config.input);
  Tape tape;
  const auto scores = [&] {
    tape.reset();
    return copy(network.forward(tape, images, {}, Mode::evaluation).scores.value().values());
  };
  const std::vector<real> before = scores();
  network.freeze(2);
  const std::vector<real> frozen = scores();
  for (std::size_t i = 0; i < before.size(); ++i)
    CHECK(frozen[i] == doctest::Approx(before[i]).epsilon(1e-4));
  network.thaw();
  CHECK(scores() == before);
  CHECK_FALSE(error_of([&] { network.freeze(0); }).empty());
}

TEST_CASE("images of another shape are refused by a convolutional network in one line") {
  Cnn network(small_config(), 1);
  Tape tape;
  const std::string error = error_of([&] {
    network.forward(tape, Tensor(Shape{2, 11, 12, 1}), {}, Mode::evaluation);
  });
  CHECK(has(error, "(2, 11, 12, 1)"));
  CHECK(has(error, "(12, 12, 1)"));
}

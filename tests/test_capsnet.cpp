#include "error_of.h"
#include "random_images.h"

#include <mereo/models.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

using namespace mereo;

namespace {

std::int64_t parameters_of(const CapsNetConfig& config) {
  return CapsNet(config, 1).parameters().elements();
}

std::int64_t parameters_of(CapsNet& network, const std::string& layer) {
  std::int64_t total = 0;
  for (int i = 0; i < network.parameters().count(); ++i)
    if (network.parameters().name(i).starts_with(layer + "."))
      total += network.parameters().value(i).elements();
  return total;
}

CapsNetConfig small(const InputShape& input = {
                        .height = 9, .width = 8, .channels = 2, .classes = 4}) {
  CapsNetConfig config;
  config.input = input;
  config.kernel = 3;
  config.conv_filters = 5;
  config.primary_types = 2;
  config.primary_pose = 4;
  config.class_pose = 6;
  config.decoder_hidden1 = 7;
  config.decoder_hidden2 = 8;
  return config;
}

} // namespace

TEST_CASE("CapsNet for MNIST has the paper's 8.2 million parameters, layer by layer") {
  CapsNet network({}, 1);
  CHECK(parameters_of(network, "conv1") == 20'992);
  CHECK(parameters_of(network, "primary") == 5'308'672);
  CHECK(parameters_of(network, "classes") == 1'474'560);
  CHECK(parameters_of(network, "decoder.dense1") == 82'432);
  CHECK(parameters_of(network, "decoder.dense2") == 525'312);
  CHECK(parameters_of(network, "decoder.pixels") == 803'600);
  CHECK(network.parameters().elements() == 8'215'568);
  CHECK(network.primary_capsules() == 1152);
}

TEST_CASE("the class bias adds 160 parameters, the decoder 1.4 million") {
  CapsNetConfig config;
  config.class_bias = true;
  CHECK(parameters_of(config) == 8'215'728);
  config.decoder = false;
  CHECK(parameters_of(config) == 6'804'384);
  config.class_bias = false;
  CHECK(parameters_of(config) == 6'804'224);
}

TEST_CASE("parameter counts for the other data sets of the paper") {
  CapsNetConfig config;
  config.class_bias = true;
  SUBCASE("MultiMNIST: the paper's 11.36 million") {
    config.input = {.height = 36, .width = 36, .channels = 1, .classes = 10};
    CHECK(parameters_of(config) == 11'361'968);
  }
  SUBCASE("affNIST") {
    config.input = {.height = 40, .width = 40, .channels = 1, .classes = 10};
    CHECK(parameters_of(config) == 13'475'808);
  }
  SUBCASE("smallNORB") {
    config.input = {.height = 32, .width = 32, .channels = 2, .classes = 5};
    CHECK(parameters_of(config) == 9'327'184);
    config.decoder = false;
    CHECK(parameters_of(config) == 6'661'200);
  }
  SUBCASE("CIFAR-10 with the authors' flags") {
    config.input = {.height = 24, .width = 24, .channels = 3, .classes = 10};
    config.padding = Padding::same;
    config.primary_types = 64;
    config.decoder = false;
    CHECK(parameters_of(config) == 22'476'448);
  }
  SUBCASE("the small network for SVHN") {
    config.input = {.height = 32, .width = 32, .channels = 3, .classes = 10};
    config.conv_filters = 64;
    config.primary_types = 16;
    config.primary_pose = 6;
    config.class_pose = 8;
    config.decoder = false;
    CHECK(parameters_of(config) == 1'004'976);
  }
}

TEST_CASE("the couplings of a whole CapsNet sum to one over the classes") {
  CapsNet network(small(), 3);
  Tape tape;
  const Tensor image = random_images(1, network.input()); // must outlive the pass
  const Inspection seen = network.inspect(tape, image);
  REQUIRE(seen.layers.size() == 1);
  REQUIRE(seen.layers[0].couplings.size() == 3);
  for (const Tensor& couplings : seen.layers[0].couplings) {
    REQUIRE(couplings.elements() == network.primary_capsules() * 4);
    for (std::int64_t i = 0; i < network.primary_capsules(); ++i) {
      const real* row = couplings.data() + i * 4;
      CHECK(std::accumulate(row, row + 4, 0.0) == doctest::Approx(1));
    }
  }
}

TEST_CASE("CapsNet takes any image size, channels and number of classes") {
  for (const InputShape& input : {InputShape{9, 17, 1, 2}, InputShape{14, 11, 3, 7},
                                  InputShape{8, 8, 4, 1}, InputShape{5, 30, 2, 12}}) {
    CapsNet network(small(input), 1);
    Tape tape;
    const std::vector<std::int32_t> labels = {0, std::int32_t(input.classes - 1)};
    const Tensor images = random_images(2, input); // must outlive the pass
    const Outputs out = network.forward(tape, images, labels, Mode::training);
    CHECK(out.scores.shape() == Shape{2, input.classes});
    CHECK(out.capsules.shape() == Shape{2, input.classes, 6});
    CHECK(out.reconstruction.elements() == 2 * input.height * input.width * input.channels);
    CHECK(out.loss.item() > 0);
    tape.backward(out.loss);
    check_all_finite(network.parameters().gradients());
  }
}

TEST_CASE("the images' shape must be the model's, or one line says so") {
  CapsNet network(small(), 1);
  Tape tape;
  for (const Shape& shape : {Shape{2, 9, 9, 2}, Shape{2, 8, 9, 2}, Shape{2, 9, 8, 1},
                             Shape{2, 9, 8}, Shape{9, 8, 2, 2}, Shape{1, 2, 9, 8, 2}}) {
    CAPTURE(shape.text());
    const std::string error =
        error_of([&] { network.forward(tape, Tensor(shape), {}, Mode::evaluation); });
    CHECK(has(error, shape.text()));
    CHECK(has(error, "(9, 8, 2)"));
    CHECK_FALSE(has(error, "\n"));
  }
  CHECK(has(error_of([&] { network.inspect(tape, Tensor(Shape{2, 9, 8, 2})); }), "(2, 9, 8, 2)"));
}

TEST_CASE("images too small for the kernels are refused when the network is made") {
  CHECK_FALSE(error_of([] { CapsNet(small({.height = 4, .width = 20}), 1); }).empty());
  CapsNetConfig config = small({.height = 4, .width = 20});
  config.padding = Padding::same;
  CHECK(error_of([&] { CapsNet(config, 1); }).empty());
}

TEST_CASE("labels must be classes of the model, one for each image") {
  CapsNet network(small(), 1);
  Tape tape;
  const Tensor images = random_images(2, network.input());
  const auto error_with = [&](const std::vector<std::int32_t>& labels, Mode mode) {
    return error_of([&] {
      tape.reset();
      network.forward(tape, images, labels, mode);
    });
  };
  for (Mode mode : {Mode::training, Mode::evaluation}) {
    CHECK(error_with({3, 0}, mode).empty());
    CHECK(has(error_with({0, 4}, mode), "4"));
    CHECK(has(error_with({-1, 0}, mode), "-1"));
    CHECK_FALSE(error_with({0}, mode).empty());
    CHECK_FALSE(error_with({0, 1, 2}, mode).empty());
  }
}

TEST_CASE("the decoder sees the true class while training, the longest capsule otherwise") {
  CapsNet network(small(), 2);
  const Tensor images = random_images(3, network.input());
  Tape tape;
  const Outputs predicted = network.forward(tape, images, {}, Mode::evaluation);
  CHECK(predicted.loss.empty());
  std::vector<std::int32_t> longest, labels;
  predictions(predicted.scores, longest);
  for (std::int32_t k : longest)
    labels.push_back((k + 1) % 4);

  const auto same = [&](const Variable& x, const Variable& y) {
    return std::equal(x.data(), x.data() + x.elements(), y.data());
  };
  const Variable of_longest = network.decode(tape, predicted.capsules, longest, Mode::evaluation);
  const Variable of_truth = network.decode(tape, predicted.capsules, labels, Mode::evaluation);
  REQUIRE_FALSE(same(of_longest, of_truth));
  CHECK(same(predicted.reconstruction, of_longest));
  CHECK(same(network.forward(tape, images, labels, Mode::evaluation).reconstruction, of_longest));
  CHECK(same(network.forward(tape, images, labels, Mode::training).reconstruction, of_truth));
}

TEST_CASE("predictions are the largest scores, the first of equals") {
  const std::vector<real> values = {1, 3, 2, 5, 5, 0, -1, -1, -1};
  const Tensor scores({3, 3}, values);
  Tape tape;
  std::vector<std::int32_t> found;
  predictions(tape.constant(scores), found);
  CHECK(found == std::vector<std::int32_t>{1, 0, 0});
}

TEST_CASE("black images give a finite loss and finite gradients") {
  for (bool authors : {false, true}) {
    CapsNetConfig config = small();
    if (authors)
      config.authors_recipe();
    CapsNet network(config, 1);
    Tape tape;
    const std::vector<std::int32_t> labels = {0, 1};
    const Tensor images({2, 9, 8, 2});
    const Outputs out = network.forward(tape, images, labels, Mode::training);
    CHECK(std::isfinite(out.loss.item()));
    CHECK(tape.first_nonfinite().empty());
    tape.backward(out.loss);
    check_all_finite(network.parameters().gradients());
  }
}

TEST_CASE("a NaN in the image, or in a layer's weights, is traced to the first layer that has it") {
  CapsNet network(small(), 1);
  Tape tape;
  const std::vector<std::int32_t> labels = {0, 1};
  const Tensor images = random_images(2, network.input());
  const auto first = [&] {
    tape.reset();
    network.forward(tape, images, labels, Mode::training);
    return tape.first_nonfinite();
  };
  CHECK(first().empty());
  network.parameters().value(4).data()[0] = std::numeric_limits<real>::quiet_NaN();
  REQUIRE(network.parameters().name(4) == "classes.weight");
  CHECK(has(first(), "classes"));
  images.at({1, 3, 3, 0}) = std::numeric_limits<real>::quiet_NaN();
  CHECK(has(first(), "conv1"));
}

TEST_CASE("nothing depends on what the arena's memory held before") {
  CapsNet network(small(), 1);
  const Tensor images = random_images(3, network.input());
  const std::vector<std::int32_t> labels = {0, 1, 2};
  const auto gradients = [&](real garbage) {
    Tape tape;
    constexpr std::int64_t count = 1 << 20;
    std::fill_n(tape.arena().allocate_array<real>(count), count, garbage);
    tape.reset();
    tape.backward(network.forward(tape, images, labels, Mode::training).loss);
    CHECK(tape.arena().capacity() < 2 * count * sizeof(real)); // all of it in the garbage
    return network.parameters().gradients();
  };
  const std::span<const real> clean = gradients(0);
  const std::vector<real> want(clean.begin(), clean.end());
  const std::span<const real> got = gradients(std::numeric_limits<real>::quiet_NaN());
  CHECK(std::equal(want.begin(), want.end(), got.begin(), got.end()));
}

TEST_CASE("a configuration written by a network makes the same network again") {
  CapsNetConfig config = small();
  config.authors_recipe();
  config.padding = Padding::same;
  config.routing.none_of_the_above = true;
  CapsNet network(config, 7);
  const std::unique_ptr<Model> again = make_model("capsnet", network.config(), 7);
  CHECK(again->config() == network.config());
  CHECK(again->input() == network.input());
  const auto values = network.parameters().values(), same = again->parameters().values();
  CHECK(std::equal(values.begin(), values.end(), same.begin(), same.end()));
  CHECK(has(error_of([] { make_model("capsnet", R"({"kernels": 3})", 1); }), "kernels"));
  CHECK(has(error_of([] { make_model("capsnot", "{}", 1); }), "capsnot"));
}

TEST_CASE("evaluating records no gradients and computes the same numbers") {
  CapsNet network(small(), 2);
  const Tensor images = random_images(3, network.input());
  const std::vector<std::int32_t> labels = {1, 2, 3};
  Tape tape;
  const Outputs trained = network.forward(tape, images, labels, Mode::training);
  const Outputs evaluated = network.forward(tape, images, labels, Mode::evaluation);
  CHECK(trained.loss.needs_gradient());
  CHECK_FALSE(evaluated.loss.needs_gradient());
  CHECK(trained.classification_loss.item() == evaluated.classification_loss.item());
}

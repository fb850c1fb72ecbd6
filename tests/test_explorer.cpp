// What build/explore answers, without the network between: see tests/fuzz for what it refuses.
#include "explain/explorer.h"

#include "error_of.h"
#include "explain/brightness.h"
#include "explain/perturbation.h"
#include "fuzz/targets.h"
#include "io/picture_bytes.h"
#include "report/html.h"
#include "report/paint.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace mereo;
using nlohmann::json;

namespace {

std::vector<real> some_pixels() {
  std::vector<real> pixels;
  for (int n = 0; n < 64; ++n)
    pixels.push_back(real(n % 8) / 8);
  return pixels;
}

} // namespace

TEST_CASE("a network whose numbers overflow is an error") {
  const LoadedModel network = fuzz::small_network();
  for (real& x : network.model->parameters().value(0).values())
    x = real(1e38);
  Explorer explorer(network, "a network");
  CHECK_THROWS_WITH_AS(explorer.explain(json{{"pixels", some_pixels()}}.dump()),
                       doctest::Contains("not finite"), Error);
}

TEST_CASE("an answer has the scores of a plain forward, and the pose that was asked for, decoded") {
  const LoadedModel network = fuzz::small_network();
  Explorer explorer(network, "a network");
  const json about = json::parse(explorer.about());
  CHECK(about["height"] == 8);
  CHECK(about["classes"].size() == 2);
  CHECK(about["reconstructs"] == true);

  const std::vector<real> pixels = some_pixels();
  const json plain = json::parse(explorer.explain(json{{"pixels", pixels}}.dump()));
  Tape tape;
  const Tensor image(Shape{1, 8, 8, 1}, pixels);
  const Outputs outputs = network.model->forward(tape, image, {}, Mode::evaluation);
  for (std::size_t k = 0; k < 2; ++k)
    CHECK(plain["scores"][k].get<real>() == outputs.scores.data()[k]);
  CHECK(plain["routing"].size() == 2);
  CHECK(plain["routing"][0]["class"] == plain["class"]);
  CHECK(plain["routing"][0]["maps"].size() == 3);
  CHECK(plain["routing"][0]["shares"][0].get<double>() == doctest::Approx(0.5));
  CHECK_FALSE(plain.contains("frames"));

  const json moved = json::parse(
      explorer.explain(json{{"pixels", pixels}, {"class", 1}, {"pose", {0.25, -0.5}}}.dump()));
  CHECK(moved["class"] == 1);
  Tensor capsules = outputs.capsules.value().clone();
  for (std::int64_t d = 0; d < 2; ++d)
    CHECK(moved["pose"][std::size_t(d)].get<real>() == capsules.at({0, 1, d}));
  capsules.at({0, 1, 0}) += real(0.25);
  capsules.at({0, 1, 1}) -= real(0.5);
  const Tensor want = canvas_of(decoded(*network.model, tape, capsules, 1));
  CHECK(moved["reconstruction"] == "data:image/png;base64," + base64(png_bytes("", want)));
  CHECK(moved["reconstruction"] != plain["reconstruction"]);
}

TEST_CASE("a picture is read as the network takes it, its negative turned over") {
  LoadedModel network = fuzz::small_network();
  const Explorer explorer(network, "a network");
  Tensor dot({8, 8, 1});
  dot.at({3, 4, 0}) = 1;
  Tensor negative({8, 8, 1});
  for (std::int64_t n = 0; n < 64; ++n)
    negative.data()[n] = 1 - dot.data()[n];
  CHECK_FALSE(seems_inverted(dot, 0));
  CHECK(seems_inverted(negative, 0));
  for (const Tensor& picture : {dot, negative}) {
    const json answer = json::parse(explorer.read(png_bytes("", picture)));
    const auto pixels = answer["pixels"].get<std::vector<real>>();
    CHECK(std::ranges::equal(pixels, dot.values()));
  }
}

TEST_CASE("a picture's size is looked at before it is decoded") {
  const std::string png = png_bytes("", Tensor(Shape{40, 50, 1}));
  CHECK(image_of_bytes("x", png, 1, 2000).pixels.size() == 2000);
  CHECK(error_of([&] { image_of_bytes("x", png, 1, 1999); }).find("50 x 40") != std::string::npos);
}

TEST_CASE("a network of stereo pairs cannot be drawn for") {
  CapsNetConfig config;
  config.input = {20, 20, 2, 2};
  const LoadedModel network = {std::make_unique<CapsNet>(config, 1), {}};
  CHECK(error_of([&] { Explorer(network, "pairs"); }).find("--channels 1") != std::string::npos);
}

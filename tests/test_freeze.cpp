// A frozen model keeps what it computes from its parameters, and no longer than they last.
#include "train_fixture.h"

#include "kernels/table.h"
#include "train/checkpoint.h"

#include <mereo/isa.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

using namespace fixture;

namespace {

CapsNetConfig frozen_config() {
  CapsNetConfig config = tiny_config();
  config.convolution = ConvolutionMethod::winograd; // direct would be faster
  return config;
}

Tensor pictures(std::int64_t count, std::int64_t size = 12) {
  Tensor images({count, size, size, 1});
  Random random(5);
  for (real& x : images.values())
    x = random.uniform();
  return images;
}

std::vector<real> lengths_of(Model& model, const Tensor& images) {
  Tape tape;
  const Variable scores = model.forward(tape, images, {}, Mode::evaluation).scores;
  return {scores.data(), scores.data() + scores.elements()};
}

double largest_difference(const std::vector<real>& a, const std::vector<real>& b) {
  double most = a.size() == b.size() ? 0 : INFINITY;
  for (std::size_t i = 0; i < a.size() && i < b.size(); ++i)
    most = std::max(most, std::abs(double(a[i]) - double(b[i])));
  return most;
}

} // namespace

TEST_CASE("a frozen CapsNet tells what it told, but for rounding, for any batch") {
  CapsNetConfig config;
  config.decoder = false;
  CapsNet network(config, 1);
  const Tensor images = pictures(3, 28);
  const std::vector<real> before = lengths_of(network, images);
  for (std::int64_t batch : {1, 16}) {
    network.freeze(batch);
    const std::vector<real> frozen = lengths_of(network, images);
    CHECK(largest_difference(frozen, before) < 1e-4);
    CHECK(frozen != before); // another tile
    const std::vector<real> one = lengths_of(network, images.rows(0, 1));
    CHECK(largest_difference(one, {before.begin(), before.begin() + 10}) < 1e-4);
  }
  network.thaw();
  CHECK(lengths_of(network, images) == before);
}

TEST_CASE("a frozen model keeps its transformed weights until it is thawed, trained or restored") {
  CapsNet network(frozen_config(), 1);
  const Tensor images = pictures(2);
  const std::vector<std::int32_t> labels = {0, 1};
  const Scratch scratch;
  const std::string path = scratch.path("last.safetensors");
  const auto optimizer = make_optimizer("sgd", std::int64_t(network.parameters().values().size()));
  Checkpoint about;
  about.info.model = network.name();
  about.info.config = network.config();
  write_checkpoint(path, about, network, *optimizer);

  std::function<void()> thaw;
  SUBCASE("thawed") {
    thaw = [&] { network.thaw(); };
  }
  SUBCASE("frozen again") {
    thaw = [&] { network.freeze(1); };
  }
  SUBCASE("trained") {
    thaw = [&] {
      Tape tape;
      network.forward(tape, images, labels, Mode::training);
    };
  }
  SUBCASE("restored") {
    thaw = [&] { restore(read_checkpoint(path), network, nullptr); };
  }
  const Tensor weight = network.parameters().value(2);
  REQUIRE(network.parameters().name(2) == "primary.weight");
  const auto times = [&](real factor) {
    for (real& x : weight.values())
      x *= factor;
  };
  times(3);
  network.freeze(2);
  const std::vector<real> frozen = lengths_of(network, images);
  times(-2);
  CHECK(lengths_of(network, images) == frozen); // kept, though it should not have changed
  thaw();
  CapsNet fresh(frozen_config(), 1);
  std::ranges::copy(network.parameters().values(), fresh.parameters().values().begin());
  CHECK(largest_difference(lengths_of(network, images), lengths_of(fresh, images)) < 1e-5);
  CHECK(largest_difference(lengths_of(network, images), frozen) > 1e-3);
}

TEST_CASE("a model freezes for a batch of at least one image, on the instruction set in use") {
  CapsNet network(frozen_config(), 1);
  for (std::int64_t batch : {0, -1})
    CHECK_THROWS_WITH_AS(network.freeze(batch), doctest::Contains("batch is not positive"), Error);
  const std::string before = isa();
  network.freeze(1);
  const std::int64_t width = kernels().gemm.tile_columns;
  set_isa("reference");
  if (kernels().gemm.tile_columns != width)
    CHECK_THROWS_WITH_AS(lengths_of(network, pictures(2)),
                         doctest::Contains("transform them again"), Error);
  network.freeze(1);
  CHECK(lengths_of(network, pictures(2)).size() == 6);
  set_isa(before);
}

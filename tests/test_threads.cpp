// The number of threads changes no bit of a run.
#include "train_fixture.h"

#include "autodiff/elementwise.h"
#include "kernels/gemm.h"
#include "kernels/routing_cut.h"

#include <mereo/isa.h>

#include <doctest/doctest.h>

using namespace fixture;

namespace {

struct Threads {
  int before = threads();
  ~Threads() { set_threads(before); }
};

constexpr std::int64_t batch = 32;

/// Large enough that every sum is shared: over rows, inner dimensions, children and parameters.
CapsNetConfig wide_config() {
  CapsNetConfig config;
  config.conv_filters = 16;
  config.primary_types = 4;
  config.convolution = ConvolutionMethod::winograd;
  config.decoder_hidden1 = 64;
  config.decoder_hidden2 = 96;
  return config;
}

/// Blobs of a brightness that tells the class.
Dataset blobs() {
  Dataset data{.name = "blobs",
               .count = 5 * batch,
               .height = 28,
               .width = 28,
               .channels = 1,
               .classes = 10,
               .pixels = {},
               .labels = {},
               .class_names = std::vector<std::string>(10, "blob")};
  Random random(5);
  for (std::int64_t i = 0; i < data.count; ++i) {
    const auto label = std::int32_t(i % data.classes);
    data.labels.push_back(label);
    for (int at = 0; at < 28 * 28; ++at)
      data.pixels.push_back(std::uint8_t(20 * label + int(random.below(70))));
  }
  return data;
}

struct Trace {
  std::vector<double> losses;
  std::vector<real> parameters;
  bool operator==(const Trace&) const = default;
};

/// Five steps an epoch.
Trace run(const CapsNetConfig& config, std::int64_t epochs) {
  TrainOptions options;
  options.epochs = epochs;
  options.batch = batch;
  options.validation = 0;
  CapsNet model(config, 7);
  Recorder recorder;
  train(model, blobs(), options, recorder);
  const auto values = model.parameters().values();
  return {recorder.losses, {values.begin(), values.end()}};
}

/// FNV-1a over the bytes.
std::uint64_t hash(const Trace& trace) {
  std::uint64_t h = 0xcbf29ce484222325u;
  const auto fold = [&](const auto& values) {
    for (const std::byte byte : std::as_bytes(std::span(values)))
      h = (h ^ std::uint64_t(byte)) * 0x100000001b3u;
  };
  fold(trace.losses);
  fold(trace.parameters);
  return h;
}

} // namespace

TEST_CASE("the network of the thread tests has work to share") {
  const CapsNet model(wide_config(), 7);
  const RoutingShape routing{model.primary_capsules(), 10, 16, 8, false};
  const RoutingCut cut(routing, batch);
  CHECK(cut.ranges.count() > 1);
  CHECK(cut.tiles > 1);
  CHECK(batch * 20 * 20 > 4 * row_grain(16)); // rows of the first layer's gradient
  Gemm weights{};                             // of the first layer
  weights.m = 81;
  weights.n = 16;
  weights.k = batch * 20 * 20;
  weights.a_transposed = true;
  CHECK(choose_gemm_blocks(weights, kernels().gemm, 7).inner < weights.k);
}

TEST_CASE("any number of threads gives the same losses and parameters in twenty steps") {
  const Threads restore;
  set_threads(1);
  const Trace one = run(wide_config(), 4);
  REQUIRE(one.losses.size() == 20);
  CHECK(one.losses.back() < one.losses.front());
  for (const int count : {2, 3, 7}) {
    CAPTURE(count);
    set_threads(count);
    CHECK(run(wide_config(), 4) == one);
  }
}

TEST_CASE("any number of threads gives the same losses and parameters without Winograd") {
  const Threads restore;
  CapsNetConfig config = wide_config();
  config.convolution = ConvolutionMethod::direct;
  set_threads(1);
  const Trace one = run(config, 1);
  set_threads(3);
  CHECK(run(config, 1) == one);
}

TEST_CASE("signature: a fixed run has the same hash on any number of threads") {
  const Threads restore;
  set_threads(1);
  const std::uint64_t one = hash(run(wide_config(), 1));
  set_threads(5);
  CHECK(hash(run(wide_config(), 1)) == one);
  char text[32];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(one));
  MESSAGE("signature " << isa() << " " << text);
}

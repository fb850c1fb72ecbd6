#include "blobs.h"
#include "error_of.h"

#include <mereo/inverse_graphics.h>

#include <doctest/doctest.h>

#include <cmath>

using namespace mereo;

namespace {

DcIgnConfig small_config() {
  DcIgnConfig config;
  config.size = 16;
  config.latents = 8;
  config.encoder = {8, 8};
  config.encoder_kernel = 3;
  config.decoder = {8, 8};
  config.decoder_kernel = 3;
  config.padding = Padding::same;
  return config;
}

Tensor some_pictures(std::int64_t count) {
  const Dataset data = fixture::blobs();
  const Tensor images({count, 16, 16, 1});
  for (std::int64_t i = 0; i < count; ++i)
    data.copy_image(i * 7, images.data() + i * 256);
  return images;
}

std::vector<real> trained(const DcIgnTraining& options, int count) {
  const int before = threads();
  set_threads(count);
  DcIgn network(small_config(), 3);
  train_dc_ign(network, fixture::blobs(), options);
  set_threads(before);
  const auto values = network.parameters().values();
  return {values.begin(), values.end()};
}

} // namespace

TEST_CASE("DC-IGN has the authors' parameters, and fits pictures of other sizes") {
  CHECK(DcIgn({}, 1).parameters().elements() == 4'131'137);
  for (const auto& [size, padding] :
       {std::pair{54, Padding::valid}, {48, Padding::same}, {96, Padding::same}}) {
    DcIgnConfig config;
    config.size = size;
    config.padding = padding;
    config.encoder = {4, 3, 2};
    config.decoder = {2, 3, 4, 4};
    DcIgn network(config, 1);
    Tape tape;
    const DcIgn::Code code =
        network.encode(tape, Tensor(Shape{2, size, size, 1}), Mode::evaluation);
    CHECK(code.mean.shape() == Shape{2, 200});
    CHECK(code.log_variance.shape() == Shape{2, 200});
    CHECK(network.decode(tape, code.mean, Mode::evaluation).shape() == Shape{2, size * size});
  }
}

TEST_CASE("DC-IGN's loss is the cross-entropy of pixels and the divergence of its latents") {
  DcIgn network(small_config(), 2);
  const Tensor images = some_pictures(3);
  Tape tape;
  const Noise noise{4, 5};
  const double got = network.loss(tape, images, {0, 8}, {}, Mode::evaluation, noise).item();
  const DcIgn::Code code = network.encode(tape, images, Mode::evaluation);
  const Variable z = sample_normal(tape, code.mean, code.log_variance, noise.stream(0));
  const Variable logits = network.decode(tape, z, Mode::evaluation);
  double want = 0;
  for (std::int64_t i = 0; i < images.elements(); ++i) {
    const double p = 1 / (1 + std::exp(-double(logits.data()[i]))), t = images.data()[i];
    want -= (t * std::log(p) + (1 - t) * std::log(1 - p)) / 3;
  }
  for (std::int64_t i = 0; i < code.mean.elements(); ++i) {
    const double m = code.mean.data()[i], l = code.log_variance.data()[i];
    want += (m * m + std::exp(l) - 1 - l) / 2 / 3;
  }
  CHECK(got == doctest::Approx(want).epsilon(1e-5));
}

TEST_CASE("latents that are not free are clamped, and drawn towards their mean") {
  // The gradient of the bias of the encoder's means is that of the latents, summed over pictures;
  // of single pictures it is told by a loss of one picture more or less.
  DcIgn network(small_config(), 2);
  Parameters& parameters = network.parameters();
  int weight = 0;
  while (parameters.name(weight) != "encoder.mean.weight")
    ++weight;
  const Tensor images = some_pictures(4);
  const auto gradient = [&](const Clamping& clamping) {
    Tape tape;
    tape.backward(network.loss(tape, images, {2, 1}, clamping, Mode::training, {}));
    const Tensor g = parameters.gradient(weight);
    std::vector<double> norms(8); // of each latent
    for (std::int64_t i = 0; i < g.elements(); ++i)
      norms[std::size_t(i % 8)] += std::abs(double(g.data()[i]));
    return norms;
  };
  const auto off = gradient({.invariance = 0}), on = gradient({.invariance = 0.01});
  const auto stronger = gradient({.invariance = 0.03});
  for (std::size_t k = 0; k < 8; ++k) {
    CAPTURE(k);
    if (k == 2) { // the free one
      CHECK(off[k] > 0);
      CHECK(on[k] == off[k]);
      continue;
    }
    CHECK(off[k] == 0);
    CHECK(on[k] > 0);
    CHECK(stronger[k] == doctest::Approx(3 * on[k]).epsilon(1e-4));
  }
}

TEST_CASE("clamped latents have the batch's mean or its first picture's value") {
  DcIgn network(small_config(), 2);
  const Tensor images = some_pictures(2), twins({2, 16, 16, 1});
  for (std::int64_t i = 0; i < 512; ++i)
    twins.data()[i] = images.data()[i % 256];
  Tape tape;
  const auto loss = [&](const Tensor& of, Clamping::To to, const FreeLatents& free) {
    return network.loss(tape, of, free, {to, 0}, Mode::evaluation, {1, 1}).item();
  };
  // Of twins both are the same, and clamping changes nothing.
  const real plain = loss(twins, Clamping::To::mean, {0, 8});
  CHECK(loss(twins, Clamping::To::mean, {0, 1}) == doctest::Approx(plain).epsilon(1e-6));
  CHECK(loss(twins, Clamping::To::first, {0, 1}) == plain);
  // Of others all three differ; with all latents held at the first one's, the divergence is his.
  const real free = loss(images, Clamping::To::mean, {0, 8});
  const real mean = loss(images, Clamping::To::mean, {0, 0});
  const real first = loss(images, Clamping::To::first, {0, 0});
  CHECK(mean != free);
  CHECK(first != free);
  CHECK(first != mean);
}

TEST_CASE("training DC-IGN makes its first latent follow azimuth, which the twin's does not") {
  const int before = threads();
  set_threads(1); // there is too little work for more
  const Dataset data = fixture::blobs();
  DcIgnTraining options{.steps = 500, .batches = {.weights = {1, 1, 1, 1}}, .learning_rate = 5e-3};
  double first = 0, last = 0;
  std::int64_t picked = -1;
  const auto r2 = [&](bool clamp) {
    DcIgn network(small_config(), 3);
    options.clamp = clamp;
    train_dc_ign(network, data, options, [&](std::int64_t step, double loss) {
      (step == 1 ? first : last) = loss;
      return true;
    });
    picked = most_varying_latent(network, data, Factor::azimuth);
    const EncodedSet encoded = encode_set(network, data);
    return fit_latent(encoded, encoded, Factor::azimuth, 0);
  };
  const double clamped = r2(true);
  CHECK(clamped > 0.75);
  CHECK(last < 0.25 * first);
  CHECK(picked == 0);
  CHECK(r2(false) < clamped - 0.2);
  CHECK(last < 0.25 * first);
  set_threads(before);
}

TEST_CASE("training DC-IGN gives the same bits on any number of threads, and stops when told") {
  const DcIgnTraining options{.steps = 5, .batches = {.weights = {1, 1, 1, 1}}};
  const std::vector<real> one = trained(options, 1);
  for (int count : {2, 3, 7})
    CHECK(trained(options, count) == one);
  DcIgn network(small_config(), 3);
  std::int64_t steps = 0;
  train_dc_ign(network, fixture::blobs(), {.steps = 100}, [&](std::int64_t step, double) {
    steps = step;
    return step < 3;
  });
  CHECK(steps == 3);
}

TEST_CASE("a latent that never varies tells nothing") {
  DcIgn network(small_config(), 1);
  for (int i = 0; i < network.parameters().count(); ++i)
    if (network.parameters().name(i) == "encoder.mean.weight")
      std::fill_n(network.parameters().value(i).data(), network.parameters().value(i).elements(),
                  real(0));
  const Dataset data = fixture::blobs();
  const EncodedSet encoded = encode_set(network, data);
  for (const Factor factor : {Factor::azimuth, Factor::elevation, Factor::lighting, Factor::shape})
    CHECK(std::abs(fit_latent(encoded, encoded, factor, 3)) < 1e-6);
}

TEST_CASE("DC-IGN says what does not fit") {
  const auto config = [](auto change) {
    return error_of([&] {
      DcIgnConfig c = small_config();
      change(c);
      DcIgn(c, 1);
    });
  };
  CHECK(config([](DcIgnConfig&) {}).empty());
  CHECK(has(config([](DcIgnConfig& c) { c.size = 18; }), "20 would do"));
  CHECK_FALSE(config([](DcIgnConfig& c) { c.latents = 0; }).empty());
  CHECK_FALSE(config([](DcIgnConfig& c) { c.encoder = {}; }).empty());
  CHECK_FALSE(config([](DcIgnConfig& c) { c.decoder = {4, 0}; }).empty());
  CHECK(has(config([](DcIgnConfig& c) { c.encoder = {4, 4, 4, 4, 4}; }), "too small"));
  CHECK_FALSE(config([](DcIgnConfig& c) { c.decoder.assign(13, 4); }).empty());

  DcIgn network(small_config(), 1);
  Tape tape;
  CHECK(has(error_of([&] {
              network.encode(tape, Tensor(Shape{1, 8, 16, 1}), Mode::training);
            }),
            "(1, 8, 16, 1)"));
  CHECK_FALSE(error_of([&] {
                network.decode(tape, tape.constant(Tensor(Shape{1, 7})), Mode::training);
              }).empty());
  for (const FreeLatents& wrong : {FreeLatents{-1, 2}, {0, 9}, {1, INT64_MAX}, {INT64_MAX, 1}})
    CHECK(has(error_of([&] {
                network.loss(tape, some_pictures(2), wrong, {.invariance = 0}, Mode::training, {});
              }),
              "no such columns"));
  const Dataset data = fixture::blobs();
  for (const DcIgnTraining& wrong : {DcIgnTraining{.steps = 0},
                                     {.free_steps = -1},
                                     {.learning_rate = 0},
                                     {.clamping = {.invariance = -1}},
                                     {.batches = {.batch = 1}}})
    CHECK_FALSE(error_of([&] { train_dc_ign(network, data, wrong); }).empty());
  const EncodedSet encoded = encode_set(network, data, 30), first = encode_set(network, data, 1);
  CHECK(encoded.latents.shape() == Shape{30, 8});
  for (const std::int64_t latent : {-1, 8})
    CHECK(has(error_of([&] { fit_latent(encoded, encoded, Factor::azimuth, latent); }),
              "no such latent"));
  CHECK(has(error_of([&] { fit_latent(encoded, encoded, Factor::azimuth, 0, 1); }), "two bins"));
  CHECK(has(error_of([&] { fit_latent(encoded, first, Factor::azimuth, 0); }), "does not vary"));
  CHECK(has(error_of([&] { encode_set(network, data, 0); }), "pictures"));
  Dataset blind = data;
  blind.viewpoints.clear();
  CHECK(has(error_of([&] { encode_set(network, blind); }), "viewpoints"));
  DcIgnConfig three = small_config();
  three.latents = 3;
  CHECK(has(error_of([&] { latents_of(Factor::shape, three); }), "4 or more"));
}

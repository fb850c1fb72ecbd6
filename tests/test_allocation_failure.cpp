// Out of memory at every place where memory is asked for: an exception, nothing held, nothing half
// changed, and the same work succeeds afterwards.
#include "allocations.h"
#include "norb_fixture.h"
#include "train_fixture.h"

#include "train/checkpoint.h"

#include <bit>
#include <cstring>
#include <filesystem>

using namespace fixture;
using allocations::Failing;

namespace {

/// Order-dependent, over the bits of numbers.
template <class Numbers> std::uint64_t digest(const Numbers& numbers, std::uint64_t hash = 1) {
  for (const auto& x : numbers) {
    std::uint64_t bits = 0;
    std::memcpy(&bits, &x, sizeof x);
    hash = std::rotl((hash ^ bits) * 0x9e3779b97f4a7c15u, 29);
  }
  return hash;
}

std::uint64_t digest_of(Model& model) {
  return digest(model.parameters().values());
}

struct Pictures {
  Dataset data = bars(8);
  Tensor images{Shape{8, 12, 12, 1}};
  Pictures() {
    for (std::int64_t i = 0; i < 8; ++i)
      data.copy_image(i, images.rows(i, i + 1).data());
  }
};

void step(Model& model, Optimizer& optimizer, Tape& tape, const Pictures& pictures) {
  Parameters& parameters = model.parameters();
  tape.reset();
  tape.backward(model.forward(tape, pictures.images, pictures.data.labels, Mode::training).loss);
  const double norm = gradient_norm(parameters.gradients());
  optimizer.step(parameters.values(), parameters.gradients(), 1e-3, clip_scale(norm, 1));
}

std::unique_ptr<Optimizer> adam_of(Model& model) {
  return make_optimizer("adam", std::int64_t(model.parameters().values().size()));
}

struct ThreadsScope {
  int before = threads();
  explicit ThreadsScope(int count) { set_threads(count); }
  ~ThreadsScope() { set_threads(before); }
};

/// The body with one failure and with nothing but failures from one on.
template <class Body> std::int64_t fail_both_ways(const Body& body, std::int64_t stride = 1) {
  const std::int64_t failures = allocations::fail_in_turn(Failing::one, body, stride);
  allocations::fail_in_turn(Failing::one_and_all_after, body, stride);
  return failures;
}

} // namespace

TEST_CASE("memory runs out while a network is built and trained a step" *
          doctest::skip(!allocations::counted)) {
  const Pictures pictures;
  for (const int count : {1, 3}) {
    const ThreadsScope scope(count);
    CAPTURE(count);
    const std::int64_t failures = fail_both_ways([&] {
      CapsNet model(tiny_config(), 3);
      const auto optimizer = adam_of(model);
      Tape tape;
      for (int i = 0; i < 2; ++i)
        step(model, *optimizer, tape, pictures);
      return digest_of(model);
    });
    CHECK(failures > 40);
  }
}

TEST_CASE("memory runs out in a step: the same objects take it once there is some again" *
          doctest::skip(!allocations::counted)) {
  const Pictures pictures;
  CapsNet wanted(tiny_config(), 3);
  const auto other = adam_of(wanted);
  Tape other_tape;
  for (int i = 0; i < 2; ++i)
    step(wanted, *other, other_tape, pictures);
  for (std::int64_t n = 1, failed = 1; failed; ++n) {
    CapsNet model(tiny_config(), 3);
    const auto optimizer = adam_of(model);
    const std::uint64_t before = digest_of(model);
    Tape tape;
    failed = 0;
    for (int taken = 0; taken < 2;) {
      allocations::fail(failed ? 1 << 30 : n, Failing::one);
      bool thrown = false;
      try {
        step(model, *optimizer, tape, pictures);
      } catch (const std::exception&) {
        thrown = true;
      }
      failed |= allocations::stop_failing();
      CAPTURE(n);
      if (thrown && taken == 0)
        REQUIRE(digest_of(model) == before);
      taken += !thrown;
    }
    REQUIRE(digest_of(model) == digest_of(wanted));
  }
}

TEST_CASE("memory runs out while a model is frozen: it stays thawed" *
          doctest::skip(!allocations::counted)) {
  CapsNetConfig config = tiny_config();
  config.convolution = ConvolutionMethod::winograd;
  CapsNet model(config, 3);
  const Pictures pictures;
  const auto lengths = [&] {
    Tape tape;
    const Variable scores = model.forward(tape, pictures.images, {}, Mode::evaluation).scores;
    return digest(scores.value().values());
  };
  const std::uint64_t thawed = lengths();
  model.freeze(8);
  const std::uint64_t frozen = lengths();
  REQUIRE(frozen != thawed);
  std::int64_t failures = 0;
  for (std::int64_t n = 1, failed = 1; failed; ++n) {
    allocations::fail(n, Failing::one);
    try {
      model.freeze(8);
    } catch (const std::exception&) {
    }
    failed = allocations::stop_failing();
    failures += failed;
    CHECK(lengths() == (failed ? thawed : frozen));
  }
  CHECK(failures >= 4); // of two layers
}

TEST_CASE("memory runs out while a checkpoint is written, read and restored" *
          doctest::skip(!allocations::counted)) {
  const Scratch scratch;
  const std::string path = scratch.path("last.safetensors");
  const Pictures pictures;
  CapsNet model(tiny_config(), 3);
  const auto optimizer = adam_of(model);
  Tape tape;
  step(model, *optimizer, tape, pictures);
  Checkpoint about;
  about.info.model = model.name();
  about.info.config = model.config();
  about.info.data = "bars";
  about.info.class_names = {"upright", "lying", "slant"};
  about.recipe = {{"batch", std::int64_t(8)}};
  write_checkpoint(path, about, model, *optimizer);
  SUBCASE("read") {
    const std::int64_t failures =
        fail_both_ways([&] { return digest_of(*load_model(path).model); });
    CHECK(failures > 50);
  }
  SUBCASE("written: a whole one is there, and no other file") {
    about.state.step = 7;
    for (std::int64_t n = 1, failed = 1; failed; ++n) {
      bool thrown = false;
      allocations::fail(n, Failing::one);
      try {
        write_checkpoint(path, about, model, *optimizer);
      } catch (const std::exception&) {
        thrown = true;
      }
      failed = allocations::stop_failing();
      CAPTURE(n);
      REQUIRE(failed == thrown);
      REQUIRE(scratch.files() == 1);
      const std::int64_t found = read_checkpoint(path).about.state.step;
      REQUIRE((found == 7 || (thrown && found == 0)));
    }
  }
  SUBCASE("restored: all of it or nothing") {
    const CheckpointFile file = read_checkpoint(path);
    for (std::int64_t n = 1, failed = 1; failed; ++n) {
      CapsNet fresh(tiny_config(), 5);
      const auto its = adam_of(fresh);
      const auto all = [&] {
        return digest(its->state()[1].second, digest_of(fresh)) + its->steps;
      };
      const std::uint64_t before = all();
      bool thrown = false;
      allocations::fail(n, Failing::one);
      try {
        restore(file, fresh, its.get());
      } catch (const std::exception&) {
        thrown = true;
      }
      failed = allocations::stop_failing();
      CAPTURE(n);
      REQUIRE(failed == thrown);
      if (thrown)
        REQUIRE(all() == before);
      else
        REQUIRE(digest_of(fresh) == digest_of(model));
    }
  }
}

TEST_CASE("memory runs out while data is read" * doctest::skip(!allocations::counted)) {
  const Scratch scratch;
  const auto data_digest = [](const Dataset& data) {
    return digest(data.pixels, digest(data.labels));
  };
  SUBCASE("idx") {
    const std::string images = scratch.path("images"), labels = scratch.path("labels");
    put(images, gzip_of(big_endian(0x803) + big_endian(2) + big_endian(3) + big_endian(4) +
                        std::string(24, 'x')));
    put(labels, big_endian(0x801) + big_endian(2) + std::string("\1\2"));
    CHECK(fail_both_ways([&] { return data_digest(read_idx(images, labels)); }) > 10);
  }
  SUBCASE("a NORB set") {
    const std::string dat = scratch.path("dat"), cat = scratch.path("cat");
    const std::string info = scratch.path("info");
    put(dat, gzip_of(norb_dat(2, 4, 4, pattern(64))));
    put(cat, norb_cat({4, 0}));
    put(info, norb_info({9, 8, 34, 5, 0, 0, 0, 0}));
    CHECK(fail_both_ways([&] { return data_digest(read_norb(dat, cat, info, {2, 3, 3})); }) > 20);
  }
  // Not a folder: where there is no memory to list one, libstdc++ ends the program.
  SUBCASE("pictures") {
    const std::string path = scratch.path("a.png");
    Tensor pixels(Shape{9, 8, 3});
    for (std::int64_t i = 0; i < pixels.elements(); ++i)
      pixels.data()[i] = real(i * i % 97) / 97;
    write_png(path, pixels);
    for (const std::string& picture : {path, std::string("tests/samples/squares.jpg")})
      for (const int channels : {0, 1, 3})
        CHECK(fail_both_ways([&] {
                return digest(resize_image(read_image(picture, channels), 5, 12).pixels);
              }) > 10);
  }
}

TEST_CASE("memory runs out while a picture is classified and written" *
          doctest::skip(!allocations::counted)) {
  const Scratch scratch;
  const std::string path = scratch.path("in.png"), made = scratch.path("out.png");
  Random random(1);
  Tensor noise(Shape{16, 16, 1});
  for (real& x : noise.values())
    x = random.uniform();
  write_png(path, noise);
  CapsNet model(tiny_config(), 3);
  const std::int64_t failures = fail_both_ways([&] {
    const Tensor pixels = image_tensor(resize_image(read_image(path, 1), 12, 12));
    Tape tape;
    const Outputs outputs =
        model.forward(tape, pixels.reshape({1, 12, 12, 1}), {}, Mode::evaluation);
    const Tensor sheet =
        contact_sheet(Tensor::view(outputs.reconstruction.data(), Shape{1, 12, 12, 1}), 1, 2);
    write_png(made, sheet);
    return digest(outputs.scores.value().values());
  });
  CHECK(failures > 50);
  CHECK(scratch.files() == 2);
}

TEST_CASE("memory runs out in a run: its last checkpoint is whole, and it can be resumed" *
          doctest::skip(!allocations::counted)) {
  const ThreadsScope scope(1);
  const Dataset data = bars(40);
  TrainOptions options = tiny_options();
  options.epochs = 1;
  const auto bits = [&](const std::string& folder, bool resume) {
    options.directory = folder;
    options.resume = resume;
    CapsNet model(tiny_config(), 7);
    Recorder recorder;
    train(model, data, options, recorder);
    return digest_of(model);
  };
  const Scratch whole;
  const std::uint64_t wanted = bits(whole.folder(), false);
  for (std::int64_t n = 1, failed = 1; failed; n += 181) {
    const Scratch scratch;
    bool thrown = false;
    allocations::fail(n, Failing::one);
    try {
      bits(scratch.folder(), false);
    } catch (const std::bad_alloc&) {
      thrown = true;
    } catch (const Error&) {
      thrown = true;
    }
    failed = allocations::stop_failing();
    CAPTURE(n);
    REQUIRE(failed == thrown);
    const bool saved = std::filesystem::exists(scratch.path("last.safetensors"));
    REQUIRE(bits(scratch.folder(), saved) == wanted);
    for (const auto& entry : std::filesystem::directory_iterator(scratch.folder()))
      REQUIRE(entry.path().string().find(".tmp-") == std::string::npos);
  }
}

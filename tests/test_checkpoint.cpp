// Checkpoints: whole or not at all, whatever happens to the process, the disk or the file.
#include "train_fixture.h"

#include "models/capsnet_config.h"
#include "train/checkpoint.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstring>
#include <sys/resource.h>
#include <sys/wait.h>

using namespace fixture;

namespace {

std::vector<real> values_of(Model& model) {
  const auto values = model.parameters().values();
  return {values.begin(), values.end()};
}

/// A model with some optimiser state and a checkpoint of it.
struct Saved {
  Scratch scratch;
  std::string path = scratch.path("last.safetensors");
  CapsNet model;
  std::unique_ptr<Optimizer> optimizer =
      make_optimizer("adam", std::int64_t(model.parameters().values().size()));
  Checkpoint about;

  explicit Saved(const CapsNetConfig& config = tiny_config()) : model(config, 3) {
    about.info.model = model.name();
    about.info.config = model.config();
    about.info.data = "bars";
    about.info.class_names = {"upright", "lying", "slant"};
    about.recipe = {{"batch", std::int64_t(8)}, {"lr", 0.1}};
    about.state.step = 17;
    about.state.position = {2, 5};
    about.state.sums = {0.1, 1.0 / 3, 1e-300, 40, 3};
    Parameters& parameters = model.parameters();
    for (int i = 0; i < parameters.count(); ++i)
      std::ranges::fill(parameters.gradient(i).values(), real(0.25));
    optimizer->step(parameters.values(), parameters.gradients(), 1e-3, 1);
    save();
  }
  void save() { write_checkpoint(path, about, model, *optimizer); }
};

} // namespace

TEST_CASE("a checkpoint brings back every bit") {
  Saved saved;
  const CheckpointFile file = read_checkpoint(saved.path);
  CapsNet model(tiny_config(), 99);
  const auto optimizer =
      make_optimizer("adam", std::int64_t(saved.optimizer->state()[0].second.size()));
  restore(file, model, optimizer.get());
  CHECK(values_of(model) == values_of(saved.model));
  CHECK(optimizer->steps == 1);
  for (int i = 0; i < 2; ++i) {
    const auto a = optimizer->state()[i].second, b = saved.optimizer->state()[i].second;
    CHECK(std::memcmp(a.data(), b.data(), a.size_bytes()) == 0);
  }
  const TrainState& state = file.about.state;
  CHECK(state.step == 17);
  CHECK(state.position == LoaderPosition{2, 5});
  CHECK(state.sums.loss == 0.1);
  CHECK(state.sums.margin == 1.0 / 3);
  CHECK(state.sums.reconstruction == 1e-300);
  CHECK(state.sums.pictures == 40);
  CHECK(std::isnan(state.validation_error_percent));
  CHECK(to_json(file.about.recipe) == to_json(saved.about.recipe));
  CHECK(values_of(*load_model(saved.path).model) == values_of(saved.model));
}

TEST_CASE("a checkpoint of another model is refused, naming the tensor, and changes nothing") {
  Saved saved;
  const CheckpointFile file = read_checkpoint(saved.path);
  CapsNetConfig wider = tiny_config();
  wider.decoder_hidden2 = 25;
  CapsNet model(wider, 1);
  const std::vector<real> before = values_of(model);
  CHECK_THROWS_WITH_AS(restore(file, model, nullptr), doctest::Contains("decoder"), Error);
  CHECK(values_of(model) == before);
  CapsNetConfig bare = tiny_config();
  bare.decoder = false;
  CapsNet smaller(bare, 1);
  CHECK_THROWS_WITH_AS(restore(file, smaller, nullptr), doctest::Contains("does not have"), Error);
  const auto other = make_optimizer("sgd", std::int64_t(saved.optimizer->state()[0].second.size()));
  CapsNet same(tiny_config(), 4);
  const std::vector<real> untouched = values_of(same);
  CHECK_THROWS_WITH_AS(restore(file, same, other.get()), doctest::Contains("another optimiser"),
                       Error);
  CHECK(values_of(same) == untouched);
}

/// Hardly a network: a few dozen numbers.
CapsNetConfig least_config() {
  CapsNetConfig config;
  config.input = {.height = 2, .width = 2, .channels = 1, .classes = 2};
  config.kernel = config.conv_filters = 1;
  config.primary_types = config.primary_pose = config.class_pose = 1;
  config.decoder = false;
  return config;
}

TEST_CASE("a checkpoint cut at any byte or with any bit flipped is an error") {
  Saved saved(least_config());
  const std::string whole = read_file(saved.path), broken = saved.scratch.path("broken");
  REQUIRE(whole.size() < 5000);
  const auto refused = [&](const std::string& what) {
    INFO(what);
    CHECK_THROWS_AS(read_checkpoint(broken), Error);
  };
  for_every_cut(broken, whole, refused);
  // Also in the blanks behind the header, which the checksum does not cover: nothing else may be
  // there.
  for_every_flip(broken, whole, refused);
  put(broken, whole + "x");
  refused("a byte more");
  put(broken, whole);
  CHECK_NOTHROW(load_model(broken));
}

TEST_CASE("in a checkpoint's header blanks can be nothing else") {
  Saved saved(least_config());
  std::string bytes = read_file(saved.path);
  std::uint64_t header;
  std::memcpy(&header, bytes.data(), sizeof header);
  char& last = bytes[header + 7];
  REQUIRE(last == ' ');
  for (int value = 0; value < 256; ++value) {
    CAPTURE(value);
    last = char(value);
    put(saved.path, bytes);
    if (value == ' ')
      CHECK_NOTHROW(read_checkpoint(saved.path));
    else
      CHECK_THROWS_AS(read_checkpoint(saved.path), Error);
  }
}

TEST_CASE("a small checkpoint cannot ask for a large model") {
  Saved saved(least_config());
  TensorFile file = read_safetensors(saved.path);
  CapsNetConfig large = least_config();
  large.conv_filters = 1 << 15;
  large.primary_types = 1 << 14;
  file.metadata["config"] = capsnet_config_text(large);
  file.metadata["checksum"] = checkpoint_checksum(file);
  write_safetensors(saved.path, file);
  CHECK_THROWS_WITH_AS(load_model(saved.path), doctest::Contains("numbers, the model has 536"),
                       Error);
}

TEST_CASE("a checkpoint with a number that is not finite is refused") {
  Saved saved(least_config());
  for (const double value : {double(NAN), double(-INFINITY)}) {
    TensorFile file = read_safetensors(saved.path);
    file.tensors[1].second.data()[0] = real(value);
    file.metadata["checksum"] = checkpoint_checksum(file);
    write_safetensors(saved.path, file);
    CHECK_THROWS_WITH_AS(load_model(saved.path), doctest::Contains("not finite"), Error);
  }
}

TEST_CASE("other safetensors files are not taken for checkpoints") {
  const Scratch scratch;
  const std::string path = scratch.path("other.safetensors");
  TensorFile file;
  file.tensors.emplace_back("weight", Tensor(Shape{3}));
  write_safetensors(path, file);
  CHECK_THROWS_WITH_AS(load_model(path), doctest::Contains("not a checkpoint"), Error);
  CHECK_THROWS_WITH_AS(load_model(scratch.path("none")), doctest::Contains("none"), Error);
}

TEST_CASE("a process killed while it saves leaves a whole checkpoint") {
  Saved saved;
  Random random(5);
  std::int64_t newest = 0;
  for (int round = 0; round < 12; ++round) {
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      for (;; ++saved.about.state.step)
        saved.save();
    }
    usleep(2000 + random.below(40000));
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    const CheckpointFile file = read_checkpoint(saved.path);
    newest = std::max(newest, file.about.state.step);
    CapsNet model(tiny_config(), 1);
    restore(file, model, nullptr);
    CHECK(values_of(model) == values_of(saved.model));
  }
  CHECK(newest > 17);
}

TEST_CASE("a full disk is an error and keeps the checkpoint before") {
  Saved saved;
  const std::string before = read_file(saved.path);
  struct rlimit limit;
  REQUIRE(getrlimit(RLIMIT_FSIZE, &limit) == 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  for (const rlim_t room : {0, 100, 4096, 50000}) {
    const struct rlimit small { room, limit.rlim_max };
    setrlimit(RLIMIT_FSIZE, &small);
    saved.about.state.step = 1000;
    CHECK_THROWS_WITH_AS(saved.save(), doctest::Contains(saved.path.c_str()), Error);
    setrlimit(RLIMIT_FSIZE, &limit);
    CHECK(read_file(saved.path) == before);
    CHECK(saved.scratch.files() == 1);
  }
  std::signal(SIGXFSZ, handler);
  saved.save();
  CHECK(read_checkpoint(saved.path).about.state.step == 1000);
}

TEST_CASE("a loss that is no longer finite names the layer and keeps the last good checkpoint") {
  const Scratch scratch;
  for (const char* name : {"conv1.weight", "primary.bias", "classes.weight"}) {
    CAPTURE(name);
    const std::string run = scratch.path(name);
    TrainOptions options = tiny_options(run);
    options.save_steps = 3;
    CapsNet model(tiny_config(), 7);
    Parameters& parameters = model.parameters();
    int index = 0;
    while (parameters.name(index) != name)
      ++index;
    Recorder recorder;
    recorder.act_after_step = 7;
    recorder.act = [&] { parameters.value(index).data()[0] = real(NAN); };
    const std::string layer = std::string(name).substr(0, std::string(name).find('.'));
    CHECK_THROWS_WITH_AS(train(model, bars(60), options, recorder),
                         doctest::Contains(("layer " + layer).c_str()), Error);
    const CheckpointFile file = read_checkpoint(run + "/last.safetensors");
    CHECK(file.about.state.step == 6);
    for (const auto& [tensor, values] : file.tensors.tensors)
      for (const real x : values.values())
        REQUIRE(std::isfinite(x));
  }
}

TEST_CASE("a parameter that is not finite is never saved") {
  const Scratch scratch;
  CapsNet model(tiny_config(), 7);
  Recorder recorder;
  recorder.act_after_step = recorder.stop_after_step = 7;
  recorder.act = [&] { model.parameters().value(0).data()[0] = real(INFINITY); };
  CHECK_THROWS_WITH_AS(train(model, bars(60), tiny_options(scratch.folder()), recorder),
                       doctest::Contains("conv1.weight"), Error);
  CHECK(read_checkpoint(scratch.path("last.safetensors")).about.state.step == 6);
}

namespace {

/// The identity, until its gradient breaks.
void broken_vjp(Tape& tape, const void* saved);
constexpr Op broken_op{"broken", broken_vjp};
struct BrokenSaved {
  Variable x, y;
};
void broken_vjp(Tape& tape, const void* saved) {
  const auto& s = *static_cast<const BrokenSaved*>(saved);
  if (const GradientSink sink = tape.gradient_into(s.x))
    std::fill_n(sink.data, s.x.elements(), real(NAN));
}

/// Two dense layers with that operation between them.
class BrokenGradient : public Model {
public:
  BrokenGradient() {
    const Initialiser start = Initialiser::normal(0.1);
    first_ = std::make_unique<DenseLayer>(parameters_, "first", 144, 4, Activity::linear, start,
                                          Initialiser::constant(0));
    second_ = std::make_unique<DenseLayer>(parameters_, "second", 4, 3, Activity::linear, start,
                                           Initialiser::constant(0));
    parameters_.allocate(1);
  }
  std::string name() const override { return "broken"; }
  InputShape input() const override { return {12, 12, 1, 3}; }
  std::string config() const override { return "{}"; }
  Parameters& parameters() override { return parameters_; }
  Outputs forward(Tape& tape, const Tensor& images, std::span<const std::int32_t> labels, Mode mode,
                  double, const Targets&, const Noise&) override {
    const Variable flat = tape.constant(images.reshape({images.shape()[0], 144}));
    const Variable x = first_->forward(tape, parameters_, flat, mode);
    const Variable y = tape.output(x.shape(), {x});
    std::copy_n(x.data(), x.elements(), y.data());
    tape.record(broken_op, y, BrokenSaved{x, y});
    Outputs out;
    out.scores = second_->forward(tape, parameters_, y, mode);
    out.loss = out.classification_loss = margin_loss(tape, out.scores, labels, {});
    return out;
  }

private:
  Parameters parameters_;
  std::unique_ptr<DenseLayer> first_, second_;
};

} // namespace

TEST_CASE("a gradient that is not finite names the first parameter it reached") {
  BrokenGradient model;
  Recorder recorder;
  CHECK_THROWS_WITH_AS(train(model, bars(60), tiny_options(), recorder),
                       doctest::Contains("first.bias"), Error);
}

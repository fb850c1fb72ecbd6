// Matrix capsules with EM routing as they are trained and used, on made-up pictures.
#include "cases.h"

#include <mereo/models.h>
#include <mereo/optim.h>

#include <algorithm>
#include <cmath>

namespace bench {

using namespace mereo;

namespace {

/// The two networks of the paper for one channel of 32x32 and five classes.
MatrixCapsNetConfig config_of(bool small, int iterations) {
  MatrixCapsNetConfig config;
  config.input = {.height = 32, .width = 32, .channels = 1, .classes = 5};
  if (small) {
    config.conv_filters = 64;
    config.primary_types = 8;
    config.capsules1.types = config.capsules2.types = 16;
  }
  config.routing.set("iterations", std::int64_t(iterations));
  return config;
}

/// Elements of all votes of an image: places of parents, children that each sees, types, 16.
double vote_elements(const MatrixCapsNetConfig& c) {
  const double B = double(c.primary_types), C = double(c.capsules1.types);
  const double D = double(c.capsules2.types), E = double(c.input.classes);
  return 16 * (36 * 9 * B * C + 16 * 9 * C * D + 16 * D * E);
}

/// With votes formed once and stored: sums, squares and distances of each iteration.
double stored_operations(int iterations) {
  return 8 + 10 * iterations - 4;
}

/// Multiply-adds of the two convolutions of an image.
double convolutions(const MatrixCapsNetConfig& c) {
  const double A = double(c.conv_filters);
  return 14 * 14 * A * (25 + 17 * double(c.primary_types));
}

std::function<void()> training(const MatrixCapsNetConfig& config, std::int64_t batch) {
  struct State {
    MatrixCapsNet model;
    std::unique_ptr<Optimizer> optimizer;
    Tape tape;
    explicit State(const MatrixCapsNetConfig& config)
        : model(config, 1), optimizer(adam(std::int64_t(model.parameters().values().size()))) {}
  };
  const auto state = std::make_shared<State>(config);
  std::vector<std::int32_t> labels(static_cast<std::size_t>(batch));
  for (std::size_t b = 0; b < labels.size(); ++b)
    labels[b] = std::int32_t(b % 5);
  return [state, images = numbers({batch, 32, 32, 1}), labels] {
    state->tape.reset();
    state->tape.backward(
        state->model.forward(state->tape, images, labels, Mode::training, 0.5).loss);
    Parameters& parameters = state->model.parameters();
    if (!std::isfinite(gradient_norm(parameters.gradients())))
      throw Error("bench", "the gradient is not finite");
    state->optimizer->step(parameters.values(), parameters.gradients(), 1e-3, 1);
  };
}

std::function<void()> inference(const MatrixCapsNetConfig& config, std::int64_t batch) {
  struct State {
    MatrixCapsNet model;
    Tape tape;
    std::vector<std::int32_t> classes;
    explicit State(const MatrixCapsNetConfig& config) : model(config, 1) {}
  };
  const auto state = std::make_shared<State>(config);
  state->model.freeze(batch);
  return [state, images = numbers({batch, 32, 32, 1})] {
    state->tape.reset();
    predictions(state->model.forward(state->tape, images, {}, Mode::evaluation).scores,
                state->classes);
  };
}

} // namespace

std::vector<Case> matrix_cases() {
  std::vector<Case> all;
  for (const bool small : {true, false})
    for (const int iterations : {2, 3}) {
      const MatrixCapsNetConfig config = config_of(small, iterations);
      const std::string family =
          std::string("matrix-") + (small ? "small-" : "paper-") + std::to_string(iterations);
      const double elements = vote_elements(config), other = 2 * convolutions(config);
      const auto work = [&](double routing, double passes, double direct, std::int64_t batch) {
        return Work{.operations = double(batch) * (routing * elements + passes * other),
                    .direct = double(batch) * (direct * elements + passes * other),
                    .images = double(batch)};
      };
      for (const std::int64_t batch : {64, 16})
        all.push_back({family + "/train" + batch_name(batch),
                       work(em_forward_operations(iterations) + em_backward_operations(iterations),
                            3, 3 * stored_operations(iterations), batch),
                       [=] { return training(config, batch); }});
      for (const std::int64_t batch : {128, 16, 1})
        all.push_back(
            {family + "/infer" + batch_name(batch),
             work(em_forward_operations(iterations), 1, stored_operations(iterations), batch),
             [=] { return inference(config, batch); }});
    }
  return all;
}

} // namespace bench

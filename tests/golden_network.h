// A network that PyTorch computed too, read from one of its files in tests/golden/.
#pragma once

#include <mereo/io.h>
#include <mereo/isa.h>
#include <mereo/models.h>
#include <mereo/optim.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

namespace golden {

using namespace mereo;

/// How far a golden network may be from PyTorch, relative to the largest magnitude in a tensor.
struct Tolerances {
  double forward, gradient, loss, training;
};

/// The largest difference, relative to the largest magnitude wanted, must stay below the tolerance.
/// A REQUIRE, because whatever comes behind the first tensor that differs is its consequence.
inline void require_close(const std::string& what, std::span<const real> got,
                          std::span<const real> want, double tolerance) {
  INFO("tensor " << what);
  REQUIRE(got.size() == want.size());
  double largest = 0, worst = -1;
  std::size_t at = 0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    largest = std::max(largest, std::abs(double(want[i])));
    const double difference = std::abs(double(got[i]) - double(want[i]));
    if (difference > worst || std::isnan(difference)) {
      worst = std::isnan(difference) ? INFINITY : difference;
      at = i;
    }
  }
  INFO("worst at flat index " << at << ": " << got[at] << ", wanted " << want[at] << "; "
                              << worst / largest << " of the largest, " << largest);
  REQUIRE(worst <= tolerance * largest);
}

/// The layer's last operation on the tape.
inline const Tape::Node& node_of(const Tape& tape, const std::string& layer) {
  const Tape::Node* found = nullptr;
  for (const Tape::Node& node : tape.nodes())
    if (layer == node.layer)
      found = &node;
  INFO("layer " << layer);
  REQUIRE(found);
  return *found;
}

/// Gives the parameters the file's values; it has all of them and no others.
inline void read_parameters(const TensorFile& file, const Parameters& parameters) {
  std::size_t given = 0, wanted = 0;
  for (const auto& [name, tensor] : file.tensors)
    given += name.starts_with("parameter.");
  for (int i = 0; i < parameters.count(); ++i)
    wanted += !parameters.is_average(i);
  REQUIRE(given == wanted);
  for (int i = 0; i < parameters.count(); ++i) {
    if (parameters.is_average(i)) // training does not depend on it
      continue;
    const Tensor& value = file.get("parameter." + parameters.name(i));
    CAPTURE(parameters.name(i));
    REQUIRE(value.shape().text() == parameters.value(i).shape().text());
    std::copy_n(value.data(), value.elements(), parameters.value(i).data());
  }
}

/// The parameters' gradients, from the last layer to the first.
inline void require_gradients(const TensorFile& file, const Parameters& parameters,
                              double tolerance) {
  for (int i = parameters.count(); i-- > 0;) {
    if (parameters.is_average(i))
      continue;
    const std::string name = "gradient." + parameters.name(i);
    require_close(name, parameters.gradient(i).values(), file.get(name).values(), tolerance);
  }
}

struct Golden {
  TensorFile file;
  std::unique_ptr<Model> model;
  std::vector<std::int32_t> labels;

  explicit Golden(const std::string& path) : file(read_safetensors(path)) {
    model = make_model(file.metadata.at("model"), file.metadata.at("config"), 1);
    read_parameters(file, model->parameters());
    for (real label : file.get("labels").values())
      labels.push_back(std::int32_t(label));
  }

  void require(const std::string& name, const Variable& got, double tolerance) const {
    require_close(name, got.value().values(), file.get("output." + name).values(), tolerance);
  }
};

/// Gradients of the loss that is on the tape, from the last layer to the first, and the losses of a
/// few steps of Adam.
inline void check_training(const Golden& golden, Tape& tape, Variable loss,
                           const Tolerances& tolerances) {
  Parameters& parameters = golden.model->parameters();
  const Tensor& images = golden.file.get("images");
  tape.backward(loss);
  require_gradients(golden.file, parameters, tolerances.gradient);
  const auto optimizer = adam(std::int64_t(parameters.values().size()));
  const Tensor& losses = golden.file.get("losses");
  for (std::int64_t step = 0; step < losses.elements(); ++step) {
    tape.reset();
    loss = golden.model->forward(tape, images, golden.labels, Mode::training).loss;
    const real got = loss.item();
    require_close("loss of step " + std::to_string(step), {&got, 1},
                  losses.values().subspan(std::size_t(step), 1), tolerances.training);
    tape.backward(loss);
    optimizer->step(parameters.values(), parameters.gradients(), 1e-3, 1);
  }
}

/// Calls check(path of the golden) with every instruction set in turn; the one in use is restored.
template <class Check> void on_every_isa(const std::string& name, const Check& check) {
  const std::string before = isa();
  for (const std::string& each : available_isas()) {
    CAPTURE(each);
    set_isa(each);
    check("tests/golden/" + name + ".safetensors");
  }
  set_isa(before);
}

} // namespace golden

#include "train/memory_need.h"

#include <algorithm>

namespace mereo {

namespace {

/// Whether what it reconstructs is not the images themselves.
bool has_targets(const Model& model) {
  return model.input().labels_per_image > 1 || model.target_shift() > 0;
}

/// Bytes that the tape holds at most during forward and backward of black pictures.
std::int64_t step_peak(Model& model, std::int64_t batch) {
  const InputShape in = model.input();
  const std::int64_t L = in.labels_per_image;
  const Tensor images(Shape{batch, in.height, in.width, in.channels});
  Targets targets;
  if (has_targets(model))
    targets.images = Tensor({batch, L, in.height, in.width, in.channels});
  if (model.target_shift() > 0)
    targets.moves = Tensor({batch, L, 2});
  std::vector<std::int32_t> labels;
  for (std::int64_t i = 0; i < batch * L; ++i)
    labels.push_back(std::int32_t(i % L));
  Tape tape;
  const Outputs outputs = model.forward(tape, images, labels, Mode::training, 1, targets);
  tape.backward(outputs.loss);
  return std::int64_t(tape.arena().peak());
}

/// Measured; but where two small batches tell that it would be much, their word is taken for it, so
/// that the need is known before it is felt.
std::int64_t activation_bytes(Model& model, std::int64_t batch) {
  constexpr std::int64_t small = 16, much = std::int64_t(4) << 30;
  if (batch > 2 * small) {
    const std::int64_t one = step_peak(model, small), two = step_peak(model, 2 * small);
    const std::int64_t guess = one + (two - one) * ((batch - small) / small);
    if (guess > much)
      return guess;
  }
  return step_peak(model, batch);
}

} // namespace

std::vector<LayerSize> layer_sizes(const Parameters& parameters) {
  std::vector<LayerSize> layers;
  for (int i = 0; i < parameters.count(); ++i) {
    if (parameters.is_average(i))
      continue;
    const std::string& full = parameters.name(i);
    const std::string name = full.substr(0, full.rfind('.'));
    if (layers.empty() || layers.back().name != name)
      layers.push_back({name, 0});
    layers.back().elements += parameters.value(i).elements();
  }
  return layers;
}

MemoryNeed measure_memory(Model& model, Optimizer& optimizer, const Dataset& data,
                          std::int64_t batch) {
  constexpr std::int64_t element = sizeof(real);
  MemoryNeed need;
  need.parameters = std::int64_t(model.parameters().values().size()) * element;
  need.gradients = std::int64_t(model.parameters().gradients().size()) * element;
  for (const auto& [name, block] : optimizer.state())
    need.optimizer += std::int64_t(block.size()) * element;
  need.activations = activation_bytes(model, std::min(batch, data.count));
  // The loader fills one batch while the other is in use.
  const InputShape in = model.input();
  const std::int64_t pictures = has_targets(model) ? 1 + in.labels_per_image : 1;
  need.data =
      std::int64_t(data.pixels.size()) + std::int64_t(data.labels.size()) * 4 +
      std::int64_t(data.viewpoints.size() * sizeof(Viewpoint)) +
      2 * std::min(batch, data.count) * pictures * in.height * in.width * in.channels * element;
  return need;
}

void check_memory(const MemoryNeed& need, std::int64_t available) {
  const auto mib = [](std::int64_t bytes) { return std::to_string(bytes >> 20) + " MiB"; };
  if (need.total() > available)
    throw Error("train", "needs more memory than this machine has",
                mib(need.total()) + " of " + mib(available), "a smaller batch needs less");
}

} // namespace mereo

// A checkpoint is a safetensors file: the parameters by their names, the optimiser's state as
// "optimizer.<block>", and the rest as text in the metadata.
#include "train/checkpoint.h"

#include "train/fields.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <set>

namespace mereo {

namespace {

constexpr const char* format = "mereo checkpoint 1";
constexpr const char* random_note = "Philox 4x32-10, counted: the seed, the epoch and the place in "
                                    "it are the whole state";
constexpr const char* optimizer_prefix = "optimizer.";

/// FNV-1a on words of eight bytes: any single changed bit changes the result.
class Checksum {
public:
  void add(const void* data, std::size_t bytes) {
    const char* next = static_cast<const char*>(data);
    for (; bytes >= sizeof(std::uint64_t); bytes -= sizeof(std::uint64_t)) {
      std::uint64_t word;
      std::memcpy(&word, next, sizeof word);
      fold(word);
      next += sizeof word;
    }
    for (; bytes > 0; --bytes)
      fold(std::uint8_t(*next++));
  }
  void add(const std::string& text) {
    fold(text.size());
    add(text.data(), text.size());
  }
  std::string text() const {
    std::string digits;
    for (int shift = 60; shift >= 0; shift -= 4)
      digits += "0123456789abcdef"[(hash_ >> shift) & 15];
    return digits;
  }

private:
  void fold(std::uint64_t word) { hash_ = std::rotl((hash_ ^ word) * 0x100000001b3u, 23); }
  std::uint64_t hash_ = 0xcbf29ce484222325u;
};

Fields state_fields(const TrainState& state) {
  return {{"step", state.step},
          {"epoch", state.position.epoch},
          {"batch", state.position.batch},
          {"loss_sum", state.sums.loss},
          {"margin_sum", state.sums.margin},
          {"reconstruction_sum", state.sums.reconstruction},
          {"pictures", state.sums.pictures},
          {"wrong", state.sums.wrong},
          {"best_epoch", state.best_epoch},
          {"best_error_percent", state.best_error_percent},
          {"best_loss", state.best_loss},
          {"validation_error_percent", state.validation_error_percent},
          {"history_lines", state.history_lines},
          {"seconds", state.seconds}};
}

TrainState parse_state(const Fields& fields) {
  TrainState state;
  state.step = whole_field(fields, "step");
  state.position = {whole_field(fields, "epoch"), whole_field(fields, "batch")};
  state.sums.loss = number_field(fields, "loss_sum");
  state.sums.margin = number_field(fields, "margin_sum");
  state.sums.reconstruction = number_field(fields, "reconstruction_sum");
  state.sums.pictures = whole_field(fields, "pictures");
  state.sums.wrong = whole_field(fields, "wrong");
  state.best_epoch = whole_field(fields, "best_epoch");
  state.best_error_percent = number_field(fields, "best_error_percent");
  state.best_loss = number_field(fields, "best_loss");
  state.validation_error_percent = number_field(fields, "validation_error_percent");
  state.history_lines = whole_field(fields, "history_lines");
  state.seconds = number_field(fields, "seconds");
  return state;
}

Fields input_fields(const CheckpointInfo& info) {
  return {{"background", info.background},
          {"height", info.height},
          {"width", info.width},
          {"crop", info.view.crop},
          {"standardize", std::int64_t(info.view.standardize)}};
}

void parse_input(const Fields& fields, CheckpointInfo& info) {
  info.background = number_field(fields, "background");
  if (!find(fields, "height")) // written when networks saw whole pictures: see load_model()
    return;
  info.height = whole_field(fields, "height");
  info.width = whole_field(fields, "width");
  info.view.crop = whole_field(fields, "crop");
  info.view.standardize = whole_field(fields, "standardize") != 0;
}

/// Class names by their numbers, as a field each.
Fields class_fields(const std::vector<std::string>& names) {
  Fields fields;
  for (std::size_t i = 0; i < names.size(); ++i)
    fields.emplace_back(std::to_string(i), names[i]);
  return fields;
}

bool finite(const Tensor& tensor) {
  return std::ranges::all_of(tensor.values(), [](real x) { return std::isfinite(x); });
}

void check_finite(const std::string& path, const Parameters& parameters) {
  for (int i = 0; i < parameters.count(); ++i)
    if (!finite(parameters.value(i)))
      throw Error(path, "not written: a parameter is not finite", parameters.name(i),
                  "the checkpoint written before is kept");
}

/// Runs body; its errors name the file.
template <class Body> void in_file(const std::string& path, const Body& body) {
  try {
    body();
  } catch (const Error& error) {
    if (error.where == path)
      throw;
    throw Error(path, error.where + ": " + error.problem, error.values, error.hint);
  }
}

const std::string& metadata(const TensorFile& file, const std::string& path, const char* key) {
  const auto found = file.metadata.find(key);
  if (found == file.metadata.end())
    throw Error(path, "not a checkpoint of this program", "no \"" + std::string(key) + "\" in it");
  return found->second;
}

Checkpoint parse_metadata(const TensorFile& file, const std::string& path) {
  Checkpoint about;
  about.info.model = metadata(file, path, "model");
  about.info.config = metadata(file, path, "config");
  about.info.data = metadata(file, path, "data");
  for (const auto& [number, name] : parse_json_object(metadata(file, path, "classes")))
    about.info.class_names.push_back(text_field({{number, name}}, number.c_str()));
  parse_input(parse_json_object(metadata(file, path, "input")), about.info);
  about.recipe = parse_json_object(metadata(file, path, "recipe"));
  about.state = parse_state(parse_json_object(metadata(file, path, "state")));
  about.info.epochs = about.state.position.epoch;
  about.info.steps = about.state.step;
  about.info.validation_error_percent = about.state.validation_error_percent;
  return about;
}

/// The tensor of that name, of that shape.
const Tensor& matching(const CheckpointFile& file, const std::string& name, const Shape& shape) {
  const Tensor* tensor = file.tensors.find(name);
  if (!tensor)
    throw Error(file.path, "a tensor is missing", name, "is it the checkpoint of another model?");
  if (tensor->shape() != shape)
    throw Error(file.path, "tensor " + name + " has another shape",
                "file " + tensor->shape().text() + ", model " + shape.text(),
                "is it the checkpoint of another model?");
  if (!finite(*tensor))
    throw Error(file.path, "a number in a tensor is not finite", name);
  return *tensor;
}

} // namespace

std::string checkpoint_checksum(const TensorFile& file) {
  Checksum sum;
  for (const auto& [key, text] : file.metadata) {
    if (key == "checksum")
      continue;
    sum.add(key);
    sum.add(text);
  }
  for (const auto& [name, tensor] : file.tensors) {
    sum.add(name);
    sum.add(tensor.shape().text());
    sum.add(tensor.data(), std::size_t(tensor.elements()) * sizeof(real));
  }
  return sum.text();
}

void write_checkpoint(const std::string& path, const Checkpoint& about, Model& model,
                      Optimizer& optimizer) {
  const Parameters& parameters = model.parameters();
  check_finite(path, parameters);
  TensorFile file;
  file.metadata = {{"format", format},
                   {"model", about.info.model},
                   {"config", about.info.config},
                   {"data", about.info.data},
                   {"classes", to_json(class_fields(about.info.class_names))},
                   {"input", to_json(input_fields(about.info))},
                   {"recipe", to_json(about.recipe)},
                   {"state", to_json(state_fields(about.state))},
                   {"optimizer", to_json({{"name", optimizer.name()}, {"steps", optimizer.steps}})},
                   {"random", random_note}};
  for (int i = 0; i < parameters.count(); ++i)
    file.tensors.emplace_back(parameters.name(i), parameters.value(i));
  for (const auto& [name, block] : optimizer.state())
    file.tensors.emplace_back(optimizer_prefix + name,
                              Tensor::view(block.data(), Shape{std::int64_t(block.size())}));
  file.metadata["checksum"] = checkpoint_checksum(file);
  write_safetensors(path, file);
}

CheckpointFile read_checkpoint(const std::string& path) {
  CheckpointFile file{path, {}, read_safetensors(path)};
  if (metadata(file.tensors, path, "format") != format)
    throw Error(path, "not a checkpoint of this version",
                metadata(file.tensors, path, "format") + " instead of " + format);
  if (metadata(file.tensors, path, "checksum") != checkpoint_checksum(file.tensors))
    throw Error(path, "the file is damaged", "its checksum does not match",
                "evaluate and predict can use the run's other checkpoint");
  in_file(path, [&] { file.about = parse_metadata(file.tensors, path); });
  return file;
}

void restore(const CheckpointFile& file, Model& model, Optimizer* optimizer) {
  Parameters& parameters = model.parameters();
  std::vector<std::pair<const real*, std::span<real>>> copies;
  const auto plan = [&](const std::string& name, const Shape& shape, std::span<real> to) {
    copies.emplace_back(matching(file, name, shape).data(), to);
  };
  std::set<std::string> known;
  for (int i = 0; i < parameters.count(); ++i) {
    const Tensor value = parameters.value(i);
    plan(parameters.name(i), value.shape(), value.values());
    known.insert(parameters.name(i));
  }
  for (const auto& [name, tensor] : file.tensors.tensors)
    if (!known.contains(name) && !name.starts_with(optimizer_prefix))
      throw Error(file.path, "a tensor that the model does not have", name);
  std::int64_t steps = 0;
  if (optimizer) {
    const Fields about = parse_json_object(metadata(file.tensors, file.path, "optimizer"));
    if (text_field(about, "name") != optimizer->name())
      throw Error(file.path, "the state of another optimiser",
                  text_field(about, "name") + " instead of " + optimizer->name());
    steps = whole_field(about, "steps");
    for (const auto& [name, block] : optimizer->state())
      plan(optimizer_prefix + name, Shape{std::int64_t(block.size())}, block);
  }

  // Nothing can fail from here on.
  model.thaw();
  for (const auto& [from, to] : copies)
    std::copy_n(from, to.size(), to.data());
  if (optimizer)
    optimizer->steps = steps;
}

LoadedModel load_model(const std::string& path) {
  const CheckpointFile file = read_checkpoint(path);
  LoadedModel loaded{nullptr, file.about.info};
  in_file(path, [&] {
    CheckpointInfo& info = loaded.info;
    // A file must not be able to ask for more memory than it fills.
    const std::int64_t needed = parameter_elements(info.model, info.config);
    std::int64_t there = 0;
    for (const auto& [name, tensor] : file.tensors.tensors)
      there += tensor.elements();
    if (needed > there)
      throw Error(path, "its tensors are not those of its model",
                  std::to_string(there) + " numbers, the model has " + std::to_string(needed));
    loaded.model = make_model(info.model, info.config, 0);
    const InputShape input = loaded.model->input();
    if (info.height == 0) {
      info.height = input.height;
      info.width = input.width;
    }
    info.view.check(info.height, info.width);
    if (info.view.seen(info.height) != input.height || info.view.seen(info.width) != input.width)
      throw Error(path, "its model does not read what its view leaves of pictures",
                  Shape{info.height, info.width}.text() + ", crop " +
                      std::to_string(info.view.crop));
  });
  restore(file, *loaded.model, nullptr);
  return loaded;
}

Tensor picture_for(const CheckpointInfo& info, const Image& image) {
  return image_tensor(resize_image(image, info.height, info.width))
      .reshape({1, info.height, info.width, image.channels});
}

} // namespace mereo

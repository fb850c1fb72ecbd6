#include "lab/networks.h"

#include "models/cnn_config.h"
#include "models/matrix_capsnet_config.h"

#include <algorithm>

namespace mereo::lab {

namespace {

/// A third of the toys have the viewpoints of one training set.
std::int64_t epochs(const Lab& lab, const std::string& data) {
  if (data == "toys")
    return lab.small() ? 3 : 100;
  if (data.starts_with("toys-"))
    return lab.small() ? 9 : 300;
  if (data == "faces")
    return lab.small() ? 4 : 50;
  if (data == "mnist")
    return lab.small() ? 1 : 30;
  return lab.small() ? 2 : 30;
}

Network usual(const Lab& lab, const std::string& model, const std::string& data) {
  Network network{.name = model, .model = model, .config = {}, .options = {}};
  network.options.epochs = epochs(lab, data);
  network.options.view = usual_view(data);
  return network;
}

} // namespace

Network matrix_capsnet(const Lab& lab, const std::string& data) {
  Network network = usual(lab, "matrix-capsnet", data);
  TrainOptions& options = network.options;
  options.batch = 64;
  options.weight_decay = 2e-7;
  if (lab.small()) {
    network.config = matrix_capsnet_preset("small");
    options.schedule.start = 8e-3;
    if (data == "faces") // as many places as for 32x32
      network.config.emplace_back("conv_stride", std::int64_t(3));
  } else {
    network.config = matrix_capsnet_preset("paper");
    // As the authors said on OpenReview.
    options.schedule = {
        .kind = Schedule::Kind::exponential, .start = 3e-3, .decay = 0.96, .period = 20000};
  }
  return network;
}

Network capsnet(const Lab& lab, const std::string& data) {
  Network network = usual(lab, "capsnet", data);
  const std::int64_t types = data == "faces" ? 8 : 16; // large pictures
  if (lab.small())
    network.config = {{"conv_filters", 8 * types}, {"primary_types", types}};
  else
    network.options.schedule = {}; // the authors'
  if (!network.options.view.keeps_range())
    network.config.emplace_back("decoder", std::int64_t(false));
  return network;
}

Network cnn(const Lab& lab, const std::string& data) {
  Network network = usual(lab, "cnn", data);
  const char* preset = "norb";
  if (!lab.small() && data == "affine-mnist")
    preset = "parameters";
  if (!lab.small() && data == "multi-mnist")
    preset = "multimnist";
  network.config = cnn_preset(preset);
  return network;
}

Fields changed(Fields fields, const Fields& changes) {
  for (const auto& [name, value] : changes) {
    std::erase_if(fields, [&, name = name](const auto& field) { return field.first == name; });
    fields.emplace_back(name, value);
  }
  return fields;
}

} // namespace mereo::lab

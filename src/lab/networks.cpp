#include "lab/networks.h"

#include "models/matrix_capsnet_config.h"

namespace mereo::lab {

namespace {

/// On any of the toys a network sees as many pictures: a third of them have the viewpoints of one
/// training set.
std::int64_t epochs(const Lab& lab, const std::string& data) {
  if (data == "toys")
    return lab.small() ? 2 : 100;
  return lab.small() ? 6 : 300;
}

} // namespace

// Full: the learning rate and its decay are those that the authors gave on OpenReview.
Network matrix_capsnet(const Lab& lab, const std::string& data) {
  Network network{.name = "matrix-capsnet",
                  .model = "matrix-capsnet",
                  .config = matrix_capsnet_preset(lab.small() ? "small" : "paper")};
  TrainOptions& options = network.options;
  options.epochs = epochs(lab, data);
  options.batch = 64;
  options.weight_decay = 2e-7;
  options.view = usual_view(data);
  options.schedule.start = 3e-3;
  if (!lab.small())
    options.schedule = {
        .kind = Schedule::Kind::exponential, .start = 3e-3, .decay = 0.96, .period = 20000};
  return network;
}

Network capsnet(const Lab& lab, const std::string& data) {
  Network network{.name = "capsnet", .model = "capsnet"};
  if (lab.small())
    network.config = {{"conv_filters", std::int64_t(128)}, {"primary_types", std::int64_t(16)}};
  network.options.epochs = epochs(lab, data);
  network.options.view = usual_view(data);
  if (!network.options.view.keeps_range())
    network.config.emplace_back("decoder", std::int64_t(false));
  if (!lab.small())
    network.options.schedule = {};
  return network;
}

} // namespace mereo::lab

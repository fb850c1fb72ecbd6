#include "models/capsnet_config.h"

#include <mereo/models.h>

#include <algorithm>

namespace mereo {

void predictions(const Variable& scores, std::vector<std::int32_t>& out) {
  if (scores.shape().rank() != 2 || scores.shape()[1] < 1)
    throw Error("predictions", "not scores", scores.shape().text(), "they are (B, classes)");
  const std::int64_t B = scores.shape()[0], K = scores.shape()[1];
  out.resize(std::size_t(B));
  for (std::int64_t b = 0; b < B; ++b) {
    const real* row = scores.data() + b * K;
    out[std::size_t(b)] = std::int32_t(std::max_element(row, row + K) - row);
  }
}

std::vector<std::string> model_names() {
  return {"capsnet"};
}

namespace {

[[noreturn]] void unknown(const char* where, const std::string& name) {
  throw Error(where, "unknown model", name, "known: capsnet");
}

} // namespace

std::unique_ptr<Model> make_model(const std::string& name, const std::string& config,
                                  std::uint64_t seed) {
  if (name == "capsnet")
    return std::make_unique<CapsNet>(parse_capsnet_config(config), seed);
  unknown("make_model", name);
}

std::int64_t parameter_elements(const std::string& name, const std::string& config) {
  if (name == "capsnet")
    return CapsNet::parameter_elements(parse_capsnet_config(config));
  unknown("parameter_elements", name);
}

} // namespace mereo

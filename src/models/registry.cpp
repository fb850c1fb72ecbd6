#include "models/capsnet_config.h"
#include "models/cnn_config.h"
#include "models/matrix_capsnet_config.h"

#include <mereo/models.h>

namespace mereo {

namespace {

/// Each model: its name, and how it is made and measured from the text of its configuration.
struct Entry {
  const char* name;
  std::unique_ptr<Model> (*make)(const std::string& config, std::uint64_t seed);
  std::int64_t (*parameter_elements)(const std::string& config);
};

template <class Network, auto parse> constexpr Entry entry(const char* name) {
  return {name,
          [](const std::string& config, std::uint64_t seed) -> std::unique_ptr<Model> {
            return std::make_unique<Network>(parse(config), seed);
          },
          [](const std::string& config) { return Network::parameter_elements(parse(config)); }};
}

constexpr Entry entries[] = {
    entry<CapsNet, parse_capsnet_config>("capsnet"),
    entry<MatrixCapsNet, parse_matrix_capsnet_config>("matrix-capsnet"),
    entry<Cnn, parse_cnn_config>("cnn"),
};

const Entry& find_entry(const char* where, const std::string& name) {
  std::string known;
  for (const Entry& entry : entries) {
    if (entry.name == name)
      return entry;
    known += (known.empty() ? "" : ", ") + std::string(entry.name);
  }
  throw Error(where, "unknown model", name, "known: " + known);
}

} // namespace

std::vector<std::string> model_names() {
  std::vector<std::string> names;
  for (const Entry& entry : entries)
    names.emplace_back(entry.name);
  return names;
}

std::unique_ptr<Model> make_model(const std::string& name, const std::string& config,
                                  std::uint64_t seed) {
  return find_entry("make_model", name).make(config, seed);
}

std::int64_t parameter_elements(const std::string& name, const std::string& config) {
  return find_entry("parameter_elements", name).parameter_elements(config);
}

} // namespace mereo

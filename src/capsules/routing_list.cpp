#include "capsules/routing_list.h"
#include "io/config_fields.h"

namespace mereo {

std::span<const Routing* const> routings() {
#define MEREO_ADDRESS(name) &routing_list::name,
  static constexpr const Routing* list[] = {MEREO_ROUTINGS(MEREO_ADDRESS)};
#undef MEREO_ADDRESS
  return list;
}

const Routing& find_routing(const std::string& name) {
  std::string known;
  for (const Routing* routing : routings()) {
    if (routing->name == name)
      return *routing;
    known += (known.empty() ? "" : ", ") + std::string(routing->name);
  }
  throw Error("routing", "there is none of this name", name, "known: " + known);
}

RoutingChoice& RoutingChoice::set(const std::string& option, const FieldValue& value) {
  for (auto& [name, present] : options)
    if (name == option) {
      assign(option, value, present);
      return *this;
    }
  reject_key(option);
}

CapsuleGrid CapsuleLayerOptions::parent_grid() const {
  const std::int64_t K = connection.kernel;
  if (K == 0)
    return {1, 1, parents};
  if (K < 0 || connection.stride < 1 || children.height < K || children.width < K)
    throw Error("capsule layer", "no window fits the grid of children",
                std::to_string(children.height) + " x " + std::to_string(children.width) +
                    " children, kernel " + std::to_string(K) + ", stride " +
                    std::to_string(connection.stride),
                "use larger images or a smaller kernel");
  return {(children.height - K) / connection.stride + 1,
          (children.width - K) / connection.stride + 1, parents};
}

} // namespace mereo

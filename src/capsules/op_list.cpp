#include "capsules/op_list.h"

#include <mereo/capsules.h>

namespace mereo {

std::span<const Op* const> capsule_ops() {
#define MEREO_ADDRESS(name) &ops::name,
  static constexpr const Op* list[] = {MEREO_CAPSULE_OPS(MEREO_ADDRESS)};
#undef MEREO_ADDRESS
  return list;
}

} // namespace mereo

#include "autodiff/op_list.h"

#include <mereo/ops.h>

namespace mereo {

std::span<const Op* const> autodiff_ops() {
#define MEREO_ADDRESS(name) &ops::name,
  static constexpr const Op* list[] = {MEREO_AUTODIFF_OPS(MEREO_ADDRESS)};
#undef MEREO_ADDRESS
  return list;
}

} // namespace mereo

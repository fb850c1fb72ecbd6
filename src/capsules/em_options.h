// What EM routing can be asked for.
#pragma once

#include <mereo/capsules.h>

namespace mereo {

/// Throws Error, with the value, for an option that EM routing cannot follow.
void check_em_routing(const EmRouting& options);

} // namespace mereo

// The networks that experiments compare, trained in the usual way.
#pragma once

#include "lab/lab.h"

namespace mereo::lab {

/// Hinton, Sabour, Frosst 2018, three iterations: small has 69 thousand parameters, full 317
/// thousand. Batches of 64.
Network matrix_capsnet(const Lab& lab, const std::string& data);
/// Sabour, Frosst, Hinton 2017: small has half the filters and types. The decoder is left out where
/// pictures leave [0, 1].
Network capsnet(const Lab& lab, const std::string& data);

} // namespace mereo::lab

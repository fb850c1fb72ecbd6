// Room for the couplings that a routing is asked to show.
#pragma once

#include <mereo/tensor.h>

#include <vector>

namespace mereo {

/// Makes `couplings`, where not null, one tensor of this shape for each iteration, one behind the
/// other in memory. Returns where the first begins, or null.
real* couplings_of(std::vector<Tensor>* couplings, int iterations, const Shape& shape);

} // namespace mereo

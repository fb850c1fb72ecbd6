#include "capsules/couplings.h"

namespace mereo {

real* couplings_of(std::vector<Tensor>* couplings, int iterations, const Shape& shape) {
  if (!couplings)
    return nullptr;
  std::vector<std::int64_t> sizes(shape.sizes().begin(), shape.sizes().end());
  sizes[0] *= iterations;
  const Tensor all{Shape(sizes)};
  couplings->clear();
  for (int t = 0; t < iterations; ++t)
    couplings->push_back(all.rows(t * shape[0], (t + 1) * shape[0]));
  return all.data();
}

} // namespace mereo

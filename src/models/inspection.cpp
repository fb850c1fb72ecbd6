// What every model can be asked about one image.
#include <mereo/models.h>

namespace mereo {

ReceptiveField ReceptiveField::through(std::int64_t kernel, std::int64_t stride,
                                       std::int64_t before) const {
  ReceptiveField field = {first - before * this->stride, this->stride * stride, {}};
  field.paths.resize(std::size_t(size() + (kernel - 1) * this->stride));
  for (std::int64_t k = 0; k < kernel; ++k)
    for (std::int64_t n = 0; n < size(); ++n)
      field.paths[std::size_t(n + k * this->stride)] += paths[std::size_t(n)];
  return field;
}

Variable Model::decode(Tape&, Variable, std::span<const std::int32_t>, Mode) {
  throw Error(name(), "this network has no decoder");
}

} // namespace mereo

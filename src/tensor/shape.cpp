#include <mereo/tensor.h>

namespace mereo {

namespace {
constexpr std::int64_t max_elements = std::int64_t(1) << 60;
}

Shape::Shape(std::initializer_list<std::int64_t> sizes)
    : Shape(std::span<const std::int64_t>(sizes.begin(), sizes.size())) {}

Shape::Shape(std::span<const std::int64_t> sizes) {
  if (sizes.size() > max_rank)
    throw Error("Shape", "too many dimensions", std::to_string(sizes.size()), "at most six");
  std::int64_t product = 1;
  for (const std::int64_t size : sizes) {
    if (size < 0)
      throw Error("Shape", "a size is negative", std::to_string(size));
    if (size > 0 && product > max_elements / size)
      throw Error("Shape", "more than 2^60 elements", "size " + std::to_string(size));
    if (size > 0)
      product *= size; // a zero elsewhere does not excuse an absurd size
    sizes_[rank_++] = size;
  }
}

std::int64_t Shape::operator[](int axis) const {
  const int index = axis < 0 ? axis + rank_ : axis;
  if (index < 0 || index >= rank_)
    throw Error("Shape", "no such axis", std::to_string(axis) + " of " + text());
  return sizes_[index];
}

std::int64_t Shape::elements() const {
  std::int64_t product = 1;
  for (const std::int64_t size : sizes())
    product *= size;
  return product;
}

bool Shape::operator==(const Shape& other) const {
  return rank_ == other.rank_ && sizes_ == other.sizes_; // unused sizes are zero in both
}

std::string Shape::text() const {
  std::string out = "(";
  for (int axis = 0; axis < rank_; ++axis) {
    if (axis)
      out += ", ";
    out += std::to_string(sizes_[axis]);
  }
  return out + ")";
}

} // namespace mereo

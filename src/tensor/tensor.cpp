#include <mereo/tensor.h>

#include <algorithm>
#include <cstdio>

namespace mereo {

Tensor::Tensor(const Shape& shape) : shape_(shape) {
  AlignedBytes bytes = allocate_aligned(std::size_t(shape.elements()) * sizeof(real));
  owner_ = std::shared_ptr<std::byte[]>(bytes.release(), AlignedDelete{});
  data_ = reinterpret_cast<real*>(owner_.get());
  std::fill_n(data_, shape.elements(), real(0));
}

Tensor::Tensor(const Shape& shape, std::span<const real> values) : Tensor(shape) {
  if (std::int64_t(values.size()) != shape.elements())
    throw Error("Tensor", "the number of values is not that of the shape",
                std::to_string(values.size()) + " values, shape " + shape.text());
  std::copy(values.begin(), values.end(), data_);
}

Tensor Tensor::view(real* data, const Shape& shape) {
  Tensor tensor;
  tensor.data_ = data;
  tensor.shape_ = shape;
  return tensor;
}

Tensor Tensor::reshape(const Shape& shape) const {
  if (shape.elements() != elements())
    throw Error("reshape", "the shapes have different numbers of elements",
                shape_.text() + " to " + shape.text());
  Tensor tensor = *this;
  tensor.shape_ = shape;
  return tensor;
}

Tensor Tensor::rows(std::int64_t begin, std::int64_t end) const {
  if (shape_.rank() < 1 || begin < 0 || end < begin || end > shape_[0])
    throw Error("rows", "no such rows",
                std::to_string(begin) + " to " + std::to_string(end) + " of " + shape_.text());
  std::array<std::int64_t, Shape::max_rank> sizes{};
  std::copy(shape_.sizes().begin(), shape_.sizes().end(), sizes.begin());
  sizes[0] = end - begin;
  const std::int64_t row = shape_[0] ? elements() / shape_[0] : 0;
  Tensor tensor = *this;
  tensor.data_ = data_ + begin * row;
  tensor.shape_ = Shape(std::span<const std::int64_t>(sizes.data(), std::size_t(shape_.rank())));
  return tensor;
}

Tensor Tensor::clone() const {
  return empty() ? Tensor() : Tensor(shape_, values());
}

real& Tensor::at(std::initializer_list<std::int64_t> index) const {
  if (int(index.size()) != shape_.rank())
    throw Error("Tensor::at", "the index has another rank than the tensor",
                std::to_string(index.size()) + " numbers for shape " + shape_.text());
  std::int64_t offset = 0;
  int axis = 0;
  for (const std::int64_t i : index) {
    const std::int64_t size = shape_[axis++];
    if (i < 0 || i >= size)
      throw Error("Tensor::at", "index out of range",
                  std::to_string(i) + " on an axis of " + std::to_string(size));
    offset = offset * size + i;
  }
  return data_[offset];
}

std::string text(const Tensor& tensor) {
  constexpr std::int64_t shown = 8;
  std::string out = tensor.shape().text() + " [";
  for (std::int64_t i = 0; i < std::min(shown, tensor.empty() ? 0 : tensor.elements()); ++i) {
    char number[32];
    std::snprintf(number, sizeof number, "%s%.6g", i ? ", " : "", double(tensor.data()[i]));
    out += number;
  }
  return out + (tensor.elements() > shown ? ", …]" : "]");
}

} // namespace mereo

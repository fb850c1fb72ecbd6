// Floor 3: shape, storage and views of row-major tensors.
#pragma once

#include <mereo/core.h>
#include <mereo/memory.h>

#include <array>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>

namespace mereo {

/// Up to six dimensions, slowest first. A scalar has rank 0 and one element.
class Shape {
public:
  static constexpr int max_rank = 6;

  Shape() = default;
  /// Throws Error for a negative size, a rank above six, or more than 2^60 elements.
  Shape(std::initializer_list<std::int64_t> sizes);
  explicit Shape(std::span<const std::int64_t> sizes);

  int rank() const { return rank_; }
  /// Size of one axis; a negative axis counts from the end. Throws Error out of range.
  std::int64_t operator[](int axis) const;
  /// Product of all sizes.
  std::int64_t elements() const;
  std::span<const std::int64_t> sizes() const { return {sizes_.data(), std::size_t(rank_)}; }
  bool operator==(const Shape& other) const;
  /// "(128, 28, 28, 1)".
  std::string text() const;

private:
  std::array<std::int64_t, max_rank> sizes_{};
  int rank_ = 0;
};

/// A contiguous row-major array. Copies share their memory (like a pointer); clone() does not.
/// It owns its memory, or views memory that an arena or a parameter block owns.
class Tensor {
public:
  Tensor() = default;
  /// Owned, filled with zeros.
  explicit Tensor(const Shape& shape);
  /// Owned, filled from values, whose number must be shape.elements().
  Tensor(const Shape& shape, std::span<const real> values);
  /// A view of memory that must outlive it.
  static Tensor view(real* data, const Shape& shape);

  const Shape& shape() const { return shape_; }
  std::int64_t elements() const { return shape_.elements(); }
  bool empty() const { return data_ == nullptr; }
  real* data() const { return data_; }
  std::span<real> values() const { return {data_, std::size_t(elements())}; }

  /// The same memory under another shape of as many elements.
  Tensor reshape(const Shape& shape) const;
  /// Rows [begin, end) of the first axis; the same memory.
  Tensor rows(std::int64_t begin, std::int64_t end) const;
  Tensor clone() const;
  /// Element at an index of rank() numbers. Throws Error out of range.
  real& at(std::initializer_list<std::int64_t> index) const;

private:
  std::shared_ptr<std::byte[]> owner_;
  real* data_ = nullptr;
  Shape shape_;
};

/// Shape and the first few values, for people.
std::string text(const Tensor& tensor);

} // namespace mereo

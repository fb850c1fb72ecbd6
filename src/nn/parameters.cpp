#include "autodiff/elementwise.h"
#include "kernels/table.h"

#include <mereo/nn.h>

#include <algorithm>
#include <cmath>

namespace mereo {

Initialiser Initialiser::glorot(double fan_in, double fan_out) {
  return {Kind::uniform, std::sqrt(6.0 / (fan_in + fan_out))};
}

Initialiser Initialiser::he(double fan_in) {
  return normal(std::sqrt(2.0 / fan_in));
}

namespace {

double draw(const Initialiser& initialiser, Random& random) {
  switch (initialiser.kind) {
  case Initialiser::Kind::constant:
    return initialiser.value;
  case Initialiser::Kind::normal:
    return initialiser.value * random.normal();
  case Initialiser::Kind::truncated_normal:
    return initialiser.value * random.truncated_normal();
  case Initialiser::Kind::uniform:
    return initialiser.value * (2.0 * double(random.uniform()) - 1.0);
  }
  return 0;
}

} // namespace

int Parameters::add(std::string name, const Shape& shape, const Initialiser& initialiser,
                    Decay decay) {
  if (!values_.empty())
    throw Error("Parameters::add", "the block is already allocated", name);
  for (const Entry& entry : entries_)
    if (entry.name == name)
      throw Error("Parameters::add", "there is already one of this name", name);
  // Shapes may have 2^60 elements each; a sum of two already could not be allocated.
  if (block_elements_ > (std::int64_t{1} << 60))
    throw Error("Parameters::add", "there are too many parameters", name);
  entries_.push_back({std::move(name), shape, initialiser, decay, block_elements_});
  constexpr std::int64_t line = std::int64_t(alignment / sizeof(real));
  block_elements_ += (shape.elements() + line - 1) / line * line;
  return count() - 1;
}

void Parameters::allocate(std::uint64_t seed) {
  values_ = Tensor(Shape{block_elements_});
  gradients_ = Tensor(Shape{block_elements_});
  for (int i = 0; i < count(); ++i) {
    Random random(seed, std::uint64_t(i));
    for (real& x : value(i).values())
      x = real(draw(entries_[i].initialiser, random));
  }
}

Tensor Parameters::value(int index) const {
  return Tensor::view(values_.data() + entries_[index].offset, entries_[index].shape);
}

Tensor Parameters::gradient(int index) const {
  return Tensor::view(gradients_.data() + entries_[index].offset, entries_[index].shape);
}

std::int64_t Parameters::elements() const {
  std::int64_t total = 0;
  for (const Entry& entry : entries_)
    total += entry.shape.elements();
  return total;
}

void Parameters::add_weight_decay(double factor) const {
  if (factor == 0)
    return;
  for (int i = 0; i < count(); ++i) {
    if (entries_[i].decay == Decay::no)
      continue;
    const Tensor weights = value(i), gradients = gradient(i);
    const auto part = [&](std::int64_t begin, std::int64_t end) {
      kernels().elementwise.scale(end - begin, real(factor), weights.data() + begin,
                                  gradients.data() + begin, true);
    };
    parallel_chunks(weights.elements(), elementwise_grain, part);
  }
}

Variable Parameters::on(Tape& tape, int index, Mode mode) const {
  return mode == Mode::training ? tape.leaf(value(index), gradient(index))
                                : tape.constant(value(index));
}

} // namespace mereo

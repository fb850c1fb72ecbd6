#include "autodiff/elementwise.h"
#include "kernels/table.h"

#include <mereo/memory.h>
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

Random Noise::stream(int use) const {
  // The purpose is in the top byte, as in the streams of the data.
  constexpr std::uint64_t purpose = 0xe1;
  return Random(seed, purpose << 56 | std::uint64_t(step) << 8 | std::uint64_t(use));
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

int Parameters::add(Entry added, std::int64_t& block_elements) {
  if (!values_.empty())
    throw Error("Parameters::add", "the block is already allocated", added.name);
  for (const Entry& entry : entries_)
    if (entry.name == added.name)
      throw Error("Parameters::add", "there is already one of this name", added.name);
  // Shapes may have 2^60 elements each; a sum of two already could not be allocated.
  if (block_elements > (std::int64_t{1} << 60))
    throw Error("Parameters::add", "there are too many parameters", added.name);
  added.offset = block_elements;
  constexpr std::int64_t line = std::int64_t(alignment / sizeof(real));
  block_elements += (added.shape.elements() + line - 1) / line * line;
  entries_.push_back(std::move(added));
  return count() - 1;
}

int Parameters::add(std::string name, const Shape& shape, const Initialiser& initialiser,
                    Decay decay) {
  return add({std::move(name), shape, initialiser, decay, false, 0}, block_elements_);
}

int Parameters::add_average(std::string name, const Shape& shape, double start) {
  return add({std::move(name), shape, Initialiser::constant(start), Decay::no, true, 0},
             average_elements_);
}

void Parameters::allocate(std::uint64_t seed) {
  // Where memory is promised freely, taking too much of it ends the program without a word.
  if (block_elements_ > physical_memory() / std::int64_t(2 * sizeof(real)))
    throw Error("Parameters::allocate", "there is not so much memory as the parameters need",
                std::to_string(elements()) + " numbers and their gradients",
                "make the network smaller");
  values_ = Tensor(Shape{block_elements_});
  gradients_ = Tensor(Shape{block_elements_});
  averages_ = Tensor(Shape{average_elements_});
  seen_ = Tensor(Shape{average_elements_});
  for (int i = 0; i < count(); ++i) {
    Random random(seed, std::uint64_t(i));
    for (real& x : value(i).values())
      x = real(draw(entries_[i].initialiser, random));
  }
}

Tensor Parameters::value(int index) const {
  const Entry& entry = entries_[index];
  return Tensor::view((entry.average ? averages_ : values_).data() + entry.offset, entry.shape);
}

Tensor Parameters::gradient(int index) const {
  const Entry& entry = entries_[index];
  return Tensor::view((entry.average ? seen_ : gradients_).data() + entry.offset, entry.shape);
}

void Parameters::step_averages() const {
  constexpr real rate = real(0.1);
  for (std::int64_t i = 0; i < average_elements_; ++i)
    averages_.data()[i] += rate * (seen_.data()[i] - averages_.data()[i]);
}

std::int64_t Parameters::elements() const {
  std::int64_t total = 0;
  for (const Entry& entry : entries_)
    total += entry.average ? 0 : entry.shape.elements();
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

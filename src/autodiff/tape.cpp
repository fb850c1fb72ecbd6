#include <mereo/tape.h>

#include <algorithm>
#include <cmath>

namespace mereo {

Tensor Variable::gradient() const {
  if (!slot_ || !slot_->gradient || !slot_->has_gradient)
    return {};
  return Tensor::view(slot_->gradient, shape_);
}

Variable Variable::reshape(const Shape& shape) const {
  if (shape.elements() != elements())
    throw Error("reshape", "the shapes have different numbers of elements",
                shape_.text() + " to " + shape.text());
  return Variable(slot_, shape);
}

real Variable::item() const {
  if (empty() || elements() != 1)
    throw Error("Variable::item", "not a single element", "shape " + shape_.text());
  return slot_->value[0];
}

Variable Tape::make(real* value, real* gradient, const Shape& shape, bool needs_gradient) {
  auto* slot = new (arena_.allocate(sizeof(Variable::Slot)))
      Variable::Slot{value, gradient, shape.elements(), needs_gradient, false};
  return Variable(slot, shape);
}

Variable Tape::constant(const Tensor& value) {
  if (!watched_.empty() && watched_.data() == value.data())
    return watched_.reshape(value.shape());
  return make(value.data(), nullptr, value.shape(), false);
}

Variable Tape::leaf(const Tensor& value, const Tensor& gradient) {
  if (!(value.shape() == gradient.shape()))
    throw Error("Tape::leaf", "value and gradient have different shapes",
                value.shape().text() + " and " + gradient.shape().text());
  const Variable variable = make(value.data(), gradient.data(), value.shape(), true);
  leaves_.push_back(variable.slot_);
  return variable;
}

Variable Tape::watch(const Tensor& value, const Tensor& gradient) {
  return watched_ = leaf(value, gradient);
}

Variable Tape::output(const Shape& shape, std::initializer_list<Variable> inputs) {
  const bool needs_gradient = std::any_of(inputs.begin(), inputs.end(),
                                          [](const Variable& v) { return v.needs_gradient(); });
  real* value = arena_.allocate_array<real>(std::size_t(shape.elements()));
  return make(value, nullptr, shape, needs_gradient);
}

void Tape::append(const Node& node) {
  nodes_.push_back(node);
  if (observer_)
    observer_->recorded(node);
}

GradientSink Tape::gradient_into(const Variable& input) {
  if (observer_ && input.needs_gradient())
    observer_->gradient_wanted(input);
  return sink_of(input);
}

GradientSink Tape::sink_of(const Variable& variable) {
  if (!variable.needs_gradient())
    return {nullptr, false};
  Variable::Slot& slot = *variable.slot_;
  if (!slot.gradient)
    slot.gradient = arena_.allocate_array<real>(std::size_t(slot.elements));
  // The first contribution replaces, later ones add: no gradient is ever cleared.
  const bool accumulate = slot.has_gradient;
  slot.has_gradient = true;
  return {slot.gradient, accumulate};
}

void Tape::backward(const Variable& loss) {
  real one = 1;
  if (loss.empty() || loss.elements() != 1)
    throw Error("Tape::backward", "the loss is not a single number", "shape " + loss.shape().text(),
                "sum it first, or pass a seed of its shape");
  backward(loss, Tensor::view(&one, loss.shape()));
}

void Tape::backward(const Variable& output, const Tensor& seed) {
  if (output.elements() != seed.elements())
    throw Error("Tape::backward", "output and seed have different shapes",
                output.shape().text() + " and " + seed.shape().text());
  if (const GradientSink sink = sink_of(output))
    std::copy_n(seed.data(), seed.elements(), sink.data);
  for (auto node = nodes_.rbegin(); node != nodes_.rend(); ++node) {
    if (!node->output.slot_->has_gradient &&
        (node->second.empty() || !node->second.slot_->has_gradient))
      continue;
    if (observer_)
      observer_->rule_started(*node);
    node->op->vjp(*this, node->saved);
    if (observer_)
      observer_->rule_ended(*node);
  }
  for (Variable::Slot* leaf : leaves_) {
    if (leaf->has_gradient)
      continue;
    std::fill_n(leaf->gradient, leaf->elements, real(0)); // the loss does not depend on it
    leaf->has_gradient = true;
  }
}

void Tape::reset() {
  nodes_.clear();
  leaves_.clear();
  watched_ = {};
  arena_.reset();
}

std::string Tape::listing() const {
  std::string out;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const Node& node = nodes_[i];
    out += std::to_string(i) + "  " + (*node.layer ? node.layer : "-") + "  " + node.op->name +
           "  " + node.output.shape().text() +
           (node.second.empty() ? "" : ", " + node.second.shape().text()) + "\n";
  }
  return out;
}

std::string Tape::first_nonfinite() const {
  const auto finite = [](const Variable& value) {
    return value.empty() || std::all_of(value.data(), value.data() + value.elements(),
                                        [](real x) { return std::isfinite(x); });
  };
  for (const Node& node : nodes_) {
    if (finite(node.output) && finite(node.second))
      continue;
    return (*node.layer ? "layer " + std::string(node.layer) + ", " : std::string()) +
           "operation " + node.op->name;
  }
  return {};
}

} // namespace mereo

// Floor 4: the tape. It records operations as they run and walks them backwards; it knows no
// operation, only each one's vector-Jacobian product.
#pragma once

#include <mereo/tensor.h>

#include <string>
#include <type_traits>
#include <vector>

namespace mereo {

class Tape;
class TapeObserver;

/// A differentiable operation: its name and its rule. The rule reads what the forward saved and
/// adds to the gradients of its inputs (see Tape::gradient_into).
struct Op {
  const char* name;
  void (*vjp)(Tape& tape, const void* saved);
};

/// Where an operation's rule puts a gradient: at `data`, replacing or adding; null when nobody
/// wants it.
struct GradientSink {
  real* data;
  bool accumulate;
  explicit operator bool() const { return data != nullptr; }
};

/// A value on a tape. A cheap handle, valid until the tape is reset.
class Variable {
public:
  Variable() = default;

  const Shape& shape() const { return shape_; }
  std::int64_t elements() const { return shape_.elements(); }
  real* data() const { return slot_->value; }
  Tensor value() const { return Tensor::view(slot_->value, shape_); }
  bool empty() const { return slot_ == nullptr; }
  bool needs_gradient() const { return slot_ && slot_->needs_gradient; }
  /// After backward(): the gradient, or an empty tensor when none reached this value. Of an output
  /// with a ReLU of its own (dense, convolution) it is zero where that was off.
  Tensor gradient() const;
  /// The same value and the same gradient under another shape; not an operation.
  Variable reshape(const Shape& shape) const;
  /// The only element of a value that has one.
  real item() const;

private:
  friend class Tape;
  struct Slot {
    real* value;
    real* gradient;
    std::int64_t elements;
    bool needs_gradient, has_gradient;
  };
  Variable(Slot* slot, const Shape& shape) : slot_(slot), shape_(shape) {}

  Slot* slot_ = nullptr;
  Shape shape_;
};

/// Append-only record of one forward pass. Everything on it lives in its arena, which keeps its
/// memory between steps: a steady step allocates nothing.
class Tape {
public:
  struct Node {
    const Op* op;
    const void* saved;
    /// The layer that was current (see LayerScope), or "".
    const char* layer;
    Variable output;
    /// The other output of an operation that has two, or empty.
    Variable second = {};
  };

  /// A value without a gradient; the tensor's memory must outlive the pass.
  Variable constant(const Tensor& value);
  /// A value whose gradient backward() writes to `gradient` (same shape), replacing what was there.
  /// Register a parameter once per pass.
  Variable leaf(const Tensor& value, const Tensor& gradient);
  /// The same for a value that a model will take for a constant, such as its pictures: until the
  /// tape is reset, constant() of this memory is this leaf. One at a time.
  Variable watch(const Tensor& value, const Tensor& gradient);

  /// Room for the output of an operation; it needs a gradient when any input does.
  Variable output(const Shape& shape, std::initializer_list<Variable> inputs);
  /// Appends an operation. Saved is copied into the arena: plain data, Variables included.
  template <class Saved> void record(const Op& op, const Variable& output, const Saved& saved) {
    record(op, output, {}, saved);
  }
  /// The same with two outputs; the rule runs when a gradient reached either.
  template <class Saved>
  void record(const Op& op, const Variable& output, const Variable& second, const Saved& saved) {
    static_assert(std::is_trivially_destructible_v<Saved>, "the arena never runs destructors");
    append({&op, new (arena_.allocate(sizeof(Saved))) Saved(saved), layer_, output, second});
  }

  /// Within a rule: the gradient of the operation's output; null when none reached it, which only
  /// happens where there are two.
  const real* gradient_of(const Variable& output) const { return output.slot_->gradient; }
  /// The same, for a rule that uses the memory up (nobody reads it after the rule).
  real* consume_gradient_of(const Variable& output) const { return output.slot_->gradient; }
  /// Within a rule: where the gradient of an input goes. Call it once per contribution.
  GradientSink gradient_into(const Variable& input);

  /// d loss / d everything. The loss has one element.
  void backward(const Variable& loss);
  /// The vector-Jacobian product of `output` with `seed` (same shape).
  void backward(const Variable& output, const Tensor& seed);

  /// Forgets everything, keeps the memory.
  void reset();

  /// Who hears what happens on the tape from now on, resets included; null for nobody.
  void observe(TapeObserver* observer) { observer_ = observer; }

  /// Memory for operations: what they save, and (within an ArenaScope) their scratch.
  Arena& arena() { return arena_; }
  std::span<const Node> nodes() const { return nodes_; }
  /// The tape as a listing, one operation a line: number, layer, operation, shape.
  std::string listing() const;
  /// "layer conv1, operation convolution" of the first output that holds a NaN or an infinity, or
  /// "" when all are finite.
  std::string first_nonfinite() const;

private:
  friend class LayerScope;
  Variable make(real* value, real* gradient, const Shape& shape, bool needs_gradient);
  void append(const Node& node);
  GradientSink sink_of(const Variable& variable);

  Arena arena_;
  std::vector<Node> nodes_;
  std::vector<Variable::Slot*> leaves_;
  Variable watched_;
  const char* layer_ = "";
  TapeObserver* observer_ = nullptr;
};

/// Hears when operations and their rules run, to time them for example (see Tape::observe).
class TapeObserver {
public:
  virtual ~TapeObserver() = default;
  /// The operation has been computed and is the newest node.
  virtual void recorded(const Tape::Node&) {}
  /// The rule of a node is about to run ...
  virtual void rule_started(const Tape::Node&) {}
  /// ... asks where the gradient of this input goes, which it will compute now ...
  virtual void gradient_wanted(const Variable& /*input*/) {}
  /// ... and has ended.
  virtual void rule_ended(const Tape::Node&) {}
};

/// Names the layer that operations recorded during its life belong to. The name must outlive the
/// tape.
class LayerScope {
public:
  LayerScope(Tape& tape, const char* layer) : tape_(tape), before_(tape.layer_) {
    tape.layer_ = layer;
  }
  ~LayerScope() { tape_.layer_ = before_; }
  LayerScope(const LayerScope&) = delete;
  LayerScope& operator=(const LayerScope&) = delete;

private:
  Tape& tape_;
  const char* before_;
};

} // namespace mereo

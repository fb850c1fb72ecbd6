// Floor 5: parameters and the layers that every network has.
#pragma once

#include <mereo/ops.h>
#include <mereo/random.h>

#include <string>
#include <vector>

namespace mereo {

/// Training or evaluating is an argument of every forward, never hidden state. Evaluating records
/// no gradients.
enum class Mode { training, evaluation };

/// What is random in one pass over a network: an argument too.
struct Noise {
  std::uint64_t seed = 0;
  std::int64_t step = 0;
  /// A stream of its own for each use within the pass, in [0, 256).
  Random stream(int use) const;
};

/// How a parameter starts.
struct Initialiser {
  enum class Kind { constant, normal, truncated_normal, uniform };
  Kind kind = Kind::constant;
  /// The constant, the standard deviation (before truncation at two of them), or the bound.
  double value = 0;

  static Initialiser constant(double value) { return {Kind::constant, value}; }
  static Initialiser normal(double deviation) { return {Kind::normal, deviation}; }
  static Initialiser truncated_normal(double deviation) {
    return {Kind::truncated_normal, deviation};
  }
  /// Glorot & Bengio 2010: uniform within sqrt(6 / (fan_in + fan_out)).
  static Initialiser glorot(double fan_in, double fan_out);
  /// He et al. 2015, for layers followed by a ReLU: normal with deviation sqrt(2 / fan_in).
  static Initialiser he(double fan_in);
};

/// Whether weight decay pulls a parameter towards zero: it does with weights, not with biases.
enum class Decay { no, yes };

/// All parameters of a model in one aligned block, and their gradients in another: an optimiser, a
/// checkpoint or a sum over machines is one loop. Each parameter starts on a cache line; the gap
/// behind it stays zero.
class Parameters {
public:
  /// Declares a parameter; returns its index. Only before allocate().
  int add(std::string name, const Shape& shape, const Initialiser& initialiser,
          Decay decay = Decay::no);
  /// Declares a running average, which no gradient moves. It has a name, a value and an index as
  /// parameters have them, but lies in a block of its own, so that no optimiser sees it.
  int add_average(std::string name, const Shape& shape, double start);
  /// Reserves the blocks and draws the starting values. Parameter i draws from Random(seed, i).
  void allocate(std::uint64_t seed);

  int count() const { return int(entries_.size()); }
  const std::string& name(int index) const { return entries_[index].name; }
  bool is_average(int index) const { return entries_[index].average; }
  Tensor value(int index) const;
  /// Of a running average: what a forward pass in Mode::training has seen of it.
  Tensor gradient(int index) const;
  /// A step of the running averages, after one of the optimiser: a tenth of the way to what the
  /// last pass has seen.
  void step_averages() const;
  /// Number of trainable numbers, gaps not counted.
  std::int64_t elements() const;
  /// The blocks of what is trained, gaps included.
  std::span<real> values() const { return values_.values(); }
  std::span<real> gradients() const { return gradients_.values(); }
  /// Offset of a parameter in the blocks.
  std::int64_t offset(int index) const { return entries_[index].offset; }

  /// Adds to the gradients those of factor / 2 times the sum of squares of all weights that decay.
  void add_weight_decay(double factor) const;

  /// The parameter on a tape: with its gradient when training, as a constant when evaluating.
  Variable on(Tape& tape, int index, Mode mode) const;

private:
  struct Entry {
    std::string name;
    Shape shape;
    Initialiser initialiser;
    Decay decay;
    bool average;
    std::int64_t offset;
  };
  int add(Entry entry, std::int64_t& block_elements);

  std::vector<Entry> entries_;
  std::int64_t block_elements_ = 0, average_elements_ = 0;
  Tensor values_, gradients_, averages_, seen_;
};

/// A convolution with its weights.
class ConvolutionLayer {
public:
  struct Options {
    std::int64_t kernel = 3, channels = 1, filters = 1;
    ConvolutionOptions convolution;
    Initialiser weights, bias;
    /// Without one where a normalisation would take it away again.
    bool has_bias = true;
  };
  /// Declares "<name>.weight" (KH, KW, C, N) and, if it has one, "<name>.bias" (N).
  ConvolutionLayer(Parameters& parameters, std::string name, const Options& options);
  /// x (B, H, W, C) -> (B, OH, OW, N).
  Variable forward(Tape& tape, const Parameters& parameters, Variable x, Mode mode) const;

  /// The weight will not change until thaw(): evaluating may use what transform_weights() makes of
  /// it for images x (B, H, W, C). Any batch will do then, but no other size of images.
  void freeze(const Parameters& parameters, const Shape& x);
  void thaw() { transformed_.reset(); }

private:
  std::string name_;
  Options options_;
  int weight_, bias_ = -1;
  std::shared_ptr<const WinogradWeights> transformed_;
};

/// Batch normalisation over all but the last axis: by the batch in training, by running averages of
/// its moments otherwise.
class BatchNormLayer {
public:
  /// Declares "<name>.gain", "<name>.bias", and the averages "<name>.mean" and "<name>.variance",
  /// all (channels).
  BatchNormLayer(Parameters& parameters, std::string name, std::int64_t channels);
  /// x (..., channels) -> the same shape.
  Variable forward(Tape& tape, const Parameters& parameters, Variable x, Mode mode) const;

private:
  std::string name_;
  int gain_, bias_, mean_, variance_;
};

/// A fully connected layer with its weights.
class DenseLayer {
public:
  /// Declares "<name>.weight" (inputs, outputs) and "<name>.bias" (outputs).
  DenseLayer(Parameters& parameters, std::string name, std::int64_t inputs, std::int64_t outputs,
             Activity activity, const Initialiser& weights, const Initialiser& bias);
  /// x (B, inputs) -> (B, outputs).
  Variable forward(Tape& tape, const Parameters& parameters, Variable x, Mode mode) const;

private:
  std::string name_;
  Activity activity_;
  int weight_, bias_;
};

} // namespace mereo

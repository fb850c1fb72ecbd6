// Floor 6: layers of capsules, and the routings that make them, by name.
#pragma once

#include <mereo/capsules.h>
#include <mereo/io.h>

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace mereo {

/// A convolution whose channels are grouped into poses and squashed: channel = type * pose + atom,
/// so a capsule is 8 neighbouring CHANNELS of one pixel, never 8 pixels of one channel.
class PrimaryCapsules {
public:
  struct Options {
    std::int64_t kernel = 9, channels = 256, types = 32, pose = 8, stride = 2;
    Padding padding = Padding::valid;
    /// Factor on the convolution before the bias; the authors' code has 1 / types.
    real scale = 1;
    ConvolutionMethod method = ConvolutionMethod::automatic;
    std::int64_t tile = 3;
    Initialiser weights, bias;
  };
  PrimaryCapsules(Parameters& parameters, std::string name, const Options& options);
  /// x (B, H, W, C) -> (B, OH * OW * types, pose), rows slowest, types fastest.
  Variable forward(Tape& tape, const Parameters& parameters, Variable x, Mode mode) const;

  /// As those of ConvolutionLayer.
  void freeze(const Parameters& parameters, const Shape& x) { convolution_.freeze(parameters, x); }
  void thaw() { convolution_.thaw(); }

private:
  ConvolutionLayer convolution_;
  std::string name_;
  std::int64_t pose_;
};

/// A grid of matrix (or vector) poses with activations out of a map of features, by two 1x1
/// convolutions: one to the poses, linear, and one to the activations, logistic (Hinton, Sabour,
/// Frosst 2018, section 4).
class MatrixPrimaryCapsules {
public:
  struct Options {
    std::int64_t channels = 32, types = 32, pose = 16;
    Initialiser poses, activations;
  };
  /// Declares "<name>.pose" and "<name>.activation", weight and bias of each.
  MatrixPrimaryCapsules(Parameters& parameters, const std::string& name, const Options& options);
  /// x (B, H, W, C) -> poses (B, H, W, types, pose), activations (B, H, W, types).
  Capsules forward(Tape& tape, const Parameters& parameters, Variable x, Mode mode) const;

private:
  std::string activation_name_;
  std::int64_t types_, pose_;
  ConvolutionLayer poses_, activations_;
};

/// Where capsules stand.
struct CapsuleGrid {
  std::int64_t height = 1, width = 1, types = 1;
};

/// A layer of capsules, whatever its routing.
struct CapsuleLayerOptions {
  CapsuleGrid children;
  std::int64_t parents = 1; // types
  PoseShape pose;
  Connection connection;
  /// Of the children's places, as in em_routing().
  double coordinate_scale = 0;
  /// How the transforms start.
  Initialiser weights;

  /// Throws Error when no window of the connection fits into the grid of children.
  CapsuleGrid parent_grid() const;
};

/// Capsules that are routed from others. Every routing is one such class.
class CapsuleLayer {
public:
  virtual ~CapsuleLayer() = default;
  /// children: poses (B, H, W, I, rows inner), activations (B, H, W, I) where they have some ->
  /// poses (B, OH, OW, J, rows columns), and activations (B, OH, OW, J) unless a capsule's length
  /// says whether it is there. `couplings`, where not null, becomes a tensor (H, W, I, KH, KW, J)
  /// for each iteration, those of the only image, as in em_routing().
  virtual Capsules forward(Tape& tape, const Parameters& parameters, const Capsules& children,
                           Mode mode, std::vector<Tensor>* couplings = nullptr) const = 0;
};

/// One way to route.
struct Routing {
  const char* name;
  /// Its options with their defaults: what the configuration of a model has as routing_<key>.
  Fields (*options)();
  /// A layer that declares its parameters as "<layer>.<parameter>". Throws Error for options that
  /// the routing does not have, and for a layer that it cannot make.
  std::unique_ptr<CapsuleLayer> (*make)(Parameters& parameters, const std::string& layer,
                                        const CapsuleLayerOptions& shape, const Fields& options);
};

/// All there are.
std::span<const Routing* const> routings();
/// Throws Error, naming those there are, for an unknown name.
const Routing& find_routing(const std::string& name);

/// A routing and its options.
struct RoutingChoice {
  std::string name;
  /// All of them, in the routing's order.
  Fields options;

  /// With the routing's defaults.
  explicit RoutingChoice(const std::string& name = "em")
      : name(name), options(find_routing(name).options()) {}
  /// Throws Error for an option that the routing does not have, or a value of another type.
  RoutingChoice& set(const std::string& option, const FieldValue& value);
};

/// Routing by agreement, "dynamic" among the routings: every parent sees all children, each with a
/// transform of its own ("DigitCaps").
class RoutedCapsules : public CapsuleLayer {
public:
  struct Options {
    std::int64_t children, parents, child_pose, parent_pose;
    DynamicRouting routing;
    bool bias = false;
    Initialiser weights, bias_start;
  };
  RoutedCapsules(Parameters& parameters, std::string name, const Options& options);
  /// children (B, H, W, types, D), or (B, I, D), which counts as (B, I, 1, 1, D), -> (B, 1, 1, J,
  /// E).
  Capsules forward(Tape& tape, const Parameters& parameters, const Capsules& children, Mode mode,
                   std::vector<Tensor>* couplings = nullptr) const override;

private:
  std::string name_;
  Options options_;
  int weight_, bias_;
};

/// The reconstruction network: dense 512 ReLU, 1024 ReLU, pixels sigmoid (Sabour et al. 2017, 4.1).
class Decoder {
public:
  struct Options {
    std::int64_t inputs, hidden1 = 512, hidden2 = 1024, pixels;
    /// Starting values of the weights, or He/Glorot by layer when empty; and of the biases.
    bool authors_start = false;
  };
  Decoder(Parameters& parameters, std::string name, const Options& options);
  /// Masked capsules (B, inputs) -> pixels (B, pixels) in (0, 1).
  Variable forward(Tape& tape, const Parameters& parameters, Variable x, Mode mode) const;

private:
  std::string name_;
  DenseLayer first_, second_, last_;
};

} // namespace mereo

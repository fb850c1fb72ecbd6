// Floor 7: named networks and their registry.
#pragma once

#include <mereo/capsule_layers.h>

#include <memory>
#include <string>
#include <vector>

namespace mereo {

/// What a model reads: images (B, height, width, channels), in [0, 1] if it reconstructs them, how
/// many classes it tells apart, and how many of them each image shows.
struct InputShape {
  std::int64_t height = 28, width = 28, channels = 1, classes = 10;
  std::int64_t labels_per_image = 1;
  bool operator==(const InputShape&) const = default;
};

/// What a network that reconstructs is to make of images, where that is not the images themselves.
struct Targets {
  Tensor images; // (B, labels_per_image, height, width, channels)
  /// By how many pixels, right and down, they are moved from where the images have them: (B,
  /// labels_per_image, 2); empty for not at all. See Model::target_shift().
  Tensor moves = {};
};

/// What a forward pass leaves on the tape. What a model does not have is empty.
struct Outputs {
  Variable scores;   // (B, classes): the largest, labels_per_image of them, are the prediction
  Variable capsules; // (B, classes, pose)
  Variable reconstruction; // (B labels_per_image, height * width * channels) in (0, 1)
  Variable loss;           // scalar; only with labels
  Variable classification_loss, reconstruction_loss; // its two terms
  Variable features; // (B, size): what the scores are computed from, without capsules
};

/// Where along one axis the places of a grid look: place p at the pixels from first + p stride on,
/// at the n-th of them along paths[n] different ways through the kernels. Zeros that pad an image
/// count as pixels.
struct ReceptiveField {
  std::int64_t first = 0, stride = 1;
  std::vector<std::int64_t> paths = {1};

  std::int64_t size() const { return std::int64_t(paths.size()); }
  /// Of a layer whose windows lie on this grid, the first one so far before it.
  ReceptiveField through(std::int64_t kernel, std::int64_t stride, std::int64_t before = 0) const;
};

/// How one layer of capsules was routed.
struct RoutedLayer {
  std::string name;
  Connection connection;
  /// (H, W, types, pose) and (H, W, types). Activations are lengths where capsules have no others.
  Tensor child_poses, child_activations, parent_poses, parent_activations;
  /// Of each iteration, (H, W, I, KH, KW, J): see CapsuleLayer.
  std::vector<Tensor> couplings;
};

/// What became of one image.
struct Inspection {
  Outputs outputs;
  /// From the primary capsules to those of the classes; none where nothing is routed.
  std::vector<RoutedLayer> layers;
  /// Of the primary capsules.
  ReceptiveField rows, columns;
};

/// One class of network. Not thread-safe: one forward at a time.
class Model {
public:
  virtual ~Model() = default;

  virtual std::string name() const = 0;
  virtual InputShape input() const = 0;
  /// The configuration as flat JSON; make_model(name(), config(), seed) builds the same network.
  virtual std::string config() const = 0;
  virtual Parameters& parameters() = 0;
  /// Whether its outputs have a reconstruction, which is compared with the images.
  virtual bool reconstructs() const { return false; }

  /// images (B, H, W, C). With labels (B, labels_per_image) there is a loss. The reconstruction is
  /// of the true classes in Mode::training with labels, otherwise of the predicted ones, each in
  /// the place of its label if it is right; and, of several labels, each compared with a target of
  /// its own. Only Mode::training records gradients. `progress`, from 0 to 1, is how much of the
  /// training is done: see changes_with_progress(). `noise` is what is random in training. Throws
  /// Error when the images are not of input()'s shape.
  virtual Outputs forward(Tape& tape, const Tensor& images, std::span<const std::int32_t> labels,
                          Mode mode, double progress = 1, const Targets& targets = {},
                          const Noise& noise = {}) = 0;
  /// A forward pass of one image (1, H, W, C) in Mode::evaluation that tells how it was routed.
  /// What it returns lies on the tape. Without capsules there are no layers.
  virtual Inspection inspect(Tape& tape, const Tensor& image) {
    return {forward(tape, image, {}, Mode::evaluation), {}, {}, {}};
  }
  /// Decodes class capsules (B, classes, pose), all but one masked as in mask(): (B, height * width
  /// * channels), or (B L, ...). Throws Error where there is no decoder.
  virtual Variable decode(Tape& tape, Variable capsules, std::span<const std::int32_t> which,
                          Mode mode);
  /// By how many pixels at most its targets are to be moved at random to train it; 0: not at all.
  virtual int target_shift() const { return 0; }
  /// Whether its loss is another in the course of training, as one with a rising margin is.
  virtual bool changes_with_progress() const { return false; }

  /// Says that the parameters will not change until thaw(): inference, with batches of about so
  /// many images, may keep what it computes from them alone (for CapsNet 38 MB for single images,
  /// 105 MB for batches of 16 or more). Its results differ from those of a model that is not frozen
  /// by rounding. Any batch will do then; training and restoring a checkpoint thaw by themselves.
  /// Throws Error unless batch is positive, and when there is no memory, which leaves the model
  /// thawed; a forward may throw Error when the instruction set was changed meanwhile.
  virtual void freeze(std::int64_t /*batch*/) {}
  virtual void thaw() {}
};

/// Sabour, Frosst, Hinton 2017, "Dynamic routing between capsules". The defaults are the paper's
/// reading; authors_recipe() is what the authors' code does instead.
struct CapsNetConfig {
  InputShape input;
  std::int64_t kernel = 9, conv_filters = 256;
  std::int64_t primary_types = 32, primary_pose = 8, class_pose = 16;
  Padding padding = Padding::valid;
  /// How both convolutions are computed, as in ConvolutionOptions.
  ConvolutionMethod convolution = ConvolutionMethod::automatic;
  /// Training takes the same course with 6 as with 3 or the direct sum (see the README), faster.
  std::int64_t convolution_tile = 6;
  DynamicRouting routing;
  MarginLoss margin;

  bool decoder = true;
  std::int64_t decoder_hidden1 = 512, decoder_hidden2 = 1024;
  /// Factor on the sum of squared pixel errors, relative to the margin loss.
  double reconstruction_weight = 0.0005;
  /// Coordinate addition: when training, the target of a reconstruction is moved right and down by
  /// whole numbers of pixels up to coordinate_shift, and coordinate_scale times these numbers are
  /// added to the first two elements of the capsule that is decoded, so that these come to mean its
  /// position. 0: nothing is moved.
  std::int64_t coordinate_shift = 0;
  double coordinate_scale = 0.1;

  /// Factor on the primary capsules' convolution before its bias.
  double primary_scale = 1;
  /// A bias on the class capsules, added before squash in every iteration.
  bool class_bias = false;
  /// Starting values of the authors' code: truncated normal of deviation 0.05 (first layer) and
  /// 0.1, biases 0.1. Otherwise He and Glorot by layer, votes of deviation 0.05, biases 0.
  bool authors_start = false;

  /// Effective reconstruction weight 0.01, primary scale 1 / types, class bias, starting values.
  CapsNetConfig& authors_recipe();
};

/// 8,215,568 parameters for MNIST, 6,804,224 without the decoder.
class CapsNet : public Model {
public:
  CapsNet(const CapsNetConfig& config, std::uint64_t seed);

  std::string name() const override { return "capsnet"; }
  InputShape input() const override { return config_.input; }
  std::string config() const override;
  Parameters& parameters() override { return parameters_; }
  bool reconstructs() const override { return config_.decoder; }
  int target_shift() const override { return int(config_.coordinate_shift); }
  Outputs forward(Tape& tape, const Tensor& images, std::span<const std::int32_t> labels, Mode mode,
                  double progress = 1, const Targets& targets = {},
                  const Noise& noise = {}) override;
  Inspection inspect(Tape& tape, const Tensor& image) override;
  Variable decode(Tape& tape, Variable capsules, std::span<const std::int32_t> which,
                  Mode mode) override;
  void freeze(std::int64_t batch) override;
  void thaw() override;

  /// What of a capsule's first two elements is a pixel: CapsNetConfig::coordinate_scale.
  double coordinate_scale() const { return config_.coordinate_scale; }
  /// Primary capsules (B, I, pose) of images; I = primary_capsules().
  std::int64_t primary_capsules() const { return primary_count_; }

  /// How many numbers the parameters of such a network are, without making it.
  static std::int64_t parameter_elements(const CapsNetConfig& config);

private:
  explicit CapsNet(const CapsNetConfig& config); // parameters declared, not allocated
  Variable primary(Tape& tape, const Tensor& images, Mode mode);
  Outputs judge(Tape& tape, const Capsules& classes, const Tensor& images,
                std::span<const std::int32_t> labels, Mode mode, const Targets& targets);
  /// The longest capsules, into predicted_; matched with labels where there are some.
  void predict(const Variable& scores, std::span<const std::int32_t> labels);
  const Tensor& target_of(const Tensor& images, const Targets& targets) const;
  /// Adds moves to the chosen capsules among masked ones, (B labels_per_image, classes pose).
  Variable add_moves(Tape& tape, Variable masked, std::span<const std::int32_t> which,
                     const Tensor& moves) const;

  CapsNetConfig config_;
  std::int64_t primary_count_;
  Parameters parameters_;
  std::unique_ptr<ConvolutionLayer> conv_;
  std::unique_ptr<PrimaryCapsules> primary_;
  std::unique_ptr<RoutedCapsules> classes_;
  std::unique_ptr<Decoder> decoder_;
  std::vector<std::int32_t> predicted_;
};

/// Poses as square matrices, or as vectors of as many elements.
enum class PoseKind { matrix, vector };
/// What tells how good the activations of the class capsules are.
enum class ClassLoss {
  spread,
  margin,       // of activations, as CapsNet's of lengths
  cross_entropy // of a softmax of the activations
};

/// Hinton, Sabour, Frosst 2018, "Matrix capsules with EM routing", section 4. The defaults are the
/// paper's network of 310 thousand parameters.
struct MatrixCapsNetConfig {
  InputShape input;
  /// The first layer, with ReLU; A filters in the paper.
  std::int64_t conv_kernel = 5, conv_stride = 2, conv_filters = 32;
  /// How it is computed, as in ConvolutionOptions.
  ConvolutionMethod convolution = ConvolutionMethod::automatic;
  std::int64_t convolution_tile = 6;
  /// B in the paper.
  std::int64_t primary_types = 32;
  PoseKind pose = PoseKind::matrix;
  std::int64_t pose_size = 16;
  struct ConvolutionalCapsules {
    /// 0: there is no such layer.
    std::int64_t types, kernel, stride;
  };
  /// C and D in the paper.
  ConvolutionalCapsules capsules1 = {32, 3, 2}, capsules2 = {32, 3, 1};
  /// Class capsules have one transform for each type of child, not for each child.
  bool class_shared = true;
  /// Of the children's places that the votes for class capsules have added; 0: nothing is.
  double coordinate_scale = 1;

  RoutingChoice routing;
  /// Factor on the inverse temperature of the class capsules' routing.
  double class_temperature = 1;

  ClassLoss loss = ClassLoss::spread;
  MarginSchedule margin_schedule = MarginSchedule::linear;
  MarginLoss margin;

  /// Deviations of the starting values of the primary capsules' poses and logits, for features of
  /// square 1; and those of the transforms of convolutional and of class capsules. They make votes
  /// smaller than the root of the variance's floor, so that routing starts undecided: with larger
  /// ones it decides at once, by chance, and the more iterations the more so.
  double pose_start = 1, activation_start = 1, weight_start = 0.1, class_weight_start = 0.1;
};

/// 316,394 parameters for pictures of one channel and five classes, 317,194 for two channels.
class MatrixCapsNet : public Model {
public:
  MatrixCapsNet(const MatrixCapsNetConfig& config, std::uint64_t seed);

  std::string name() const override { return "matrix-capsnet"; }
  InputShape input() const override { return config_.input; }
  std::string config() const override;
  Parameters& parameters() override { return parameters_; }
  Outputs forward(Tape& tape, const Tensor& images, std::span<const std::int32_t> labels, Mode mode,
                  double progress = 1, const Targets& targets = {},
                  const Noise& noise = {}) override;
  Inspection inspect(Tape& tape, const Tensor& image) override;
  bool changes_with_progress() const override { return config_.loss == ClassLoss::spread; }
  void freeze(std::int64_t batch) override;
  void thaw() override { conv_->thaw(); }

  /// How many numbers the parameters of such a network are, without making it.
  static std::int64_t parameter_elements(const MatrixCapsNetConfig& config);

private:
  explicit MatrixCapsNet(const MatrixCapsNetConfig& config); // parameters declared, not allocated
  Outputs judge(Tape& tape, const Capsules& classes, std::span<const std::int32_t> labels,
                double progress) const;
  Variable loss(Tape& tape, Variable scores, std::span<const std::int32_t> labels,
                double progress) const;

  MatrixCapsNetConfig config_;
  Parameters parameters_;
  std::unique_ptr<ConvolutionLayer> conv_;
  std::unique_ptr<MatrixPrimaryCapsules> primary_;
  std::vector<std::unique_ptr<CapsuleLayer>> layers_;
  std::vector<std::string> names_;      // of the layers
  std::vector<Connection> connections_; // of the layers
};

/// Indices of the `count` largest scores of each row, the largest first, of equals the first: (B,
/// classes) -> (B, count).
void predictions(const Variable& scores, std::vector<std::int32_t>& out, std::int64_t count = 1);
/// Brings every prediction that is right to the place of its label, both (B, count): an image is
/// right where its two rows are then equal.
void match_labels(std::vector<std::int32_t>& predicted, std::span<const std::int32_t> labels,
                  std::int64_t count);
/// Images of which a label was missed; both (B, count), matched.
std::int64_t count_wrong(std::span<const std::int32_t> predicted,
                         std::span<const std::int32_t> labels, std::int64_t count);

/// Names that make_model knows.
std::vector<std::string> model_names();
/// config is flat JSON; what it leaves out keeps its default. Throws Error for an unknown name or
/// key.
std::unique_ptr<Model> make_model(const std::string& name, const std::string& config,
                                  std::uint64_t seed);
/// How many numbers the parameters of that model would be.
std::int64_t parameter_elements(const std::string& name, const std::string& config);

} // namespace mereo

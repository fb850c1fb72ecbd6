// Floor 6: what makes a network a capsule network. Flat capsules are (B, capsules, pose).
#pragma once

#include <mereo/nn.h>

#include <cstdint>
#include <span>
#include <vector>

namespace mereo {

/// v = |s|^2 / (1 + |s|^2) * s / |s| over the last axis (Sabour et al. 2017, eq. 1), with
/// |s| = sqrt(sum s^2 + 1e-9): safe at zero, in value and gradient.
Variable squash(Tape& tape, Variable s);

/// Length of each capsule: (B, J, E) -> (B, J), regularised as in squash.
Variable lengths(Tape& tape, Variable capsules);

struct DynamicRouting {
  int iterations = 3;
  /// One more logit, always zero, in the softmax: the none-of-the-above category.
  bool none_of_the_above = false;
  /// Treat the couplings as constants in the gradient, as many ports do. The authors do not.
  bool stop_inner_gradient = false;
};

/// Votes and routing by agreement in one operation (Sabour et al. 2017, Procedure 1 and eq. 2, 3).
/// children (B, I, D), weights (I, J, E, D), bias (J, E) or empty -> parents (B, J, E).
/// The votes (B, I, J, E) of a batch are never stored: each pass, the backward included, computes
/// them again in cache. Those of a few images are, in the forward pass. `couplings`, where not
/// null, becomes a tensor (B, I, J) for each iteration.
Variable dynamic_routing(Tape& tape, Variable children, Variable weights, Variable bias,
                         const DynamicRouting& options, std::vector<Tensor>* couplings = nullptr);

/// A grid of capsules: poses (B, H, W, types, pose) and, where they have them, activations (B, H,
/// W, types) in [0, 1].
struct Capsules {
  Variable poses, activations;
};

/// Which children a parent sees, without padding, and which transform makes their vote.
struct Connection {
  /// Children along each axis of a parent's window; 0 for all of them, so that there is one place
  /// of parents.
  std::int64_t kernel = 0;
  std::int64_t stride = 1;
  /// One transform for a pair of types wherever in the window the child is. Otherwise each place of
  /// the window has its own.
  bool shared = false;
};

/// A pose is rows x inner, a transform inner x columns, and their product, the vote, rows x
/// columns. Poses are matrices from the left, so that multiplying all of them by one matrix from
/// the left (another viewpoint) multiplies the votes by it. Vectors are {1, D, E}.
struct PoseShape {
  std::int64_t rows = 4, inner = 4, columns = 4;
};

/// Hinton, Sabour, Frosst 2018, "Matrix capsules with EM routing", Procedure 1.
struct EmRouting {
  int iterations = 3;
  /// Of iteration t, from 0: inverse_temperature (1 - decay^(t + 1)); the values are the authors'.
  double inverse_temperature = 0.01, decay = 0.95;
  /// Factor on a parent's mass in its cost. Parents of another layer have other numbers of children
  /// each; the factor makes one inverse temperature fit all.
  double cost_scale = 1;
  /// Added to each variance: a parent with one child, or with children that agree, stays finite.
  double variance_floor = 5e-4;
  /// A child's couplings sum to one over the types of each place of parents, as in most public
  /// code, not over all its parents.
  bool per_field = false;
  /// Power of a vote's likelihood in the couplings; 1 is the paper's. The elements of a pose are no
  /// independent witnesses, and 16 of them together outvote everything else: couplings become hard
  /// in the first E-step, by chance at the start of training, and further iterations only harden
  /// them. A smaller power keeps them soft, as deterministic annealing does.
  double likelihood = 1;
  PoseShape pose;
};

/// Votes and EM routing in one operation. With I types of children, J of parents, H elements of a
/// vote V, and r = R a the weight of a child of activation a, each iteration is
///   mu = sum r V / N,  var = sum r (V - mu)^2 / N + floor,  with S = sum r and N = S + 1e-7
///   a_j = logistic(inverse temperature (beta_a - cost_scale S (H beta_u + 1/2 sum_h log var)))
///   R = softmax over the child's parents of
///       log a_j - likelihood / 2 sum_h (log(2 pi var) + (V - mu)^2 / var)
/// the first with R uniform, the last without its R. The gradient goes through all of it.
/// children (B, H, W, I, rows inner) with activations; transforms (KH, KW, I, J, inner, columns),
/// KH = KW = 1 where shared, the grid's size where the kernel is 0; beta_u and beta_a (J). Returns
/// poses (B, OH, OW, J, rows columns), the last mu, and activations (B, OH, OW, J).
/// coordinate_scale adds that many times a child's place, ((y + 1/2) / H, (x + 1/2) / W), to the
/// translation of its votes, the first two elements of the last column (of a vector: to its first
/// two).
/// `couplings`, where not null, becomes a tensor (H, W, I, KH, KW, J) for each iteration, its R of
/// the only image, zero where there is no parent; KH = KW = 1 where there is one place of parents.
/// The votes are never stored: each pass forms those of a child again in cache.
Capsules em_routing(Tape& tape, const Capsules& children, Variable transforms, Variable beta_u,
                    Variable beta_a, const Connection& connection, const EmRouting& options,
                    double coordinate_scale = 0, std::vector<Tensor>* couplings = nullptr);

/// Keeps one capsule of each image and zeroes the others: (B, J, E) -> (B, J * E). which[b] in [0,
/// J). With L choices an image, which (B, L), one row after the other: (B * L, J * E).
Variable mask(Tape& tape, Variable capsules, std::span<const std::int32_t> which);

struct MarginLoss {
  /// m+, m- and lambda of Sabour et al. 2017, eq. 4.
  double present = 0.9, absent = 0.1, absent_weight = 0.5;
};

/// Mean over the batch of sum_k T_k max(0, m+ - |v_k|)^2 + lambda (1 - T_k) max(0, |v_k| - m-)^2,
/// T_k being 1 for every class among the image's labels. lengths (B, J); labels (B) or (B, L), in
/// [0, J).
Variable margin_loss(Tape& tape, Variable lengths, std::span<const std::int32_t> labels,
                     const MarginLoss& options);

/// Mean over the batch of sum_{i != t} max(0, margin - (a_t - a_i))^2, t being the label (Hinton,
/// Sabour, Frosst 2018, eq. 3): activations (B, J); labels in [0, J).
Variable spread_loss(Tape& tape, Variable activations, std::span<const std::int32_t> labels,
                     double margin);

/// How the margin of a spread loss rises in training.
enum class MarginSchedule {
  linear, // from 0.2 to 0.9, as in the paper
  sigmoid // the authors': 0.2 + 0.79 sigmoid(step / 50000 - 4), with step 700,000 at the end
};
/// The margin when so much of the training is done, from 0 to 1. Throws Error outside.
double spread_margin(MarginSchedule schedule, double progress);

/// Every operation of this floor.
std::span<const Op* const> capsule_ops();

} // namespace mereo

// The kernels of EM routing (Hinton, Sabour, Frosst 2018, Procedure 1), one place of the children's
// grid at a time. Part of table.h, whose rules hold here.
//
// A vote is V = M W: a child's pose M (rows, inner) times a transform W (inner, columns). It is
// formed in registers, used, and formed again in the next pass. Lanes are types of parents, so a
// block of `lanes` types has its votes element by element in registers, sums over a vote's elements
// are vertical, and one weight serves all rows of a pose. J types are ceil(J / lanes) blocks; what
// pads the last one has transforms of zero and is never coupled to.
//
// I types of children, J types of parents, H = rows columns elements of a vote.
#pragma once

#include <mereo/core.h>

#include <cstdint>

namespace mereo {

struct EmShape {
  std::int64_t child_types, parent_types;
  std::int64_t rows, inner, columns;
  /// Couplings sum to one over the types of each parent place, not over all parents of a child.
  bool per_field = false;
  /// Power of a vote's likelihood in the couplings.
  real likelihood = 1;
};

/// One place of the children's grid, all types there, and the places whose window holds it.
struct EmPlace {
  const real* poses;          // (I, rows, inner)
  const real* activations;    // (I)
  std::int64_t parents;       // how many places; at least one
  const std::int64_t* parent; // (parents) which
  const std::int64_t* offset; // (parents) where in its window this one is
  const real* shift;          // (H) added to every vote, or null
  /// Coupling before anything is known about the parents.
  real uniform;
};

/// What the parents collect from their children, weighted by r: per block of a place
/// (1 + 2 H, lanes): sum r; sum r d; sum r d^2, with d = V - mu for the means mu that were current.
/// And what they are then, per block (2 H + 4, lanes): -mu; 1 / var; and
///   logit   log a - likelihood / 2 sum log(2 pi var), minus infinity in lanes that pad
///   energy  inverse_temperature (beta_a - cost), of which a is the logistic function
///   mass    sum r
///   volume  1/2 sum log var
enum EmTail { em_logit, em_energy, em_mass, em_volume, em_tail };

/// Types of parents in a block, at most: floats in a register of 512 bits.
inline constexpr int em_most_lanes = 16;

/// Added to the mass wherever it divides: a parent whose children are all off stays finite.
inline constexpr real em_mass_epsilon = real(1e-7);

/// The constants of an M-step.
struct EmStep {
  real inverse_temperature;
  /// Factor on the mass in the cost, cost_scale mass (H beta_u + volume).
  real cost_scale;
  real variance_floor;
  const real* beta_u; // (blocks, lanes)
  const real* beta_a; // (blocks, lanes)
};

/// What the gradients of pass t > 0 need: d = V - mu^(t-1), and per block of a place
/// coefficients (1 + 2 H, lanes): grad r = c0 + sum_h d_h (c1_h + c2_h d_h).
struct EmSlopes {
  const real* parents;      // of iteration t - 1
  const real* coefficients; // of iteration t
  real* sums;               // as the parents', weighted by the gradients of the logits
  /// For each child type, parent place and block here (lanes): r^t and the logits' gradients.
  real* weights;
  real* grad_logits;
  real* grad_activations; // (I), added to
};

/// The last pass, t = 0, d = V - mu^0: with r^t and the logits' gradients l^t
///   grad r^0 = c0 + sum_h d_h (x^0 + y^0 d_h / 2)
///   grad V = sum_t r^t (x^t + y^t d) + sum_(t > 0) l^t (u^t + w^t d)
struct EmGradients {
  std::int64_t iterations;
  const real* parents; // of iteration 0
  /// Per block of a place (lanes each): c0, then for each h: x^0, y^0, and for each t > 0: x^t,
  /// y^t, w^t, u^t (which is zero for t = 1 and left out).
  const real* terms;
  /// As in EmSlopes: iteration t > 0 has its r at (t - 1) 2 stride, its l a stride behind.
  const real* weights;
  std::int64_t stride;
  real* grad_poses; // (I, rows, inner), or null
  bool accumulate_poses;
  real* grad_activations; // (I), added to
  real* grad_transforms;  // as the transforms, added to; or null
};

/// transforms are (offsets, I, blocks, inner, columns, lanes).
struct EmKernels {
  /// Types of parents in a block.
  std::int64_t lanes;
  /// Elements of scratch memory that any call needs when a child votes for `parents` places.
  std::int64_t (*scratch)(const EmShape& shape, std::int64_t parents);
  /// Adds mass and first moments about zero of uniformly coupled children to sums.
  void (*moments)(const EmShape& shape, const EmPlace& place, const real* transforms, real* sums,
                  real* scratch);
  /// `count` blocks: means from these, and the first moments become those about them.
  void (*means)(const EmShape& shape, std::int64_t count, real* sums, real* parents);
  /// Adds the second moments of uniformly coupled children about the parents' means to sums.
  void (*deviations)(const EmShape& shape, const EmPlace& place, const real* transforms,
                     const real* parents, real* sums, real* scratch);
  /// E-step: couplings by the parents as they are; adds mass and moments about their means to sums.
  /// Writes the couplings to where that is not null, (I, place.parents, blocks, lanes).
  void (*route)(const EmShape& shape, const EmPlace& place, const real* transforms,
                const real* parents, real* sums, real* couplings, real* scratch);
  /// M-step of one parent place, all its blocks: its next state from sums about the means of
  /// `before` (which may be `parents`).
  void (*finish)(const EmShape& shape, const EmStep& step, const real* sums, const real* before,
                 real* parents);
  void (*slopes)(const EmShape& shape, const EmPlace& place, const real* transforms,
                 const EmSlopes& pass, real* scratch);
  void (*gradients)(const EmShape& shape, const EmPlace& place, const real* transforms,
                    const EmGradients& pass, real* scratch);
};

} // namespace mereo

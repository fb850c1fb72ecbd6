// Checks of derivatives, in double: the vector-Jacobian products of the tape against central
// differences of the values it computes.
#pragma once

#include <mereo/random.h>
#include <mereo/tape.h>

#include <functional>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace gradients {

using mereo::Shape;
using mereo::Tape;
using mereo::Tensor;
using mereo::Variable;

/// The largest accepted difference, relative to the sum of the absolute terms compared. A central
/// difference costs about eps^(2/3), 4e-11 in double, times what the curvature adds.
inline constexpr double tolerance = 1e-6;

/// An output as a function of inputs.
struct Case {
  std::string name;
  std::vector<Tensor> inputs;
  std::function<Variable(Tape&, std::span<const Variable>)> build;
  /// Length of the step of the differences; smaller where the function bends within it.
  double step = 1e-5;
  /// Compare every entry of the Jacobian, too.
  bool jacobian = false;
};

/// All cases, one function a file; each of them is checked, and together they must reach every
/// operation.
std::vector<Case> elementwise_cases();
std::vector<Case> layer_cases();
std::vector<Case> image_cases();
std::vector<Case> capsule_cases();
std::vector<Case> em_cases();

/// Where the case's rules are wrong, one line each. For each input, alone and together with the
/// others: <w, J v> = <J^T w, v> for random v and w; that a value used twice gets the sum; and the
/// Jacobian, where the case asks for it. Adds the names of the operations it met to `seen`.
std::vector<std::string> mismatches(const Case& one, std::set<std::string>& seen);

/// A tensor of standard normal numbers, times deviation.
Tensor normal(const Shape& shape, mereo::Random& random, double deviation = 1);

/// Values of the case's output at these inputs.
std::vector<double> evaluate(const Case& one, const std::vector<Tensor>& inputs);

/// The tape's gradients of <seed, output>, in all inputs or (only >= 0) in one of them. `twice`
/// adds the output to itself by building it twice.
std::vector<Tensor> tape_gradients(const Case& one, const Tensor& seed, int only = -1,
                                   bool twice = false, std::set<std::string>* seen = nullptr);

} // namespace gradients

// Operations that work element by element or row by row.
#include "check.h"

#include <mereo/ops.h>

#include <cmath>

namespace gradients {

using mereo::Random;
using Inputs = std::span<const Variable>;

std::vector<Case> elementwise_cases() {
  Random random(1);
  const auto draw = [&](const Shape& shape) { return normal(shape, random); };
  std::vector<Case> cases;

  cases.push_back({"add", {draw({3, 4}), draw({3, 4})}, [](Tape& tape, Inputs in) {
                     return add(tape, in[0], in[1]);
                   }});
  cases.push_back({"add of a value to itself", {draw({5})}, [](Tape& tape, Inputs in) {
                     return add(tape, in[0], in[0]);
                   }});
  cases.push_back(
      {"scale", {draw({2, 3, 4})}, [](Tape& tape, Inputs in) { return scale(tape, -1.7, in[0]); }});
  cases.push_back({"a value used by three operations", {draw({7})}, [](Tape& tape, Inputs in) {
                     const Variable squashed = sigmoid(tape, in[0]);
                     return add(tape, add(tape, squashed, relu(tape, in[0])),
                                scale(tape, 0.3, in[0]));
                   }});
  cases.push_back({"two shapes of one value", {draw({2, 6})}, [](Tape& tape, Inputs in) {
                     const Variable rows = softmax(tape, in[0]);
                     const Variable other = softmax(tape, in[0].reshape({4, 3}));
                     return add(tape, rows, other.reshape({2, 6}));
                   }});
  for (std::int64_t size : {1, 2, 17, 40000}) {
    const std::string text = " of " + std::to_string(size);
    const auto total = [](Tape& tape, Inputs in) { return sum(tape, in[0]); };
    const auto error = [target = draw({size})](Tape& tape, Inputs in) {
      return squared_error(tape, in[0], target, 0.25);
    };
    // Differences of these are exact for any step; a long one keeps out the rounding of large sums.
    cases.push_back({"sum" + text, {draw({size})}, total, 0.1});
    cases.push_back({"squared error" + text, {draw({size})}, error, 0.1});
  }
  cases.push_back({"squared error, target of another shape",
                   {draw({2, 2, 3})},
                   [target = draw({2, 6})](Tape& tape, Inputs in) {
                     return squared_error(tape, in[0], target, 2);
                   }});
  for (const Shape& shape : {Shape{}, Shape{1}, Shape{19}, Shape{2, 3, 5}, Shape{3, 12000}}) {
    cases.push_back({"relu " + shape.text(), {draw(shape)}, [](Tape& tape, Inputs in) {
                       return relu(tape, in[0]);
                     }});
    cases.push_back({"sigmoid " + shape.text(), {draw(shape)}, [](Tape& tape, Inputs in) {
                       return sigmoid(tape, in[0]);
                     }});
  }
  for (const Shape& shape : {Shape{1}, Shape{4}, Shape{5, 1}, Shape{3, 4}, Shape{2, 2, 3}}) {
    Case one{"softmax " + shape.text(), {draw(shape)}, [](Tape& tape, Inputs in) {
               return softmax(tape, in[0]);
             }};
    one.jacobian = true;
    cases.push_back(one);
  }
  cases.push_back({"softmax of many rows", {draw({900, 50})}, [](Tape& tape, Inputs in) {
                     return softmax(tape, in[0]);
                   }});
  for (const double deviation : {1.0, 30.0}) {
    Case one{"cross-entropy", {normal({4, 5}, random, deviation)}, [](Tape& tape, Inputs in) {
               static constexpr std::int32_t labels[] = {0, 4, 2, 4};
               return cross_entropy(tape, in[0], labels);
             }};
    one.jacobian = true;
    cases.push_back(one);
  }
  for (const double deviation : {1.0, 30.0})
    for (const Shape& shape : {Shape{}, Shape{3, 5}, Shape{40000}}) {
      Tensor target(shape);
      for (double& t : target.values())
        t = random.uniform();
      cases.push_back({"cross-entropy of sigmoids " + shape.text(),
                       {normal(shape, random, deviation)},
                       [target](Tape& tape, Inputs in) {
                         return sigmoid_cross_entropy(tape, in[0], target, 0.3);
                       },
                       // Shared by all elements: a long one keeps out the rounding of large sums.
                       1e-4 * std::sqrt(double(shape.elements()))});
    }
  Case ties{"softmax of ties", {Tensor({2, 3})}, [](Tape& tape, Inputs in) {
              return softmax(tape, in[0]);
            }};
  ties.jacobian = true;
  cases.push_back(ties);
  return cases;
}

} // namespace gradients

// What makes a network a capsule network.
#include "check.h"

#include <mereo/capsules.h>

namespace gradients {

using mereo::DynamicRouting;
using mereo::MarginLoss;
using mereo::Random;
using Inputs = std::span<const Variable>;

namespace {

void add_squash_and_lengths(std::vector<Case>& cases, Random& random) {
  const auto squashed = [](Tape& tape, Inputs in) { return mereo::squash(tape, in[0]); };
  const auto measured = [](Tape& tape, Inputs in) { return mereo::lengths(tape, in[0]); };
  const auto tricky = [&](const std::string& name, const Tensor& x, double step) {
    Case one{"squash " + name, {x}, squashed, step, true};
    cases.push_back(one);
    one.name = "lengths " + name;
    one.build = measured;
    cases.push_back(one);
  };
  for (const Shape& shape : {Shape{1, 1, 1}, Shape{2, 3, 1}, Shape{2, 2, 4}, Shape{1, 3, 9}})
    tricky(shape.text(), normal(shape, random), 1e-5);
  // Around the regularised zero, |s| = sqrt(1e-9), the step must shrink with the length.
  tricky("at zero", Tensor({1, 2, 3}), 1e-9);
  tricky("shorter than the epsilon", normal({1, 2, 3}, random, 1e-7), 1e-9);
  tricky("as long as the epsilon", normal({1, 2, 3}, random, 3e-5), 1e-9);
  tricky("very long", normal({1, 2, 3}, random, 300), 1e-3);
  cases.push_back({"squash of many", {normal({30, 200, 8}, random)}, squashed});
  cases.push_back({"lengths of many", {normal({30, 200, 8}, random)}, measured});
}

struct RoutingSizes {
  std::int64_t batch, children, parents, child_pose, parent_pose;
};

Case routing_case(const RoutingSizes& s, const DynamicRouting& options, bool bias, Random& random) {
  Case one;
  one.name = "dynamic routing (B, I, J, D, E) = " +
             Shape{s.batch, s.children, s.parents, s.child_pose, s.parent_pose}.text() + ", " +
             std::to_string(options.iterations) + " iterations" + (bias ? ", bias" : "") +
             (options.none_of_the_above ? ", none of the above" : "");
  one.inputs = {normal({s.batch, s.children, s.child_pose}, random),
                normal({s.children, s.parents, s.parent_pose, s.child_pose}, random, 0.5)};
  if (bias)
    one.inputs.push_back(normal({s.parents, s.parent_pose}, random, 0.5));
  one.build = [options](Tape& tape, Inputs in) {
    return dynamic_routing(tape, in[0], in[1], in.size() > 2 ? in[2] : Variable(), options);
  };
  return one;
}

void add_routing(std::vector<Case>& cases, Random& random) {
  for (int iterations : {1, 2, 3})
    for (bool bias : {false, true})
      for (bool none : {false, true}) {
        Case one = routing_case({2, 4, 3, 2, 3}, {iterations, none, false}, bias, random);
        one.jacobian = true;
        cases.push_back(one);
      }
  // Sizes of one; more images, and more children, than one tile or chunk holds.
  using Sizes = RoutingSizes;
  for (const Sizes& s : {Sizes{1, 1, 1, 1, 1},
                         {1, 6, 2, 3, 1},
                         {3, 1, 4, 2, 2},
                         {2, 5, 1, 3, 4},
                         {19, 5, 3, 4, 5},
                         {3, 150, 2, 2, 3},
                         {2, 9, 10, 8, 16}})
    for (int iterations : {1, 3, 5})
      cases.push_back(routing_case(s, {iterations, s.parents == 1, false}, true, random));
  cases.push_back(
      {"two routings of the same children",
       {normal({2, 4, 3}, random), normal({4, 2, 3, 3}, random), normal({4, 2, 3, 3}, random)},
       [](Tape& tape, Inputs in) {
         return add(tape, dynamic_routing(tape, in[0], in[1], {}, {}),
                    dynamic_routing(tape, in[0], in[2], {}, {.iterations = 2}));
       }});
}

void add_losses(std::vector<Case>& cases, Random& random) {
  cases.push_back({"mask", {normal({3, 4, 2}, random)}, [](Tape& tape, Inputs in) {
                     static constexpr std::int32_t which[] = {3, 0, 3};
                     return mask(tape, in[0], which);
                   }});
  cases.push_back({"mask, two of each image, one of them twice",
                   {normal({3, 4, 2}, random)},
                   [](Tape& tape, Inputs in) {
                     static constexpr std::int32_t which[] = {3, 0, 1, 1, 0, 2};
                     return mask(tape, in[0], which);
                   }});
  // Random lengths in [0, 1.2) are on all sides of both margins.
  for (std::int64_t classes : {1, 5}) {
    Tensor lengths({4, classes});
    for (mereo::real& x : lengths.values())
      x = 1.2 * random.uniform();
    for (const MarginLoss& options : {MarginLoss{}, MarginLoss{0.7, 0.25, 0.8}}) {
      Case one{
          "margin loss " + lengths.shape().text(), {lengths}, [options](Tape& tape, Inputs in) {
            const auto last = std::int32_t(in[0].shape()[1] - 1);
            const std::int32_t labels[] = {0, last, last / 2, 0};
            return margin_loss(tape, in[0], labels, options);
          }};
      one.jacobian = true;
      cases.push_back(one);
      if (classes < 2)
        continue;
      one.name += ", two labels";
      one.build = [options](Tape& tape, Inputs in) {
        static constexpr std::int32_t labels[] = {0, 4, 4, 2, 2, 1, 3, 0};
        return margin_loss(tape, in[0], labels, options);
      };
      cases.push_back(one);
    }
  }
  // Draws within the margin of the true class, beyond it and, with one class, none at all.
  for (std::int64_t classes : {1, 5})
    for (double margin : {0.2, 0.9}) {
      Tensor activations({6, classes});
      for (mereo::real& x : activations.values())
        x = random.uniform();
      Case one{"spread loss " + activations.shape().text(),
               {activations},
               [margin](Tape& tape, Inputs in) {
                 const auto last = std::int32_t(in[0].shape()[1] - 1);
                 const std::int32_t labels[] = {0, last, last / 2, 0, last, 0};
                 return spread_loss(tape, in[0], labels, margin);
               }};
      one.jacobian = true;
      cases.push_back(one);
    }
  cases.push_back({"margin loss of lengths of squashed capsules",
                   {normal({3, 4, 5}, random, 0.5)},
                   [](Tape& tape, Inputs in) {
                     static constexpr std::int32_t labels[] = {3, 0, 1};
                     const Variable capsules = squash(tape, in[0]);
                     return margin_loss(tape, lengths(tape, capsules), labels, {});
                   }});
}

} // namespace

std::vector<Case> capsule_cases() {
  Random random(3);
  std::vector<Case> cases;
  add_squash_and_lengths(cases, random);
  add_routing(cases, random);
  add_losses(cases, random);
  return cases;
}

} // namespace gradients

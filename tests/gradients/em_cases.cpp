// Matrix capsules with EM routing.
#include "check.h"

#include <mereo/capsules.h>

namespace gradients {

using mereo::Capsules;
using mereo::Connection;
using mereo::EmRouting;
using mereo::Random;
using mereo::Shape;

namespace {

struct Sizes {
  std::int64_t batch, height, width, children, parents;
};

/// A few numbers that each depend on every element of both outputs.
Variable both(Tape& tape, const Capsules& capsules) {
  Random random(8);
  const auto weigh = [&](Variable x) {
    const Shape shape{x.elements(), 8};
    Tensor weights = Tensor::view(
        tape.arena().allocate_array<mereo::real>(std::size_t(shape.elements())), shape);
    for (mereo::real& w : weights.values())
      w = random.normal();
    return dense(tape, x.reshape({1, x.elements()}), tape.constant(weights), {},
                 mereo::Activity::linear);
  };
  return add(tape, weigh(capsules.poses), weigh(capsules.activations));
}

Case em_case(const Sizes& s, const Connection& connection, const EmRouting& options,
             double coordinate_scale, Random& random) {
  const mereo::PoseShape& pose = options.pose;
  const std::int64_t KH = connection.shared ? 1 : connection.kernel ? connection.kernel : s.height;
  const std::int64_t KW = connection.shared ? 1 : connection.kernel ? connection.kernel : s.width;
  Case one;
  one.name =
      "EM routing of " + Shape{s.batch, s.height, s.width, s.children}.text() + " to " +
      std::to_string(s.parents) + ", kernel " + std::to_string(connection.kernel) + ", stride " +
      std::to_string(connection.stride) + (connection.shared ? ", shared" : "") + ", pose " +
      Shape{pose.rows, pose.inner, pose.columns}.text() + ", " +
      std::to_string(options.iterations) + " iterations" +
      (options.per_field ? ", per field" : "") + (coordinate_scale != 0 ? ", coordinates" : "");
  Tensor activations({s.batch, s.height, s.width, s.children});
  for (mereo::real& a : activations.values())
    a = 0.05 + 0.95 * random.uniform();
  one.inputs = {normal({s.batch, s.height, s.width, s.children, pose.rows * pose.inner}, random),
                activations,
                normal({KH, KW, s.children, s.parents, pose.inner, pose.columns}, random, 0.7),
                normal({s.parents}, random), normal({s.parents}, random)};
  one.build = [=](Tape& tape, std::span<const Variable> in) {
    return both(tape, em_routing(tape, {in[0], in[1]}, in[2], in[3], in[4], connection, options,
                                 coordinate_scale));
  };
  return one;
}

} // namespace

std::vector<Case> em_cases() {
  Random random(9);
  std::vector<Case> cases;
  for (const int iterations : {1, 2, 3, 4}) {
    // Warmer than the default, so that the activations have a say.
    EmRouting options;
    options.iterations = iterations;
    options.inverse_temperature = 0.5;
    options.variance_floor = 0.2;
    const auto add = [&](const Sizes& s, const Connection& connection, double scale = 0) {
      cases.push_back(em_case(s, connection, options, scale, random));
    };
    add({1, 1, 1, 1, 1}, {});
    add({2, 2, 3, 2, 3}, {});
    add({2, 3, 3, 2, 4}, {.shared = true}, 1);
    add({1, 5, 4, 2, 3}, {.kernel = 3});
    add({2, 6, 7, 2, 2}, {.kernel = 3, .stride = 2});
    options.per_field = true;
    options.cost_scale = 0.3;
    add({1, 5, 5, 2, 3}, {.kernel = 3, .stride = 2}, 0.5);
    options.per_field = false;
    options.likelihood = 0.3;
    options.pose = {1, 5, 6};
    add({1, 3, 3, 2, 3}, {.kernel = 2}, 1);
    options.pose = {3, 2, 4};
    add({1, 3, 4, 2, 3}, {.kernel = 2});
  }
  // More images than parts of the gradients; one output alone.
  EmRouting warm;
  warm.inverse_temperature = 1;
  cases.push_back(em_case({19, 1, 2, 2, 2}, {}, warm, 0, random));
  Case poses = em_case({1, 2, 2, 2, 3}, {}, warm, 0, random), activations = poses;
  poses.name += ", poses alone";
  poses.build = [=](Tape& tape, std::span<const Variable> in) {
    return em_routing(tape, {in[0], in[1]}, in[2], in[3], in[4], {}, warm).poses;
  };
  activations.name += ", activations alone";
  activations.build = [=](Tape& tape, std::span<const Variable> in) {
    return em_routing(tape, {in[0], in[1]}, in[2], in[3], in[4], {}, warm).activations;
  };
  cases.push_back(poses);
  cases.push_back(activations);
  return cases;
}

} // namespace gradients

// Votes and routing by agreement (Sabour, Frosst, Hinton 2017, Procedure 1; eq. 2 and 3).
//
//   u_hat_ij = W_ij u_i;  b_ij = 0;  r times:
//     c_i = softmax over parents j of b_i;  s_j = sum_i c_ij u_hat_ij + bias_j;  v_j = squash(s_j);
//     b_ij += <u_hat_ij, v_j>
//
// The vjp runs the iterations backwards; kernels/table.h says how both do without storing votes.
#include "capsules/couplings.h"
#include "capsules/op_list.h"
#include "kernels/routing.h"

#include <mereo/capsules.h>

namespace mereo {

namespace {

// Dimensions: B batch, I children, J parents, E parent pose, D child pose.

struct Saved {
  Variable children, weights, bias, parents;
  RoutingShape shape;
  RoutingOptions options;
  RoutingState state;
};

void dynamic_routing_vjp(Tape& tape, const void* saved) {
  const auto& s = *static_cast<const Saved*>(saved);
  const GradientSink children = tape.gradient_into(s.children);
  const GradientSink weights = tape.gradient_into(s.weights);
  const GradientSink bias = tape.gradient_into(s.bias);
  routing_backward(s.shape, s.options, s.children.shape()[0], s.children.data(), s.weights.data(),
                   s.state, tape.gradient_of(s.parents),
                   {.children = children.data,
                    .accumulate_children = children.accumulate,
                    .weights = weights.data,
                    .accumulate_weights = weights.accumulate,
                    .bias = bias.data,
                    .accumulate_bias = bias.accumulate},
                   tape.arena());
}

RoutingShape check(const Shape& u, const Shape& w, const Variable& bias,
                   const DynamicRouting& options) {
  const auto values = [&] { return "children " + u.text() + ", weights " + w.text(); };
  if (u.rank() != 3 || w.rank() != 4 || u[1] != w[0] || u[2] != w[3])
    throw Error("dynamic_routing", "children and weights do not fit", values(),
                "children (B, I, D) take weights (I, J, E, D)");
  if (w[0] < 1 || w[1] < 1 || w[2] < 1 || w[3] < 1)
    throw Error("dynamic_routing", "there is nothing to route", values());
  if (!bias.empty() && !(bias.shape() == Shape{w[1], w[2]}))
    throw Error("dynamic_routing", "the bias does not fit the parents",
                "bias " + bias.shape().text() + ", weights " + w.text(), "the bias is (J, E)");
  if (options.iterations < 1)
    throw Error("dynamic_routing", "there must be at least one iteration",
                std::to_string(options.iterations));
  return {.children = w[0],
          .parents = w[1],
          .parent_pose = w[2],
          .child_pose = w[3],
          .none_of_the_above = options.none_of_the_above};
}

} // namespace

const Op ops::dynamic_routing = {"dynamic_routing", dynamic_routing_vjp};

Variable dynamic_routing(Tape& tape, Variable children, Variable weights, Variable bias,
                         const DynamicRouting& options, std::vector<Tensor>* couplings) {
  const RoutingShape shape = check(children.shape(), weights.shape(), bias, options);
  const std::int64_t B = children.shape()[0], J = shape.parents, E = shape.parent_pose;
  const Variable parents = tape.output({B, J, E}, {children, weights, bias});
  const auto state_size = std::size_t(options.iterations * B * J * E);
  const RoutingState state = {tape.arena().allocate_array<real>(state_size),
                              tape.arena().allocate_array<real>(state_size)};
  const RoutingOptions kernel_options = {.iterations = options.iterations,
                                         .stop_inner_gradient = options.stop_inner_gradient};
  real* seen = couplings_of(couplings, options.iterations, {B, shape.children, J});
  routing_forward(shape, kernel_options, B, children.data(), weights.data(),
                  bias.empty() ? nullptr : bias.data(), state, parents.data(), seen, tape.arena());
  tape.record(ops::dynamic_routing, parents,
              Saved{children, weights, bias, parents, shape, kernel_options, state});
  return parents;
}

} // namespace mereo

// Votes and EM routing (Hinton, Sabour, Frosst 2018, Procedure 1); the equations are in
// <mereo/capsules.h>, their derivatives in kernels/em_routing_backward.cpp, and how neither stores
// a vote in kernels/em_kernels.h.
#include "kernels/em_routing.h"
#include "capsules/couplings.h"
#include "capsules/em_options.h"
#include "capsules/op_list.h"

#include <mereo/capsules.h>

#include <cmath>

namespace mereo {

namespace {

// Dimensions: B batch, H height and width of the grids, I types of children, J of parents.

struct Saved {
  Capsules children, parents;
  Variable transforms, beta_u, beta_a;
  EmGrid grid;
  EmShape shape;
  EmOptions options;
  const real* state;

  EmInputs inputs() const {
    return {children.poses.data(), children.activations.data(), transforms.data(), beta_u.data(),
            beta_a.data()};
  }
};

EmSink sink(Tape& tape, const Variable& input) {
  const GradientSink to = tape.gradient_into(input);
  return {to.data, to.accumulate};
}

void em_routing_vjp(Tape& tape, const void* saved) {
  const auto& s = *static_cast<const Saved*>(saved);
  const EmSink poses = sink(tape, s.children.poses);
  const EmSink activations = sink(tape, s.children.activations);
  const EmSink transforms = sink(tape, s.transforms);
  const EmSink beta_u = sink(tape, s.beta_u), beta_a = sink(tape, s.beta_a);
  em_backward(s.grid, s.shape, s.options, s.children.poses.shape()[0], s.inputs(), s.state,
              tape.gradient_of(s.parents.poses), tape.gradient_of(s.parents.activations), poses,
              activations, transforms, beta_u, beta_a, tape.arena());
}

EmGrid check_grid(const Shape& poses, const Connection& connection) {
  const std::int64_t H = poses[1], W = poses[2], K = connection.kernel;
  if (K < 0 || connection.stride < 1 || K > H || K > W)
    throw Error("em_routing", "the window does not fit the grid of children",
                "children " + poses.text() + ", kernel " + std::to_string(K) + ", stride " +
                    std::to_string(connection.stride),
                "use a smaller kernel or larger images");
  return {.height = H,
          .width = W,
          .kernel_height = K ? K : H,
          .kernel_width = K ? K : W,
          .stride = connection.stride,
          .shared = connection.shared,
          .whole = K == 0};
}

EmGrid check(const Capsules& children, const Variable& transforms, const Variable& beta_u,
             const Variable& beta_a, const Connection& connection, const PoseShape& pose) {
  const Shape &u = children.poses.shape(), &w = transforms.shape();
  const auto values = [&] {
    return "poses " + u.text() + ", activations " +
           (children.activations.empty() ? "none" : children.activations.shape().text()) +
           ", transforms " + w.text();
  };
  if (pose.rows < 1 || pose.inner < 1 || pose.columns < 1)
    throw Error("em_routing", "poses have no elements",
                Shape{pose.rows, pose.inner, pose.columns}.text());
  if (u.rank() != 5 || u[4] != pose.rows * pose.inner || u.elements() == 0)
    throw Error("em_routing", "the poses have the wrong shape", values(),
                "they are (B, H, W, I, " + std::to_string(pose.rows * pose.inner) + ")");
  if (children.activations.empty() ||
      !(children.activations.shape() == Shape{u[0], u[1], u[2], u[3]}))
    throw Error("em_routing", "poses and activations do not fit", values(),
                "activations are (B, H, W, I)");
  const EmGrid grid = check_grid(u, connection);
  const std::int64_t KH = grid.shared ? 1 : grid.kernel_height;
  const std::int64_t KW = grid.shared ? 1 : grid.kernel_width;
  if (w.rank() != 6 || w[3] < 1 || !(w == Shape{KH, KW, u[3], w[3], pose.inner, pose.columns}))
    throw Error("em_routing", "the transforms have the wrong shape", values(),
                "they are (" + std::to_string(KH) + ", " + std::to_string(KW) + ", " +
                    std::to_string(u[3]) + ", J, " + std::to_string(pose.inner) + ", " +
                    std::to_string(pose.columns) + ")");
  for (const Variable* beta : {&beta_u, &beta_a})
    if (beta->empty() || !(beta->shape() == Shape{w[3]}))
      throw Error("em_routing", "there is not one beta for each type of parent",
                  (beta->empty() ? "none" : beta->shape().text()) + ", transforms " + w.text());
  return grid;
}

/// (H, W, I, KH, KW, J).
Shape coupling_shape(const EmGrid& grid, std::int64_t batch, std::int64_t children,
                     std::int64_t parents) {
  if (batch != 1)
    throw Error("em_routing", "couplings are those of one image", std::to_string(batch) + " images",
                "ask for them image by image");
  return {grid.height,
          grid.width,
          children,
          grid.whole ? 1 : grid.kernel_height,
          grid.whole ? 1 : grid.kernel_width,
          parents};
}

} // namespace

void check_em_routing(const EmRouting& options) {
  const auto demand = [](bool holds, const char* problem, auto value) {
    if (!holds)
      throw Error("em_routing", problem, std::to_string(value));
  };
  // What the kernels get is of type real, which has a smaller range.
  const auto finite = [](double value) { return std::isfinite(real(value)); };
  demand(options.iterations >= 1, "there must be at least one iteration", options.iterations);
  demand(real(options.variance_floor) > 0 && finite(options.variance_floor),
         "the floor of the variance must be positive", options.variance_floor);
  demand(options.inverse_temperature >= 0 && finite(options.inverse_temperature),
         "the inverse temperature must be a number from 0", options.inverse_temperature);
  demand(options.decay >= 0 && options.decay < 1, "the decay must be from 0 to below 1",
         options.decay);
  demand(real(options.likelihood) > 0 && finite(options.likelihood),
         "the power of the likelihood must be positive", options.likelihood);
  demand(finite(options.cost_scale), "the factor on the cost is not a number", options.cost_scale);
}

const Op ops::em_routing = {"em_routing", em_routing_vjp};

Capsules em_routing(Tape& tape, const Capsules& children, Variable transforms, Variable beta_u,
                    Variable beta_a, const Connection& connection, const EmRouting& options,
                    double coordinate_scale, std::vector<Tensor>* couplings) {
  check_em_routing(options);
  if (!std::isfinite(real(coordinate_scale)))
    throw Error("em_routing", "the factor on coordinates is not a number",
                std::to_string(coordinate_scale));
  const EmGrid grid = check(children, transforms, beta_u, beta_a, connection, options.pose);
  const Shape& u = children.poses.shape();
  const std::int64_t B = u[0], J = transforms.shape()[3];
  const EmShape shape = {.child_types = u[3],
                         .parent_types = J,
                         .rows = options.pose.rows,
                         .inner = options.pose.inner,
                         .columns = options.pose.columns,
                         .per_field = options.per_field,
                         .likelihood = real(options.likelihood)};
  const EmOptions kernel_options = {.iterations = options.iterations,
                                    .inverse_temperature = options.inverse_temperature,
                                    .decay = options.decay,
                                    .cost_scale = options.cost_scale,
                                    .variance_floor = options.variance_floor,
                                    .coordinate_scale = coordinate_scale};
  real* seen = couplings
                   ? couplings_of(couplings, options.iterations, coupling_shape(grid, B, u[3], J))
                   : nullptr;

  const auto inputs = {children.poses, children.activations, transforms, beta_u, beta_a};
  const std::int64_t OH = grid.out_height(), OW = grid.out_width();
  const Capsules parents = {tape.output({B, OH, OW, J, shape.rows * shape.columns}, inputs),
                            tape.output({B, OH, OW, J}, inputs)};
  real* state = tape.arena().allocate_array<real>(
      std::size_t(B * em_state_size(grid, shape, kernel_options)));
  const Saved saved = {children, parents, transforms,     beta_u, beta_a,
                       grid,     shape,   kernel_options, state};
  em_forward(grid, shape, kernel_options, B, saved.inputs(), state, parents.poses.data(),
             parents.activations.data(), seen, tape.arena());
  tape.record(ops::em_routing, parents.poses, parents.activations, saved);
  return parents;
}

} // namespace mereo

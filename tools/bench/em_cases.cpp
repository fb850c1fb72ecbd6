// EM routing alone, at the shape that takes the paper's network the most time: 32 types of
// capsules, 14x14 of them, to 32 types of 6x6.
#include "cases.h"

#include "kernels/em_routing.h"

#include <memory>

namespace bench {

using namespace mereo;

namespace {

constexpr EmGrid grid = {
    .height = 14, .width = 14, .kernel_height = 3, .kernel_width = 3, .stride = 2};
constexpr EmShape shape = {
    .child_types = 32, .parent_types = 32, .rows = 4, .inner = 4, .columns = 4};

/// Elements of all votes of an image.
double vote_elements() {
  return double(grid.out_places() * grid.window() * shape.child_types * shape.parent_types *
                shape.rows * shape.columns);
}

struct Routing {
  std::int64_t batch;
  EmOptions options;
  Tensor poses, activations, transforms, beta, grad_poses, grad_activations, grad_transforms;
  Tensor state, parents, parent_activations;
  std::shared_ptr<Arena> arena = std::make_shared<Arena>();

  Routing(std::int64_t batch, int iterations) : batch(batch) {
    options.iterations = iterations;
    const std::int64_t I = shape.child_types, J = shape.parent_types,
                       H = shape.rows * shape.columns;
    poses = numbers({batch, grid.places(), I, H});
    activations = numbers({batch, grid.places(), I});
    for (real& a : activations.values())
      a += real(0.5); // in [0, 1)
    transforms = numbers({grid.offsets(), I, J, H});
    beta = numbers({J});
    grad_poses = Tensor(poses.shape());
    grad_activations = Tensor(activations.shape());
    grad_transforms = Tensor(transforms.shape());
    state = Tensor({batch, em_state_size(grid, shape, options)});
    parents = numbers({batch, grid.out_places(), J, H});
    parent_activations = numbers({batch, grid.out_places(), J});
  }

  EmInputs inputs() const {
    return {poses.data(), activations.data(), transforms.data(), beta.data(), beta.data()};
  }
  void forward() const {
    em_forward(grid, shape, options, batch, inputs(), state.data(), parents.data(),
               parent_activations.data(), nullptr, *arena);
  }
  /// The parents stand for their gradients too.
  void backward() const {
    em_backward(grid, shape, options, batch, inputs(), state.data(), parents.data(),
                parent_activations.data(), {grad_poses.data()}, {grad_activations.data()},
                {grad_transforms.data()}, {}, {}, *arena);
  }
};

} // namespace

std::vector<Case> em_cases() {
  std::vector<Case> all;
  for (const int iterations : {1, 2, 3})
    for (const std::int64_t batch : {16, 1}) {
      const std::string family = "em-routing-" + std::to_string(iterations);
      const double votes = double(batch) * vote_elements();
      all.push_back({family + "/forward" + batch_name(batch),
                     {.operations = votes * em_forward_operations(iterations)},
                     [=] {
                       const Routing routing(batch, iterations);
                       return [routing] { routing.forward(); };
                     }});
      all.push_back({family + "/backward" + batch_name(batch),
                     {.operations = votes * em_backward_operations(iterations)},
                     [=] {
                       const Routing routing(batch, iterations);
                       routing.forward();
                       return [routing] { routing.backward(); };
                     }});
    }
  return all;
}

} // namespace bench

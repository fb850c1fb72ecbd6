// Layers of capsules by dynamic routing.
#include "capsules/routing_list.h"
#include "io/config_fields.h"

namespace mereo {

RoutedCapsules::RoutedCapsules(Parameters& parameters, std::string name, const Options& options)
    : name_(std::move(name)), options_(options), bias_(-1) {
  weight_ =
      parameters.add(name_ + ".weight",
                     {options.children, options.parents, options.parent_pose, options.child_pose},
                     options.weights, Decay::yes);
  if (options.bias)
    bias_ =
        parameters.add(name_ + ".bias", {options.parents, options.parent_pose}, options.bias_start);
}

Capsules RoutedCapsules::forward(Tape& tape, const Parameters& parameters, const Capsules& children,
                                 Mode mode, std::vector<Tensor>* couplings) const {
  const LayerScope scope(tape, name_.c_str());
  const Shape& shape = children.poses.shape();
  const std::int64_t B = shape[0];
  if (couplings && B != 1)
    throw Error(name_, "couplings are those of one image", std::to_string(B) + " images",
                "ask for them image by image");
  const std::int64_t I = options_.children, J = options_.parents;
  const Variable bias = bias_ < 0 ? Variable() : parameters.on(tape, bias_, mode);
  const Variable parents =
      dynamic_routing(tape, children.poses.reshape({B, I, options_.child_pose}),
                      parameters.on(tape, weight_, mode), bias, options_.routing, couplings);
  const bool grid = shape.rank() == 5;
  for (std::size_t t = 0; couplings && t < couplings->size(); ++t)
    (*couplings)[t] = (*couplings)[t].reshape(
        {grid ? shape[1] : I, grid ? shape[2] : 1, grid ? shape[3] : 1, 1, 1, J});
  return {parents.reshape({B, 1, 1, J, options_.parent_pose}), {}};
}

namespace {

struct DynamicOptions {
  DynamicRouting routing;
  bool bias = false;
  double bias_start = 0;
};

constexpr auto members = [](auto& o, const auto& visit) {
  visit("iterations", o.routing.iterations);
  visit("none_of_the_above", o.routing.none_of_the_above);
  visit("stop_inner_gradient", o.routing.stop_inner_gradient);
  visit("bias", o.bias);
  visit("bias_start", o.bias_start);
};

std::unique_ptr<CapsuleLayer> make(Parameters& parameters, const std::string& layer,
                                   const CapsuleLayerOptions& shape, const Fields& fields) {
  const auto options = from_fields<DynamicOptions>(fields, members);
  if (options.routing.iterations < 1)
    throw Error("dynamic routing", "there must be at least one iteration",
                std::to_string(options.routing.iterations));
  if (shape.connection.kernel != 0 || shape.connection.shared || shape.coordinate_scale != 0)
    throw Error("dynamic routing", "a parent sees all children, each with a transform of its own",
                "layer " + layer, "route windows and shared transforms by another routing");
  const CapsuleGrid& grid = shape.children;
  return std::make_unique<RoutedCapsules>(
      parameters, layer,
      RoutedCapsules::Options{.children = grid.height * grid.width * grid.types,
                              .parents = shape.parents,
                              .child_pose = shape.pose.rows * shape.pose.inner,
                              .parent_pose = shape.pose.rows * shape.pose.columns,
                              .routing = options.routing,
                              .bias = options.bias,
                              .weights = shape.weights,
                              .bias_start = Initialiser::constant(options.bias_start)});
}

} // namespace

const Routing routing_list::dynamic = {"dynamic",
                                       [] { return to_fields(DynamicOptions(), members); }, make};

} // namespace mereo

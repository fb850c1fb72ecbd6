// Layers of capsules by EM routing (Hinton, Sabour, Frosst 2018).
#include "capsules/em_options.h"
#include "capsules/routing_list.h"
#include "io/config_fields.h"

#include <cmath>

namespace mereo {

namespace {

struct EmLayerOptions {
  EmLayerOptions() {
    routing.inverse_temperature = 1;
    routing.variance_floor = 0.01;
    routing.likelihood = 0.5;
  }

  EmRouting routing;
  /// The cost counts as in the paper where a parent has this mass when all children are active and
  /// undecided, and is divided by that mass over this one elsewhere: parents have several children
  /// each in one layer, a hundred in another. 0: it counts as in the paper everywhere.
  double cost_reference = 1;
  double beta_u_start = 0;
  /// Where beta_a starts: such that a parent whose votes agree is half active if its mass is this
  /// share of what it is when all children are active and undecided. So mass pays for an activation
  /// from the start: a parent that wins children is more active for it, and wins more of them.
  /// (With beta_u = 2 and beta_a = 0, say, as many are half active, but mass costs; each iteration
  /// takes back what the one before gave, and networks learn to work with just that many. The
  /// README has the figures.)
  double half_active_share = 0.5;
};

constexpr auto members = [](auto& o, const auto& visit) {
  visit("iterations", o.routing.iterations);
  visit("inverse_temperature", o.routing.inverse_temperature);
  visit("temperature_decay", o.routing.decay);
  visit("cost_reference", o.cost_reference);
  visit("variance_floor", o.routing.variance_floor);
  visit("per_field", o.routing.per_field);
  visit("likelihood", o.routing.likelihood);
  visit("beta_u_start", o.beta_u_start);
  visit("half_active_share", o.half_active_share);
};

/// Children along one axis that a parent sees.
std::int64_t seen(std::int64_t size, std::int64_t parents, const Connection& connection) {
  const std::int64_t K = connection.kernel;
  return K == 0 ? size : K + (parents - 1) * std::min(K, connection.stride);
}

/// The mass of a parent when all children are active and divide themselves equally.
double undecided_mass(const CapsuleLayerOptions& shape, bool per_field) {
  const CapsuleGrid &of = shape.children, to = shape.parent_grid();
  const std::int64_t K = shape.connection.kernel;
  const std::int64_t types = of.types, parents = shape.parents;
  if (per_field)
    return double((K ? K * K : of.height * of.width) * types) / double(parents);
  return double(seen(of.height, to.height, shape.connection) *
                seen(of.width, to.width, shape.connection) * types) /
         double(to.height * to.width * parents);
}

/// Of this layer; throws Error for what it cannot follow.
EmRouting routing_of(const CapsuleLayerOptions& shape, const EmLayerOptions& options) {
  const auto demand = [](bool holds, const char* problem, double value) {
    if (!holds)
      throw Error("em layer", problem, std::to_string(value));
  };
  demand(options.cost_reference >= 0 && std::isfinite(real(options.cost_reference)),
         "cost_reference must be a number from 0", options.cost_reference);
  demand(std::isfinite(real(options.beta_u_start)), "beta_u_start must be a number",
         options.beta_u_start);
  demand(std::isfinite(real(options.half_active_share)), "half_active_share must be a number",
         options.half_active_share);
  EmRouting routing = options.routing;
  routing.pose = shape.pose;
  if (options.cost_reference > 0)
    routing.cost_scale = options.cost_reference / undecided_mass(shape, routing.per_field);
  check_em_routing(routing);
  return routing;
}

/// What votes cost that agree and have the share half_active_share of the undecided mass.
double half_active_cost(const CapsuleLayerOptions& shape, const EmLayerOptions& options,
                        const EmRouting& routing) {
  const double elements = double(shape.pose.rows * shape.pose.columns);
  const double mass = options.half_active_share * undecided_mass(shape, routing.per_field);
  return routing.cost_scale * mass * elements *
         (options.beta_u_start + std::log(routing.variance_floor) / 2);
}

class EmCapsules : public CapsuleLayer {
public:
  EmCapsules(Parameters& parameters, const std::string& name, const CapsuleLayerOptions& shape,
             const EmLayerOptions& options)
      : name_(name), connection_(shape.connection), routing_(routing_of(shape, options)),
        coordinate_scale_(shape.coordinate_scale) {
    const std::int64_t K = connection_.kernel;
    const std::int64_t KH = connection_.shared ? 1 : K ? K : shape.children.height;
    const std::int64_t KW = connection_.shared ? 1 : K ? K : shape.children.width;
    weight_ = parameters.add(
        name_ + ".weight",
        {KH, KW, shape.children.types, shape.parents, shape.pose.inner, shape.pose.columns},
        shape.weights, Decay::yes);
    beta_u_ = parameters.add(name_ + ".beta_u", {shape.parents},
                             Initialiser::constant(options.beta_u_start));
    beta_a_ = parameters.add(name_ + ".beta_a", {shape.parents},
                             Initialiser::constant(half_active_cost(shape, options, routing_)));
  }

  Capsules forward(Tape& tape, const Parameters& parameters, const Capsules& children, Mode mode,
                   std::vector<Tensor>* couplings) const override {
    const LayerScope scope(tape, name_.c_str());
    return em_routing(tape, children, parameters.on(tape, weight_, mode),
                      parameters.on(tape, beta_u_, mode), parameters.on(tape, beta_a_, mode),
                      connection_, routing_, coordinate_scale_, couplings);
  }

private:
  std::string name_;
  Connection connection_;
  EmRouting routing_;
  double coordinate_scale_;
  int weight_, beta_u_, beta_a_;
};

std::unique_ptr<CapsuleLayer> make(Parameters& parameters, const std::string& layer,
                                   const CapsuleLayerOptions& shape, const Fields& fields) {
  return std::make_unique<EmCapsules>(parameters, layer, shape,
                                      from_fields<EmLayerOptions>(fields, members));
}

} // namespace

const Routing routing_list::em = {"em", [] { return to_fields(EmLayerOptions(), members); }, make};

} // namespace mereo

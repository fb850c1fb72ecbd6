#include "cases.h"
#include "products.h"

#include "kernels/gemm.h"
#include "kernels/winograd_weights.h"

namespace bench {

using namespace mereo;

namespace {

// ---- products -----------------------------------------------------------------------------------

/// a (M, K) or (K, M) and so on: see Gemm.
struct Product {
  std::int64_t m, n, k;
  bool a_transposed = false, b_transposed = false, accumulate = false;
};

Case gemm_case(const std::string& name, const Product& p) {
  const auto prepare = [p] {
    const Tensor a = numbers({p.m, p.k}), b = numbers({p.k, p.n}), c({p.m, p.n});
    const auto arena = std::make_shared<Arena>();
    Gemm product{p.m,
                 p.n,
                 p.k,
                 a.data(),
                 p.a_transposed ? p.m : p.k,
                 p.a_transposed,
                 b.data(),
                 p.b_transposed ? p.k : p.n,
                 p.b_transposed,
                 c.data(),
                 p.n};
    product.accumulate = p.accumulate;
    return [=] {
      (void)a, (void)b, (void)c; // are kept alive
      gemm(product, *arena);
    };
  };
  return {name, {.operations = 2.0 * double(p.m) * double(p.n) * double(p.k)}, prepare};
}

void add_gemm(std::vector<Case>& all) {
  all.push_back(gemm_case("gemm/square/n:2048", {2048, 2048, 2048}));
  // The matrix that the primary capsules' windows would be: 382 MB for a batch of 128.
  for (std::int64_t batch : {128, 16})
    all.push_back(
        gemm_case("gemm/primary-im2col" + batch_name(batch), {36 * batch, 256, 81 * 256}));
}

/// The dense layers' three products: y = x w, grad_x = grad_y w^T, grad_w += x^T grad_y.
void add_dense(std::vector<Case>& all, std::int64_t batch, std::int64_t in, std::int64_t out) {
  const std::string family = "dense-" + std::to_string(in) + "x" + std::to_string(out);
  const std::string size = batch_name(batch);
  all.push_back(gemm_case(family + "/forward" + size, {batch, out, in}));
  all.push_back(gemm_case(family + "/grad_input" + size,
                          {.m = batch, .n = in, .k = out, .b_transposed = true}));
  all.push_back(
      gemm_case(family + "/grad_weight" + size,
                {.m = in, .n = out, .k = batch, .a_transposed = true, .accumulate = true}));
}

// ---- convolutions -------------------------------------------------------------------------------

constexpr std::int64_t directly = 0; // for a tile

struct Convolution {
  ConvolutionShape shape;
  Pass pass;
  std::int64_t tile;
  Tensor x, w, y;
  std::shared_ptr<Arena> arena = std::make_shared<Arena>();

  Convolution(const ConvolutionShape& s, Pass pass, std::int64_t tile)
      : shape(s), pass(pass), tile(tile), x(numbers({s.batch, s.height, s.width, s.channels})),
        w(numbers({s.kernel_height, s.kernel_width, s.channels, s.filters})),
        y(numbers({s.batch, s.out_height, s.out_width, s.filters})) {}

  void operator()() const { tile == directly ? direct() : winograd(); }

  void direct() const {
    if (pass == Pass::forward)
      convolution_forward(shape, x.data(), w.data(), 1, w.data(), Activation::relu, y.data(),
                          *arena);
    else if (pass == Pass::grad_input)
      convolution_grad_input(shape, y.data(), w.data(), 1, x.data(), false, *arena);
    else
      convolution_grad_weight(shape, x.data(), y.data(), 1, w.data(), false, *arena);
  }

  void winograd() const {
    const WinogradTiling tiling{.outputs = tile};
    if (pass == Pass::forward)
      winograd_forward(shape, tiling, x.data(), w.data(), 1, w.data(), Activation::relu, y.data(),
                       *arena);
    else if (pass == Pass::grad_input)
      winograd_grad_input(shape, tiling, y.data(), w.data(), 1, x.data(), false, *arena);
    else
      winograd_grad_weight(shape, tiling, x.data(), y.data(), 1, w.data(), false, *arena);
  }
};

const char* name_of(Pass pass) {
  return pass == Pass::forward      ? "/forward"
         : pass == Pass::grad_input ? "/grad_input"
                                    : "/grad_weight";
}

Case convolution_case(const std::string& family, const ConvolutionShape& shape, Pass pass,
                      std::int64_t tile) {
  Work work{.operations = direct_operations(shape)};
  if (tile != directly)
    work = {.operations = winograd_operations(shape, tile), .direct = direct_operations(shape)};
  return {family + name_of(pass) + batch_name(shape.batch), work,
          [=] { return Convolution(shape, pass, tile); }};
}

/// The forward pass with weights transformed before.
Case transformed_case(const ConvolutionShape& shape, std::int64_t tile) {
  const auto prepare = [=] {
    const Convolution pass(shape, Pass::forward, tile);
    const auto weights =
        std::make_shared<WinogradWeights>(shape, WinogradTiling{.outputs = tile}, pass.w.data());
    return [=] {
      winograd_forward(shape, *weights, pass.x.data(), 1, nullptr, Activation::none, pass.y.data(),
                       *pass.arena);
    };
  };
  return {"primary-transformed" + std::to_string(tile) + "/forward" + batch_name(shape.batch),
          {.operations = winograd_operations(shape, tile), .direct = direct_operations(shape)},
          prepare};
}

void add_convolutions(std::vector<Case>& all, std::int64_t batch) {
  const ConvolutionShape first = conv1_shape(batch), primary = primary_shape(batch);
  all.push_back(convolution_case("conv1", first, Pass::forward, directly));
  all.push_back(convolution_case("conv1", first, Pass::grad_weight, directly));
  for (std::int64_t tile : {1, 2, 3, 6})
    all.push_back(transformed_case(primary, tile));
  for (Pass pass : {Pass::forward, Pass::grad_input, Pass::grad_weight}) {
    all.push_back(convolution_case("primary-direct", primary, pass, directly));
    for (std::int64_t tile : {3, 6}) {
      const std::string family = "primary-tile" + std::to_string(tile);
      all.push_back(convolution_case(family, primary, pass, tile));
      if (!winograd_interleaved(primary, tile))
        all.push_back({family + name_of(pass) + "-products" + batch_name(batch),
                       {.operations = winograd_operations(primary, tile)},
                       [=] { return winograd_products(primary, {.outputs = tile}, pass); }});
    }
  }
}

// ---- routing ------------------------------------------------------------------------------------

/// Three iterations, of CapsNet's shape.
struct Routing {
  std::int64_t batch;
  RoutingOptions options;
  Tensor children, weights, parents, grad_children, grad_weights, sums, outputs;
  std::shared_ptr<Arena> arena = std::make_shared<Arena>();

  explicit Routing(std::int64_t batch) : batch(batch) {
    const auto& [I, J, E, D, none] = routing_shape;
    children = numbers({batch, I, D});
    weights = numbers({I, J, E, D});
    grad_children = Tensor({batch, I, D});
    grad_weights = Tensor({I, J, E, D});
    parents = Tensor({batch, J, E});
    sums = Tensor({options.iterations, batch, J, E});
    outputs = Tensor({options.iterations, batch, J, E});
  }

  RoutingState state() const { return {sums.data(), outputs.data()}; }
  void forward() const {
    routing_forward(routing_shape, options, batch, children.data(), weights.data(), nullptr,
                    state(), parents.data(), nullptr, *arena);
  }
  void backward() const {
    routing_backward(
        routing_shape, options, batch, children.data(), weights.data(), state(), parents.data(),
        {grad_children.data(), false, grad_weights.data(), false, nullptr, false}, *arena);
  }
};

void add_routing(std::vector<Case>& all, std::int64_t batch) {
  const int iterations = RoutingOptions{}.iterations;
  const double stored = stored_votes_operations(routing_shape, batch, iterations);
  all.push_back({"routing/forward" + batch_name(batch),
                 {.operations = routing_forward_operations(routing_shape, batch, iterations),
                  .direct = stored},
                 [=] {
                   const Routing routing(batch);
                   return [routing] { routing.forward(); };
                 }});
  all.push_back({"routing/backward" + batch_name(batch),
                 {.operations = routing_backward_operations(routing_shape, batch, iterations),
                  .direct = 2 * stored},
                 [=] {
                   const Routing routing(batch);
                   routing.forward();
                   return [routing] { routing.backward(); };
                 }});
}

} // namespace

std::vector<Case> kernel_cases() {
  std::vector<Case> all;
  add_gemm(all);
  for (std::int64_t batch : {128, 16, 1}) {
    add_convolutions(all, batch);
    add_routing(all, batch);
    add_dense(all, batch, 160, 512);
    add_dense(all, batch, 512, 1024);
    add_dense(all, batch, 1024, 784);
  }
  return all;
}

} // namespace bench

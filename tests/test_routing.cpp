// Dynamic routing on every instruction set against Procedure 1 written out with explicit votes.
#include "explicit_routing.h"
#include "kernel_sweep.h"
#include "kernels/routing.h"
#include "kernels/routing_few.h"

#include <algorithm>

using namespace mereo;

namespace {

using Index = std::int64_t;

/// One problem, its arguments and its results.
struct Problem {
  RoutingShape shape;
  Index batch;
  RoutingOptions options;
  sweep::Guarded children, weights, bias, grad_parents;
  bool biased;
  sweep::Guarded sums, outputs, parents, couplings, grad_children, grad_weights, grad_bias;

  Problem(const RoutingShape& s, Index batch, const RoutingOptions& options, bool biased,
          std::uint64_t seed, double scale = 0.5)
      : shape(s), batch(batch), options(options), children(batch * s.children * s.child_pose, 1),
        weights(s.children * s.parents * s.parent_pose * s.child_pose, 3),
        bias(s.parents * s.parent_pose, 1), grad_parents(batch * s.parents * s.parent_pose, 1),
        biased(biased), sums(options.iterations * batch * s.parents * s.parent_pose, 3),
        outputs(sums.size(), 1), parents(batch * s.parents * s.parent_pose, 1),
        couplings(options.iterations * batch * s.children * s.parents, 1),
        grad_children(children.size(), 1), grad_weights(weights.size(), 1),
        grad_bias(bias.size(), 3) {
    Random random(seed);
    children.fill(random, -1, 1);
    weights.fill(random, -scale, scale);
    bias.fill(random, -0.3, 0.3);
    grad_parents.fill(random, -1, 1);
    grad_children.fill(random, -1, 1);
    grad_weights.fill(random, -1, 1);
    grad_bias.fill(random, -1, 1);
  }

  void forward() {
    Arena arena;
    routing_forward(shape, options, batch, children.data(), weights.data(),
                    biased ? bias.data() : nullptr, {sums.data(), outputs.data()}, parents.data(),
                    couplings.data(), arena);
    CHECK(arena.used() == 0);
  }
  void backward(bool accumulate = false) {
    Arena arena;
    routing_backward(shape, options, batch, children.data(), weights.data(),
                     {sums.data(), outputs.data()}, grad_parents.data(),
                     {grad_children.data(), accumulate, grad_weights.data(), accumulate,
                      grad_bias.data(), accumulate},
                     arena);
    CHECK(arena.used() == 0);
  }
};

std::string describe(const Problem& p) {
  const RoutingShape& s = p.shape;
  return "(B, I, J, E, D) = (" + std::to_string(p.batch) + ", " + std::to_string(s.children) +
         ", " + std::to_string(s.parents) + ", " + std::to_string(s.parent_pose) + ", " +
         std::to_string(s.child_pose) + "), r = " + std::to_string(p.options.iterations) +
         (p.biased ? ", bias" : "") + (s.none_of_the_above ? ", none of the above" : "") +
         (p.options.stop_inner_gradient ? ", constant couplings" : "");
}

/// body() under every instruction set, the reference included; then the one that was in use again.
template <class Body> void for_each_isa(const Body& body) {
  const std::string before = isa();
  for (const std::string& name : available_isas()) {
    INFO("instruction set ", name);
    set_isa(name);
    body();
  }
  set_isa(before);
}

/// got[i] against want(i), which carries its own bound.
template <class Want> void check_tracked(const char* what, const sweep::Guarded& got, Want want) {
  double worst = 0;
  Index where = 0;
  for (Index i = 0; i < got.size(); ++i) {
    const Tracked w = want(i);
    const double ratio = sweep::error_ratio(got[i], w.value, w.bound());
    if (ratio > worst)
      worst = ratio, where = i;
  }
  if (worst > 1) {
    CAPTURE(got[where]);
    CAPTURE(want(where).value);
    CAPTURE(want(where).bound());
    CHECK_MESSAGE(worst <= 1, what, " element ", where, " of ", got.size(), ": ", worst);
  }
  CHECK_MESSAGE(got.intact(), what, " wrote outside its array");
}

void check_against_procedure(Problem& p, bool accumulate) {
  INFO(describe(p));
  const Index parents = p.batch * p.shape.parents * p.shape.parent_pose;
  const sweep::Guarded old_children = p.grad_children, old_weights = p.grad_weights,
                       old_bias = p.grad_bias;
  p.forward();
  p.backward(accumulate);

  const ExplicitRouting want(p.shape, p.options, p.batch, p.children.data(), p.weights.data(),
                             p.biased ? p.bias.data() : nullptr, p.grad_parents.data());
  check_tracked("sums", p.sums, [&](Index n) { return want.sums[std::size_t(n)]; });
  check_tracked("outputs", p.outputs, [&](Index n) { return want.outputs[std::size_t(n)]; });
  check_tracked("parents", p.parents, [&](Index n) {
    return want.outputs[std::size_t((p.options.iterations - 1) * parents + n)];
  });
  check_tracked("couplings", p.couplings, [&](Index n) { return want.couplings[std::size_t(n)]; });
  const auto added = [&](const std::vector<Tracked>& gradient, const sweep::Guarded& old) {
    return [&](Index n) { return gradient[std::size_t(n)] + (accumulate ? old[n] : 0); };
  };
  check_tracked("grad_children", p.grad_children, added(want.grad_children, old_children));
  check_tracked("grad_weights", p.grad_weights, added(want.grad_weights, old_weights));
  check_tracked("grad_bias", p.grad_bias, added(want.grad_bias, old_bias));
}

bool same_results(const Problem& a, const Problem& b) {
  using sweep::same_bits;
  return same_bits(a.sums, b.sums) && same_bits(a.outputs, b.outputs) &&
         same_bits(a.parents, b.parents) && same_bits(a.couplings, b.couplings) &&
         same_bits(a.grad_children, b.grad_children) && same_bits(a.grad_weights, b.grad_weights) &&
         same_bits(a.grad_bias, b.grad_bias);
}

/// Pseudo-random sizes that between them meet every path: whole and partial registers of images,
/// rows and child poses, one parent, one child, child poses with and without a version of their
/// own.
Problem draw(std::uint64_t seed) {
  Random random(seed);
  const auto pick = [&](auto... values) {
    const Index all[] = {values...};
    return all[random.below(sizeof...(values))];
  };
  const RoutingShape shape = {pick(1, 2, 7, 8, 9, 17, 40), pick(1, 2, 10),
                              pick(1, 3, 5, 8, 16, 16, 16, 19), pick(1, 3, 4, 8, 8, 8, 16, 20),
                              pick(0, 1) == 1};
  const Index batch = pick(1, 3, 4, 15, 16, 17, 33);
  const RoutingOptions options = {int(pick(1, 2, 3, 3, 5)), pick(0, 0, 1) == 1};
  return Problem(shape, batch, options, pick(0, 1) == 1, seed);
}

} // namespace

TEST_CASE("routing and its gradients are those of Procedure 1 with explicit votes") {
  for_each_isa([] {
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
      Problem p = draw(seed);
      check_against_procedure(p, seed % 3 == 0);
    }
  });
}

TEST_CASE("many children, in several ranges, give what Procedure 1 gives") {
  for_each_isa([] {
    Problem p({250, 10, 16, 8}, 3, {3, false}, true, 1, 0.1);
    check_against_procedure(p, false);
  });
}

TEST_CASE("the results have the same bits on 1, 2, 3 and 7 threads") {
  const int before = threads();
  for_each_isa([] {
    for (Index batch : {2, 19}) { // few and many
      const Problem start({250, 10, 16, 8}, batch, {3, false}, true, 2, 0.1);
      Problem one = start;
      set_threads(1);
      one.forward();
      one.backward();
      for (int count : {2, 3, 7}) {
        INFO("batch ", batch, ", threads ", count);
        set_threads(count);
        Problem many = start;
        many.forward();
        many.backward();
        CHECK(same_results(one, many));
      }
    }
  });
  set_threads(before);
}

TEST_CASE("an image has the same parents and gradient in any batch, few or not") {
  const RoutingShape shape = {40, 10, 16, 8};
  for_each_isa([&] {
    for (const auto& sizes : {std::pair<Index, Index>{33, 9}, {2, 1}}) {
      const Index large = sizes.first, small = sizes.second;
      Problem all(shape, large, {3, false}, false, 3);
      if (routing_few(shape, small) != routing_few(shape, large))
        continue;
      all.forward();
      all.backward();
      for (Index first = 0; first + small <= large; first += 2) {
        Problem some(shape, small, {3, false}, false, 3);
        const auto take = [&](sweep::Guarded& to, const sweep::Guarded& from) {
          std::copy_n(from.data() + first * to.size() / small, to.size(), to.data());
        };
        std::copy_n(all.weights.data(), all.weights.size(), some.weights.data());
        take(some.children, all.children);
        take(some.grad_parents, all.grad_parents);
        some.forward();
        some.backward();
        const auto same = [&](const sweep::Guarded& a, const sweep::Guarded& b) {
          return std::equal(a.data(), a.data() + a.size(), b.data() + first * a.size() / small);
        };
        CHECK(same(some.parents, all.parents));
        CHECK(same(some.grad_children, all.grad_children));
      }
    }
  });
}

TEST_CASE("the softmax runs over parents: their couplings to any child sum to one") {
  // Two children of one number, two parents of one number, r = 2. Child 0 votes 2 for parent 0 and
  // nothing for parent 1, child 1 nothing and 3.
  //   r = 1: c = 1/2, s = (1, 3/2), v = s |s| / (1 + s^2) = (1/2, 9/13)
  //   r = 2: b = ((1, 0), (0, 27/13)), c_00 = 1 / (1 + e^-1), c_11 = 1 / (1 + e^(-27/13))
  // Over children, c_00 would be the same but c_01 = 1 / (1 + e^(27/13)) instead of 1 - c_00.
  for_each_isa([] {
    Problem p({2, 2, 1, 1}, 1, {2, false}, false, 4);
    const float weights[4] = {2, 0, 0, 3};
    std::copy_n(weights, 4, p.weights.data());
    p.children[0] = p.children[1] = 1;
    p.forward();
    const double c00 = 1 / (1 + std::exp(-1.0)), c11 = 1 / (1 + std::exp(-27.0 / 13));
    const double want[4] = {c00, 1 - c00, 1 - c11, c11};
    for (Index n = 0; n < 4; ++n)
      CHECK(std::abs(p.couplings[4 + n] - want[n]) < 8 * sweep::epsilon);
    CHECK(std::abs(p.sums[2] - 2 * c00) < 16 * sweep::epsilon);
    CHECK(std::abs(p.sums[3] - 3 * c11) < 16 * sweep::epsilon);
  });
}

TEST_CASE("couplings over parents sum to one, or to less with none of the above") {
  for_each_isa([] {
    for (bool none : {false, true}) {
      Problem p({40, 10, 5, 8, none}, 3, {3, false}, false, 5);
      p.forward();
      for (Index n = 0; n < 3 * 3 * 40; ++n) {
        double total = 0;
        for (Index j = 0; j < 10; ++j)
          total += p.couplings[n * 10 + j];
        if (none)
          CHECK(total < 1 - 1e-3);
        else
          CHECK(std::abs(total - 1) < 10 * sweep::epsilon);
      }
    }
  });
}

TEST_CASE("the couplings returned are the ones that were used, in every iteration") {
  for_each_isa([] {
    Problem p({40, 10, 5, 3, true}, 17, {3, false}, false, 6);
    p.forward();
    const auto check = [&](Index t, Index b) {
      const real* couplings = p.couplings.data() + (t * 17 + b) * 40 * 10;
      for (Index j = 0; j < 10; ++j)
        for (Index e = 0; e < 5; ++e) {
          double sum = 0, magnitude = 0;
          for (Index i = 0; i < 40; ++i) {
            double vote = 0;
            for (Index d = 0; d < 3; ++d)
              vote += double(p.weights[((i * 10 + j) * 5 + e) * 3 + d]) *
                      double(p.children[(b * 40 + i) * 3 + d]);
            sum += double(couplings[i * 10 + j]) * vote;
            magnitude += std::abs(double(couplings[i * 10 + j]) * vote);
          }
          // A coupling is off by a few ulp times the size of its logit, which is below 8.
          CHECK(std::abs(p.sums[((t * 17 + b) * 10 + j) * 5 + e] - sum) <
                64 * sweep::epsilon * magnitude);
        }
    };
    for (Index t : {0, 1, 2})
      for (Index b : {0, 16})
        check(t, b);
  });
}

TEST_CASE("with one iteration every coupling is exactly one over the number of parents") {
  for_each_isa([] {
    for (Index parents : {1, 2, 10})
      for (bool none : {false, true}) {
        Problem p({9, parents, 5, 3, none}, 2, {1, false}, false, 7);
        p.forward();
        for (Index n = 0; n < p.couplings.size(); ++n)
          CHECK(p.couplings[n] == real(1) / real(parents + none));
      }
  });
}

TEST_CASE("reordering the children leaves the parents as they are") {
  for_each_isa([] {
    const RoutingShape shape = {40, 10, 16, 8};
    Problem p(shape, 3, {3, false}, true, 8), q = p;
    const Index block = p.weights.size() / 40;
    for (Index i = 0; i < 40; ++i) {
      const Index from = (i * 7 + 3) % 40;
      std::copy_n(p.weights.data() + from * block, block, q.weights.data() + i * block);
      for (Index b = 0; b < 3; ++b)
        std::copy_n(p.children.data() + (b * 40 + from) * 8, 8,
                    q.children.data() + (b * 40 + i) * 8);
    }
    p.forward();
    const ExplicitRouting want(shape, p.options, 3, p.children.data(), p.weights.data(),
                               p.bias.data(), p.grad_parents.data());
    q.forward();
    check_tracked("outputs", q.outputs, [&](Index n) { return want.outputs[std::size_t(n)]; });
  });
}

TEST_CASE("parents are shorter than one, and nothing is NaN at extreme sizes") {
  for_each_isa([] {
    for (real size : {real(0), real(1e-30), real(1e-10), real(1), real(1e8)}) {
      CAPTURE(size);
      Problem p({40, 10, 16, 8}, 3, {3, false}, false, 9);
      for (Index n = 0; n < p.children.size(); ++n)
        p.children[n] *= size;
      p.forward();
      p.backward();
      for (Index n = 0; n < 3 * 10; ++n) {
        double length = 0;
        for (Index e = 0; e < 16; ++e)
          length += double(p.parents[n * 16 + e]) * double(p.parents[n * 16 + e]);
        // v of a very long s has length 1 to within rounding.
        CHECK(std::sqrt(length) < (size < 1e4 ? 1 : 1 + 4 * sweep::epsilon));
      }
      for (const auto* result : {&p.sums, &p.outputs, &p.grad_children, &p.grad_weights})
        for (Index n = 0; n < result->size(); ++n)
          REQUIRE(std::isfinite((*result)[n]));
    }
  });
}

TEST_CASE("each gradient of routing can be left out without changing the others") {
  for_each_isa([] {
    Problem all({17, 3, 5, 8}, 5, {3, false}, true, 10);
    all.forward();
    all.backward();
    for (int left_out = 0; left_out < 3; ++left_out) {
      Problem p({17, 3, 5, 8}, 5, {3, false}, true, 10);
      p.forward();
      Arena arena;
      routing_backward(p.shape, p.options, p.batch, p.children.data(), p.weights.data(),
                       {p.sums.data(), p.outputs.data()}, p.grad_parents.data(),
                       {left_out == 0 ? nullptr : p.grad_children.data(), false,
                        left_out == 1 ? nullptr : p.grad_weights.data(), false,
                        left_out == 2 ? nullptr : p.grad_bias.data(), false},
                       arena);
      CHECK(sweep::same_bits(p.grad_children, all.grad_children) == (left_out != 0));
      CHECK(sweep::same_bits(p.grad_weights, all.grad_weights) == (left_out != 1));
      CHECK(sweep::same_bits(p.grad_bias, all.grad_bias) == (left_out != 2));
    }
  });
}

TEST_CASE("a second step of routing takes no memory that the first did not") {
  Problem p({40, 10, 16, 8}, 17, {3, false}, true, 11);
  Arena arena;
  const auto step = [&] {
    routing_forward(p.shape, p.options, p.batch, p.children.data(), p.weights.data(), nullptr,
                    {p.sums.data(), p.outputs.data()}, p.parents.data(), nullptr, arena);
    routing_backward(p.shape, p.options, p.batch, p.children.data(), p.weights.data(),
                     {p.sums.data(), p.outputs.data()}, p.grad_parents.data(),
                     {p.grad_children.data(), false, p.grad_weights.data(), false, nullptr, false},
                     arena);
    arena.reset();
  };
  step();
  step();
  const std::size_t before = arena.capacity();
  step();
  CHECK(arena.capacity() == before);
}

// What must hold of EM routing whatever the numbers are.
#include "em_fixture.h"
#include "error_of.h"

#include <doctest/doctest.h>

#include <numeric>
#include <string>

using namespace mereo;

namespace {

using Matrix = std::array<std::array<double, 4>, 4>;

/// A x for each of the (4, 4) matrices x.
Tensor multiplied(const Matrix& a, const Tensor& poses) {
  Tensor out(poses.shape());
  for (std::int64_t n = 0; n < poses.elements(); ++n) {
    const real* pose = poses.data() + n / 16 * 16;
    double total = 0;
    for (std::int64_t k = 0; k < 4; ++k)
      total += a[std::size_t(n % 16 / 4)][std::size_t(k)] * double(pose[k * 4 + n % 4]);
    out.data()[n] = real(total);
  }
  return out;
}

/// How far the parents' poses are from A times what they were when the children's are multiplied by
/// A: mean over their elements, relative to the mean size.
double drift(Routed routed, const Matrix& a) {
  routed.run();
  const Tensor want = multiplied(a, routed.parent_poses);
  routed.poses = multiplied(a, routed.poses);
  routed.run();
  double off = 0, size = 0;
  for (std::int64_t n = 0; n < want.elements(); ++n) {
    off += std::abs(double(routed.parent_poses.data()[n]) - double(want.data()[n]));
    size += std::abs(double(want.data()[n]));
  }
  return off / size;
}

Matrix rotation(double angle) {
  return {{{std::cos(angle), -std::sin(angle), 0, 0},
           {std::sin(angle), std::cos(angle), 0, 0},
           {0, 0, 1, 0},
           {0, 0, 0, 1}}};
}
Matrix scaling(double factor) {
  return {{{factor, 0, 0, 0}, {0, factor, 0, 0}, {0, 0, factor, 0}, {0, 0, 0, 1}}};
}
Matrix shear(double amount) {
  return {{{1, amount, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}, {0, 0, 0, 1}}};
}

EmProblem convolution_of(int iterations) {
  return {.height = 6, .width = 5, .types = 3, .parents = 7, .kernel = 3, .iterations = iterations};
}

bool finite(const Tensor& x) {
  return std::all_of(x.values().begin(), x.values().end(),
                     [](real value) { return std::isfinite(value); });
}

/// Children of extreme activations and poses; `style` chooses how.
Routed extreme(const EmProblem& problem, std::uint64_t style, Random& random) {
  Routed routed(problem, random);
  for (real& a : routed.activations.values())
    if (style & 1)
      a = real(random.below(2));
    else if (style & 2)
      a = 0;
  const double size = style & 4 ? 1e8 : style & 8 ? 1e-8 : 1;
  for (real& x : routed.poses.values())
    x *= real(size);
  if (style & 16) { // all children and transforms are the same: equal votes
    for (std::int64_t n = 0; n < routed.poses.elements(); ++n)
      routed.poses.data()[n] = routed.poses.data()[n % problem.pose()];
    for (std::int64_t n = 0; n < routed.transforms.elements(); ++n)
      routed.transforms.data()[n] = routed.transforms.data()[n % (problem.inner * problem.columns)];
  }
  return routed;
}

} // namespace

TEST_CASE("couplings of a child sum to one over its parents") {
  for (const bool per_field : {false, true})
    for (const std::int64_t stride : {1, 2}) {
      EmProblem problem = convolution_of(3);
      problem.stride = stride;
      problem.per_field = per_field;
      Random random(1);
      Routed routed(problem, random);
      routed.run();
      const std::int64_t per_child = 9 * problem.parents;
      for (std::int64_t child = 0; child < problem.children(); ++child) {
        const real* r = routed.couplings.back().data() + child * per_child;
        double total = 0, fields = 0;
        for (std::int64_t window = 0; window < 9; ++window) {
          const double field = std::accumulate(r + window * problem.parents,
                                               r + (window + 1) * problem.parents, 0.0);
          total += field;
          fields += field > 0;
        }
        CAPTURE(child);
        if (fields > 0) // the last row and column have no parent when the stride is two
          CHECK(total == doctest::Approx(per_field ? fields : 1.0).epsilon(1e-6));
        else
          CHECK(stride == 2);
      }
    }
}

TEST_CASE("the order of the children does not matter") {
  const EmProblem problem = {.height = 2, .width = 2, .types = 6, .parents = 5, .shared = true};
  Random random(2);
  Routed routed(problem, random);
  routed.run();
  const Tensor before = routed.parent_poses.clone(), active = routed.parent_activations.clone();
  const Routed original = routed;
  constexpr std::int64_t order[] = {3, 0, 5, 1, 4, 2};
  routed.poses = routed.poses.clone(), routed.activations = routed.activations.clone();
  routed.transforms = routed.transforms.clone();
  for (std::int64_t place = 0; place < 4; ++place)
    for (std::int64_t i = 0; i < 6; ++i) {
      const std::int64_t to = place * 6 + i, from = place * 6 + order[i];
      std::copy_n(original.poses.data() + from * 16, 16, routed.poses.data() + to * 16);
      routed.activations.data()[to] = original.activations.data()[from];
      std::copy_n(original.transforms.data() + order[i] * 5 * 16, 5 * 16,
                  routed.transforms.data() + i * 5 * 16);
    }
  routed.run();
  for (std::int64_t n = 0; n < before.elements(); ++n)
    CHECK(routed.parent_poses.data()[n] == doctest::Approx(before.data()[n]).epsilon(1e-4));
  for (std::int64_t n = 0; n < active.elements(); ++n)
    CHECK(routed.parent_activations.data()[n] == doctest::Approx(active.data()[n]).epsilon(1e-4));
}

// With couplings that do not look at the votes the parents' poses are linear in the children's, so
// another viewpoint is the same matrix for all. Later iterations measure votes by their deviation
// in each element of the pose: but for the floor of the variance, a scaling of rows leaves that
// alone, and what mixes rows does not.
TEST_CASE("another viewpoint multiplies the parents' poses by the same matrix") {
  struct Change {
    std::string name;
    Matrix matrix;
    double most; // drift with more than one iteration
  };
  const Change changes[] = {{"a rotation by 0.7 rad", rotation(0.7), 0.5},
                            {"a scaling by 1.3", scaling(1.3), 0.001},
                            {"a shear by 0.5", shear(0.5), 0.5}};
  for (const auto& [name, matrix, most] : changes) {
    Random random(3);
    CHECK(drift(Routed(convolution_of(1), random), matrix) < 1e-6);
    for (const int iterations : {2, 3}) {
      const double off = drift(Routed(convolution_of(iterations), random), matrix);
      MESSAGE(name << ", " << iterations << " iterations: poses drift by " << 100 * off << " %");
      CHECK(off < most);
    }
  }
}

TEST_CASE("a parent with a single child stays finite") {
  for (const int iterations : {1, 2, 3}) {
    Random random(4);
    Routed routed({.parents = 3, .iterations = iterations}, random);
    routed.run();
    for (const Tensor& x : {routed.parent_poses, routed.parent_activations, routed.grad_poses,
                            routed.grad_activations, routed.grad_transforms, routed.grad_beta_u})
      CHECK(finite(x));
  }
}

TEST_CASE("extreme activations, poses and equal votes give finite numbers, forward and backward") {
  Random random(5);
  int bad = 0;
  for (std::uint64_t n = 0; n < 10000; ++n) {
    EmProblem problem = {.height = 2, .width = 3, .types = 2, .parents = 3, .kernel = 2};
    problem.iterations = 1 + int(n % 4);
    Routed routed = extreme(problem, n / 4 % 32, random);
    routed.run();
    for (const Tensor& x : {routed.parent_poses, routed.parent_activations, routed.couplings.back(),
                            routed.grad_poses, routed.grad_activations, routed.grad_transforms,
                            routed.grad_beta_u, routed.grad_beta_a})
      if (!finite(x) && bad++ == 0)
        MESSAGE("style " << n / 4 % 32 << ", " << problem.iterations << " iterations, "
                         << x.shape().text());
  }
  CHECK(bad == 0);
}

TEST_CASE("the memory of parents that see all places grows as the places do, not as their pairs") {
  const auto peak = [](std::int64_t side) {
    Random random(7);
    Routed routed({.height = side, .width = side, .types = 1, .parents = 2, .shared = true},
                  random);
    return double(routed.run());
  };
  CHECK(peak(64) < 5 * peak(32));
}

TEST_CASE("EM routing refuses what does not fit") {
  Random random(6);
  const EmProblem problem = convolution_of(2);
  const auto complaint = [&](auto change) {
    Routed routed(problem, random);
    change(routed);
    return error_of([&] { routed.run(); });
  };
  CHECK(complaint([](Routed& r) { r.problem.kernel = 7; }).find("window") != std::string::npos);
  CHECK(complaint([](Routed& r) { r.problem.stride = 0; }).find("window") != std::string::npos);
  CHECK(complaint([](Routed& r) { r.problem.iterations = 0; }).find("iteration") !=
        std::string::npos);
  CHECK(complaint([](Routed& r) { r.problem.variance_floor = 0; }).find("floor") !=
        std::string::npos);
  CHECK(complaint([](Routed& r) { r.beta_u = Tensor({3}); }).find("beta") != std::string::npos);
  CHECK(complaint([](Routed& r) {
          r.activations = Tensor({1, 6, 5, 2});
        }).find("activations") != std::string::npos);
  CHECK(complaint([](Routed& r) { r.problem.inner = 5; }).find("poses") != std::string::npos);
}

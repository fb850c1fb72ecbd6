#include "check.h"

#include <mereo/capsules.h>

#include <doctest/doctest.h>

#include <algorithm>

using namespace gradients;
using mereo::Random;

namespace {

std::set<std::string> known_operations() {
  std::set<std::string> names;
  for (const auto& list : {mereo::autodiff_ops(), mereo::capsule_ops()})
    for (const mereo::Op* op : list) {
      CAPTURE(op->name);
      CHECK(names.insert(op->name).second);
      CHECK(bool(op->vjp));
    }
  return names;
}

struct Pair {
  Variable x, y;
};

/// The gradient of sum(f(x)).
template <class Function> Tensor gradient_of_sum(const Tensor& x, const Function& f) {
  Tape tape;
  const Tensor gradient(x.shape());
  const Variable y = f(tape, tape.leaf(x, gradient));
  Tensor ones(y.shape());
  for (mereo::real& one : ones.values())
    one = 1;
  tape.backward(y, ones);
  return gradient;
}

} // namespace

TEST_CASE("every operation has a gradient case, and every case agrees with its differences") {
  std::set<std::string> seen;
  for (const auto& cases :
       {elementwise_cases(), layer_cases(), image_cases(), capsule_cases(), em_cases()})
    for (const Case& one : cases)
      for (const std::string& text : mismatches(one, seen))
        FAIL_CHECK(text);

  const std::set<std::string> known = known_operations();
  for (const std::string& name : known) {
    INFO("operation without a gradient case: " << name);
    CHECK(seen.count(name) == 1);
  }
  for (const std::string& name : seen) {
    INFO("operation missing from autodiff_ops() and capsule_ops(): " << name);
    CHECK(known.count(name) == 1);
  }
}

TEST_CASE("the check notices a rule that is wrong by a hundred-thousandth in one entry") {
  static double factor;
  static const mereo::Op op = {"identity", [](Tape& tape, const void* saved) {
                                 const auto& s = *static_cast<const Pair*>(saved);
                                 const mereo::GradientSink sink = tape.gradient_into(s.x);
                                 for (std::int64_t i = 0; i < s.x.elements(); ++i)
                                   sink.data[i] = (i == 2 ? factor : 1) * tape.gradient_of(s.y)[i] +
                                                  (sink.accumulate ? sink.data[i] : 0);
                               }};
  Random random(4);
  std::set<std::string> seen;
  const Case identity{
      "identity", {normal({4}, random)}, [](Tape& tape, std::span<const Variable> in) {
        const Variable y = tape.output(in[0].shape(), {in[0]});
        std::copy_n(in[0].data(), y.elements(), y.data());
        tape.record(op, y, Pair{in[0], y});
        return y;
      }};
  factor = 1;
  CHECK(mismatches(identity, seen).empty());
  factor = 1.00001;
  CHECK_FALSE(mismatches(identity, seen).empty());
  CHECK(seen == std::set<std::string>{"identity"});
}

TEST_CASE("the gradient of relu at zero is zero, and NaN passes") {
  const Tensor x({4}, std::vector<double>{0, -0.0, 1, -1});
  const Tensor gradient = gradient_of_sum(x, [](Tape& tape, Variable v) { return relu(tape, v); });
  CHECK(gradient.data()[0] == 0);
  CHECK(gradient.data()[1] == 0);
  CHECK(gradient.data()[2] == 1);
  CHECK(gradient.data()[3] == 0);
}

TEST_CASE("the margin loss is flat at its margins and beyond") {
  // Image 0 has class 0: present at and above m+, absent at and below m-.
  const Tensor x({2, 2}, std::vector<double>{0.9, 0.1, 0.95, 0.02});
  const std::int32_t labels[] = {0, 0};
  const Tensor gradient =
      gradient_of_sum(x, [&](Tape& tape, Variable v) { return margin_loss(tape, v, labels, {}); });
  for (double value : gradient.values())
    CHECK(value == 0);
}

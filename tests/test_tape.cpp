#include "error_of.h"

#include <mereo/capsules.h>

#include <doctest/doctest.h>

#include <cstring>
#include <functional>
#include <limits>

using namespace mereo;

namespace {

Tensor tensor(const Shape& shape, const std::vector<real>& values) {
  return Tensor(shape, values);
}

Tensor filled(const Shape& shape, real value) {
  Tensor result(shape);
  for (real& x : result.values())
    x = value;
  return result;
}

std::vector<real> list(const Tensor& tensor) {
  return {tensor.data(), tensor.data() + tensor.elements()};
}

/// The one line that an Error has, or "" when nothing is thrown.
} // namespace

TEST_CASE("the tape lists its operations with layer, name and shape") {
  Tape tape;
  const Tensor x = filled({2, 3}, 1);
  const Variable start = tape.constant(x);
  CHECK(tape.listing().empty());
  Variable y;
  {
    const LayerScope outer(tape, "encoder");
    y = relu(tape, start);
    {
      const LayerScope inner(tape, "norm");
      y = softmax(tape, y);
    }
    y = scale(tape, 2, y);
  }
  sum(tape, y);
  CHECK(tape.listing() == "0  encoder  relu  (2, 3)\n"
                          "1  norm  softmax  (2, 3)\n"
                          "2  encoder  scale  (2, 3)\n"
                          "3  -  sum  ()\n");
  CHECK(tape.nodes().size() == 4);
  CHECK(std::strcmp(tape.nodes()[1].layer, "norm") == 0);
  CHECK(std::strcmp(tape.nodes()[3].op->name, "sum") == 0);
  tape.reset();
  CHECK(tape.nodes().empty());
}

TEST_CASE("an observer hears of operations, rules and the gradients they form, in order") {
  struct Listing : TapeObserver {
    std::string text;
    void recorded(const Tape::Node& node) override { add("recorded", node); }
    void rule_started(const Tape::Node& node) override { add("started", node); }
    void gradient_wanted(const Variable& input) override {
      text += "gradient " + input.shape().text() + "\n";
    }
    void rule_ended(const Tape::Node& node) override { add("ended", node); }
    void add(const char* what, const Tape::Node& node) {
      text += std::string(what) + " " + node.layer + " " + node.op->name + "\n";
    }
  } listing;
  Tape tape;
  tape.observe(&listing);
  const Tensor x({2, 3}), w({3, 4}), grad_w({3, 4}), bias({4}), grad_bias({4});
  for (int pass = 0; pass < 2; ++pass) {
    tape.reset();
    const LayerScope scope(tape, "layer");
    tape.backward(sum(tape, dense(tape, tape.constant(x), tape.leaf(w, grad_w),
                                  tape.leaf(bias, grad_bias), Activity::linear)));
    CHECK(listing.text == "recorded layer dense\n"
                          "recorded layer sum\n"
                          "started layer sum\n"
                          "gradient (2, 4)\n"
                          "ended layer sum\n"
                          "started layer dense\n"
                          "gradient (4)\n"
                          "gradient (3, 4)\n"
                          "ended layer dense\n");
    listing.text.clear();
  }
  tape.observe(nullptr);
  tape.reset();
  relu(tape, tape.constant(x));
  CHECK(listing.text.empty());
}

TEST_CASE("a reshaped variable is the same value with the same gradient") {
  Tape tape;
  const Tensor x = tensor({2, 3}, {1, 2, 3, 4, 5, 6}), gradient({2, 3});
  const Variable leaf = tape.leaf(x, gradient);
  const Variable flat = leaf.reshape({6});
  CHECK(flat.data() == leaf.data());
  CHECK(flat.shape() == Shape{6});
  tape.backward(sum(tape, add(tape, scale(tape, 2, flat), leaf.reshape({6}))));
  CHECK(list(gradient) == std::vector<real>(6, 3));
  CHECK(flat.gradient().shape() == Shape{6});
  CHECK(leaf.gradient().data() == flat.gradient().data());
  const std::string error = error_of([&] { leaf.reshape({4}); });
  CHECK(has(error, "(2, 3)"));
  CHECK(has(error, "(4)"));
}

TEST_CASE("gradients replace what was there, and add up within one pass") {
  Tape tape;
  const Tensor x = tensor({2}, {3, 5}),
               gradient = filled({2}, std::numeric_limits<real>::quiet_NaN());
  for (int pass = 0; pass < 3; ++pass) {
    tape.reset();
    const Variable leaf = tape.leaf(x, gradient);
    const Variable doubled = add(tape, leaf, leaf);
    tape.backward(sum(tape, add(tape, doubled, scale(tape, 10, leaf))));
    CHECK(list(gradient) == std::vector<real>{12, 12});
  }
}

TEST_CASE("a leaf that the loss does not depend on gets zeros") {
  Tape tape;
  const Tensor x = filled({2}, 1), used({2}), unused = filled({2}, 7), aside = filled({2}, 7);
  const Variable first = tape.leaf(x, used);
  tape.leaf(x, unused);            // on no operation
  relu(tape, tape.leaf(x, aside)); // on one that leads nowhere
  tape.backward(sum(tape, first));
  CHECK(list(used) == std::vector<real>{1, 1});
  CHECK(list(unused) == std::vector<real>{0, 0});
  CHECK(list(aside) == std::vector<real>{0, 0});
}

TEST_CASE("constants get no gradient, nor does what comes from constants alone") {
  Tape tape;
  const Tensor x = filled({2}, 1), gradient({2});
  const Variable constant = tape.constant(x), leaf = tape.leaf(x, gradient);
  const Variable from_constant = relu(tape, constant), both = add(tape, from_constant, leaf);
  CHECK_FALSE(constant.needs_gradient());
  CHECK_FALSE(from_constant.needs_gradient());
  CHECK(leaf.needs_gradient());
  CHECK(both.needs_gradient());
  tape.backward(sum(tape, both));
  CHECK(constant.gradient().empty());
  CHECK(from_constant.gradient().empty());
  CHECK_FALSE(both.gradient().empty());
}

TEST_CASE("a leaf's gradient must have its shape") {
  Tape tape;
  const std::string error = error_of([&] { tape.leaf(Tensor(Shape{2, 3}), Tensor(Shape{3, 2})); });
  CHECK(has(error, "(2, 3)"));
  CHECK(has(error, "(3, 2)"));
}

TEST_CASE("backward starts from one number, or from a seed of the output's size") {
  Tape tape;
  const Tensor x = tensor({3}, {1, 2, 3}), gradient({3});
  const Variable doubled = scale(tape, 2, tape.leaf(x, gradient));
  CHECK(has(error_of([&] { tape.backward(doubled); }), "(3)"));
  CHECK(has(error_of([&] { tape.backward(Variable()); }), "backward"));
  const std::string error = error_of([&] { tape.backward(doubled, Tensor(Shape{4})); });
  CHECK(has(error, "(3)"));
  CHECK(has(error, "(4)"));
  tape.backward(doubled, tensor({3}, {1, 10, 100}));
  CHECK(list(gradient) == std::vector<real>{2, 20, 200});
  CHECK_FALSE(error_of([&] { doubled.item(); }).empty());
}

TEST_CASE("the first operation whose output is not finite is named with its layer") {
  Tape tape;
  const Tensor x = tensor({3}, {1, std::numeric_limits<real>::infinity(), 2});
  const Tensor good = filled({3}, 1);
  relu(tape, tape.constant(good));
  CHECK(tape.first_nonfinite().empty());
  const LayerScope scope(tape, "encoder");
  const Variable bad = scale(tape, 2, tape.constant(x));
  add(tape, bad, scale(tape, -1, bad)); // infinity - infinity
  CHECK(tape.first_nonfinite() == "layer encoder, operation scale");
}

TEST_CASE("a tape that was reset computes the same and keeps its memory") {
  Tape tape;
  const Tensor x = filled({64, 50}, real(0.5)), w = filled({50, 40}, real(0.01));
  const Tensor grad_x({64, 50}), grad_w({50, 40});
  std::size_t capacity = 0;
  for (int pass = 0; pass < 5; ++pass) {
    tape.reset();
    const Variable y = dense(tape, tape.leaf(x, grad_x), tape.leaf(w, grad_w), {}, Activity::relu);
    tape.backward(sum(tape, y));
    CHECK(grad_x.data()[0] == doctest::Approx(0.4));
    CHECK(grad_w.data()[0] == doctest::Approx(32));
    if (pass == 2)
      capacity = tape.arena().capacity();
    if (pass > 2)
      CHECK(tape.arena().capacity() == capacity);
  }
}

TEST_CASE("every operation says both shapes when they do not fit") {
  Tape tape;
  static real zeros[1000];
  const auto make = [&](const Shape& shape) { return tape.constant(Tensor::view(zeros, shape)); };
  struct Misfit {
    std::function<void()> call;
    const char *operation, *one, *other;
  };
  const std::int32_t two[] = {0, 1};
  const Misfit misfits[] = {
      {[&] {
         add(tape, make({2, 3}), make({3, 2}));
       },
       "add", "(2, 3)", "(3, 2)"},
      {[&] {
         dense(tape, make({2, 3}), make({4, 5}), {}, Activity::relu);
       },
       "dense", "(2, 3)", "(4, 5)"},
      {[&] {
         dense(tape, make({2, 3, 4}), make({4, 5}), {}, Activity::relu);
       },
       "dense", "(2, 3, 4)", "(4, 5)"},
      {[&] {
         dense(tape, make({2, 3}), make({3, 5}), make({4}), Activity::relu);
       },
       "dense", "(4)", "(3, 5)"},
      {[&] {
         convolution(tape, make({1, 9, 9, 2}), make({3, 3, 1, 4}), {}, {});
       },
       "convolution", "(1, 9, 9, 2)", "(3, 3, 1, 4)"},
      {[&] {
         convolution(tape, make({9, 9, 2}), make({3, 3, 2, 4}), {}, {});
       },
       "convolution", "(9, 9, 2)", "(3, 3, 2, 4)"},
      {[&] {
         convolution(tape, make({1, 2, 9, 1}), make({3, 3, 1, 4}), {}, {});
       },
       "convolution", "(1, 2, 9, 1)", "(3, 3, 1, 4)"},
      {[&] {
         convolution(tape, make({1, 9, 9, 1}), make({3, 3, 1, 4}), make({3}), {});
       },
       "convolution", "(3)", "(3, 3, 1, 4)"},
      {[&] {
         squared_error(tape, make({2, 3}), make({7}).value(), 1);
       },
       "squared_error", "(2, 3)", "(7)"},
      {[&] {
         dynamic_routing(tape, make({2, 3, 4}), make({3, 2, 5, 6}), {}, {});
       },
       "dynamic_routing", "(2, 3, 4)", "(3, 2, 5, 6)"},
      {[&] {
         dynamic_routing(tape, make({2, 3, 4}), make({2, 2, 5, 4}), {}, {});
       },
       "dynamic_routing", "(2, 3, 4)", "(2, 2, 5, 4)"},
      {[&] {
         dynamic_routing(tape, make({2, 3, 4}), make({3, 2, 5, 4}), make({5, 2}), {});
       },
       "dynamic_routing", "(5, 2)", "(3, 2, 5, 4)"},
      {[&] {
         mask(tape, make({3, 4, 5}), two);
       },
       "mask", "(3, 4, 5)", "2"},
      {[&] {
         margin_loss(tape, make({3, 4}), two, {});
       },
       "margin_loss", "(3, 4)", "2"},
  };
  for (const Misfit& misfit : misfits) {
    const std::string error = error_of(misfit.call);
    CAPTURE(error);
    CHECK(error.starts_with(misfit.operation));
    CHECK(has(error, misfit.one));
    CHECK(has(error, misfit.other));
    CHECK_FALSE(has(error, "\n"));
  }
}

TEST_CASE("operations refuse values outside their domain") {
  Tape tape;
  const Tensor capsules({2, 3, 4}), lengths({2, 3}), scalar{Shape{}};
  const std::int32_t labels[] = {0, 3}, negative[] = {-1, 0};
  const Variable poses = tape.constant(capsules);
  const Tensor weights({3, 2, 5, 4}), image({1, 5, 5, 1}), kernel({3, 3, 1, 1});
  const Variable w = tape.constant(weights);
  CHECK(has(error_of([&] { mask(tape, poses, labels); }), "3"));
  CHECK(has(error_of([&] { mask(tape, poses, negative); }), "-1"));
  CHECK(has(error_of([&] { margin_loss(tape, tape.constant(lengths), labels, {}); }), "3"));
  CHECK(has(error_of([&] { margin_loss(tape, tape.constant(lengths), negative, {}); }), "-1"));
  CHECK(has(error_of([&] { dynamic_routing(tape, poses, w, {}, {.iterations = 0}); }), "0"));
  CHECK(has(error_of([&] {
              convolution(tape, tape.constant(image), tape.constant(kernel), {}, {.stride = 0});
            }),
            "stride"));
  CHECK_FALSE(error_of([&] { softmax(tape, tape.constant(scalar)); }).empty());
  CHECK_FALSE(error_of([&] { squash(tape, tape.constant(scalar)); }).empty());
  CHECK_FALSE(error_of([&] { mereo::lengths(tape, tape.constant(scalar)); }).empty());
}

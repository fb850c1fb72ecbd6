#include "check.h"

#include <mereo/ops.h>

#include <cmath>
#include <limits>
#include <sstream>

namespace gradients {

using mereo::Random;
using mereo::real;

static_assert(std::is_same_v<real, double>, "a central difference in float is noise");

namespace {

Tensor constant(const Shape& shape, double value) {
  Tensor result(shape);
  for (real& x : result.values())
    x = value;
  return result;
}

/// The inputs, with step * direction added to one of them.
std::vector<Tensor> moved(const std::vector<Tensor>& inputs, std::size_t which,
                          const Tensor& direction, double step) {
  std::vector<Tensor> result = inputs;
  result[which] = inputs[which].clone();
  for (std::int64_t i = 0; i < direction.elements(); ++i)
    result[which].data()[i] += step * direction.data()[i];
  return result;
}

/// J v by central differences, v in one input.
std::vector<double> directional(const Case& one, std::size_t which, const Tensor& direction) {
  std::vector<double> after = evaluate(one, moved(one.inputs, which, direction, one.step));
  const std::vector<double> before = evaluate(one, moved(one.inputs, which, direction, -one.step));
  for (std::size_t i = 0; i < after.size(); ++i)
    after[i] = (after[i] - before[i]) / (2 * one.step);
  return after;
}

Tensor unit_direction(const Shape& shape, Random& random) {
  Tensor direction = normal(shape, random);
  double squares = 0;
  for (real x : direction.values())
    squares += x * x;
  for (real& x : direction.values())
    x /= std::sqrt(squares);
  return direction;
}

/// Says how <w, J v> and <J^T w, v> differ, or "" when they agree.
std::string compare_projection(const Case& one, const Tensor& seed, const Tensor& gradient,
                               std::size_t which, Random& random) {
  const Tensor direction = unit_direction(one.inputs[which].shape(), random);
  const std::vector<double> change = directional(one, which, direction);
  double numeric = 0, rule = 0, terms = 0;
  for (std::size_t i = 0; i < change.size(); ++i) {
    numeric += seed.data()[i] * change[i];
    terms += std::abs(seed.data()[i] * change[i]);
  }
  for (std::int64_t i = 0; i < direction.elements(); ++i)
    rule += gradient.data()[i] * direction.data()[i];
  if (std::abs(numeric - rule) <= tolerance * terms)
    return {};
  std::ostringstream text;
  text << "<w, J v> = " << numeric << ", <J^T w, v> = " << rule << ", difference "
       << numeric - rule;
  return text.str();
}

/// Names the first entry of the Jacobian that differs, or "".
std::string compare_jacobian(const Case& one, const Shape& output, std::size_t which) {
  const std::int64_t rows = output.elements(), columns = one.inputs[which].elements();
  std::vector<double> numeric;
  for (std::int64_t c = 0; c < columns; ++c) {
    Tensor direction = constant(one.inputs[which].shape(), 0);
    direction.data()[c] = 1;
    const std::vector<double> column = directional(one, which, direction);
    numeric.insert(numeric.end(), column.begin(), column.end());
  }
  double largest = 0;
  for (double entry : numeric)
    largest = std::max(largest, std::abs(entry));
  for (std::int64_t r = 0; r < rows; ++r) {
    Tensor seed = constant(output, 0);
    seed.data()[r] = 1;
    const Tensor gradient = tape_gradients(one, seed)[which];
    for (std::int64_t c = 0; c < columns; ++c) {
      const double want = numeric[std::size_t(c * rows + r)], got = gradient.data()[c];
      if (std::abs(got - want) <= tolerance * largest)
        continue;
      std::ostringstream text;
      text << "d output " << r << " / d input element " << c << ": difference quotient " << want
           << ", rule " << got;
      return text.str();
    }
  }
  return {};
}

/// Names the first element where `got` is not `factor` times `want`, but for rounding, or "".
std::string compare(const char* what, const Tensor& got, const Tensor& want, double factor) {
  double largest = 0;
  for (double x : want.values())
    largest = std::max(largest, std::abs(x));
  for (std::int64_t i = 0; i < want.elements(); ++i) {
    if (std::abs(got.data()[i] - factor * want.data()[i]) <= 1e-12 * largest)
      continue;
    std::ostringstream text;
    text << what << ": element " << i << " is " << got.data()[i] << ", expected "
         << factor * want.data()[i];
    return text.str();
  }
  return {};
}

Shape output_shape(const Case& one) {
  Tape tape;
  std::vector<Variable> variables;
  for (const Tensor& input : one.inputs)
    variables.push_back(tape.constant(input));
  return one.build(tape, variables).shape();
}

} // namespace

Tensor normal(const Shape& shape, Random& random, double deviation) {
  Tensor result(shape);
  for (real& x : result.values())
    x = deviation * random.normal();
  return result;
}

std::vector<double> evaluate(const Case& one, const std::vector<Tensor>& inputs) {
  Tape tape;
  std::vector<Variable> variables;
  for (const Tensor& input : inputs)
    variables.push_back(tape.constant(input));
  const Variable output = one.build(tape, variables);
  return {output.data(), output.data() + output.elements()};
}

std::vector<Tensor> tape_gradients(const Case& one, const Tensor& seed, int only, bool twice,
                                   std::set<std::string>* seen) {
  Tape tape;
  std::vector<Variable> variables;
  std::vector<Tensor> gradients;
  for (std::size_t i = 0; i < one.inputs.size(); ++i) {
    // Not a number, so that whatever the rules leave unwritten shows.
    gradients.push_back(constant(one.inputs[i].shape(), std::numeric_limits<double>::quiet_NaN()));
    const bool wanted = only < 0 || only == int(i);
    variables.push_back(wanted ? tape.leaf(one.inputs[i], gradients[i])
                               : tape.constant(one.inputs[i]));
  }
  Variable output = one.build(tape, variables);
  if (twice)
    output = add(tape, output, one.build(tape, variables));
  tape.backward(output, seed.reshape(output.shape()));
  if (seen)
    for (const Tape::Node& node : tape.nodes())
      seen->insert(node.op->name);
  return gradients;
}

std::vector<std::string> mismatches(const Case& one, std::set<std::string>& seen) {
  const Shape output = output_shape(one);
  std::vector<std::string> found;
  for (std::uint64_t draw = 0; draw < 3; ++draw) {
    Random random(draw, 77);
    const Tensor seed = normal(output, random);
    const std::vector<Tensor> all = tape_gradients(one, seed, -1, false, &seen);
    const std::vector<Tensor> sums = tape_gradients(one, seed, -1, true);
    for (std::size_t i = 0; i < one.inputs.size(); ++i) {
      const Tensor alone = tape_gradients(one, seed, int(i))[i];
      for (const std::string& text :
           {compare_projection(one, seed, all[i], i, random),
            compare("when only this input wants a gradient", alone, all[i], 1),
            compare("when the output is used twice", sums[i], all[i], 2),
            one.jacobian && draw == 0 ? compare_jacobian(one, output, i) : ""})
        if (!text.empty())
          found.push_back(one.name + ": input " + std::to_string(i) + " " +
                          one.inputs[i].shape().text() + ": " + text);
    }
  }
  return found;
}

} // namespace gradients

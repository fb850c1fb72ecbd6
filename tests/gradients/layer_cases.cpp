// Fully connected layers and convolutions.
#include "check.h"

#include <mereo/ops.h>

namespace gradients {

using mereo::Activity;
using mereo::ConvolutionMethod;
using mereo::ConvolutionOptions;
using mereo::Padding;
using mereo::Random;
using Inputs = std::span<const Variable>;

namespace {

std::string text(Activity activity) {
  return activity == Activity::relu ? ", relu" : ", linear";
}

/// With a bias when there is a third input.
Variable third(Inputs in) {
  return in.size() > 2 ? in[2] : Variable();
}

void add_dense(std::vector<Case>& cases, Random& random) {
  struct Sizes {
    std::int64_t batch, inputs, outputs;
  };
  for (const Sizes& s : {Sizes{1, 1, 1}, {1, 5, 3}, {7, 1, 4}, {5, 6, 1}, {4, 33, 19}, {70, 3, 5}})
    for (Activity activity : {Activity::linear, Activity::relu})
      for (bool bias : {false, true}) {
        Case one;
        one.name = "dense " + Shape{s.batch, s.inputs, s.outputs}.text() + text(activity) +
                   (bias ? ", bias" : "");
        one.inputs = {normal({s.batch, s.inputs}, random), normal({s.inputs, s.outputs}, random)};
        if (bias)
          one.inputs.push_back(normal({s.outputs}, random));
        one.build = [activity](Tape& tape, Inputs in) {
          return dense(tape, in[0], in[1], third(in), activity);
        };
        cases.push_back(one);
      }
  cases.push_back(
      {"dense, one value as input and weights",
       {normal({4, 4}, random)},
       [](Tape& tape, Inputs in) { return dense(tape, in[0], in[0], {}, Activity::linear); }});
  cases.push_back({"dense, the same weights twice",
                   {normal({3, 4}, random), normal({4, 4}, random), normal({4}, random)},
                   [](Tape& tape, Inputs in) {
                     const Variable hidden = dense(tape, in[0], in[1], in[2], Activity::relu);
                     return dense(tape, hidden, in[1], in[2], Activity::linear);
                   }});
}

struct ConvolutionSizes {
  std::int64_t batch, height, width, channels, kernel_height, kernel_width, filters, stride;
};

Case convolution_case(const ConvolutionSizes& s, ConvolutionMethod method, Padding padding,
                      Activity activity, bool bias, double scale, Random& random) {
  Case one;
  one.name = std::string(method == ConvolutionMethod::winograd ? "Winograd " : "direct ") +
             "convolution of " + Shape{s.batch, s.height, s.width, s.channels}.text() + " with " +
             Shape{s.kernel_height, s.kernel_width, s.channels, s.filters}.text() + ", stride " +
             std::to_string(s.stride) + (padding == Padding::same ? ", same" : ", valid") +
             text(activity) + (bias ? ", bias" : "") + ", scale " + std::to_string(scale);
  one.inputs = {normal({s.batch, s.height, s.width, s.channels}, random),
                normal({s.kernel_height, s.kernel_width, s.channels, s.filters}, random)};
  if (bias)
    one.inputs.push_back(normal({s.filters}, random));
  ConvolutionOptions options;
  options.method = method;
  options.stride = s.stride;
  options.padding = padding;
  options.activity = activity;
  options.scale = scale;
  one.build = [options](Tape& tape, Inputs in) {
    return convolution(tape, in[0], in[1], third(in), options);
  };
  return one;
}

void add_convolutions(std::vector<Case>& cases, ConvolutionMethod method, Random& random) {
  // Every stride, padding, number of channels and epilogue.
  for (std::int64_t stride : {1, 2, 3})
    for (Padding padding : {Padding::valid, Padding::same})
      for (std::int64_t channels : {1, 3})
        for (Activity activity : {Activity::linear, Activity::relu}) {
          const bool bias = (stride + channels) % 2 == (activity == Activity::relu);
          cases.push_back(convolution_case({2, 7, 6, channels, 3, 2, 5, stride}, method, padding,
                                           activity, bias, bias ? 0.3 : 1, random));
        }
  // Sizes of one, a kernel as large as the image or larger, and more than one block of anything.
  using Sizes = ConvolutionSizes;
  for (const Sizes& s : {Sizes{1, 1, 1, 1, 1, 1, 1, 1},
                         {3, 4, 5, 1, 4, 5, 2, 1},
                         {1, 5, 1, 2, 1, 1, 3, 2},
                         {2, 9, 9, 4, 5, 5, 40, 2},
                         {9, 6, 6, 2, 3, 3, 3, 1}})
    cases.push_back(convolution_case(s, method, Padding::valid, Activity::linear, true, 1, random));
  for (const Sizes& s :
       {Sizes{2, 2, 3, 1, 5, 4, 2, 1}, {1, 8, 8, 3, 5, 5, 4, 2}, {1, 4, 4, 1, 1, 1, 2, 3}})
    cases.push_back(convolution_case(s, method, Padding::same, Activity::relu, true, 0.5, random));
}

void add_shared_convolutions(std::vector<Case>& cases, Random& random) {
  cases.push_back(
      {"convolution, the same weights twice",
       {normal({2, 5, 5, 2}, random), normal({3, 3, 2, 2}, random), normal({2}, random)},
       [](Tape& tape, Inputs in) {
         const Variable hidden =
             convolution(tape, in[0], in[1], in[2], {.activity = Activity::relu});
         return convolution(tape, hidden, in[1], in[2], {.scale = -2});
       }});
  cases.push_back(
      {"two convolutions of one image",
       {normal({2, 5, 5, 1}, random), normal({2, 2, 1, 3}, random), normal({2, 2, 1, 3}, random)},
       [](Tape& tape, Inputs in) {
         return add(tape, convolution(tape, in[0], in[1], {}, {.stride = 2}),
                    convolution(tape, in[0], in[2], {}, {.stride = 2}));
       }});
}

} // namespace

std::vector<Case> layer_cases() {
  Random random(2);
  std::vector<Case> cases;
  add_dense(cases, random);
  for (ConvolutionMethod method : {ConvolutionMethod::direct, ConvolutionMethod::winograd})
    add_convolutions(cases, method, random);
  add_shared_convolutions(cases, random);
  return cases;
}

} // namespace gradients

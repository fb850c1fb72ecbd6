// What convolutional networks have beside their convolutions: pooling, batch normalisation,
// dropout.
#include "check.h"

#include <mereo/ops.h>

namespace gradients {

using mereo::ChannelMoments;
using mereo::Padding;
using mereo::Pooling;
using mereo::PoolingOptions;
using mereo::Random;
using Inputs = std::span<const Variable>;

namespace {

void add_pooling(std::vector<Case>& cases, Random& random) {
  struct Sizes {
    Shape x;
    std::int64_t kernel, stride;
  };
  for (const Sizes& s : {Sizes{{2, 4, 6, 3}, 2, 2}, // as it usually is
                         {{2, 5, 7, 1}, 2, 2},      // pixels left over
                         {{3, 6, 5, 2}, 3, 2},      // windows that overlap
                         {{2, 5, 4, 2}, 2, 3},      // pixels between windows
                         {{1, 3, 3, 4}, 3, 1},      // a single window, or nine cut ones
                         {{2, 1, 1, 5}, 1, 1}})
    for (Pooling kind : {Pooling::max, Pooling::average})
      for (Padding padding : {Padding::valid, Padding::same}) {
        Case one;
        one.name = std::string(kind == Pooling::max ? "max" : "average") + " pooling of " +
                   s.x.text() + ", " + std::to_string(s.kernel) + " by " +
                   std::to_string(s.stride) + (padding == Padding::same ? ", same" : ", valid");
        one.inputs = {normal(s.x, random)};
        one.build = [options = PoolingOptions{kind, s.kernel, s.stride, padding}](
                        Tape& tape, Inputs in) { return pool(tape, in[0], options); };
        one.jacobian = s.x.elements() < 100;
        cases.push_back(one);
      }
}

void add_batch_norm(std::vector<Case>& cases, Random& random) {
  for (const Shape& shape : {Shape{2, 3}, Shape{7, 1}, Shape{3, 4, 5, 2}, Shape{70, 500}}) {
    const Shape channels{shape[-1]};
    const ChannelMoments measured{Tensor(channels), Tensor(channels)};
    ChannelMoments given{normal(channels, random), normal(channels, random)};
    for (double& v : given.variance.values())
      v = 0.5 + v * v;
    Case one{"batch normalisation of " + shape.text(),
             {normal(shape, random, 2), normal(channels, random), normal(channels, random)},
             [measured](Tape& tape, Inputs in) {
               return batch_norm(tape, in[0], in[1], in[2], measured, 0.1);
             }};
    one.jacobian = shape.elements() < 20;
    cases.push_back(one);
    one.name += ", given moments";
    one.build = [given](Tape& tape, Inputs in) {
      return batch_norm_by(tape, in[0], in[1], in[2], given, 0.1);
    };
    cases.push_back(one);
  }
}

} // namespace

std::vector<Case> image_cases() {
  Random random(6);
  std::vector<Case> cases;
  add_pooling(cases, random);
  add_batch_norm(cases, random);
  for (const Shape& shape : {Shape{19}, Shape{3, 4, 5}, Shape{2, 20000}})
    cases.push_back({"dropout " + shape.text(), {normal(shape, random)}, [](Tape& tape, Inputs in) {
                       return dropout(tape, in[0], 0.3, Random(5, 6, 7));
                     }});
  return cases;
}

} // namespace gradients

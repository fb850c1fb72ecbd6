#include "lab/adversarial.h"

#include <algorithm>
#include <cmath>

namespace mereo::lab {

namespace {

void check(const Tensor& pictures, std::span<const std::int32_t> labels, const Attack& attack) {
  if (!(attack.size >= 0 && std::isfinite(attack.size)))
    throw Error("attack", "the size must not be negative", std::to_string(attack.size));
  if (attack.steps < 1)
    throw Error("attack", "there must be a step at least", std::to_string(attack.steps));
  if (pictures.shape().rank() != 4 || pictures.shape()[0] != std::ssize(labels))
    throw Error("attack", "there must be a label for each picture",
                pictures.shape().text() + ", " + std::to_string(labels.size()) + " labels");
  for (const real x : pictures.values())
    if (!(x >= 0 && x <= 1))
      throw Error("attack", "a pixel is not in [0, 1]", std::to_string(x));
}

/// Per picture +1 at the largest score of another class and -1 at the label: (B, classes). The
/// other way round is what a targeted attack climbs.
Tensor score_seed(const Variable& scores, std::span<const std::int32_t> labels, double& value) {
  const std::int64_t classes = scores.shape()[1];
  const Tensor seed(scores.shape());
  value = 0;
  for (std::size_t b = 0; b < labels.size(); ++b) {
    const real* row = scores.data() + std::int64_t(b) * classes;
    std::int64_t other = labels[b] == 0 ? 1 : 0;
    for (std::int64_t k = 0; k < classes; ++k)
      if (k != labels[b] && row[k] > row[other])
        other = k;
    seed.at({std::int64_t(b), other}) = 1;
    seed.at({std::int64_t(b), labels[b]}) = -1;
    value += double(row[other]) - double(row[labels[b]]);
  }
  return seed;
}

} // namespace

// z = (x - mean) / s with s^2 = mean of (x - mean)^2 over the picture.
void standardize_gradient(std::int64_t count, const real* pixels, const real* standardized,
                          real* gradient) {
  const double n = double(count);
  double mean = 0, squares = 0, flat = 0, along = 0;
  for (std::int64_t i = 0; i < count; ++i)
    mean += pixels[i] / n;
  for (std::int64_t i = 0; i < count; ++i) {
    squares += (pixels[i] - mean) * (pixels[i] - mean);
    flat += gradient[i] / n;
    along += double(gradient[i]) * standardized[i] / n;
  }
  const double deviation = std::sqrt(squares / n);
  for (std::int64_t i = 0; i < count; ++i)
    gradient[i] = deviation > 1e-6
                      ? real((gradient[i] - flat - standardized[i] * along) / deviation)
                      : real(0);
}

PixelGradient pixel_gradient(Model& model, Tape& tape, const Tensor& pictures,
                             std::span<const std::int32_t> labels, const Attack& attack,
                             bool standardized) {
  const Tensor seen = standardized ? apply_view(pictures, {.standardize = true}) : pictures;
  PixelGradient result{Tensor(pictures.shape()), 0, 0, 0};
  tape.reset();
  tape.watch(seen, result.gradient);
  const Outputs outputs = model.forward(tape, seen, labels, Mode::evaluation);
  if (attack.ascent == Ascent::loss) {
    result.value = double(outputs.classification_loss.item()) * double(labels.size());
    tape.backward(outputs.classification_loss);
  } else {
    tape.backward(outputs.scores, score_seed(outputs.scores, labels, result.value));
  }
  for (const real g : result.gradient.values()) {
    result.zero_share += g == 0;
    result.mean_size += std::abs(double(g));
  }
  result.zero_share /= double(result.gradient.elements());
  result.mean_size /= double(result.gradient.elements());
  if (!standardized)
    return result;
  const std::int64_t B = pictures.shape()[0], pixels = pictures.elements() / B;
  for (std::int64_t b = 0; b < B; ++b)
    standardize_gradient(pixels, pictures.data() + b * pixels, seen.data() + b * pixels,
                         result.gradient.data() + b * pixels);
  return result;
}

Tensor attacked(Model& model, Tape& tape, const Tensor& pictures,
                std::span<const std::int32_t> labels, const Attack& attack, bool standardized) {
  check(pictures, labels, attack);
  const Tensor changed = pictures.clone();
  const real step = real(attack.size / attack.steps) * (attack.targeted ? real(-1) : real(1));
  const real size = real(attack.size);
  for (int i = 0; i < attack.steps; ++i) {
    const Tensor gradient =
        pixel_gradient(model, tape, changed, labels, attack, standardized).gradient;
    const real *from = pictures.data(), *slope = gradient.data();
    real* x = changed.data();
    for (std::int64_t k = 0; k < changed.elements(); ++k) {
      const real sign = slope[k] > 0 ? real(1) : slope[k] < 0 ? real(-1) : real(0);
      x[k] = std::clamp(x[k] + step * sign, std::max(real(0), from[k] - size),
                        std::min(real(1), from[k] + size));
    }
  }
  return changed;
}

} // namespace mereo::lab

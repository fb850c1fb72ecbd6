#include <mereo/optim.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace mereo {

double Schedule::at(std::int64_t step) const {
  return warm(step) * std::min(1.0, double(step + 1) / std::max(1.0, warmup));
}

double Schedule::warm(std::int64_t step) const {
  const double lowest = std::min(floor, start);
  switch (kind) {
  case Kind::constant:
    return start;
  case Kind::exponential:
    return std::max(lowest, start * std::pow(decay, double(step) / period));
  case Kind::step:
    return std::max(lowest, start * std::pow(decay, std::floor(double(step) / period)));
  case Kind::cosine: {
    const double done = total > 0 ? std::min(1.0, double(step) / total) : 1.0;
    return lowest + (start - lowest) * 0.5 * (1 + std::cos(std::numbers::pi * done));
  }
  }
  return start;
}

void Schedule::check() const {
  const auto demand = [](bool holds, const char* problem, double value) {
    if (!holds)
      throw Error("schedule", problem, std::to_string(value));
  };
  demand(std::isfinite(start) && start > 0, "the learning rate must be above 0", start);
  demand(decay > 0 && decay <= 1, "the decay must be in (0, 1]", decay);
  demand(std::isfinite(period) && period > 0, "the decay period must be at least one step", period);
  demand(floor >= 0 && std::isfinite(floor), "the lowest learning rate must not be negative",
         floor);
  demand(warmup >= 0 && std::isfinite(warmup), "the warm-up must not be negative", warmup);
}

namespace {
constexpr const char* schedule_names[] = {"constant", "exponential", "step", "cosine"};
}

Schedule::Kind schedule_kind(const std::string& name) {
  for (int i = 0; i < 4; ++i)
    if (name == schedule_names[i])
      return Schedule::Kind(i);
  throw Error("schedule", "unknown schedule", name, "constant, exponential, step or cosine");
}

std::string schedule_name(Schedule::Kind kind) {
  return schedule_names[int(kind)];
}

} // namespace mereo

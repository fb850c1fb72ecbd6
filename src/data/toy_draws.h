// What makes one instance of a kind of toy different from the next.
#pragma once

#include "data/streams.h"

#include <mereo/random.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <string_view>

namespace mereo {

inline constexpr int toy_instances = 10;

/// Properties by name, drawn for an instance as in a Latin hypercube: the range of each property is
/// cut into ten equal shares, of which every instance has one, in an order of its own. The ten so
/// differ as much as ten can, in every property.
class Draws {
public:
  /// kind: the category's number. The same arguments always draw the same.
  Draws(std::uint64_t seed, int kind, int instance)
      : seed_(seed), kind_(kind), instance_(instance) {}

  /// Evenly in [low, high).
  double between(std::string_view name, double low, double high) const {
    return low + (high - low) * share(name);
  }
  /// Evenly in [low, high) degrees, in radians.
  double degrees(std::string_view name, double low, double high) const {
    return between(name, low, high) * std::numbers::pi / 180;
  }
  /// True for that share of the instances.
  bool chance(std::string_view name, double share_of) const { return share(name) < share_of; }
  /// 0, ..., count - 1, each for as many instances as the others.
  int choose(std::string_view name, int count) const { return int(share(name) * count); }

private:
  /// In [0, 1).
  double share(std::string_view name) const {
    Random random(seed_, stream(name));
    std::array<int, toy_instances> order;
    for (int i = 0; i < toy_instances; ++i)
      order[std::size_t(i)] = i;
    for (std::size_t i = order.size() - 1; i > 0; --i)
      std::swap(order[i], order[random.below(std::uint32_t(i) + 1)]);
    Random within(seed_, stream(name), std::uint64_t(1000 + instance_));
    return (order[std::size_t(instance_)] + double(within.uniform())) / toy_instances;
  }

  /// FNV-1a of the name, and the kind.
  std::uint64_t stream(std::string_view name) const {
    std::uint64_t hash = 14695981039346656037u;
    for (const char c : name)
      hash = (hash ^ std::uint8_t(c)) * 1099511628211u;
    hash = (hash ^ std::uint64_t(kind_)) * 1099511628211u;
    return stream_of(Purpose::toy, 0, std::int64_t(hash >> 32));
  }

  std::uint64_t seed_;
  int kind_, instance_;
};

} // namespace mereo

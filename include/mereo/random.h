// Floor 1: counter-based random numbers.
#pragma once

#include <array>
#include <cstdint>

namespace mereo {

/// Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
/// The state is a key (from the seed), a stream and a position in it, so any number of any stream
/// can be had directly: sample i of epoch e draws from Random(seed, stream(e, i)), whichever thread
/// asks first. The same on every platform.
class Random {
public:
  explicit Random(std::uint64_t seed, std::uint64_t stream = 0, std::uint64_t position = 0)
      : seed_(seed), stream_(stream), position_(position) {}

  std::uint32_t next();
  /// Uniform in [0, 1), 24 bits.
  float uniform();
  /// Uniform in {0, ..., count-1} without bias; count >= 1.
  std::uint32_t below(std::uint32_t count);
  /// Standard normal (Box-Muller, in double).
  double normal();
  /// Standard normal redrawn until it is within two standard deviations.
  double truncated_normal();

  std::uint64_t seed() const { return seed_; }
  std::uint64_t stream() const { return stream_; }
  /// How many 32-bit numbers were drawn; Random(seed(), stream(), position()) continues exactly.
  std::uint64_t position() const { return position_; }

private:
  std::uint64_t seed_, stream_, position_;
  std::array<std::uint32_t, 4> block_{};
  bool block_valid_ = false;
};

} // namespace mereo

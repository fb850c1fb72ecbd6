// Philox 4x32-10: ten rounds of multiply and exchange turn a 128-bit counter into 128 random bits.
// Checked against the known answers that its authors publish with Random123.
#include "core/philox.h"

#include <mereo/random.h>

#include <cmath>

namespace mereo {

static Word4 philox_round(const Word4& counter, std::uint32_t key0, std::uint32_t key1) {
  const std::uint64_t product0 = std::uint64_t(0xD2511F53) * counter[0];
  const std::uint64_t product1 = std::uint64_t(0xCD9E8D57) * counter[2];
  return {std::uint32_t(product1 >> 32) ^ counter[1] ^ key0, std::uint32_t(product1),
          std::uint32_t(product0 >> 32) ^ counter[3] ^ key1, std::uint32_t(product0)};
}

Word4 philox(Word4 counter, std::uint64_t key) {
  std::uint32_t key0 = std::uint32_t(key), key1 = std::uint32_t(key >> 32);
  for (int round = 0; round < 10; ++round) {
    counter = philox_round(counter, key0, key1);
    key0 += 0x9E3779B9; // the golden ratio
    key1 += 0xBB67AE85; // the square root of three, less one
  }
  return counter;
}

std::uint32_t Random::next() {
  const std::uint64_t lane = position_ % 4;
  if (lane == 0 || !block_valid_) {
    const std::uint64_t block = position_ / 4;
    block_ = philox({std::uint32_t(block), std::uint32_t(block >> 32), std::uint32_t(stream_),
                     std::uint32_t(stream_ >> 32)},
                    seed_);
    block_valid_ = true;
  }
  ++position_;
  return block_[lane];
}

float Random::uniform() {
  return float(next() >> 8) * 0x1p-24f;
}

// The high half of a 32 x 32 bit product is uniform but for the 2^32 mod count products at the low
// end of each bucket, which are drawn again (Lemire 2019).
std::uint32_t Random::below(std::uint32_t count) {
  const std::uint32_t excess = (0u - count) % count;
  for (;;) {
    const std::uint64_t product = std::uint64_t(next()) * count;
    if (std::uint32_t(product) >= excess)
      return std::uint32_t(product >> 32);
  }
}

double Random::normal() {
  const double radius = (next() + 0.5) * 0x1p-32; // in (0, 1): its logarithm is finite
  const double angle = next() * 0x1p-32;
  return std::sqrt(-2 * std::log(radius)) * std::cos(2 * 3.14159265358979323846 * angle);
}

double Random::truncated_normal() {
  for (;;) {
    const double x = normal();
    if (std::abs(x) <= 2)
      return x;
  }
}

} // namespace mereo

// Floor 7: mini-batches in which one thing varies.
#pragma once

#include <mereo/data.h>

#include <array>

namespace mereo {

/// What makes pictures of a NORB set differ. Shape is which object of which class it is.
enum class Factor { azimuth, elevation, lighting, shape };
inline constexpr std::size_t factor_count = 4;

struct FactorOptions {
  std::int64_t batch = 20;
  /// How often each factor is the one that varies, in the order of Factor; all that counts is their
  /// ratio. Kulkarni et al. 2015 have 1:1:1:10, their code 1:1:1:1.
  std::array<double, factor_count> weights = {1, 1, 1, 10};
  std::uint64_t seed = 1;
};

/// Mini-batches of pictures that are equal in all factors but one, as the training procedure of
/// DC-IGN wants them (Kulkarni, Whitney, Kohli, Tenenbaum 2015). Any batch can be had
/// at any time: its number and the seed are all it depends on.
class FactorSampler {
public:
  /// dataset must outlive the sampler and not change. Throws Error where nothing is known of its
  /// viewpoints, for a batch below 2, and for weights that are negative or all zero.
  FactorSampler(const Dataset& dataset, const FactorOptions& options);

  /// Fills batch with pictures around one drawn at random: as many as there are, in random order,
  /// of those that differ from it in one factor, itself included, but no more than options.batch.
  /// Pixels are in [0, 1]. Returns the factor. number >= 0.
  Factor batch(std::int64_t number, Batch& batch) const;

private:
  /// Azimuth, elevation, lighting, class, instance.
  using Key = std::array<std::int32_t, 5>;
  /// Pictures by what they have in common where only one factor varies.
  struct Groups {
    std::vector<Key> keys;             // of each picture, zero for what varies
    std::vector<std::int64_t> ordered; // pictures by key, then index
  };
  static Key key_of(const Viewpoint& view, std::int32_t label, Factor free);
  Factor choose(double uniform) const;

  const Dataset& data_;
  FactorOptions options_;
  std::array<Groups, factor_count> groups_;
};

} // namespace mereo

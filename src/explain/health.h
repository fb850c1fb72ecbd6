// How a network fares over many images: what none of its capsules does, and what routing is good
// for.
#pragma once

#include <mereo/train.h>

#include <functional>

namespace mereo {

/// A capsule counts as on above this activation (or length).
inline constexpr real capsule_on = real(0.1);

/// Of one layer's children, and of its routing.
struct LayerHealth {
  std::string name;
  std::int64_t types = 0;
  /// Types that were on nowhere in no image.
  std::vector<std::int64_t> dead;
  /// Share of all capsules in all images that were off.
  double sparsity = 0;
  /// Of each iteration: mean entropy of a child's couplings over its parents, children counting by
  /// their activation; 1 is undecided, 0 decided. Not a number where a child has one parent.
  std::vector<double> entropy;
};

/// Of the scores of one class over some images: least, quarter, half, three quarters, most.
using Quantiles = std::array<double, 5>;

struct ClassHealth {
  std::int64_t images = 0; // of this class
  /// On images of the class, and on the others; zero where there are none.
  Quantiles present = {}, absent = {};
};

struct Health {
  std::int64_t images = 0;
  std::vector<LayerHealth> layers;
  std::vector<ClassHealth> classes;
  /// Error with 1, 2, ... iterations of routing in the same network, in percent.
  std::vector<double> error_percent;
  /// As many as it was trained with.
  std::size_t iterations = 0;
};

/// The network of a checkpoint over some images of a data set; `progress` is told the images done
/// and their number. Throws Error when the data does not fit.
Health examine(const LoadedModel& loaded, const Dataset& data,
               std::span<const std::int64_t> indices,
               const std::function<void(std::int64_t, std::int64_t)>& progress = nullptr);

/// The same network, with the same parameters, routed so many times.
std::unique_ptr<Model> with_iterations(Model& model, std::int64_t iterations);

} // namespace mereo

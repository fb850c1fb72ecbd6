// Pictures of where the evidence for the two likeliest classes comes from.
#pragma once

#include "explain/evidence.h"

#include <array>

namespace mereo {

struct ClassMaps {
  std::vector<Tensor> heat;   // of each iteration
  std::vector<double> shares; // of the activations of all children of classes
  Tensor moved;               // from the first iteration to the last
  std::vector<TypeEvidence> strongest;
};

/// Both on the same scale.
struct MapPair {
  std::array<ClassMaps, 2> classes;
  /// Of all pixels with evidence, over both classes and all iterations; and how far any moved.
  real least = 0, most = 0, most_moved = 0;
};

/// Of classes `winner` and `second`, as large as the canvas.
MapPair map_pair(const Inspection& seen, const Tensor& canvas, std::int32_t winner,
                 std::int32_t second);

/// The largest of at least two scores but that of `winner`.
std::int32_t runner_up(const Tensor& scores, std::int32_t winner);

/// The canvas enlarged, and boxes around what the strongest types see, in the colours of marks.
Tensor marked(const Tensor& canvas, const Inspection& seen,
              const std::vector<TypeEvidence>& strongest);

/// Enlarged so many times, a canvas is about 224 pixels a side.
std::int64_t factor_of(const Tensor& canvas);

} // namespace mereo

// Where in an image the evidence for a class comes from.
#pragma once

#include <mereo/models.h>

namespace mereo {

/// What each primary capsule says for class k in one iteration of the last layer's routing: (H, W,
/// types). A child of the class has its coupling times its activation; so many layers below, a
/// capsule's evidence is divided among its children by the same product, with the couplings that
/// their layer ended with. Its sum is that of the class' direct children, as long as every capsule
/// with evidence has an active child.
Tensor class_evidence(const Inspection& seen, std::int64_t k, std::size_t iteration);

/// What the primary capsules that see a pixel say, on average: (height, width). A place counts by
/// the number of ways from the pixel to it; a pixel that nothing sees is 0.
Tensor heat_map(const Inspection& seen, const Tensor& evidence, std::int64_t height,
                std::int64_t width);

/// Of one type of primary capsules: its evidence, and the place with most of it.
struct TypeEvidence {
  std::int64_t type, row, column;
  double evidence;
};

/// The `count` types with most evidence, strongest first; none without any.
std::vector<TypeEvidence> strongest_types(const Tensor& evidence, std::size_t count);

/// Sum of all elements.
double total(const Tensor& x);

} // namespace mereo

#include "explain/evidence.h"

#include <algorithm>
#include <numeric>

namespace mereo {

namespace {

// Dimensions: H, W places of the children, I their types, KH, KW places of a window, J parents.

/// visit(child, parent, coupling times activation) for every vote of a layer: indices into (H, W,
/// I) and (OH, OW, J).
template <class Visit>
void for_votes(const RoutedLayer& layer, const Tensor& couplings, const Visit& visit) {
  const Shape& c = couplings.shape();
  const std::int64_t H = c[0], W = c[1], I = c[2], K = c[3], J = c[5];
  const std::int64_t OH = layer.parent_activations.shape()[0];
  const std::int64_t OW = layer.parent_activations.shape()[1];
  const std::int64_t stride = layer.connection.stride;
  const real* coupling = couplings.data();
  for (std::int64_t y = 0; y < H; ++y)
    for (std::int64_t x = 0; x < W; ++x)
      for (std::int64_t i = 0; i < I; ++i)
        for (std::int64_t offset = 0; offset < K * K; ++offset, coupling += J) {
          // With one place of parents there is one offset, for all children.
          const std::int64_t top = K > 1 ? y - offset / K : 0, left = K > 1 ? x - offset % K : 0;
          const std::int64_t row = top / stride, column = left / stride;
          if (top < 0 || left < 0 || top % stride || left % stride || row >= OH || column >= OW)
            continue;
          const std::int64_t child = (y * W + x) * I + i;
          const double a = double(layer.child_activations.data()[child]);
          for (std::int64_t j = 0; j < J; ++j)
            visit(child, (row * OW + column) * J + j, double(coupling[j]) * a);
        }
}

/// From each pixel along one axis to each place: (places, size).
std::vector<double> ways(const ReceptiveField& field, std::int64_t places, std::int64_t size) {
  std::vector<double> table(std::size_t(places * size));
  for (std::int64_t p = 0; p < places; ++p)
    for (std::int64_t n = 0; n < field.size(); ++n)
      if (const std::int64_t pixel = field.first + p * field.stride + n; pixel >= 0 && pixel < size)
        table[std::size_t(p * size + pixel)] = double(field.paths[std::size_t(n)]);
  return table;
}

/// From the parents of a layer (OH, OW, J) to its children (H, W, I).
Tensor divided(const RoutedLayer& layer, const Tensor& evidence) {
  const Tensor& couplings = layer.couplings.back();
  std::vector<double> totals(std::size_t(evidence.elements()));
  for_votes(layer, couplings, [&](std::int64_t, std::int64_t parent, double weight) {
    totals[std::size_t(parent)] += weight;
  });
  Tensor children(layer.child_activations.shape());
  for_votes(layer, couplings, [&](std::int64_t child, std::int64_t parent, double weight) {
    if (const double all = totals[std::size_t(parent)]; all > 0)
      children.data()[child] += real(double(evidence.data()[parent]) * weight / all);
  });
  return children;
}

} // namespace

Tensor class_evidence(const Inspection& seen, std::int64_t k, std::size_t iteration) {
  if (seen.layers.empty() || iteration >= seen.layers.back().couplings.size() || k < 0 ||
      k >= seen.layers.back().parent_activations.elements())
    throw Error("class_evidence", "there is no such class or iteration",
                std::to_string(k) + ", " + std::to_string(iteration));
  const RoutedLayer& last = seen.layers.back();
  Tensor evidence(last.child_activations.shape());
  for_votes(last, last.couplings[iteration],
            [&](std::int64_t child, std::int64_t parent, double weight) {
              if (parent == k)
                evidence.data()[child] += real(weight);
            });
  for (auto layer = seen.layers.rbegin() + 1; layer != seen.layers.rend(); ++layer)
    evidence = divided(*layer, evidence);
  return evidence;
}

Tensor heat_map(const Inspection& seen, const Tensor& evidence, std::int64_t height,
                std::int64_t width) {
  const std::int64_t H = evidence.shape()[0], W = evidence.shape()[1], I = evidence.shape()[2];
  const std::vector<double> rows = ways(seen.rows, H, height);
  const std::vector<double> columns = ways(seen.columns, W, width);
  std::vector<double> sums(std::size_t(height * width)), all(sums.size());
  for (std::int64_t place = 0; place < H * W; ++place) {
    const real* types = evidence.data() + place * I;
    const double here = std::accumulate(types, types + I, 0.0);
    for (std::int64_t pixel = 0; pixel < height * width; ++pixel) {
      const double w = rows[std::size_t(place / W * height + pixel / width)] *
                       columns[std::size_t(place % W * width + pixel % width)];
      sums[std::size_t(pixel)] += w * here;
      all[std::size_t(pixel)] += w;
    }
  }
  Tensor heat({height, width});
  for (std::size_t pixel = 0; pixel < sums.size(); ++pixel)
    heat.data()[pixel] = real(all[pixel] > 0 ? sums[pixel] / all[pixel] : 0);
  return heat;
}

std::vector<TypeEvidence> strongest_types(const Tensor& evidence, std::size_t count) {
  const std::int64_t W = evidence.shape()[1], I = evidence.shape()[2];
  std::vector<TypeEvidence> types;
  for (std::int64_t i = 0; i < I; ++i) {
    TypeEvidence type = {i, 0, 0, 0};
    real most = -1;
    for (std::int64_t place = 0; place < evidence.elements() / I; ++place) {
      const real here = evidence.data()[place * I + i];
      type.evidence += double(here);
      if (here > most)
        most = here, type.row = place / W, type.column = place % W;
    }
    if (type.evidence > 0)
      types.push_back(type);
  }
  std::stable_sort(types.begin(), types.end(),
                   [](const auto& a, const auto& b) { return a.evidence > b.evidence; });
  types.resize(std::min(types.size(), count));
  return types;
}

double total(const Tensor& x) {
  double sum = 0;
  for (const real value : x.values())
    sum += double(value);
  return sum;
}

} // namespace mereo

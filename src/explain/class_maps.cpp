#include "explain/class_maps.h"

#include "report/paint.h"

#include <algorithm>
#include <cmath>

namespace mereo {

namespace {

/// Widens the scale of the pair to its own.
ClassMaps class_maps(const Inspection& seen, const Tensor& canvas, std::int32_t k, MapPair& pair) {
  ClassMaps maps;
  const RoutedLayer& last = seen.layers.back();
  const double all = total(last.child_activations);
  for (std::size_t t = 0; t < last.couplings.size(); ++t) {
    const Tensor evidence = class_evidence(seen, k, t);
    maps.heat.push_back(heat_map(seen, evidence, canvas.shape()[0], canvas.shape()[1]));
    maps.shares.push_back(all > 0 ? total(evidence) / all : 0);
    for (const real x : maps.heat.back().values()) {
      pair.most = std::max(pair.most, x);
      if (x > 0 && (pair.least == 0 || x < pair.least))
        pair.least = x;
    }
    maps.strongest = strongest_types(evidence, marks.size());
  }
  maps.moved = maps.heat.back().clone();
  for (std::int64_t n = 0; n < maps.moved.elements(); ++n) {
    real& x = maps.moved.data()[n];
    x -= maps.heat.front().data()[n];
    pair.most_moved = std::max(pair.most_moved, std::abs(x));
  }
  return maps;
}

} // namespace

MapPair map_pair(const Inspection& seen, const Tensor& canvas, std::int32_t winner,
                 std::int32_t second) {
  MapPair pair;
  pair.classes[0] = class_maps(seen, canvas, winner, pair);
  pair.classes[1] = class_maps(seen, canvas, second, pair);
  return pair;
}

std::int32_t runner_up(const Tensor& scores, std::int32_t winner) {
  std::int32_t second = winner == 0 ? 1 : 0;
  for (std::int32_t k = 0; k < std::int32_t(scores.elements()); ++k)
    if (k != winner && scores.data()[k] > scores.data()[second])
      second = k;
  return second;
}

Tensor marked(const Tensor& canvas, const Inspection& seen,
              const std::vector<TypeEvidence>& strongest) {
  Tensor out = enlarged(canvas, factor_of(canvas));
  const double f = double(factor_of(canvas)), H = double(out.shape()[0]),
               W = double(out.shape()[1]);
  for (std::size_t n = strongest.size(); n-- > 0;) { // the strongest on top
    const TypeEvidence& type = strongest[n];
    const auto from = [&](const ReceptiveField& field, std::int64_t place) {
      return f * double(field.first + place * field.stride) + 1 +
             3 * double(n); // not one on another
    };
    const double left = from(seen.columns, type.column), top = from(seen.rows, type.row);
    const double inset = 2 + 6 * double(n);
    draw_box(out, std::max(left, 1.0), std::max(top, 1.0),
             std::min(left + f * double(seen.columns.size()) - inset, W - 1),
             std::min(top + f * double(seen.rows.size()) - inset, H - 1), 3, marks[n]);
  }
  return out;
}

std::int64_t factor_of(const Tensor& canvas) {
  return std::max<std::int64_t>(1, 224 / std::max(canvas.shape()[0], canvas.shape()[1]));
}

} // namespace mereo

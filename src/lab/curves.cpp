#include "lab/curves.h"

#include <algorithm>
#include <cmath>

namespace mereo::lab {

const Judgement* first_within(const Curve& curve, const std::string& name, double most) {
  for (const Judgement& judgement : curve)
    if (judgement.values.at(name) <= most)
      return &judgement;
  return nullptr;
}

double least(const Curve& curve, const std::string& name) {
  double value = INFINITY;
  for (const Judgement& judgement : curve)
    value = std::min(value, judgement.values.at(name));
  return value;
}

std::vector<Judgement> matched(const Curves& curves, const std::vector<Curves>& all,
                               const std::string& error) {
  std::vector<Judgement> found;
  for (std::size_t seed = 0; seed < curves.size(); ++seed) {
    double worst = least(curves[seed], error);
    for (const Curves& kind : all)
      worst = std::max(worst, least(kind.at(seed), error));
    found.push_back(*first_within(curves[seed], error, worst));
  }
  return found;
}

std::vector<Judgement> last(const Curves& curves) {
  std::vector<Judgement> found;
  for (const Curve& curve : curves)
    found.push_back(curve.back());
  return found;
}

std::vector<Cell> cells(const std::vector<Judgement>& judgements,
                        const std::vector<std::string>& names) {
  std::vector<Cell> cells;
  for (const std::string& name : names) {
    std::vector<double> values;
    for (const Judgement& judgement : judgements)
      values.push_back(judgement.values.at(name));
    cells.emplace_back(values);
  }
  return cells;
}

} // namespace mereo::lab

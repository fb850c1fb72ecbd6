// What was measured of networks in the course of their training, and when two are equally good.
#pragma once

#include "lab/report.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace mereo::lab {

/// Numbers by name: what is measured of a network.
using Values = std::map<std::string, double>;

/// Of a network that has done so many steps.
struct Judgement {
  std::int64_t step = 0;
  Values values = {};
};

/// Of one network, in the order of steps.
using Curve = std::vector<Judgement>;
/// Of networks of one kind, one a seed.
using Curves = std::vector<Curve>;

/// The first judgement whose value of that name is no more than `most`; null when there is none.
const Judgement* first_within(const Curve& curve, const std::string& name, double most);
/// The least value of that name.
double least(const Curve& curve, const std::string& name);

/// Of every seed, the first judgement that is as good as the worst of all kinds ever becomes: with
/// their errors matched, what else was measured of them can be compared.
std::vector<Judgement> matched(const Curves& curves, const std::vector<Curves>& all,
                               const std::string& error);
/// Of every seed, the last judgement.
std::vector<Judgement> last(const Curves& curves);

/// A cell for each name, with the values of all seeds.
std::vector<Cell> cells(const std::vector<Judgement>& judgements,
                        const std::vector<std::string>& names);

} // namespace mereo::lab

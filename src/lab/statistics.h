// The statistics that experiments are told in.
#pragma once

#include "core/linear_map.h"

#include <cstdint>
#include <span>
#include <vector>

namespace mereo::lab {

/// Of the numbers that are finite, count of them: their mean, and the deviation of the sample
/// (over count - 1). Not a number where there are too few.
struct Summary {
  double mean, deviation;
  std::int64_t count;
};
Summary summarise(std::span<const double> values);

/// Area under the receiver operating characteristic: how likely one of the positive scores is
/// higher than one of the negative ones, a tie counting one half (Mann and Whitney's U). Throws
/// Error when either is empty or a score is not a number.
double auroc(std::span<const double> positive, std::span<const double> negative);

/// 1 - sum |y - told|^2 / sum |y - mean y|^2 over all columns together: the share of the variance
/// that is told. Negative where the mean would have been better. Throws Error for matrices of
/// different sizes and for a y without variance.
double r_squared(const Matrix& y, const Matrix& told);

/// The rotation nearest to a 3x3 matrix (row-major), in the sum of squared differences; one of them
/// where several are. Throws Error for a matrix of zeros.
std::vector<double> nearest_rotation(std::span<const double> matrix);

/// Degrees by which a rotation must be turned, around some axis, to be the other one (both 3x3).
double angle_between(std::span<const double> a, std::span<const double> b);

} // namespace mereo::lab

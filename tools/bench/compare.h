// Two runs of the benchmarks side by side.
#pragma once

#include <string>

namespace bench {

/// Prints, for every benchmark in both files (written with --benchmark_out=FILE), the median times,
/// the ratio of the second to the first with its spread where there are repetitions, and the
/// geometric mean of the ratios. Throws Error for a file that is missing or not such a file, and
/// when the two have nothing in common.
void compare(const std::string& before, const std::string& after);

} // namespace bench

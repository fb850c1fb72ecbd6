// What a run folder shows to people.
#pragma once

#include "report/chart.h"

#include <mereo/io.h>

#include <span>
#include <string>
#include <vector>

namespace mereo {

/// Charts of a history: loss, its parts, errors, learning rate, images per second, length of the
/// gradient. Lines of a kind that it does not know are left out, and fields that are no numbers are
/// gaps.
std::vector<Chart> history_charts(std::span<const Fields> history);

/// Writes report.html and curves.png of a run folder anew from its config.json, history.jsonl,
/// reconstructions.png and test.json, as far as they are there. Throws Error for one that is there
/// and cannot be read.
void write_run_report(const std::string& directory);

} // namespace mereo

// Where the time of a training step goes.
#pragma once

#include <mereo/models.h>

namespace bench {

/// Prints a table of CapsNet's training step, part by part, with rates and shares of the limits of
/// this machine.
void profile(const mereo::CapsNetConfig& config, std::int64_t batch);

} // namespace bench

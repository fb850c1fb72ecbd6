// The most memory that this process had in use, where the system tells (Linux).
#pragma once

namespace bench {

/// In MiB, since the last forget_peak_memory(); 0 where it is not known.
double peak_memory_mib();
void forget_peak_memory();

} // namespace bench

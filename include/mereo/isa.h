// Floor 2: which instruction set the kernels use.
#pragma once

#include <string>
#include <vector>

namespace mereo {

/// Name of the instruction set in use: "avx512", "avx2", "sse2", "neon" or "reference".
/// The first call chooses the best one that this processor and operating system can run, or the one
/// named by the environment variable MEREO_ISA. Throws Error when MEREO_ISA names an unknown
/// one or one that cannot run here.
std::string isa();

/// Names of those that can run here, best first; "reference" (plain loops) is always the last.
std::vector<std::string> available_isas();

/// Switches to another one. Throws Error as isa() does. Not while another thread computes.
void set_isa(const std::string& name);

} // namespace mereo

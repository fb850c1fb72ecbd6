#include "memory_use.h"

#include <fstream>
#include <string>

namespace bench {

double peak_memory_mib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) // high-water mark of the resident set, "VmHWM:   1234 kB"
      return std::stod(line.substr(6)) / 1024;
  return 0;
}

void forget_peak_memory() {
  std::ofstream("/proc/self/clear_refs") << "5"; // proc(5): resets VmHWM
}

} // namespace bench

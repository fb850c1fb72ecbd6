// What libFuzzer calls; TARGET is one of the functions in targets.h. See `make fuzz`.
#include "targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  fuzz::TARGET({reinterpret_cast<const char*>(bytes), size});
  return 0;
}

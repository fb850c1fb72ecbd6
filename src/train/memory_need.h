// How large a run will be.
#pragma once

#include <mereo/train.h>

namespace mereo {

std::vector<LayerSize> layer_sizes(const Parameters& parameters);

/// Runs one or two small training steps on black pictures to see what a step of a full batch will
/// need. Overwrites gradients, changes nothing else.
MemoryNeed measure_memory(Model& model, Optimizer& optimizer, const Dataset& data,
                          std::int64_t batch);

/// Throws if that is more than the bytes that there are: the system would end the program without a
/// word.
void check_memory(const MemoryNeed& need, std::int64_t available);

} // namespace mereo

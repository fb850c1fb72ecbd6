// What the passes of a Winograd convolution share.
#pragma once

#include "core/parallel.h"
#include "kernels/winograd_transforms.h"

namespace mereo {

/// The plan, the kernels, and scratch memory, which is given back at the end of the scope.
class WinogradWorker {
public:
  WinogradWorker(const WinogradPlan& plan, Arena& scratch)
      : plan(plan), kernels(mereo::kernels()), scope_(scratch), arena_(scratch),
        memory_(array(plan.transform_scratch() * threads())) {}

  FrequencyLayout rows_layout(std::int64_t rows, std::int64_t columns) const {
    return FrequencyLayout::rows(plan.frequencies, rows, columns);
  }
  FrequencyLayout panels_layout(std::int64_t rows, std::int64_t columns) const {
    return FrequencyLayout::panels(plan.frequencies, rows, columns, kernels.gemm.tile_columns);
  }
  /// Memory for the matrices of all frequencies.
  Frequencies<real> rows(std::int64_t rows, std::int64_t columns) {
    return allocate(rows_layout(rows, columns), 1);
  }
  Frequencies<real> panels(std::int64_t rows, std::int64_t columns) {
    return allocate(panels_layout(rows, columns), 1);
  }

  /// body(transforms, i) for i in [0, count) on all threads.
  template <class Body> void transform(std::int64_t count, const Body& body) const {
    parallel_for(count, [&](std::int64_t i) {
      WinogradTransforms transforms(plan, kernels,
                                    memory_ + thread_index() * plan.transform_scratch());
      body(transforms, i);
    });
  }

  const WinogradPlan& plan;
  const Kernels& kernels;

protected:
  /// `copies` of them, one after the other.
  Frequencies<real> allocate(const FrequencyLayout& layout, std::int64_t copies) {
    return {array(layout.elements * copies), layout};
  }

private:
  real* array(std::int64_t elements) { return arena_.allocate_array<real>(std::size_t(elements)); }

  ArenaScope scope_;
  Arena& arena_;
  real* memory_;
};

} // namespace mereo

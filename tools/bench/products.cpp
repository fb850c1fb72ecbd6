#include "products.h"

#include "cases.h"
#include "core/parallel.h"
#include "kernels/winograd_blocks.h"
#include "kernels/winograd_plan.h"
#include "kernels/winograd_product.h"

namespace bench {

using namespace mereo;

namespace {

/// A matrix for every frequency, in memory of its own.
struct Factor {
  Tensor memory;
  Frequencies<real> frequencies;

  explicit Factor(const FrequencyLayout& layout)
      : memory(numbers({layout.elements})), frequencies{memory.data(), layout} {}
  Frequencies<real> from(std::int64_t row) const { return frequencies.from(row, 0); }
};

/// The transformed images u, outputs m and weights v of a pass, as its products want them.
struct Products {
  WinogradPlan plan;
  Pass pass;
  Factor u, m, v;

  Products(const WinogradPlan& plan, Pass pass)
      : plan(plan), pass(pass),
        u(FrequencyLayout::rows(plan.frequencies, plan.image_block * plan.tiles, inner())),
        m(layout(pass == Pass::grad_weight, plan.shape.batch * plan.tiles, plan.shape.filters)),
        v(pass == Pass::grad_input ? layout(true, plan.shape.filters, inner())
                                   : layout(pass == Pass::forward, inner(), plan.shape.filters)) {}

  std::int64_t inner() const { return plan.phases * plan.channel_block; }

  FrequencyLayout layout(bool panels, std::int64_t rows, std::int64_t columns) const {
    return panels ? FrequencyLayout::panels(plan.frequencies, rows, columns,
                                            kernels().gemm.tile_columns)
                  : FrequencyLayout::rows(plan.frequencies, rows, columns);
  }

  void run() const {
    const Chunks blocks{plan.shape.channels, plan.channel_block};
    const Chunks images{plan.shape.batch, plan.image_block};
    for (std::int64_t block = 0; block < blocks.count(); ++block)
      for (std::int64_t some = 0; some < images.count(); ++some)
        multiply_block(plan.phases * (blocks.end(block) - blocks.begin(block)), block > 0,
                       images.begin(some) * plan.tiles, images.end(some) * plan.tiles);
  }

  void multiply_block(std::int64_t channels, bool later, std::int64_t begin,
                      std::int64_t end) const {
    const std::int64_t filters = plan.shape.filters, tiles = end - begin;
    if (pass == Pass::forward)
      multiply(winograd_product(tiles, filters, channels, u.from(0), v.from(0), m.from(begin)),
               later, PhasesAlong::depth);
    else if (pass == Pass::grad_input)
      multiply(winograd_product(tiles, channels, filters, m.from(begin), v.from(0), u.from(0)),
               false, PhasesAlong::columns);
    else
      multiply(winograd_product_transposed(channels, filters, tiles, u.from(0), m.from(begin),
                                           v.from(0)),
               begin > 0, PhasesAlong::rows);
  }

  void multiply(WinogradProduct product, bool accumulate, PhasesAlong along) const {
    product.accumulate = accumulate;
    multiply_frequencies(plan, product, along);
  }
};

} // namespace

bool winograd_interleaved(const ConvolutionShape& shape, std::int64_t tile) {
  const WinogradTiling tiling{.outputs = tile};
  return winograd_few_tiles(WinogradPlan(shape, tiling), tiling);
}

std::function<void()> winograd_products(const ConvolutionShape& shape, const WinogradTiling& tiling,
                                        Pass pass) {
  const auto products = std::make_shared<Products>(WinogradPlan(shape, tiling), pass);
  return [products] { products->run(); };
}

} // namespace bench

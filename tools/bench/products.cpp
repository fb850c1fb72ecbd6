#include "products.h"

#include "cases.h"
#include "core/parallel.h"
#include "kernels/winograd_blocks.h"
#include "kernels/winograd_plan.h"
#include "kernels/winograd_product.h"

namespace bench {

using namespace mereo;

namespace {

constexpr std::int64_t product_rows = 512; // as in kernels/winograd.cpp

/// A matrix for every frequency, from (row, 0) on.
struct Factor {
  FrequencyLayout layout;
  Tensor memory;

  explicit Factor(const FrequencyLayout& layout)
      : layout(layout), memory(numbers({layout.elements})) {}
  real* at(std::int64_t row) const { return memory.data() + layout.at(row, 0); }
};

void multiply_all(const WinogradPlan& plan, PhasesAlong along, const WinogradProduct& first,
                  const Factor& a, const Factor& b, const Factor& c) {
  const GemmKernels& gemm = kernels().gemm;
  const std::int64_t parts = (first.rows + product_rows - 1) / product_rows;
  const Chunks chunks{first.rows, (first.rows + parts - 1) / parts};
  parallel_for(plan.frequencies * chunks.count(), [&](std::int64_t i) {
    const std::int64_t frequency = i / chunks.count(), chunk = i % chunks.count();
    WinogradProduct product = first;
    product.a += frequency * a.layout.frequency;
    product.b += frequency * b.layout.frequency;
    product.c += frequency * c.layout.frequency;
    multiply_phases(gemm, plan, frequency, along, product,
                    {chunks.begin(chunk), chunks.end(chunk)});
  });
}

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
      multiply_all(plan, PhasesAlong::depth,
                   {tiles, filters, channels, u.at(0), u.layout.stride, 1, v.at(0), v.layout.panel,
                    m.at(begin), m.layout.stride, later},
                   u, v, m);
    else if (pass == Pass::grad_input)
      multiply_all(plan, PhasesAlong::columns,
                   {tiles, channels, filters, m.at(begin), m.layout.stride, 1, v.at(0),
                    v.layout.panel, u.at(0), u.layout.stride, false},
                   m, v, u);
    else
      multiply_all(plan, PhasesAlong::rows,
                   {channels, filters, tiles, u.at(0), 1, u.layout.stride, m.at(begin),
                    m.layout.panel, v.at(0), v.layout.stride, begin > 0},
                   u, m, v);
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

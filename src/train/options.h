// Options of a run, checked, filled in and compared.
#pragma once

#include <mereo/train.h>

namespace mereo {

/// The options with everything filled in that was left to choose. Throws Error for one out of
/// range.
TrainOptions settle(TrainOptions options, const Dataset& training, const Model& model);

/// Every option that the bits of a run depend on, but the number of epochs. The model's own
/// configuration is in it as "model.<key>".
Fields recipe_fields(Model& model, const Dataset& training, const TrainOptions& options);

/// Throws Error, naming the first option that differs.
void check_same_recipe(const std::string& path, const Fields& before, const Fields& now);

} // namespace mereo

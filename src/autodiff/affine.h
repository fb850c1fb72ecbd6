// What dense and convolution share behind their products: the gradient of an epilogue.
#pragma once

#include "kernels/table.h"

#include <mereo/ops.h>

namespace mereo {

Activation kernel_activation(Activity activity);

/// Gradient through activity(z + bias), y = the output, rows x columns: masks grad_y in place where
/// the ReLU was off (nobody reads it afterwards) and gives the bias its column sums. Returns the
/// gradient of z.
const real* epilogue_vjp(Tape& tape, Activity activity, const Variable& y, const Variable& bias,
                         std::int64_t columns);

} // namespace mereo

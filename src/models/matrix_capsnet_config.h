// The matrix capsule network's configuration to and from flat JSON.
#pragma once

#include <mereo/models.h>

namespace mereo {

std::string matrix_capsnet_config_text(const MatrixCapsNetConfig& config);
/// What the text leaves out keeps its default. Throws Error for an unknown key or a wrong type.
MatrixCapsNetConfig parse_matrix_capsnet_config(const std::string& text);

/// The part of a configuration that sets the size: "paper", or "small" with 68 thousand parameters.
Fields matrix_capsnet_preset(const std::string& name);

} // namespace mereo

// CapsNet's configuration to and from flat JSON.
#pragma once

#include <mereo/models.h>

namespace mereo {

std::string capsnet_config_text(const CapsNetConfig& config);
/// What the text leaves out keeps its default. Throws Error for an unknown key or a wrong type.
CapsNetConfig parse_capsnet_config(const std::string& text);

} // namespace mereo

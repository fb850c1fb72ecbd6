// The convolutional network's configuration to and from flat JSON.
#pragma once

#include <mereo/cnn.h>

namespace mereo {

std::string cnn_config_text(const CnnConfig& config);
/// What the text leaves out keeps its default. Throws Error for an unknown key or a wrong type.
CnnConfig parse_cnn_config(const std::string& text);

/// The part of a configuration that makes one of the networks which capsules are compared with:
///   mnist       the baseline of Sabour, Frosst, Hinton 2017: 35,445,522 parameters for 28x28
///   multimnist  their baseline for MultiMNIST: 24,563,978 for 36x36
///   norb        the baseline of Hinton, Sabour, Frosst 2018: 4,253,349 for 32x32x2, five classes
///   parameters  of about CapsNet's 8,215,568 parameters for 28x28
///   compute     of about CapsNet's 203 million multiplications for 28x28
///   small       of about the 68,754 parameters of the small matrix-capsnet for 32x32x2
/// All but mnist pool. Throws Error for another name.
Fields cnn_preset(const std::string& name);

} // namespace mereo

// The networks that experiments compare, trained in the usual way.
#pragma once

#include "lab/lab.h"

namespace mereo::lab {

/// On pictures of these data sets: any of "toys", "toys-azimuth", "toys-elevation", "faces",
/// "mnist", "affine-mnist" and "multi-mnist".

/// Hinton, Sabour, Frosst 2018: small has 69 thousand parameters on toys, full 317 thousand.
Network matrix_capsnet(const Lab& lab, const std::string& data);
/// Sabour, Frosst, Hinton 2017: small has half the filters and types, of faces a
/// quarter. The decoder is left out where pictures leave [0, 1].
Network capsnet(const Lab& lab, const std::string& data);
/// With max-pooling: on toys and faces, and with a small budget everywhere, the baseline of Hinton,
/// Sabour, Frosst 2018; on digits with a full one those of the other paper.
Network cnn(const Lab& lab, const std::string& data);

/// The fields, those named in `changes` being as there.
Fields changed(Fields fields, const Fields& changes);

} // namespace mereo::lab

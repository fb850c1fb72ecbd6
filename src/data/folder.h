// What a folder of pictures holds, without reading all of them.
#pragma once

#include <mereo/data.h>

namespace mereo {

struct FolderFacts {
  std::vector<std::string> class_names; // the sub-folders, sorted
  PictureOptions form;                  // channels and size, from the options or the first picture
};

/// Throws Error when there is no sub-folder, or the first one has no picture.
FolderFacts look_at_folder(const std::string& path, const PictureOptions& options);

} // namespace mereo

#include "data/folder.h"

#include "core/parallel.h"

#include <mereo/io.h>

#include <algorithm>
#include <cctype>
#include <filesystem>

namespace mereo {

namespace {

namespace fs = std::filesystem;

bool is_picture(const fs::path& path) {
  std::string extension = path.extension().string();
  for (char& c : extension)
    c = char(std::tolower(static_cast<unsigned char>(c)));
  return extension == ".png" || extension == ".jpg" || extension == ".jpeg";
}

/// Names in a folder, sorted, without hidden ones.
std::vector<std::string> names_in(const fs::path& path, bool folders) {
  std::vector<std::string> names;
  try {
    for (const auto& entry : fs::directory_iterator(path)) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with("."))
        continue;
      if (folders ? entry.is_directory() : entry.is_regular_file() && is_picture(entry.path()))
        names.push_back(name);
    }
  } catch (const fs::filesystem_error& error) {
    throw Error(path.string(), "cannot list the folder: " + error.code().message());
  }
  std::sort(names.begin(), names.end());
  return names;
}

struct Listing {
  std::vector<std::string> paths;
  std::vector<std::int32_t> labels;
};

Listing list_pictures(const fs::path& path, const std::vector<std::string>& found,
                      const std::vector<std::string>& class_names) {
  Listing listing;
  for (const std::string& folder : found) {
    const auto place = std::find(class_names.begin(), class_names.end(), folder);
    if (place == class_names.end())
      throw Error((path / folder).string(), "is not one of the known classes");
    const auto pictures = names_in(path / folder, false);
    if (pictures.empty())
      throw Error((path / folder).string(), "holds no png or jpg file");
    for (const std::string& picture : pictures) {
      listing.paths.push_back((path / folder / picture).string());
      listing.labels.push_back(std::int32_t(place - class_names.begin()));
    }
  }
  return listing;
}

} // namespace

FolderFacts look_at_folder(const std::string& path, const PictureOptions& options) {
  if ((options.height > 0) != (options.width > 0) || options.height < 0 || options.width < 0)
    throw Error("read_image_folder", "give both height and width, or neither");
  FolderFacts facts{names_in(path, true), options};
  if (facts.class_names.empty())
    throw Error(path, "has no sub-folders", {}, "one sub-folder of png or jpg files per class");
  const Listing listing = list_pictures(path, {facts.class_names.front()}, facts.class_names);
  const Image first = read_image(listing.paths.front(), options.channels);
  facts.form.channels = int(first.channels);
  if (options.height == 0)
    facts.form.height = first.height, facts.form.width = first.width;
  return facts;
}

Dataset read_image_folder(const std::string& path, const PictureOptions& options,
                          const std::vector<std::string>& class_names) {
  FolderFacts facts = look_at_folder(path, options);
  Dataset data;
  data.name = path;
  data.channels = facts.form.channels;
  data.height = facts.form.height;
  data.width = facts.form.width;
  data.class_names = class_names.empty() ? facts.class_names : class_names;
  data.classes = std::int64_t(data.class_names.size());
  Listing listing = list_pictures(path, facts.class_names, data.class_names);
  data.labels = std::move(listing.labels);
  data.count = std::int64_t(listing.paths.size());
  const Shape shape{data.count, data.height, data.width, data.channels};
  data.pixels.resize(std::size_t(shape.elements()));
  parallel_for(data.count, [&](std::int64_t i) {
    const std::string& file = listing.paths[std::size_t(i)];
    Image image = read_image(file, int(data.channels));
    if (options.height > 0)
      image = resize_image(image, data.height, data.width);
    if (image.height != data.height || image.width != data.width)
      throw Error(file, "is not as large as the first picture",
                  Shape{image.height, image.width}.text() + " instead of " +
                      Shape{data.height, data.width}.text(),
                  "ask for a size, then all are resized to it");
    std::copy(image.pixels.begin(), image.pixels.end(),
              data.pixels.begin() + std::ptrdiff_t(i * data.image_size()));
  });
  data.check();
  return data;
}

} // namespace mereo

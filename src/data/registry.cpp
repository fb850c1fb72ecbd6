#include "data/figures.h"
#include "data/folder.h"
#include "data/norb.h"

#include <algorithm>
#include <filesystem>

namespace mereo {

namespace {

namespace fs = std::filesystem;

bool exists(const std::string& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

Error not_fetched(const std::string& name, const std::string& path) {
  return Error(path, "is missing", {},
               name == "toys" || name == "faces" ? "make it: build/render " + name
               : name == "affnist" ? "unpack affNIST/32x/transformed/test.mat.zip there, from "
                                     "https://www.cs.toronto.edu/~tijmen/"
                                   : "fetch it: tools/fetch.sh " + name);
}

/// path, or path.gz when only that is there.
std::string plain_or_gz(const std::string& name, const std::string& path) {
  if (exists(path))
    return path;
  if (exists(path + ".gz"))
    return path + ".gz";
  throw not_fetched(name, path);
}

Dataset load_idx(const std::string& name, Split split, const std::string& folder) {
  const std::string prefix = folder + (split == Split::train ? "/train" : "/t10k");
  const std::string images = plain_or_gz(name, prefix + "-images-idx3-ubyte");
  Dataset data = read_idx(images, plain_or_gz(name, prefix + "-labels-idx1-ubyte"));
  if (name == "fashion-mnist")
    data.class_names = {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
                        "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot"};
  return data;
}

/// The pictures, each amid a black field that is `margin` pixels wider on all sides.
void frame(Dataset& data, std::int64_t margin) {
  const std::int64_t height = data.height + 2 * margin, width = data.width + 2 * margin;
  std::vector<std::uint8_t> framed(std::size_t(data.count * height * width));
  for (std::int64_t row = 0; row < data.count * data.height; ++row) {
    const std::int64_t i = row / data.height, y = row % data.height + margin;
    std::copy_n(data.pixels.begin() + row * data.width, data.width,
                framed.begin() + (i * height + y) * width + margin);
  }
  data.pixels = std::move(framed);
  data.height = height;
  data.width = width;
}

/// Sabour, Frosst, Hinton 2017, section 6.
Dataset load_multi_mnist(Split split, const std::string& data_dir) {
  constexpr std::int64_t pixels = 4;
  Dataset data = load_idx("mnist", split, data_dir + "/mnist");
  frame(data, pixels);
  data.max_move = pixels;
  data.labels_per_image = 2;
  return data;
}

/// test.mat, or all that is in test_batches.
Dataset load_affnist_test(const std::string& folder) {
  const std::string whole = folder + "/test.mat", parts = folder + "/test_batches";
  if (exists(whole) || !exists(parts))
    return read_affnist({plain_or_gz("affnist", whole)});
  std::vector<std::string> paths;
  for (const auto& entry : fs::directory_iterator(parts))
    if (entry.path().extension() == ".mat")
      paths.push_back(entry.path().string());
  if (paths.empty())
    throw not_fetched("affnist", parts + "/*.mat");
  std::sort(paths.begin(), paths.end());
  return read_affnist(paths);
}

/// name    "affine-mnist" or "affnist"
Dataset load_affine(const std::string& name, Split split, const std::string& data_dir) {
  constexpr std::int64_t margin = 6; // the authors': 40x40
  if (name == "affnist" && split == Split::test)
    return load_affnist_test(data_dir + "/affnist");
  Dataset data = load_idx("mnist", split, data_dir + "/mnist");
  if (split == Split::test)
    return transform_digits(data, data.height + 2 * margin);
  frame(data, margin);
  data.max_move = margin;
  return data;
}

bool has_familiar(const std::string& name) {
  return name.ends_with("-azimuth") || name.ends_with("-elevation") || name == "affine-mnist" ||
         name == "affnist";
}

/// name    "faces", and perhaps "-" and the test set to be had instead of the usual one
Dataset load_faces(const std::string& name, Split split, const std::string& data_dir) {
  const auto dash = name.find('-');
  const std::string set = split == Split::train ? "train"
                          : dash == name.npos   ? "test"
                                                : name.substr(dash + 1);
  const std::string prefix = data_dir + "/faces/" + set;
  Dataset data =
      read_idx(plain_or_gz("faces", prefix + "-images-idx3-ubyte"),
               plain_or_gz("faces", prefix + "-labels-idx1-ubyte"), std::ssize(figure_names()));
  data.class_names = figure_names();
  return data;
}

/// The binary files or the PNG sheets, whichever are there.
Dataset load_cifar10(const std::string& name, Split split, const std::string& folder) {
  const bool train = split == Split::train;
  const auto files = [&](const std::string& ending) {
    std::vector<std::string> paths;
    if (!train)
      return std::vector{folder + "/test_batch" + ending};
    for (int i = 1; i <= 5; ++i)
      paths.push_back(folder + "/data_batch_" + std::to_string(i) + ending);
    return paths;
  };
  if (exists(files(".bin").front()))
    return read_cifar_binary(files(".bin"));
  if (!exists(files(".png").front()))
    throw not_fetched(name, files(".bin").front());
  // "lables" is how the package spells it.
  return read_cifar_sheets(files(".png"),
                           folder + (train ? "/train_lables.json" : "/test_lables.json"));
}

/// Hinton, Sabour, Frosst 2018, section 5.2.
bool is_familiar(const Viewpoint& view, const std::string& experiment) {
  return experiment == "azimuth" ? view.azimuth >= 30 || view.azimuth <= 4 : view.elevation <= 2;
}

/// name    "smallnorb" or "toys", and perhaps "-azimuth" or "-elevation"
Dataset load_norb(const std::string& name, Split split, const std::string& data_dir,
                  const PictureOptions& options) {
  const auto dash = name.find('-');
  const std::string set = name.substr(0, dash);
  NorbPaths paths = norb_paths(set, split, data_dir + "/" + set);
  for (std::string* path : {&paths.dat, &paths.cat, &paths.info})
    *path = plain_or_gz(set, *path);
  if (dash == name.npos)
    return read_norb(paths.dat, paths.cat, paths.info, options);
  return read_norb(paths.dat, paths.cat, paths.info, options, [&](const Viewpoint& view) {
    return is_familiar(view, name.substr(dash + 1)) == (split != Split::test);
  });
}

Dataset load_folder(const std::string& path, Split split, PictureOptions options) {
  if (!exists(path))
    throw Error(path, "is missing");
  const std::string train = path + "/train", test = path + "/test";
  if (split == Split::train)
    return read_image_folder(exists(train) ? train : path, options);
  if (!exists(test))
    throw Error(path, "has no test part", {},
                "put test pictures in " + test + ", one sub-folder per class");
  if (!exists(train))
    return read_image_folder(test, options);
  // Classes, size and channels are what the training part says, whatever the test part holds.
  const FolderFacts known = look_at_folder(train, options);
  options.channels = known.form.channels;
  Dataset data = read_image_folder(test, options, known.class_names);
  if (data.height != known.form.height || data.width != known.form.width)
    throw Error(test, "the pictures are not as large as those in " + train,
                Shape{data.height, data.width}.text() + " instead of " +
                    Shape{known.form.height, known.form.width}.text(),
                "ask for a size, then all are resized to it");
  return data;
}

} // namespace

std::vector<std::string> dataset_names() {
  return {"mnist",          "fashion-mnist",     "cifar10",
          "multi-mnist",    "affine-mnist",      "affnist",
          "smallnorb",      "smallnorb-azimuth", "smallnorb-elevation",
          "toys",           "toys-azimuth",      "toys-elevation",
          "faces",          "faces-rotated",     "faces-shifted",
          "faces-scrambled"};
}

View usual_view(const std::string& dataset_name) {
  if (dataset_name.starts_with("smallnorb") || dataset_name.starts_with("toys"))
    return {.brightness = 63.0 / 255, .contrast = 0.8, .crop = 32, .standardize = true};
  if (dataset_name.starts_with("faces"))
    return {}; // how far they are moved is what some of them test
  if (dataset_name == "multi-mnist" || dataset_name == "affine-mnist" || dataset_name == "affnist")
    return {}; // the loader moves each digit already
  return {.max_shift = 2};
}

Dataset load_dataset(const std::string& name, Split split, const std::string& data_dir,
                     const PictureOptions& options) {
  const std::string prefix = "folder:";
  if (split == Split::familiar && !has_familiar(name))
    throw Error("load_dataset", "this data set has no familiar part", name,
                "those of novel views have: smallnorb-azimuth, toys-elevation, affine-mnist, ...");
  if (name.starts_with(prefix)) {
    Dataset data = load_folder(name.substr(prefix.size()), split, options);
    data.name = name;
    return data;
  }
  Dataset data;
  if (name == "mnist" || name == "fashion-mnist")
    data = load_idx(name, split, data_dir + "/" + name);
  else if (name == "multi-mnist")
    data = load_multi_mnist(split, data_dir);
  else if (name == "affine-mnist" || name == "affnist")
    data = load_affine(name, split, data_dir);
  else if (name == "cifar10")
    data = load_cifar10(name, split, data_dir + "/" + name);
  else if (name.starts_with("faces") && std::ranges::count(dataset_names(), name) > 0)
    data = load_faces(name, split, data_dir);
  else if (std::ranges::count(dataset_names(), name) > 0)
    data = load_norb(name, split, data_dir, options);
  else
    throw Error("load_dataset", "there is no data set of this name", name,
                "mnist, cifar10, smallnorb, toys, ... or folder:PATH");
  data.name = name;
  return data;
}

} // namespace mereo

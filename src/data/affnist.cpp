// The published files of affNIST.
#include "io/mat.h"

#include <mereo/data.h>

#include <cmath>
#include <utility>

namespace mereo {

namespace {

/// One file.
Dataset read_batch(const std::string& path) {
  auto fields = read_mat_struct(path, "affNISTdata", {"image", "label_int"});
  MatArray& image = fields.at("image");
  const MatArray& label = fields.at("label_int");
  const std::int64_t pixels = image.sizes[0], count = image.sizes[1];
  const std::int64_t side = std::llround(std::sqrt(double(pixels)));
  if (image.sizes.size() != 2 || image.bytes.empty() || side * side != pixels)
    throw Error(path, "image is not an array of bytes with a square picture in each column",
                Shape(image.sizes).text());
  std::vector<double> labels = label.numbers;
  if (labels.empty())
    labels.assign(label.bytes.begin(), label.bytes.end());
  if (std::ssize(labels) != count)
    throw Error(path, "there are not as many labels as pictures",
                std::to_string(labels.size()) + " labels, " + std::to_string(count) + " pictures");
  Dataset data{.name = path,
               .count = count,
               .height = side,
               .width = side,
               .channels = 1,
               .classes = 10,
               .pixels = std::move(image.bytes),
               .labels = {},
               .class_names = {}};
  for (const double number : labels) {
    if (!(number >= 0 && number < 10 && number == std::floor(number)))
      throw Error(path, "a label is no digit", std::to_string(number));
    data.labels.push_back(std::int32_t(number));
  }
  for (int k = 0; k < 10; ++k)
    data.class_names.push_back(std::to_string(k));
  return data;
}

} // namespace

Dataset read_affnist(const std::vector<std::string>& paths) {
  Dataset all;
  for (const std::string& path : paths) {
    Dataset batch = read_batch(path);
    if (all.count == 0) {
      all = std::move(batch);
      continue;
    }
    if (batch.height != all.height)
      throw Error(path, "the pictures are not as large as those in " + all.name,
                  std::to_string(batch.height) + " and " + std::to_string(all.height) +
                      " pixels a side");
    all.count += batch.count;
    all.pixels.insert(all.pixels.end(), batch.pixels.begin(), batch.pixels.end());
    all.labels.insert(all.labels.end(), batch.labels.begin(), batch.labels.end());
  }
  all.check();
  return all;
}

} // namespace mereo

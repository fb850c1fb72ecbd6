// The idx format: 0, 0, type (8: bytes), rank; then rank big-endian 32-bit sizes; then the bytes.
#include <mereo/data.h>
#include <mereo/io.h>

namespace mereo {

namespace {

constexpr std::int64_t file_limit = std::int64_t{1} << 30;

std::string header(const std::vector<std::int64_t>& sizes) {
  std::string bytes{0, 0, 8, char(sizes.size())};
  for (const std::int64_t size : sizes)
    for (int shift = 24; shift >= 0; shift -= 8)
      bytes += char(size >> shift & 0xff);
  return bytes;
}

struct Idx {
  std::string bytes;
  std::vector<std::int64_t> sizes;
  std::size_t begin; // of the data
};

Idx read_idx_file(const std::string& path, int rank) {
  Idx idx{read_plain_or_gzip(path, file_limit), {}, 4 + 4 * std::size_t(rank)};
  const auto byte = [&](std::size_t i) { return std::uint8_t(idx.bytes[i]); };
  if (idx.bytes.size() < idx.begin)
    throw Error(path, "is too short for an idx file");
  if (byte(0) != 0 || byte(1) != 0 || byte(2) != 8 || byte(3) != rank)
    throw Error(path, "is not an idx file of bytes with rank " + std::to_string(rank), {},
                "remove it and fetch it again");
  std::vector<std::int64_t>& sizes = idx.sizes;
  const std::int64_t available = std::int64_t(idx.bytes.size() - idx.begin);
  std::int64_t product = 1;
  for (std::size_t i = 4; i < idx.begin; i += 4) {
    const std::int64_t size =
        std::int64_t(byte(i)) << 24 | byte(i + 1) << 16 | byte(i + 2) << 8 | byte(i + 3);
    sizes.push_back(size);
    if (size < 1)
      throw Error(path, "a size in the header is zero");
    // Both factors are below 2^32 here, so the product cannot overflow.
    if (size > available || (product *= size) > available)
      throw Error(path, "the header promises more than the file holds");
  }
  if (product != available)
    throw Error(path, "the file is longer than its header says",
                std::to_string(available) + " bytes instead of " + std::to_string(product));
  return idx;
}

} // namespace

Dataset read_idx(const std::string& images_path, const std::string& labels_path,
                 std::int64_t classes) {
  Idx images = read_idx_file(images_path, 3);
  const Idx labels = read_idx_file(labels_path, 1);
  if (images.sizes[0] != labels.sizes[0])
    throw Error(labels_path, "there are not as many labels as pictures",
                std::to_string(labels.sizes[0]) + " labels, " + std::to_string(images.sizes[0]) +
                    " pictures in " + images_path);
  Dataset data;
  data.name = images_path;
  data.count = images.sizes[0];
  data.height = images.sizes[1];
  data.width = images.sizes[2];
  data.channels = 1;
  data.classes = classes;
  data.pixels.assign(images.bytes.begin() + std::ptrdiff_t(images.begin), images.bytes.end());
  for (std::size_t i = labels.begin; i < labels.bytes.size(); ++i)
    data.labels.push_back(std::uint8_t(labels.bytes[i]));
  for (std::int64_t c = 0; c < classes; ++c)
    data.class_names.push_back(std::to_string(c));
  data.check();
  return data;
}

void write_idx(const std::string& images_path, const std::string& labels_path,
               const Dataset& dataset) {
  dataset.check();
  if (dataset.channels != 1 || dataset.classes > 256)
    throw Error(images_path, "an idx pair holds pictures of one channel, of up to 256 classes",
                std::to_string(dataset.channels) + " channels, " + std::to_string(dataset.classes) +
                    " classes");
  const std::string pixels(dataset.pixels.begin(), dataset.pixels.end());
  const std::string labels(dataset.labels.begin(), dataset.labels.end());
  write_file_atomically(labels_path, header({dataset.count}) + labels);
  write_file_atomically(images_path,
                        header({dataset.count, dataset.height, dataset.width}) + pixels);
}

} // namespace mereo

#include "data/norb.h"

#include <algorithm>
#include <array>
#include <bit>

namespace mereo {

namespace {

static_assert(std::endian::native == std::endian::little, "the file's numbers are little-endian");

constexpr const char* again = "remove it and fetch or make it again";

std::int64_t element_bytes(NorbElement element) {
  return element == NorbElement::int32 ? 4 : 1;
}

std::string describe(NorbElement element, std::size_t rank) {
  return std::string(element == NorbElement::int32 ? "32-bit numbers" : "bytes") + " with rank " +
         std::to_string(rank);
}

/// The sizes are written as 1 up to the third.
std::size_t sizes_written(std::size_t rank) {
  return std::max<std::size_t>(3, rank);
}

} // namespace

NorbReader::NorbReader(const std::string& path, NorbElement element, std::size_t rank)
    : file_(path) {
  std::array<std::uint32_t, 2> kind{};
  std::vector<std::uint32_t> sizes(sizes_written(rank));
  if (file_.read(kind.data(), sizeof kind) < sizeof kind)
    throw Error(path, "is too short for a NORB matrix", {}, again);
  if (kind[0] != std::uint32_t(element) || kind[1] != rank)
    throw Error(path, "is not a NORB matrix of " + describe(element, rank), {}, again);
  if (file_.read(sizes.data(), 4 * sizes.size()) < 4 * sizes.size())
    throw Error(path, "is too short for a NORB matrix", {}, again);
  const std::int64_t available = file_.most_bytes() / element_bytes(element);
  std::int64_t elements = 1;
  for (std::size_t i = 0; i < rank; ++i) {
    const std::int64_t size = sizes[i];
    sizes_.push_back(size);
    if (size < 1)
      throw Error(path, "a size in the header is zero");
    // Divided, not multiplied, so that nothing can overflow.
    if (size > available || elements > available / size)
      throw Error(path, "the header promises more than the file can hold", {}, again);
    elements *= size;
  }
  left_ = elements * element_bytes(element);
}

void NorbReader::read(void* out, std::size_t bytes) {
  if (std::int64_t(bytes) > left_ || file_.read(out, bytes) < bytes)
    throw Error(path(), "the file is shorter than its header says", {}, again);
  left_ -= std::int64_t(bytes);
}

void NorbReader::finish() {
  char more;
  if (left_ > 0 || file_.read(&more, 1) > 0)
    throw Error(path(), "the file is longer than its header says", {}, again);
}

NorbNumbers read_norb_numbers(const std::string& path, std::size_t rank) {
  NorbReader reader(path, NorbElement::int32, rank);
  NorbNumbers numbers{reader.sizes(), {}};
  std::int64_t elements = 1;
  for (const std::int64_t size : numbers.sizes)
    elements *= size;
  numbers.values.resize(std::size_t(elements));
  reader.read(numbers.values.data(), 4 * numbers.values.size());
  reader.finish();
  return numbers;
}

NorbWriter::NorbWriter(const std::string& path, NorbElement element,
                       const std::vector<std::int64_t>& sizes)
    : path_(path), file_(path), element_(element), left_(element_bytes(element)) {
  std::vector<std::uint32_t> header{std::uint32_t(element), std::uint32_t(sizes.size())};
  for (const std::int64_t size : sizes) {
    constexpr std::int64_t most = std::int64_t(1) << 40; // bytes
    if (size < 1 || size > INT32_MAX || left_ > most / size)
      throw Error(path, "a NORB matrix cannot have this size", std::to_string(size));
    left_ *= size;
    header.push_back(std::uint32_t(size));
  }
  header.resize(2 + sizes_written(sizes.size()), 1);
  file_.write(header.data(), 4 * header.size());
}

void NorbWriter::append(std::span<const std::uint8_t> elements) {
  append(NorbElement::uint8, elements.data(), elements.size());
}

void NorbWriter::append(std::span<const std::int32_t> elements) {
  append(NorbElement::int32, elements.data(), elements.size());
}

void NorbWriter::append(NorbElement element, const void* bytes, std::size_t count) {
  const std::int64_t size = std::int64_t(count) * element_bytes(element);
  if (element != element_ || size > left_)
    throw Error(path_, element != element_ ? "elements of another type were appended"
                                           : "more was appended than the sizes say");
  file_.write(bytes, std::size_t(size));
  left_ -= size;
}

void NorbWriter::commit() {
  if (left_ > 0)
    throw Error(path_, "less was appended than the sizes say",
                std::to_string(left_) + " bytes are missing");
  file_.commit();
}

NorbPaths norb_paths(const std::string& name, Split split, const std::string& folder) {
  std::string prefix = folder + "/" + name;
  if (name == "smallnorb") // instances, elevations, azimuths, lightings, cameras, pixels
    prefix += split == Split::train ? "-5x46789x9x18x6x2x96x96" : "-5x01235x9x18x6x2x96x96";
  prefix += split == Split::train ? "-training" : "-testing";
  return {prefix + "-dat.mat", prefix + "-cat.mat", prefix + "-info.mat"};
}

NorbSetWriter::NorbSetWriter(const NorbPaths& paths, std::int64_t count, std::int64_t height,
                             std::int64_t width)
    : dat_(paths.dat, NorbElement::uint8, {count, 2, height, width}),
      cat_(paths.cat, NorbElement::int32, {count}),
      info_(paths.info, NorbElement::int32, {count, 4}), pair_(2 * height * width) {}

void NorbSetWriter::append(std::span<const std::uint8_t> pairs,
                           std::span<const std::int32_t> labels,
                           std::span<const std::int32_t> facts) {
  const auto count = std::int64_t(labels.size());
  if (std::int64_t(pairs.size()) != count * pair_ || std::int64_t(facts.size()) != count * 4)
    throw Error("NorbSetWriter", "pictures, labels and facts are not as many",
                std::to_string(pairs.size()) + " pixels of pairs of " + std::to_string(pair_) +
                    ", " + std::to_string(count) + " labels, " + std::to_string(facts.size()) +
                    " facts");
  dat_.append(pairs);
  cat_.append(labels);
  info_.append(facts);
}

void NorbSetWriter::commit() {
  cat_.commit();
  info_.commit();
  dat_.commit();
}

} // namespace mereo

// Files of the NORB sets (LeCun, Huang, Bottou, "Learning methods for generic object recognition
// with invariance to pose and lighting", CVPR 2004): a matrix each, named .mat but not MATLAB's.
//
// Little-endian 32-bit numbers: magic, rank, max(3, rank) sizes; then the elements, row by row.
// A set's part is three of them: dat, the pairs of pictures; cat, their classes; info, four facts
// of each (see Viewpoint).
#pragma once

#include "io/gzip.h"

#include <mereo/data.h>

#include <optional>
#include <span>

namespace mereo {

/// The magic number says what the elements are; these are those that the sets have.
enum class NorbElement : std::uint32_t { int32 = 0x1e3d4c54, uint8 = 0x1e3d4c55 };

/// A matrix file, plain or gzip, read from front to back. Nothing that its header promises is more
/// than the file can hold.
class NorbReader {
public:
  /// Throws Error unless it is a matrix of such elements and of that rank.
  NorbReader(const std::string& path, NorbElement element, std::size_t rank);

  const std::string& path() const { return file_.path(); }
  const std::vector<std::int64_t>& sizes() const { return sizes_; }
  /// The next elements, so many bytes. Throws Error where the file ends before.
  void read(void* out, std::size_t bytes);
  /// Throws Error unless all was read, and the file ends there.
  void finish();

private:
  UnpackedFile file_;
  std::vector<std::int64_t> sizes_; // (rank), each at least 1
  std::int64_t left_ = 0;           // bytes
};

/// A whole matrix of numbers, and its sizes.
struct NorbNumbers {
  std::vector<std::int64_t> sizes;
  std::vector<std::int32_t> values;
};
NorbNumbers read_norb_numbers(const std::string& path, std::size_t rank);

/// Writes a matrix piece by piece. The file appears under its name with commit(), flushed to the
/// disk, or not at all: see AtomicFile.
class NorbWriter {
public:
  NorbWriter(const std::string& path, NorbElement element, const std::vector<std::int64_t>& sizes);

  /// The next elements. Throws Error when they are of another type, or more than the sizes say.
  void append(std::span<const std::uint8_t> elements);
  void append(std::span<const std::int32_t> elements);
  /// Throws Error when there are fewer than the sizes say.
  void commit();

private:
  void append(NorbElement element, const void* bytes, std::size_t count);

  std::string path_;
  AtomicFile file_;
  NorbElement element_;
  std::int64_t left_; // bytes
};

/// The three files of one part of a set.
struct NorbPaths {
  std::string dat, cat, info;
};
/// name    "smallnorb", whose files keep their official names, or that of another set
/// folder  where they are, or will be
NorbPaths norb_paths(const std::string& name, Split split, const std::string& folder);

/// Writes one part of a set, batch by batch.
class NorbSetWriter {
public:
  /// count pairs of pictures (height, width).
  NorbSetWriter(const NorbPaths& paths, std::int64_t count, std::int64_t height,
                std::int64_t width);

  /// n more pairs.
  /// pairs   (n, 2, height, width): the left picture, then the right one
  /// labels  (n)
  /// facts   (n, 4): instance, elevation, azimuth, lighting, as Viewpoint has them
  void append(std::span<const std::uint8_t> pairs, std::span<const std::int32_t> labels,
              std::span<const std::int32_t> facts);
  /// All three files appear, the pictures last. Throws Error when count was not reached.
  void commit();

private:
  NorbWriter dat_, cat_, info_;
  std::int64_t pair_; // bytes
};

} // namespace mereo

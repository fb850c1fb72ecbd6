// A file read from front to back, unpacked on the way when it is packed.
#pragma once

#include "io/file.h"

#include <memory>

namespace mereo {

/// Plain files and gzip files alike: one that starts as gzip does is unpacked.
class UnpackedFile {
public:
  explicit UnpackedFile(const std::string& path);
  ~UnpackedFile();
  UnpackedFile(const UnpackedFile&) = delete;
  UnpackedFile& operator=(const UnpackedFile&) = delete;

  const std::string& path() const;
  /// Reads count bytes, fewer only where the file ends. Throws Error for damaged gzip data, at the
  /// latest by the read that meets the end.
  std::size_t read(void* bytes, std::size_t count);
  /// As it lies there; 0 for a pipe.
  std::int64_t file_bytes() const;
  /// The file unpacks to no more bytes than this (deflate packs 1032 bytes in one at best).
  std::int64_t most_bytes() const;

private:
  struct State;
  std::unique_ptr<State> state_;
};

} // namespace mereo

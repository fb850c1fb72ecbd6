// Where the bytes of a MATLAB file come from, one after the other.
#pragma once

#include "io/gzip.h"

#include <array>
#include <zlib.h>

namespace mereo {

class MatSource {
public:
  explicit MatSource(const std::string& path) : path(path) {}
  virtual ~MatSource() = default;
  /// All of them or Error.
  virtual void read(void* out, std::size_t count) = 0;

  void skip(std::int64_t count);
  /// Throws Error, naming the file.
  [[noreturn]] void fail(const std::string& problem, const std::string& values = {}) const;

  const std::string path;
};

class MatFile : public MatSource {
public:
  explicit MatFile(const std::string& path) : MatSource(path), file_(path) {}
  void read(void* out, std::size_t count) override;
  /// Fewer where the file ends.
  std::size_t read_some(void* out, std::size_t count) { return file_.read(out, count); }

private:
  UnpackedFile file_;
};

/// So many bytes of a file.
class MatPart : public MatSource {
public:
  MatPart(MatFile& file, std::int64_t bytes) : MatSource(file.path), file_(file), left_(bytes) {}
  void read(void* out, std::size_t count) override;
  std::int64_t left() const { return left_; }

private:
  MatFile& file_;
  std::int64_t left_;
};

/// What is in a zlib stream.
class MatInflated : public MatSource {
public:
  explicit MatInflated(MatPart& packed);
  ~MatInflated() override { inflateEnd(&stream_); }
  MatInflated(const MatInflated&) = delete;
  MatInflated& operator=(const MatInflated&) = delete;

  void read(void* out, std::size_t count) override;
  /// To the end of the stream, where its checksum is.
  void finish();

private:
  void step();

  MatPart& packed_;
  bool done_ = false;
  std::array<Bytef, 1 << 14> buffer_;
  z_stream stream_{};
};

} // namespace mereo

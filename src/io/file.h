// A file that appears under its name only when it is complete.
#pragma once

#include <mereo/core.h>

#include <cstddef>
#include <string>

namespace mereo {

/// Error for a failed system call on path: the action in words, and what errno says.
Error file_error(const std::string& path, const std::string& action, int number);

/// Makes a folder and those above it. Returns whether it was not there; throws Error when it cannot
/// be made.
bool make_folder(const std::string& path);

/// Closes a file descriptor at the end of a scope.
class Descriptor {
public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor();
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int get() const { return number_; }
  /// Closes now; false (errno says why) when the system reports a late write error.
  bool close();

private:
  int number_;
};

/// Opens for reading. Throws Error for a missing file and for a folder. bytes: its size.
int open_to_read(const std::string& path, std::int64_t& bytes);

/// Reads up to that many bytes where the last read ended; 0 only at the end of the file.
std::size_t read_some(int descriptor, const std::string& path, void* bytes, std::size_t count);

/// Reads exactly that many bytes at an offset; Error at the end of the file.
void read_exactly(int descriptor, const std::string& path, void* bytes, std::size_t count,
                  std::int64_t offset);

/// Writes path.tmp-<process id>; commit() renames it to path. Without a commit it is removed.
class AtomicFile {
public:
  explicit AtomicFile(const std::string& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* bytes, std::size_t count);
  void commit();

private:
  std::string path_, temporary_;
  Descriptor descriptor_;
  bool committed_ = false;
};

} // namespace mereo

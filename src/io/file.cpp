#include "io/file.h"

#include <mereo/io.h>

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace mereo {

namespace {

/// Makes the rename itself survive a power cut.
void flush_folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  Descriptor descriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (descriptor.get() < 0)
    return; // may be written to but not read: nothing to be done
  // Some file systems cannot flush a folder and say EINVAL.
  if (::fsync(descriptor.get()) != 0 && errno != EINVAL && errno != ENOTSUP)
    throw file_error(folder, "cannot flush the folder", errno);
}

} // namespace

Error file_error(const std::string& path, const std::string& action, int number) {
  return Error(path, action + ": " + std::generic_category().message(number));
}

bool make_folder(const std::string& path) {
  std::error_code error;
  const bool made = std::filesystem::create_directories(path, error);
  if (error)
    throw Error(path, "the folder cannot be made: " + error.message());
  return made;
}

Descriptor::~Descriptor() {
  close();
}

bool Descriptor::close() {
  if (number_ < 0)
    return true;
  const int number = number_;
  number_ = -1;
  return ::close(number) == 0;
}

int open_to_read(const std::string& path, std::int64_t& bytes) {
  const int number = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (number < 0)
    throw file_error(path, "cannot open", errno);
  struct stat status;
  if (::fstat(number, &status) != 0 || S_ISDIR(status.st_mode)) {
    ::close(number);
    throw Error(path, "is a folder, not a file");
  }
  bytes = std::int64_t(status.st_size);
  return number;
}

std::size_t read_some(int descriptor, const std::string& path, void* bytes, std::size_t count) {
  for (;;) {
    const ssize_t got = ::read(descriptor, bytes, count);
    if (got >= 0)
      return std::size_t(got);
    if (errno != EINTR)
      throw file_error(path, "cannot read", errno);
  }
}

void read_exactly(int descriptor, const std::string& path, void* bytes, std::size_t count,
                  std::int64_t offset) {
  auto* out = static_cast<char*>(bytes);
  while (count > 0) {
    const ssize_t got = ::pread(descriptor, out, count, off_t(offset));
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      throw file_error(path, "cannot read", errno);
    if (got == 0)
      throw Error(path, "ends too early", "at byte " + std::to_string(offset));
    out += got;
    offset += got;
    count -= std::size_t(got);
  }
}

AtomicFile::AtomicFile(const std::string& path)
    : path_(path), temporary_(path + ".tmp-" + std::to_string(::getpid())),
      descriptor_(::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)) {
  if (descriptor_.get() < 0)
    throw file_error(path, "cannot create", errno);
}

AtomicFile::~AtomicFile() {
  if (committed_)
    return;
  descriptor_.close();
  ::unlink(temporary_.c_str());
}

void AtomicFile::write(const void* bytes, std::size_t count) {
  const auto* in = static_cast<const char*>(bytes);
  while (count > 0) {
    const ssize_t put = ::write(descriptor_.get(), in, count);
    if (put < 0 && errno == EINTR)
      continue;
    if (put < 0)
      throw file_error(path_, "cannot write", errno);
    if (put == 0)
      throw file_error(path_, "cannot write", ENOSPC);
    in += put;
    count -= std::size_t(put);
  }
}

void AtomicFile::commit() {
  if (::fsync(descriptor_.get()) != 0)
    throw file_error(path_, "cannot flush to disk", errno);
  if (!descriptor_.close())
    throw file_error(path_, "cannot close", errno);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0)
    throw file_error(path_, "cannot rename " + temporary_, errno);
  committed_ = true;
  flush_folder_of(path_);
}

std::string read_file(const std::string& path, std::int64_t limit) {
  std::int64_t size = 0;
  const Descriptor descriptor(open_to_read(path, size));
  std::string bytes;
  std::size_t used = 0;
  // The size is a hint only: a pipe has none, and a file may grow or shrink meanwhile.
  std::size_t step = std::size_t(std::clamp<std::int64_t>(size, 0, limit)) + 1;
  for (;;) {
    if (used == bytes.size())
      bytes.resize(used + std::max<std::size_t>(step, used));
    step = 1 << 16;
    const std::size_t got =
        read_some(descriptor.get(), path, bytes.data() + used, bytes.size() - used);
    if (got == 0)
      break;
    used += got;
    if (std::int64_t(used) > limit)
      throw Error(path, "the file is too large", "more than " + std::to_string(limit) + " bytes");
  }
  bytes.resize(used);
  return bytes;
}

void write_file_atomically(const std::string& path, std::string_view bytes) {
  AtomicFile file(path);
  file.write(bytes.data(), bytes.size());
  file.commit();
}

} // namespace mereo

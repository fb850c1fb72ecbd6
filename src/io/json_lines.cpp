#include "io/file.h"

#include <mereo/io.h>

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace mereo {

namespace {

std::int64_t size_of(int descriptor, const std::string& path) {
  struct stat status;
  if (::fstat(descriptor, &status) != 0)
    throw file_error(path, "cannot look at", errno);
  return std::int64_t(status.st_size);
}

void cut(int descriptor, const std::string& path, std::int64_t size) {
  if (::ftruncate(descriptor, off_t(size)) != 0)
    throw file_error(path, "cannot shorten", errno);
}

/// Where the last complete line ends.
std::int64_t end_of_lines(int descriptor, const std::string& path) {
  char buffer[4096];
  std::int64_t end = size_of(descriptor, path);
  while (end > 0) {
    const std::int64_t begin = std::max<std::int64_t>(0, end - std::int64_t(sizeof buffer));
    read_exactly(descriptor, path, buffer, std::size_t(end - begin), begin);
    const std::string_view piece(buffer, std::size_t(end - begin));
    const auto newline = piece.rfind('\n');
    if (newline != piece.npos)
      return begin + std::int64_t(newline) + 1;
    end = begin;
  }
  return 0;
}

bool missing(const std::string& path) {
  return ::access(path.c_str(), F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR);
}

} // namespace

void append_json_line(const std::string& path, const Fields& fields) {
  Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
  if (file.get() < 0)
    throw file_error(path, "cannot open for writing", errno);
  const std::int64_t size = size_of(file.get(), path), end = end_of_lines(file.get(), path);
  if (end != size)
    cut(file.get(), path, end);
  const std::string line = to_json(fields) + "\n";
  ssize_t put;
  do
    put = ::write(file.get(), line.data(), line.size());
  while (put < 0 && errno == EINTR);
  if (put == ssize_t(line.size()))
    return;
  const int number = put < 0 ? errno : ENOSPC;
  if (put > 0)
    cut(file.get(), path, end);
  throw file_error(path, "cannot append a line", number);
}

std::vector<Fields> read_json_lines(const std::string& path) {
  std::vector<Fields> lines;
  if (missing(path))
    return lines;
  const std::string text = read_file(path);
  std::size_t begin = 0;
  for (auto end = text.find('\n'); end != text.npos; end = text.find('\n', begin)) {
    try {
      lines.push_back(parse_json_object(std::string_view(text).substr(begin, end - begin)));
    } catch (const Error& error) {
      throw Error(path, "line " + std::to_string(lines.size() + 1) + ": " + error.problem,
                  error.values);
    }
    begin = end + 1;
  }
  return lines;
}

void truncate_json_lines(const std::string& path, std::int64_t count) {
  if (missing(path))
    return;
  const std::string text = read_file(path);
  std::size_t end = 0;
  for (std::int64_t line = 0; line < count; ++line) {
    const auto newline = text.find('\n', end);
    if (newline == text.npos)
      break;
    end = newline + 1;
  }
  if (end == text.size())
    return;
  Descriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (file.get() < 0)
    throw file_error(path, "cannot open for writing", errno);
  cut(file.get(), path, std::int64_t(end));
}

} // namespace mereo

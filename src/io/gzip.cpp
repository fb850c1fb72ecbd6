#include "io/gzip.h"

#include <mereo/io.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstring>
#include <zlib.h>

namespace mereo {

struct UnpackedFile::State {
  explicit State(const std::string& path);
  ~State();

  /// Moves what is left of the buffer to its front, and fills it up from the file.
  void refill();
  std::size_t read_plain(char* out, std::size_t count);
  std::size_t inflate_some(char* out, std::size_t count);
  void end_of_member();

  const std::string path;
  std::int64_t size = 0;
  const Descriptor descriptor;
  std::array<Bytef, 1 << 16> buffer;
  z_stream stream{}; // its input is what is left of the buffer
  bool packed = false, done = false;
};

UnpackedFile::State::State(const std::string& path)
    : path(path), descriptor(open_to_read(path, size)) {
  refill();
  packed = stream.avail_in >= 2 && buffer[0] == 0x1f && buffer[1] == 0x8b;
  if (packed && inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK)
    throw Error(path, "zlib cannot start");
}

UnpackedFile::State::~State() {
  if (packed)
    inflateEnd(&stream);
}

void UnpackedFile::State::refill() {
  if (stream.avail_in > 0)
    std::memmove(buffer.data(), stream.next_in, stream.avail_in);
  stream.next_in = buffer.data();
  for (std::size_t got = 1; got > 0; stream.avail_in += uInt(got)) // a pipe gives piece by piece
    got = read_some(descriptor.get(), path, buffer.data() + stream.avail_in,
                    buffer.size() - stream.avail_in);
}

std::size_t UnpackedFile::State::read_plain(char* out, std::size_t count) {
  if (stream.avail_in == 0)
    return read_some(descriptor.get(), path, out, count);
  const std::size_t some = std::min<std::size_t>(count, stream.avail_in);
  std::memcpy(out, stream.next_in, some);
  stream.next_in += some;
  stream.avail_in -= uInt(some);
  return some;
}

std::size_t UnpackedFile::State::inflate_some(char* out, std::size_t count) {
  stream.next_out = reinterpret_cast<Bytef*>(out);
  stream.avail_out = uInt(std::min<std::size_t>(count, INT_MAX));
  const uInt space = stream.avail_out;
  while (stream.avail_out > 0 && !done) {
    if (stream.avail_in == 0)
      refill();
    const int result = inflate(&stream, Z_NO_FLUSH);
    if (result == Z_STREAM_END)
      end_of_member();
    else if (result == Z_BUF_ERROR) // no progress: there is space, so there are no bytes
      throw Error(path, "the gzip data ends too early", {}, "remove the file, fetch it again");
    else if (result != Z_OK)
      throw Error(path, "the gzip data is damaged", stream.msg ? stream.msg : "",
                  "remove the file, fetch it again");
  }
  return space - stream.avail_out;
}

/// A gzip file is one or more members, and may be padded with zeros.
void UnpackedFile::State::end_of_member() {
  if (stream.avail_in < 2)
    refill();
  if (stream.avail_in >= 2 && stream.next_in[0] == 0x1f && stream.next_in[1] == 0x8b) {
    inflateReset(&stream);
    return;
  }
  for (; stream.avail_in > 0; refill()) {
    if (std::any_of(stream.next_in, stream.next_in + stream.avail_in,
                    [](Bytef byte) { return byte != 0; }))
      throw Error(path, "something follows the gzip data");
    stream.avail_in = 0;
  }
  done = true;
}

UnpackedFile::UnpackedFile(const std::string& path) : state_(std::make_unique<State>(path)) {}

UnpackedFile::~UnpackedFile() = default;

const std::string& UnpackedFile::path() const {
  return state_->path;
}

std::size_t UnpackedFile::read(void* bytes, std::size_t count) {
  auto* out = static_cast<char*>(bytes);
  std::size_t used = 0;
  while (used < count) {
    const std::size_t got = state_->packed ? state_->inflate_some(out + used, count - used)
                                           : state_->read_plain(out + used, count - used);
    if (got == 0)
      break;
    used += got;
  }
  return used;
}

std::int64_t UnpackedFile::file_bytes() const {
  return state_->size;
}

std::int64_t UnpackedFile::most_bytes() const {
  return state_->packed ? 1032 * state_->size : state_->size;
}

std::string read_plain_or_gzip(const std::string& path, std::int64_t limit) {
  UnpackedFile file(path);
  std::string bytes;
  std::size_t used = 0;
  while (used == bytes.size()) {
    if (std::int64_t(used) > limit)
      throw Error(path, "the file is too large, unpacked",
                  "more than " + std::to_string(limit) + " bytes");
    // A byte more than there will be, so that the end is met; a pipe does not say how many.
    const auto guess = std::size_t(std::min(file.most_bytes(), 4 * file.file_bytes())) + 1;
    bytes.resize(std::min(std::size_t(limit) + 1, std::max({guess, 2 * used, std::size_t(64)})));
    used += file.read(bytes.data() + used, bytes.size() - used);
  }
  bytes.resize(used);
  return bytes;
}

} // namespace mereo

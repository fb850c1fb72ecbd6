#include "io/mat_source.h"

#include <algorithm>

namespace mereo {

void MatSource::skip(std::int64_t count) {
  std::array<char, 1 << 14> nothing;
  for (; count > 0; count -= std::int64_t(nothing.size()))
    read(nothing.data(), std::min(nothing.size(), std::size_t(count)));
}

void MatSource::fail(const std::string& problem, const std::string& values) const {
  throw Error(path, problem, values, "remove it, fetch it again");
}

void MatFile::read(void* out, std::size_t count) {
  if (read_some(out, count) < count)
    fail("the MATLAB file ends too early");
}

void MatPart::read(void* out, std::size_t count) {
  if (std::int64_t(count) > left_)
    fail("an element holds more than it has bytes");
  file_.read(out, count);
  left_ -= std::int64_t(count);
}

MatInflated::MatInflated(MatPart& packed) : MatSource(packed.path), packed_(packed) {
  if (inflateInit(&stream_) != Z_OK)
    fail("zlib cannot start");
}

void MatInflated::read(void* out, std::size_t count) {
  auto* bytes = static_cast<Bytef*>(out);
  while (count > 0) {
    const auto some = uInt(std::min<std::size_t>(count, 1 << 30));
    stream_.next_out = bytes;
    stream_.avail_out = some;
    while (stream_.avail_out > 0)
      step();
    bytes += some;
    count -= some;
  }
}

void MatInflated::finish() {
  std::array<Bytef, 1 << 14> nothing;
  while (!done_) {
    stream_.next_out = nothing.data();
    stream_.avail_out = uInt(nothing.size());
    step();
  }
}

void MatInflated::step() {
  if (stream_.avail_in == 0 && packed_.left() > 0) {
    const auto some = std::min(packed_.left(), std::int64_t(buffer_.size()));
    packed_.read(buffer_.data(), std::size_t(some));
    stream_.next_in = buffer_.data();
    stream_.avail_in = uInt(some);
  }
  const int result = done_ ? Z_BUF_ERROR : inflate(&stream_, Z_NO_FLUSH);
  done_ = result == Z_STREAM_END;
  if (result != Z_OK && result != Z_STREAM_END)
    fail(result == Z_BUF_ERROR ? "the compressed data ends too early"
                               : "the compressed data is damaged",
         stream_.msg ? stream_.msg : "");
}

} // namespace mereo

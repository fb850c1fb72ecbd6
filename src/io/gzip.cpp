#include <mereo/io.h>

#include <algorithm>
#include <climits>
#include <zlib.h>

namespace mereo {

namespace {

/// zlib's inflate, set for gzip, over bytes that are all in memory.
class Inflater {
public:
  Inflater(const std::string& path, std::string_view packed) : path_(path), left_(packed) {
    if (inflateInit2(&stream_, 16 + MAX_WBITS) != Z_OK)
      throw Error(path, "zlib cannot start");
  }
  ~Inflater() { inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  /// Unpacks into [out, out+size); returns how many bytes came. done() once all is unpacked.
  std::size_t read(char* out, std::size_t size) {
    stream_.next_out = reinterpret_cast<Bytef*>(out);
    stream_.avail_out = uInt(std::min<std::size_t>(size, INT_MAX));
    const uInt space = stream_.avail_out;
    while (stream_.avail_out > 0 && !done_) {
      stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(left_.data()));
      stream_.avail_in = uInt(std::min<std::size_t>(left_.size(), INT_MAX));
      const uInt before = stream_.avail_in;
      const int result = inflate(&stream_, Z_NO_FLUSH);
      left_.remove_prefix(before - stream_.avail_in);
      if (result == Z_STREAM_END)
        end_of_member();
      else if (result == Z_BUF_ERROR || (result == Z_OK && left_.empty() && stream_.avail_out > 0))
        throw Error(path_, "the gzip data ends too early", {}, "remove the file, fetch it again");
      else if (result != Z_OK)
        throw Error(path_, "the gzip data is damaged", stream_.msg ? stream_.msg : "",
                    "remove the file, fetch it again");
    }
    return space - stream_.avail_out;
  }
  bool done() const { return done_; }

private:
  /// A gzip file is one or more members, and may be padded with zeros.
  void end_of_member() {
    if (left_.starts_with("\x1f\x8b")) {
      inflateReset(&stream_);
      return;
    }
    if (left_.find_first_not_of('\0') != left_.npos)
      throw Error(path_, "something follows the gzip data");
    done_ = true;
  }

  const std::string& path_;
  std::string_view left_;
  z_stream stream_{};
  bool done_ = false;
};

} // namespace

std::string read_plain_or_gzip(const std::string& path, std::int64_t limit) {
  std::string packed = read_file(path, limit);
  if (!packed.starts_with("\x1f\x8b"))
    return packed;
  Inflater inflater(path, packed);
  std::string bytes;
  std::size_t used = 0;
  while (!inflater.done()) {
    if (std::int64_t(used) > limit)
      throw Error(path, "unpacks to too much", "more than " + std::to_string(limit) + " bytes");
    if (used == bytes.size())
      bytes.resize(std::min<std::size_t>(std::size_t(limit) + 1,
                                         std::max(packed.size() * 4 + 64, used * 2)));
    used += inflater.read(bytes.data() + used, bytes.size() - used);
  }
  bytes.resize(used);
  if (std::int64_t(used) > limit)
    throw Error(path, "unpacks to too much", "more than " + std::to_string(limit) + " bytes");
  return bytes;
}

} // namespace mereo

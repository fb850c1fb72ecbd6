#include "report/event_file.h"

#include <array>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <unistd.h>

namespace mereo {

namespace {

constexpr std::string_view prefix = "events.out.tfevents.";

std::string little_endian(std::uint64_t number, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i)
    text += char(number >> 8 * i & 0xff);
  return text;
}

// --- protobuf's wire format: a key tells field and type, a varint has seven bits to a byte

enum Type { varint = 0, bits64 = 1, bytes = 2, bits32 = 5 };

std::string as_varint(std::uint64_t number) {
  std::string text;
  for (; number >= 0x80; number >>= 7)
    text += char((number & 0x7f) | 0x80);
  return text + char(number);
}

std::string key(int field, Type type) {
  return as_varint(std::uint64_t(field << 3 | type));
}

std::string message(int field, std::string_view content) {
  return key(field, bytes) + as_varint(content.size()) + std::string(content);
}

/// Event { double wall_time = 1; int64 step = 2; ... }
std::string event(std::int64_t step, const std::string& what) {
  const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
  return key(1, bits64) + little_endian(std::bit_cast<std::uint64_t>(now.count()), 8) +
         key(2, varint) + as_varint(std::uint64_t(step)) + what;
}

} // namespace

std::uint32_t crc32c(std::string_view text) {
  constexpr auto table = [] {
    std::array<std::uint32_t, 256> entries{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      entries[i] = i;
      for (int bit = 0; bit < 8; ++bit)
        entries[i] = entries[i] >> 1 ^ (entries[i] & 1 ? 0x82f63b78u : 0u);
    }
    return entries;
  }();
  std::uint32_t crc = ~0u;
  for (const char c : text)
    crc = crc >> 8 ^ table[(crc ^ std::uint8_t(c)) & 0xff];
  return ~crc;
}

std::string record_frame(std::string_view text) {
  // TFRecord masks its checksums, so that one of data that holds checksums is as good as others.
  const auto masked = [](std::string_view checked) {
    return little_endian(std::rotr(crc32c(checked), 15) + 0xa282ead8u, 4);
  };
  const std::string length = little_endian(text.size(), 8);
  return length + masked(length) + std::string(text) + masked(text);
}

EventFile::EventFile(const std::string& folder, std::int64_t next_step) {
  using namespace std::chrono;
  const auto now = duration_cast<microseconds>(system_clock::now().time_since_epoch()).count();
  // TensorBoard takes the files of a folder by their names.
  char name[64];
  std::snprintf(name, sizeof name, "/events.out.tfevents.%010lld.%06lld.mereo",
                (long long)(now / 1000000), (long long)(now % 1000000));
  path_ = folder + name;
  file_ = std::make_unique<Descriptor>(
      ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666));
  if (file_->get() < 0)
    throw file_error(path_, "cannot open for writing", errno);
  append(event(0, message(3, "brain.Event:2")));               // string file_version = 3
  append(event(next_step, message(7, key(1, varint) + '\1'))); // SessionLog { status = 1: START }
}

void EventFile::add(std::int64_t step, std::span<const Scalar> scalars) {
  std::string summary; // Summary { repeated Value value = 1 }, with string tag = 1, float = 2
  for (const auto& [tag, value] : scalars)
    if (std::isfinite(value))
      summary += message(1, message(1, tag) + key(2, bits32) +
                                little_endian(std::bit_cast<std::uint32_t>(float(value)), 4));
  if (!summary.empty())
    append(event(step, message(5, summary)));
}

bool EventFile::any_in(const std::string& folder) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored))
    if (entry.path().filename().string().starts_with(prefix))
      return true;
  return false;
}

void EventFile::append(const std::string& text) {
  const std::string record = record_frame(text);
  ssize_t put;
  do
    put = ::write(file_->get(), record.data(), record.size());
  while (put < 0 && errno == EINTR);
  if (put != ssize_t(record.size()))
    throw file_error(path_, "cannot append", put < 0 ? errno : ENOSPC);
}

} // namespace mereo

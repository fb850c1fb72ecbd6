// Event files byte by byte; tests/tensorboard.sh has TensorBoard itself read them.
#include "scratch.h"
#include "train_fixture.h"

#include "report/event_file.h"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <filesystem>
#include <limits>

using namespace fixture;

namespace {

std::uint64_t number(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;)
    value = value << 8 | std::uint8_t(bytes[i]);
  return value;
}

/// The one event file of a folder, or the later one of two.
std::string newest(const std::string& folder) {
  std::string name;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (const std::string file = entry.path().string(); file.find("tfevents") != file.npos)
      name = std::max(name, file);
  return name;
}

/// The contents of the records, whose frames are checked.
std::vector<std::string> records(const std::string& file) {
  const std::string bytes = got(file);
  const auto unmasked = [&](std::size_t at) {
    return std::rotl(std::uint32_t(number(std::string_view(bytes).substr(at, 4))) - 0xa282ead8u,
                     15);
  };
  std::vector<std::string> all;
  for (std::size_t at = 0; at < bytes.size();) {
    REQUIRE(at + 16 <= bytes.size());
    const std::size_t length = number(std::string_view(bytes).substr(at, 8));
    REQUIRE(at + 16 + length <= bytes.size());
    CHECK(unmasked(at + 8) == crc32c(bytes.substr(at, 8)));
    all.push_back(bytes.substr(at + 12, length));
    CHECK(unmasked(at + 12 + length) == crc32c(all.back()));
    at += 16 + length;
  }
  return all;
}

/// An event without its time, which is that of the test.
std::string timeless(const std::string& event) {
  REQUIRE(event.size() > 9);
  REQUIRE(event[0] == 0x09); // field 1, 64 bits
  const double time = std::bit_cast<double>(number(std::string_view(event).substr(1, 8)));
  CHECK(time > 1.7e9);
  CHECK(time < 1e11);
  return event.substr(9);
}

} // namespace

TEST_CASE("CRC-32C of RFC 3720, appendix B.4") {
  CHECK(crc32c("") == 0);
  CHECK(crc32c("123456789") == 0xe3069283u);
  CHECK(crc32c(std::string(32, '\0')) == 0x8a9136aau);
  CHECK(crc32c(std::string(32, '\xff')) == 0x62a8ab43u);
}

TEST_CASE("a record: length, its masked checksum, bytes, their masked checksum") {
  // Of "abc", with checksums 0x29308cf4 of the length and 0x364b3fb7 of the bytes, masked.
  const auto masked = [](std::uint32_t crc) {
    return little_endian((crc >> 15 | crc << 17) + 0xa282ead8u, 4);
  };
  CHECK(crc32c("abc") == 0x364b3fb7u);
  CHECK(record_frame("abc") ==
        little_endian(3, 8) + masked(crc32c(little_endian(3, 8))) + "abc" + masked(0x364b3fb7u));
}

TEST_CASE("events: version, start of the session, scalars; what is not finite is left out") {
  const Scratch scratch;
  CHECK_FALSE(EventFile::any_in(scratch.folder()));
  {
    EventFile file(scratch.folder(), 300);
    const std::vector<Scalar> scalars = {{"a/b", 0.5}, {"nan", std::nan("")}, {"c", -2}};
    file.add(1, scalars);
    file.add(2, std::vector<Scalar>{{"inf", std::numeric_limits<double>::infinity()}});
  }
  CHECK(EventFile::any_in(scratch.folder()));
  const std::vector<std::string> events = records(newest(scratch.folder()));
  REQUIRE(events.size() == 3);
  using namespace std::string_literals;
  CHECK(timeless(events[0]) == "\x10\0\x1a\x0d"s + "brain.Event:2");
  CHECK(timeless(events[1]) == "\x10\xac\x02\x3a\x02\x08\x01"s); // step 300, START
  CHECK(timeless(events[2]) == "\x10\x01\x2a\x16"s               // step 1, a summary of 22 bytes
                                   + "\x0a\x0a\x0a\x03"
                                     "a/b\x15\0\0\0\x3f"s +
                                   "\x0a\x08\x0a\x01"
                                   "c\x15\0\0\0\xc0"s);
}

TEST_CASE("a run with an event file: every line of history, from the first when it comes late") {
  const Scratch scratch;
  const std::string folder = scratch.path("run");
  TrainOptions options = tiny_options(folder);
  const auto run = [&](std::int64_t stop_after_step) {
    Recorder recorder;
    recorder.stop_after_step = stop_after_step;
    CapsNet model(tiny_config(), 7);
    train(model, bars(60), options, recorder);
  };
  run(8);
  CHECK(newest(folder) == "");
  options.resume = options.tensorboard = true;
  run(15);
  const std::string first = newest(folder);
  const auto lines = [&] { return read_json_lines(folder + "/history.jsonl").size(); };
  const std::size_t before = lines();
  CHECK(records(first).size() == 2 + before);
  CHECK(timeless(records(first)[1]) == std::string("\x10\0\x3a\x02\x08\x01", 6));
  run(-1);
  const std::string second = newest(folder);
  CHECK(second != first);
  CHECK(records(first).size() == 2 + before);
  CHECK(records(second).size() == 2 + lines() - before);
  CHECK(timeless(records(second)[1]) == "\x10\x10\x3a\x02\x08\x01"); // what is from step 16 on
  CHECK(records(second)[2].find("epoch/loss") != std::string::npos);
  CHECK(records(second)[3].find("step/gradient_norm") != std::string::npos);
  CHECK(records(second).back().find("epoch/validation_error_percent") != std::string::npos);
}

TEST_CASE("an event file that cannot be written is named") {
  CHECK_THROWS_WITH_AS(EventFile("/proc/nowhere", 0), doctest::Contains("/proc/nowhere/events.out"),
                       Error);
}

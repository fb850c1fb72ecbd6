#include "error_of.h"
#include "scratch.h"

#include <mereo/io.h>

#include <cmath>
#include <csignal>
#include <doctest/doctest.h>
#include <limits>
#include <sys/resource.h>

using namespace mereo;

namespace {

/// Within its scope files cannot grow beyond bytes: what a full disk does to a write.
class FullDisk {
public:
  explicit FullDisk(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit now{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &now);
  }
  ~FullDisk() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

private:
  rlimit before_;
  void (*handler_)(int);
};

std::string message_of(const auto& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

} // namespace

TEST_CASE("a file written atomically replaces the old one and leaves nothing else") {
  const Scratch scratch;
  const std::string path = scratch.path("file");
  write_file_atomically(path, "old");
  write_file_atomically(path, std::string("new\0bytes", 9));
  CHECK(got(path) == std::string("new\0bytes", 9));
  CHECK(scratch.files() == 1);
}

TEST_CASE("a full disk loses neither the old file nor leaves a temporary one") {
  const Scratch scratch;
  const std::string path = scratch.path("file");
  write_file_atomically(path, "old");
  const std::string large(1 << 20, 'x');
  std::string message, tensors_message;
  {
    const FullDisk full(1 << 16);
    message = message_of([&] { write_file_atomically(path, large); });
    tensors_message = message_of([&] {
      write_safetensors(path, {{}, {{"weights", Tensor(Shape{1 << 18})}}});
    });
  }
  CHECK(has(message, path));
  CHECK(has(message, "File too large"));
  CHECK(has(tensors_message, "File too large"));
  CHECK(got(path) == "old");
  CHECK(scratch.files() == 1);
}

TEST_CASE("writing where there is no folder, or over a folder, is an error that leaves nothing") {
  const Scratch scratch;
  CHECK(message_of([&] { write_file_atomically(scratch.path("no/file"), "x"); }) ==
        scratch.path("no/file") + ": cannot create: No such file or directory");
  std::filesystem::create_directories(scratch.path("folder/inner"));
  CHECK_THROWS_AS(write_file_atomically(scratch.path("folder"), "x"), Error);
  CHECK(scratch.files() == 1);
}

TEST_CASE("reading names the file and what is wrong with it") {
  const Scratch scratch;
  CHECK(has(message_of([&] { read_file(scratch.path("absent")); }), "No such file"));
  CHECK(has(message_of([&] { read_file(scratch.folder()); }), "is a folder"));
  put(scratch.path("ten"), "0123456789");
  CHECK(read_file(scratch.path("ten"), 10) == "0123456789");
  CHECK(has(message_of([&] { read_file(scratch.path("ten"), 9); }), "too large"));
}

TEST_CASE("plain, gzip and joined gzip files unpack to the same bytes") {
  const Scratch scratch;
  const std::string path = scratch.path("file"), bytes(1000, 'a');
  for (const std::string& content :
       {bytes, gzip_of(bytes), gzip_of(bytes.substr(0, 1)) + gzip_of(bytes.substr(1)),
        gzip_of(bytes) + std::string(100, '\0')}) {
    put(path, content);
    CHECK(read_plain_or_gzip(path) == bytes);
  }
}

TEST_CASE("gzip data that unpacks to more than the limit is refused") {
  const Scratch scratch;
  put(scratch.path("file"), gzip_of(std::string(1000, 'a')) + gzip_of(std::string(1000, 'b')));
  CHECK_THROWS_AS(read_plain_or_gzip(scratch.path("file"), 1999), Error);
  CHECK_THROWS_AS(read_plain_or_gzip(scratch.path("file"), 10), Error);
}

TEST_CASE("damaged gzip data is an error or unpacks to the right bytes") {
  const Scratch scratch;
  const std::string path = scratch.path("file"), bytes = "some bytes of a file";
  for_every_cut(path, gzip_of(bytes), [&](const std::string& what) {
    INFO(what);
    if (got(path).size() >= 2)
      CHECK_THROWS_AS(read_plain_or_gzip(path), Error);
  });
  for_every_flip(path, gzip_of(bytes), [&](const std::string& what) {
    INFO(what);
    if (!got(path).starts_with("\x1f\x8b"))
      return; // then it is a plain file
    std::string unpacked = bytes;
    try {
      unpacked = read_plain_or_gzip(path);
    } catch (const Error&) {
    }
    CHECK(unpacked == bytes);
  });
}

TEST_CASE("JSON fields come back as they were") {
  const Fields fields = {{"whole", std::int64_t{-7}},
                         {"large", std::numeric_limits<std::int64_t>::max()},
                         {"tenth", 0.1},
                         {"one", 1.0},
                         {"text", "a \"quoted\"\nline\t\\ \x01 ü"},
                         {"", ""}};
  const std::string text = to_json(fields);
  CHECK(text.find('\n') == text.npos);
  CHECK(parse_json_object(text) == fields);
  CHECK(to_json({{"a", 1}, {"b", "x"}}) == R"({"a": 1, "b": "x"})");
  CHECK(std::get<std::int64_t>(*find(fields, "whole")) == -7);
  CHECK(find(fields, "absent") == nullptr);
}

TEST_CASE(
    "numbers that are not finite are null in JSON, and bytes that are not UTF-8 are replaced") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(to_json({{"a", nan}, {"b", -HUGE_VAL}}) == R"({"a": null, "b": null})");
  CHECK(std::isnan(std::get<double>(parse_json_object(R"({"a": null})")[0].second)));
  CHECK_NOTHROW(parse_json_object(to_json({{"a", "\xff\xfe"}})));
}

TEST_CASE("JSON that is not one flat object is refused") {
  for (const char* text : {"", "{", "1", "[]", "null", R"({"a": [1]})", R"({"a": {"b": 1}})",
                           R"({"a": 1, "a": 2})", R"({"a": 1} x)", R"({"a" 1})", R"({"a": 1e999})",
                           R"({a: 1})", "{\"a\": \"\n\"}", "{\"a\": \"\xff\"}"}) {
    INFO(text);
    CHECK_THROWS_AS(parse_json_object(text), Error);
  }
  CHECK_THROWS_AS(parse_json_object(std::string("{}\0", 3)), Error);
}

TEST_CASE("an appended line follows the last complete one, whatever a crash left") {
  const Scratch scratch;
  const std::string path = scratch.path("history.jsonl");
  CHECK(read_json_lines(path).empty());
  append_json_line(path, {{"epoch", 1}});
  append_json_line(path, {{"epoch", 2}});
  const std::string two = got(path);
  CHECK(two == "{\"epoch\": 1}\n{\"epoch\": 2}\n");

  for (const std::string& rest : {std::string("{\"epo"), std::string(10000, 'x')}) {
    put(path, two + rest);
    CHECK(read_json_lines(path).size() == 2);
    append_json_line(path, {{"epoch", 3}});
    CHECK(got(path) == two + "{\"epoch\": 3}\n");
  }
  put(path, "no line ever ended");
  append_json_line(path, {{"epoch", 1}});
  CHECK(got(path) == "{\"epoch\": 1}\n");
}

TEST_CASE("a full disk leaves the lines before as they were") {
  const Scratch scratch;
  const std::string path = scratch.path("history.jsonl");
  const Fields line = {{"text", std::string(50, 'x')}};
  append_json_line(path, line);
  const std::string before = got(path);
  std::string message;
  {
    const FullDisk full(before.size() + 20);
    message = message_of([&] { append_json_line(path, line); });
  }
  CHECK(has(message, "cannot append a line"));
  CHECK(got(path) == before);
}

TEST_CASE("lines can be cut after a number of them, and a bad one is named") {
  const Scratch scratch;
  const std::string path = scratch.path("history.jsonl");
  truncate_json_lines(path, 3);
  CHECK(!std::filesystem::exists(path));
  for (int i = 0; i < 5; ++i)
    append_json_line(path, {{"epoch", i}});
  truncate_json_lines(path, 9);
  CHECK(read_json_lines(path).size() == 5);
  truncate_json_lines(path, 2);
  CHECK(read_json_lines(path).size() == 2);
  put(path, got(path) + "broken\n");
  CHECK(has(message_of([&] { read_json_lines(path); }), "line 3"));
}

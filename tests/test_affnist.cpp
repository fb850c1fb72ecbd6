// affNIST: its files, and digits put through the same.
#include "error_of.h"
#include "io/mat.h"
#include "mat_fixture.h"

#include <mereo/data.h>

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>

using namespace fixture;

namespace {

const std::string three = pattern(3 * 4), labels = {7, 0, 9};

/// What is wrong with the file, which is named.
std::string complaint(const std::string& path, const std::string& bytes) {
  put(path, bytes);
  const std::string text = error_of([&] { read_affnist({path}); });
  CHECK(text.find(path) != text.npos);
  return text;
}

/// A file that holds one variable, as it is or compressed.
std::string mat_file(const std::string& variable, bool packed = false) {
  return mat_start() + (packed ? mat_compressed(variable) : variable);
}

} // namespace

TEST_CASE("affNIST's files are read, compressed or not, and joined") {
  const Scratch scratch;
  const std::string path = scratch.path("1.mat"), other = scratch.path("2.mat");
  for (const bool packed : {false, true}) {
    put(path, mat_file(mat_affnist(2, three, labels), packed));
    const Dataset data = read_affnist({path});
    data.check();
    CHECK(data.count == 3);
    CHECK(data.height == 2);
    CHECK(data.width == 2);
    CHECK(std::string(data.pixels.begin(), data.pixels.end()) == three);
    CHECK(data.labels == std::vector<std::int32_t>{7, 0, 9});
  }
  put(other, mat_file(mat_affnist(2, "abcd", "\x04"), true));
  const Dataset both = read_affnist({path, other});
  both.check();
  CHECK(std::string(both.pixels.begin(), both.pixels.end()) == three + "abcd");
  CHECK(both.labels == std::vector<std::int32_t>{7, 0, 9, 4});
  put(other, mat_file(mat_affnist(3, "abcdefghi", "\x04")));
  CHECK(has(error_of([&] { read_affnist({path, other}); }), "3 and 2 pixels a side"));
}

TEST_CASE("arrays of every type of number are read, other variables are passed over") {
  const Scratch scratch;
  const std::string path = scratch.path("m.mat");
  const auto numbers = [&](std::uint32_t kind, std::uint32_t type, const std::string& bytes) {
    const std::string array = mat_array(kind, {1, 2}, type, bytes);
    put(path,
        mat_start() + mat_array(9, {1, 5}, 2, "other", "first") +
            mat_compressed(mat_array(9, {1, 1}, 2, "o", "second")) +
            mat_compressed(mat_struct("third", {{"x", array}})) +
            mat_struct("s", {{"wide", mat_array(6, {1, 1}, 9, std::string(8, 0))}, {"x", array}}));
    const MatArray read = read_mat_struct(path, "s", {"x"}).at("x");
    CHECK(read.sizes == std::vector<std::int64_t>{1, 2});
    CHECK(read.bytes.empty());
    return read.numbers;
  };
  using Numbers = std::vector<double>;
  const std::uint64_t minus_two = ~std::uint64_t(0) - 1;
  CHECK(numbers(8, 1, "\x05\xfe") == Numbers{5, -2});
  CHECK(numbers(6, 2, "\x05\xfe") == Numbers{5, 254}); // doubles may be stored as bytes
  CHECK(numbers(10, 3, little_endian(5, 2) + little_endian(minus_two, 2)) == Numbers{5, -2});
  CHECK(numbers(11, 4, little_endian(5, 2) + little_endian(65534, 2)) == Numbers{5, 65534});
  CHECK(numbers(12, 5, little_endian(5, 4) + little_endian(minus_two, 4)) == Numbers{5, -2});
  CHECK(numbers(13, 6, little_endian(5, 4) + little_endian(4000000000, 4)) ==
        Numbers{5, 4000000000});
  CHECK(numbers(7, 7, little_endian(0x3fc00000, 4) + little_endian(0xc0000000, 4)) ==
        Numbers{1.5, -2});
  CHECK(
      numbers(6, 9, little_endian(0x3ff8000000000000, 8) + little_endian(0xc000000000000000, 8)) ==
      Numbers{1.5, -2});
  CHECK(numbers(14, 12, little_endian(5, 8) + little_endian(minus_two, 8)) == Numbers{5, -2});
  CHECK(numbers(15, 13, little_endian(5, 8) + little_endian(7, 8)) == Numbers{5, 7});
}

TEST_CASE("what is passed over is not unpacked to its end") {
  const Scratch scratch;
  const std::string path = scratch.path("m.mat");
  std::string other = mat_compressed(mat_array(9, {1, 5}, 2, "other", "first"));
  other.back() ^= 1; // of its checksum
  put(path, mat_start() + other + mat_affnist(2, three, labels));
  CHECK(read_affnist({path}).count == 3);
}

TEST_CASE("files that are no MATLAB files of version 5, or not affNIST's, are errors") {
  const Scratch scratch;
  const std::string path = scratch.path("m.mat");
  const auto of = [&](const std::string& bytes) { return complaint(path, bytes); };
  CHECK(has(of(""), "too short"));
  CHECK(has(of("<!DOCTYPE html><html>not found"), "too short"));
  CHECK(has(of(std::string(200, 'x')), "not a MATLAB file"));
  std::string newer = mat_start();
  newer.replace(0, 10, "MATLAB 7.3");
  CHECK(has(of(newer), "-v7"));
  std::string big = mat_start();
  big.replace(126, 2, "MI");
  CHECK(has(of(big), "big-endian"));
  CHECK(has(of(mat_start()), "affNISTdata"));
  CHECK(has(of(mat_file(mat_element(2, "12345678"))), "type 2"));
  CHECK(has(of(mat_file(mat_element(2, "12345678"), true)), "type 2"));

  const auto image = mat_array(9, {4, 3}, 2, three), label = mat_array(9, {1, 3}, 2, labels);
  const auto set = [&](const std::string& i, const std::string& l) {
    return of(mat_file(mat_struct("affNISTdata", {{"image", i}, {"label_int", l}})));
  };
  CHECK(has(of(mat_file(mat_array(9, {1, 1}, 2, "x", "affNISTdata"))), "not a struct"));
  CHECK(has(of(mat_file(mat_struct("affNISTdata", {{"image", image}}))), "label_int"));
  CHECK(has(set(mat_array(9, {3, 4}, 2, three), label), "square"));
  CHECK(has(set(mat_array(9, {4, 1, 3}, 2, three), label), "square"));
  CHECK(has(set(mat_array(6, {4, 3}, 2, three), label), "bytes"));
  CHECK(has(set(image, mat_array(9, {1, 2}, 2, "\x01\x02")), "2 labels, 3 pictures"));
  CHECK(has(set(image, mat_array(9, {1, 3}, 2, "\x01\x02\x0a")), "no digit [10"));
  CHECK(has(set(image, mat_array(7, {1, 3}, 7, std::string(12, '\x3f'))), "no digit"));
  CHECK(has(set(image, mat_array(4, {1, 3}, 4, std::string("a\0b\0c\0", 6))), "real numbers"));
  CHECK(has(set(image, mat_array(9 | 0x800, {1, 3}, 2, labels)), "real numbers"));
  CHECK(has(set(mat_array(9, {4, 4}, 2, three), label), "12 bytes for 16 numbers"));
  CHECK(has(set(mat_array(9, {4, ~0u}, 2, three), label), "out of range"));
  CHECK(has(set(mat_array(9, {1u << 30, 1u << 30}, 2, three), label), "out of range"));
  CHECK(has(set(mat_array(9, {4, 3}, 8, three), label), "unknown type"));
  CHECK(has(set(mat_element(2, three), label), "not an array"));
}

TEST_CASE("a damaged affNIST file is an error or a load of the right size") {
  const Scratch scratch;
  const std::string path = scratch.path("m.mat");
  const auto load = [&](const std::string& what) {
    INFO(what);
    std::size_t size = 12;
    try {
      const Dataset data = read_affnist({path});
      data.check();
      size = data.pixels.size();
    } catch (const Error&) {
    }
    CHECK(size == 12);
  };
  for (const bool packed : {false, true}) {
    const std::string bytes = mat_file(mat_affnist(2, three, labels), packed);
    for_every_cut(path, bytes, load);
    for_every_flip(path, bytes, load);
  }
  // Promises of gigabytes by a file of some bytes take no memory.
  const std::string header = mat_header(9, {1u << 15, 1u << 15}, "");
  const std::string tag = little_endian(2, 4) + little_endian(1u << 30, 4);
  CHECK(has(complaint(path, mat_file(mat_struct("affNISTdata",
                                                {{"image", mat_element(14, header + tag)}}))),
            "more than it has bytes"));
  // Nor would doubles that are stored as bytes take eight times as much as pictures may.
  const std::string doubles = mat_header(6, {1u << 14, 1u << 14}, "");
  const std::string bytes = little_endian(2, 4) + little_endian(1u << 28, 4);
  CHECK(has(complaint(path, mat_file(mat_struct("affNISTdata",
                                                {{"image", mat_element(14, doubles + bytes)}}))),
            "too large"));
}

TEST_CASE("affnist: its test pictures are in one file or in several") {
  const Scratch scratch;
  const auto load = [&] { return load_dataset("affnist", Split::test, scratch.folder()); };
  std::filesystem::create_directories(scratch.path("affnist/test_batches"));
  CHECK(has(error_of(load), "test_batches"));
  put(scratch.path("affnist/test_batches/2.mat"), mat_file(mat_affnist(2, "abcd", "\x04")));
  put(scratch.path("affnist/test_batches/1.mat"), mat_file(mat_affnist(2, three, labels), true));
  put(scratch.path("affnist/test_batches/readme.txt"), "");
  CHECK(load().labels == std::vector<std::int32_t>{7, 0, 9, 4});
  put(scratch.path("affnist/test.mat"), mat_file(mat_affnist(2, "efgh", "\x05")));
  CHECK(load().labels == std::vector<std::int32_t>{5});
}

#include "scratch.h"

#include <mereo/io.h>

#include <cstring>
#include <doctest/doctest.h>
#include <vector>

using namespace mereo;

namespace {

std::string file_of(const std::string& header, const std::string& data) {
  return little_endian(header.size(), 8) + header + data;
}

template <class T> std::string bytes_of(std::initializer_list<T> values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  std::memcpy(bytes.data(), values.begin(), bytes.size());
  return bytes;
}

TensorFile sample() {
  const real values[] = {1, -2, 3.5, 0, 5, 6};
  return {{{"model", "capsnet \"ü\""}, {"step", "12"}},
          {{"weights", Tensor(Shape{2, 3}, values)},
           {"bias", Tensor(Shape{1}, std::span(values).first(1))},
           {"scalar", Tensor(Shape{}, std::span(values).first(1))},
           {"none", Tensor(Shape{0, 4})}}};
}

void check_equal(const TensorFile& a, const TensorFile& b) {
  CHECK(a.metadata == b.metadata);
  REQUIRE(a.tensors.size() == b.tensors.size());
  for (std::size_t i = 0; i < a.tensors.size(); ++i) {
    CHECK(a.tensors[i].first == b.tensors[i].first);
    const Tensor &x = a.tensors[i].second, &y = b.tensors[i].second;
    REQUIRE(x.shape() == y.shape());
    CHECK(std::memcmp(x.data(), y.data(), x.values().size_bytes()) == 0);
  }
}

} // namespace

TEST_CASE("tensors, their order and the metadata come back from safetensors as they were") {
  const Scratch scratch;
  const std::string path = scratch.path("a.safetensors");
  write_safetensors(path, sample());
  const TensorFile file = read_safetensors(path);
  check_equal(file, sample());
  CHECK(read_safetensors_metadata(path) == sample().metadata);
  CHECK(file.get("bias").at({0}) == 1);
  CHECK(file.find("absent") == nullptr);
  CHECK_THROWS_AS(file.get("absent"), Error);
}

TEST_CASE("the layout is the published one, and the data is aligned") {
  const Scratch scratch;
  const std::string path = scratch.path("a.safetensors");
  const real one[] = {1.5};
  write_safetensors(path, {{{"k", "v"}}, {{"t", Tensor(Shape{1, 1}, one)}}});
  const std::string bytes = got(path);
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  CHECK((8 + length) % 64 == 0);
  const std::string header = bytes.substr(8, length);
  const std::string expected =
      R"({"__metadata__":{"k":"v"},"t":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]}})";
  CHECK(header.substr(0, expected.size()) == expected);
  CHECK(header.find_first_not_of(' ', expected.size()) == header.npos);
  CHECK(bytes.substr(8 + length) == bytes_of({1.5f}));
}

TEST_CASE("F64 numbers are converted, and the order is that of the data") {
  const Scratch scratch;
  put(scratch.path("a"), file_of(R"({"late":{"dtype":"F64","shape":[2],"data_offsets":[4,20]},)"
                                 R"("early":{"dtype":"F32","shape":[],"data_offsets":[0,4]}})",
                                 bytes_of({7.0f}) + bytes_of({0.5, -3.0})));
  const TensorFile file = read_safetensors(scratch.path("a"));
  REQUIRE(file.tensors.size() == 2);
  CHECK(file.tensors[0].first == "early");
  CHECK(file.tensors[0].second.at({}) == 7);
  CHECK(file.get("late").at({0}) == 0.5);
  CHECK(file.get("late").at({1}) == -3);
}

TEST_CASE("what cannot be saved is refused before the old file is touched") {
  const Scratch scratch;
  const std::string path = scratch.path("a.safetensors");
  put(path, "old");
  const Tensor tensor(Shape{2});
  CHECK_THROWS_AS(write_safetensors(path, {{}, {{"a", tensor}, {"a", tensor}}}), Error);
  CHECK_THROWS_AS(write_safetensors(path, {{}, {{"__metadata__", tensor}}}), Error);
  CHECK_THROWS_AS(write_safetensors(path, {{}, {{"a", Tensor()}}}), Error);
  CHECK_THROWS_AS(write_safetensors(path, {{}, {{"\xff", tensor}}}), Error);
  CHECK_THROWS_AS(write_safetensors(path, {{{"k", "\xff"}}, {{"a", tensor}}}), Error);
  CHECK(got(path) == "old");
  CHECK(scratch.files() == 1);
}

TEST_CASE("hostile safetensors headers are errors") {
  const Scratch scratch;
  const std::string path = scratch.path("a"), data(8, '\0');
  const auto tensor = [](const std::string& shape, const std::string& offsets,
                         const std::string& type = "F32") {
    return R"({"dtype":")" + type + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
  };
  const std::string good = tensor("[2]", "[0,8]"), half = tensor("[1]", "[0,4]");
  put(path, file_of("{\"a\":" + good + "}", data));
  REQUIRE_NOTHROW(read_safetensors(path));

  const std::vector<std::string> hostile = {
      "[]",
      "{}", // 8 bytes of data that nothing covers
      "{\"a\":" + tensor("[2]", "[0,16]") + "}",
      "{\"a\":" + tensor("[4]", "[0,16]") + "}",
      "{\"a\":" + tensor("[1]", "[0,8]") + "}",
      "{\"a\":" + tensor("[3]", "[0,8]") + "}",
      "{\"a\":" + tensor("[2]", "[8,0]") + "}",
      "{\"a\":" + tensor("[2]", "[-8,0]") + "}",
      "{\"a\":" + tensor("[2]", "[0,8.0]") + "}",
      "{\"a\":" + tensor("[2]", "[0]") + "}",
      "{\"a\":" + tensor("[2]", "[0,18446744073709551615]") + "}",
      "{\"a\":" + tensor("[-2]", "[0,8]") + "}",
      "{\"a\":" + tensor("[4294967296,4294967296]", "[0,8]") + "}",
      "{\"a\":" + tensor("[9223372036854775807,2]", "[0,8]") + "}",
      "{\"a\":" + tensor("[1152921504606846976,16]", "[0,8]") + "}",
      "{\"a\":" + tensor("[4611686018427387906]", "[0,8]") + "}",
      "{\"a\":" + tensor("[1,1,1,1,1,1,2]", "[0,8]") + "}",
      "{\"a\":" + tensor("[2]", "[0,8]", "F16") + "}",
      "{\"a\":" + tensor("[\"2\"]", "[0,8]") + "}",
      "{\"a\":" + half + "}",                                      // a rest
      "{\"a\":" + half + ",\"b\":" + half + "}",                   // overlap
      "{\"a\":" + good + ",\"b\":" + tensor("[1]", "[4,8]") + "}", // overlap
      "{\"a\":" + tensor("[1]", "[4,8]") + "}",                    // a hole
      "{\"a\":" + half + ",\"a\":" + tensor("[1]", "[4,8]") + "}", // one name twice
      "{\"a\":" + good + R"(,"__metadata__":{"k":1}})",
      "{\"a\":" + good + R"(,"__metadata__":[]})",
      "{\"a\":" + good + R"(,"__metadata__":{"k":"1","k":"2"}})",
      R"({"a":{"dtype":"F32","shape":[2]}})",
      R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"more":1}})",
      R"({"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}})",
      "{\"a\":" + good + "} {}",
      "{\"a\":" + good + "}\n",
      " {\"a\":" + good + "}",
      "{\"a\":" + good + "}" + std::string(3, '\0'), // the end of the text for nlohmann
      "{\"a\":" + good + "}" + std::string("\0 }", 3),
      std::string(100000, '['),
  };
  for (const std::string& header : hostile) {
    INFO(header.substr(0, 200));
    put(path, file_of(header, data));
    CHECK_THROWS_AS(read_safetensors(path), Error);
  }
  for (const std::uint64_t length :
       {std::uint64_t{1} << 62, ~std::uint64_t{0}, std::uint64_t{100}}) {
    put(path, little_endian(length, 8) + "{}");
    CHECK_THROWS_AS(read_safetensors(path), Error);
  }
}

TEST_CASE("damaged safetensors are an error or a load of the sizes in the file") {
  const Scratch scratch;
  const std::string path = scratch.path("a.safetensors");
  write_safetensors(path, sample());
  const std::string bytes = got(path);
  for_every_cut(path, bytes, [&](const std::string& what) {
    INFO(what);
    CHECK_THROWS_AS(read_safetensors(path), Error);
  });
  int loaded = 0;
  for_every_flip(path, bytes, [&](const std::string& what) {
    INFO(what);
    TensorFile file;
    try {
      file = read_safetensors(path);
    } catch (const Error&) {
      return;
    }
    std::int64_t elements = 0;
    for (const auto& [name, tensor] : file.tensors)
      elements += tensor.elements();
    CHECK(elements <= 8);
    ++loaded;
  });
  CHECK(loaded > 0); // flips within numbers and metadata cannot be noticed
}

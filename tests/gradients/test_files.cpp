// Files as the build with double numbers writes and reads them.
#include "scratch.h"

#include <mereo/io.h>

#include <cstring>
#include <doctest/doctest.h>

using namespace mereo;

TEST_CASE("double numbers are saved as F64 and come back to the last bit") {
  const Scratch scratch;
  const real values[] = {0.1, -1e300, 3};
  write_safetensors(scratch.path("a"), {{}, {{"t", Tensor(Shape{3}, values)}}});
  CHECK(got(scratch.path("a")).find("\"F64\"") != std::string::npos);
  const TensorFile file = read_safetensors(scratch.path("a"));
  CHECK(std::memcmp(file.get("t").data(), values, sizeof values) == 0);
}

TEST_CASE("F32 numbers are read into double ones, however many there are") {
  const Scratch scratch;
  std::string data;
  for (int i = 0; i < 10000; ++i) {
    const float value = float(i) / 7;
    data.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  const std::string header = R"({"t":{"dtype":"F32","shape":[10000],"data_offsets":[0,40000]}})";
  put(scratch.path("a"), little_endian(header.size(), 8) + header + data);
  const Tensor tensor = read_safetensors(scratch.path("a")).get("t");
  for (int i = 0; i < 10000; ++i)
    CHECK(tensor.data()[i] == real(float(i) / 7));
}

#include "error_of.h"
#include "scratch.h"

#include <mereo/io.h>

#include <cmath>
#include <cstdlib>
#include <doctest/doctest.h>
#include <limits>

using namespace mereo;

namespace {

std::string png_chunk(const std::string& type, const std::string& data) {
  return big_endian(data.size()) + type + data + big_endian(crc32_of(type + data));
}

std::string png_of_size(std::uint32_t width, std::uint32_t height) {
  return std::string("\x89PNG\r\n\x1a\n", 8) +
         png_chunk("IHDR",
                   big_endian(width) + big_endian(height) + std::string("\x08\x02\0\0\0", 5)) +
         png_chunk("IDAT", std::string("\x78\x9c\x03\0\0\0\0\x01", 8)) + png_chunk("IEND", "");
}

Tensor picture(std::int64_t height, std::int64_t width, std::int64_t channels) {
  Tensor tensor({height, width, channels});
  for (std::int64_t i = 0; i < tensor.elements(); ++i)
    tensor.data()[i] = real(i * 37 % 256) / real(255);
  return tensor;
}

} // namespace

TEST_CASE("PNG files come back pixel by pixel, grey and RGB") {
  const Scratch scratch;
  const std::string path = scratch.path("a.png");
  for (const std::int64_t channels : {1, 3}) {
    const Tensor pixels = picture(5, 7, channels);
    write_png(path, pixels);
    const Image image = read_image(path);
    CHECK(image.height == 5);
    CHECK(image.width == 7);
    CHECK(image.channels == channels);
    const Tensor back = image_tensor(image);
    for (std::int64_t i = 0; i < pixels.elements(); ++i)
      CHECK(back.data()[i] == pixels.data()[i]);
  }
  write_png(path, picture(4, 4, 1).reshape({4, 4}));
  CHECK(read_image(path).channels == 1);
}

TEST_CASE("pixels out of range are clamped, rounded, and NaN is black") {
  const real nan = std::numeric_limits<real>::quiet_NaN(),
             far = std::numeric_limits<real>::infinity();
  const real values[] = {-1, 0, real(0.4999 / 255), real(0.5001 / 255), 1, 2, nan, far};
  const Image image = tensor_image(Tensor(Shape{2, 4}, values));
  CHECK(image.pixels == std::vector<std::uint8_t>{0, 0, 0, 1, 255, 255, 0, 255});
  CHECK_THROWS_AS(tensor_image(Tensor(Shape{2, 2, 2})), Error);
  CHECK_THROWS_AS(tensor_image(Tensor(Shape{4})), Error);
  CHECK_THROWS_AS(tensor_image(Tensor(Shape{0, 4})), Error);
  CHECK_THROWS_AS(tensor_image(Tensor()), Error);
}

TEST_CASE("a channel count can be asked for") {
  const Scratch scratch;
  const std::string path = scratch.path("a.png");
  const real red[] = {1, 0, 0};
  write_png(path, Tensor(Shape{1, 1, 3}, red));
  CHECK(read_image(path, 3).pixels == std::vector<std::uint8_t>{255, 0, 0});
  CHECK(std::abs(read_image(path, 1).pixels[0] - 77) <= 2); // the luminance of red, 0.299
  const real grey[] = {real(100) / 255};
  write_png(path, Tensor(Shape{1, 1, 1}, grey));
  CHECK(read_image(path, 3).pixels == std::vector<std::uint8_t>{100, 100, 100});
  CHECK_THROWS_AS(read_image(path, 2), Error);
}

TEST_CASE("a PNG that unpacks to more than its size is an error") {
  const Scratch scratch;
  const std::string path = scratch.path("a.png");
  write_png(path, picture(512, 512, 1));
  const std::string whole = got(path);
  // The size is the first thing after the signature, the chunk's length and its type.
  const std::string header = big_endian(16) + big_endian(16) + whole.substr(24, 5);
  put(path, whole.substr(0, 8) + png_chunk("IHDR", header) + whole.substr(33));
  CHECK_THROWS_WITH_AS(read_image(path), doctest::Contains("more than its size"), Error);
}

TEST_CASE("resizing takes a picture of any form, and refuses one that is not what it says") {
  const Image tall = resize_image({100000, 1, 1, std::vector<std::uint8_t>(100000, 77)}, 4, 4);
  CHECK(tall.pixels == std::vector<std::uint8_t>(16, 77));
  CHECK_THROWS_AS(resize_image({}, 4, 4), Error);
  CHECK_THROWS_AS(resize_image({2, 2, 1, {1, 2, 3}}, 4, 4), Error);
}

TEST_CASE("a JPEG is read, and a cut one is an error") {
  const Scratch scratch;
  const std::string bytes = got("tests/samples/squares.jpg"), path = scratch.path("a.jpg");
  REQUIRE(!bytes.empty());
  put(path, bytes);
  const Image image = read_image(path);
  REQUIRE(image.pixels.size() == 8 * 8 * 3);
  CHECK(std::abs(image.pixels[0] - 220) <= 12); // red at the left, blue at the bottom
  CHECK(std::abs(image.pixels[7 * 3] - 30) <= 12);
  CHECK(std::abs(image.pixels[2] - 30) <= 12);
  CHECK(std::abs(image.pixels[(7 * 8 + 7) * 3 + 2] - 220) <= 12);
  for_every_cut(path, bytes, [&](const std::string& what) {
    INFO(what);
    CHECK_THROWS_AS(read_image(path), Error);
  });
  for_every_flip(path, bytes, [&](const std::string& what) {
    INFO(what);
    Image read{0, 0, 0, {}};
    try {
      read = read_image(path);
    } catch (const Error&) {
    }
    CHECK(std::int64_t(read.pixels.size()) == read.height * read.width * read.channels);
  });
}

TEST_CASE("a damaged PNG is an error or the right picture") {
  const Scratch scratch;
  const std::string path = scratch.path("a.png");
  write_png(path, picture(3, 4, 3));
  const Image right = read_image(path);
  const std::string bytes = got(path);
  for_every_cut(path, bytes, [&](const std::string& what) {
    INFO(what);
    CHECK_THROWS_AS(read_image(path), Error);
  });
  for_every_flip(path, bytes, [&](const std::string& what) {
    INFO(what);
    Image image = right;
    try {
      image = read_image(path);
    } catch (const Error&) {
    }
    CHECK(image.pixels == right.pixels);
  });
}

TEST_CASE("sizes that a PNG only claims are not believed") {
  const Scratch scratch;
  const std::string path = scratch.path("a.png");
  for (const auto& [width, height] : {std::pair{60000u, 60000u},
                                      {0u, 5u},
                                      {5u, 0u},
                                      {0x7fffffffu, 0x7fffffffu},
                                      {~0u, 1u},
                                      {8000u, 8000u}}) {
    put(path, png_of_size(width, height));
    CHECK_THROWS_AS(read_image(path), Error);
  }
}

TEST_CASE("another format is refused by name") {
  const Scratch scratch;
  put(scratch.path("a.png"), "GIF89a and so on");
  CHECK_THROWS_WITH_AS(read_image(scratch.path("a.png")),
                       doctest::Contains("is neither PNG nor JPEG"), Error);
}

TEST_CASE("shrinking averages areas, growing is bilinear, the same size changes nothing") {
  const Image image{2, 4, 1, {0, 100, 200, 40, 20, 120, 220, 60}};
  CHECK(resize_image(image, 2, 4).pixels == image.pixels);
  CHECK(resize_image(image, 1, 2).pixels == std::vector<std::uint8_t>{60, 130});
  CHECK(resize_image(image, 1, 1).pixels == std::vector<std::uint8_t>{95});
  // 4 columns to 3: weights 3/4, 1/4 | 2/4, 2/4 | 1/4, 3/4
  CHECK(resize_image({1, 4, 1, {0, 100, 200, 40}}, 1, 3).pixels ==
        std::vector<std::uint8_t>{25, 150, 80});
  // 2 columns to 4: centres at -0.25, 0.25, 0.75, 1.25 of the input
  CHECK(resize_image({1, 2, 1, {0, 100}}, 1, 4).pixels ==
        std::vector<std::uint8_t>{0, 25, 75, 100});
  CHECK(resize_image({1, 2, 3, {1, 2, 3, 5, 6, 7}}, 1, 1).pixels ==
        std::vector<std::uint8_t>{3, 4, 5});
  for (const std::int64_t size : {1, 2, 3, 5, 7, 31, 100}) // a plain area stays plain
    for (const std::uint8_t pixel :
         resize_image({3, 5, 1, std::vector<std::uint8_t>(15, 201)}, size, size + 1).pixels)
      CHECK(pixel == 201);
  CHECK_THROWS_AS(resize_image(image, 0, 4), Error);
  CHECK_THROWS_AS(resize_image(image, std::int64_t{1} << 40, std::int64_t{1} << 40), Error);
}

TEST_CASE("a contact sheet holds every picture, padding around") {
  Tensor images({3, 1, 2, 1});
  for (int i = 0; i < 6; ++i)
    images.data()[i] = real(i + 1);
  const Tensor sheet = contact_sheet(images, 2, 1, 0);
  REQUIRE(sheet.shape() == Shape{5, 7, 1});
  const real expected[5][7] = {{}, {0, 1, 2, 0, 3, 4, 0}, {}, {0, 5, 6, 0, 0, 0, 0}, {}};
  for (int y = 0; y < 5; ++y)
    for (int x = 0; x < 7; ++x)
      CHECK(sheet.at({y, x, 0}) == expected[y][x]);
  CHECK(contact_sheet(images, 10, 0).shape() == Shape{1, 6, 1});
  CHECK_THROWS_AS(contact_sheet(images, 0), Error);
  CHECK_THROWS_AS(contact_sheet(Tensor({2, 2}), 1), Error);
}

TEST_CASE("bytes are written as PNG as they are, and refused when some are missing") {
  const Scratch scratch;
  const std::string path = scratch.path("bytes.png");
  const Image image{2, 3, 3, {1, 2, 3, 40, 50, 60, 7, 8, 9, 255, 0, 128, 13, 14, 15, 16, 17, 18}};
  write_png(path, image);
  CHECK(read_image(path).pixels == image.pixels);
  const auto complaint = [&](Image wrong) { return error_of([&] { write_png(path, wrong); }); };
  CHECK(complaint({2, 3, 3, std::vector<std::uint8_t>(17)}).find("17 bytes for 2 x 3 x 3") !=
        std::string::npos);
  CHECK(complaint({2, 3, 2, std::vector<std::uint8_t>(12)}).find("1 or 3 channels") !=
        std::string::npos);
  CHECK(complaint({-2, -3, 3, std::vector<std::uint8_t>(18)}) != "");
  CHECK(read_image(path).pixels == image.pixels);
}

#include "scratch.h"

#include <mereo/data.h>
#include <mereo/io.h>

#include <algorithm>
#include <doctest/doctest.h>
#include <map>
#include <set>

using namespace mereo;

namespace {

std::string idx_images(std::uint32_t count, std::uint32_t height, std::uint32_t width,
                       const std::string& pixels) {
  return big_endian(0x803) + big_endian(count) + big_endian(height) + big_endian(width) + pixels;
}

std::string idx_labels(const std::string& labels) {
  return big_endian(0x801) + big_endian(labels.size()) + labels;
}

void check_pixels(const Dataset& data, const std::string& expected) {
  CHECK(std::string(data.pixels.begin(), data.pixels.end()) == expected);
}

/// A grey picture of one value.
void put_picture(const std::string& path, std::int64_t height, std::int64_t width, int value) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  Tensor pixels({height, width, 1});
  std::fill(pixels.values().begin(), pixels.values().end(), real(value) / 255);
  write_png(path, pixels);
}

std::string cifar_record(char label, unsigned start) {
  return label + pattern(3072, start);
}

} // namespace

TEST_CASE("idx files are read, plain and gzip alike") {
  const Scratch scratch;
  const std::string images = scratch.path("images"), labels = scratch.path("labels");
  const std::string pixels = pattern(3 * 2 * 4), bytes = idx_images(3, 2, 4, pixels);
  for (const bool packed : {false, true}) {
    put(images, packed ? gzip_of(bytes) : bytes);
    put(labels, packed ? gzip_of(idx_labels("\x02\x05\x09")) : idx_labels("\x02\x05\x09"));
    const Dataset data = read_idx(images, labels);
    CHECK(data.count == 3);
    CHECK(data.height == 2);
    CHECK(data.width == 4);
    CHECK(data.channels == 1);
    CHECK(data.labels == std::vector<std::int32_t>{2, 5, 9});
    check_pixels(data, pixels);
  }
}

TEST_CASE("idx files that contradict themselves or each other are errors") {
  const Scratch scratch;
  const std::string images = scratch.path("images"), labels = scratch.path("labels");
  const std::string good_images = idx_images(2, 1, 1, "ab"), good_labels = idx_labels("\x01\x02");
  put(images, good_images);
  put(labels, good_labels);
  REQUIRE_NOTHROW(read_idx(images, labels));
  CHECK_THROWS_AS(read_idx(labels, images), Error);
  CHECK_THROWS_WITH_AS(read_idx(images, labels, 2), doctest::Contains("label"), Error);

  put(labels, idx_labels("\x01\x02\x03"));
  CHECK_THROWS_WITH_AS(read_idx(images, labels), doctest::Contains("as many labels"), Error);
  put(labels, good_labels);
  for (const std::string& bytes :
       {idx_images(0, 1, 1, ""), idx_images(2, 0, 1, ""), idx_images(2, 1, 1, "a"),
        idx_images(2, 1, 1, "abc"), idx_images(~0u, ~0u, ~0u, "ab"),
        idx_images(1u << 31, 1u << 31, 4, "ab"), big_endian(0x804) + good_images.substr(4),
        big_endian(0xd03) + good_images.substr(4), std::string("<!DOCTYPE html><html>not found")}) {
    put(images, bytes);
    CHECK_THROWS_AS(read_idx(images, labels), Error);
  }
}

TEST_CASE("damaged idx files are an error or a load of the right size") {
  const Scratch scratch;
  const std::string images = scratch.path("images"), labels = scratch.path("labels");
  const std::string pixels = pattern(2 * 3 * 3);
  put(labels, idx_labels("\x01\x02"));
  const auto load = [&](const std::string& what) {
    INFO(what);
    std::size_t size = pixels.size();
    try {
      size = read_idx(images, labels).pixels.size();
    } catch (const Error&) {
    }
    CHECK(size == pixels.size());
  };
  const auto refused = [&](const std::string& what) {
    INFO(what);
    CHECK_THROWS_AS(read_idx(images, labels), Error);
  };
  const std::string bytes = idx_images(2, 3, 3, pixels);
  for_every_cut(images, bytes, refused);
  for_every_flip(images, bytes, load);
  for_every_cut(images, gzip_of(bytes), refused);
  for_every_flip(images, gzip_of(bytes), load);
  put(images, bytes);
  for_every_cut(labels, idx_labels("\x01\x02"), refused);
  for_every_flip(labels, idx_labels("\x01\x02"), load);
}

TEST_CASE("CIFAR-10 records become pictures with the channels last") {
  const Scratch scratch;
  const std::string first = scratch.path("data_batch_1.bin"), second = scratch.path("2.bin");
  const std::string record = cifar_record(3, 5);
  put(first, record + cifar_record(9, 6));
  put(second, cifar_record(0, 7));
  const Dataset data = read_cifar_binary({first, second});
  CHECK(data.count == 3);
  CHECK(data.labels == std::vector<std::int32_t>{3, 9, 0});
  CHECK(data.class_names[9] == "truck");
  for (const int i : {0, 1, 32, 1023}) // pixel i, channel c lies in plane c
    for (const int c : {0, 1, 2})
      CHECK(data.pixels[std::size_t(i * 3 + c)] ==
            std::uint8_t(record[std::size_t(1 + c * 1024 + i)]));
  CHECK(data.pixels[3072 * 2] == std::uint8_t(pattern(1, 7)[0]));
}

TEST_CASE("CIFAR-10 files of another length, or with a label above 9, are errors") {
  const Scratch scratch;
  const std::string path = scratch.path("a.bin"), record = cifar_record(3, 5);
  for (std::size_t length = 0; length < record.size(); ++length) {
    put(path, record.substr(0, length));
    CHECK_THROWS_AS(read_cifar_binary({path}), Error);
  }
  put(path, record + "x");
  CHECK_THROWS_AS(read_cifar_binary({path}), Error);
  put(path, cifar_record(10, 5));
  CHECK_THROWS_AS(read_cifar_binary({path}), Error);
  CHECK_THROWS_AS(read_cifar_binary({}), Error);
}

TEST_CASE("a CIFAR-10 sheet holds one picture a row") {
  const Scratch scratch;
  const std::string a = scratch.path("a.png"), b = scratch.path("b.png");
  const std::string labels = scratch.path("labels.json"), pixels = pattern(3 * 3072);
  Tensor sheet({3, 1024, 3});
  for (std::int64_t i = 0; i < sheet.elements(); ++i)
    sheet.data()[i] = real(std::uint8_t(pixels[std::size_t(i)])) / 255;
  write_png(a, sheet.rows(0, 2));
  write_png(b, sheet.rows(2, 3));
  put(labels, "[7, 0,9]");
  const Dataset data = read_cifar_sheets({a, b}, labels);
  CHECK(data.count == 3);
  CHECK(data.labels == std::vector<std::int32_t>{7, 0, 9});
  check_pixels(data, pixels);

  for (const char* text : {"[7,0]", "[7,0,9,1]", "[7,0,10]", "[7,0,-1]", "[7,0,1.5]", "{}", "7",
                           "[7,0,[9]]", "[7,0,\"9\"]", "[7,0,9", ""}) {
    INFO(text);
    put(labels, text);
    CHECK_THROWS_AS(read_cifar_sheets({a, b}, labels), Error);
  }
  put(labels, "[1]");
  put_picture(a, 1, 1023, 5);
  CHECK_THROWS_WITH_AS(read_cifar_sheets({a}, labels), doctest::Contains("1024"), Error);
}

TEST_CASE("a folder of pictures: classes and pictures sorted by name") {
  const Scratch scratch;
  put_picture(scratch.path("cat/2.png"), 2, 3, 20);
  put_picture(scratch.path("cat/1.PNG"), 2, 3, 10);
  put_picture(scratch.path("ant/9.png"), 2, 3, 90);
  put(scratch.path("cat/notes.txt"), "not a picture");
  put(scratch.path("cat/.hidden.png"), "not a picture");
  put(scratch.path(".git/a.png"), "not a class");
  put(scratch.path("readme.png"), "not in a class");
  const Dataset data = read_image_folder(scratch.folder());
  CHECK(data.class_names == std::vector<std::string>{"ant", "cat"});
  CHECK(data.labels == std::vector<std::int32_t>{0, 1, 1});
  CHECK(data.height == 2);
  CHECK(data.width == 3);
  CHECK(data.channels == 1);
  check_pixels(data, std::string(6, 90) + std::string(6, 10) + std::string(6, 20));

  const Dataset resized = read_image_folder(scratch.folder(), {3, 4, 4});
  CHECK(resized.channels == 3);
  CHECK(resized.image_size() == 48);
  CHECK(resized.pixels[48] == 10);
}

TEST_CASE("a folder's odd file is named") {
  const Scratch scratch;
  CHECK_THROWS_AS(read_image_folder(scratch.path("absent")), Error);
  CHECK_THROWS_WITH_AS(read_image_folder(scratch.folder()), doctest::Contains("no sub-folders"),
                       Error);
  put_picture(scratch.path("a/1.png"), 2, 3, 10);
  std::filesystem::create_directories(scratch.path("b"));
  CHECK_THROWS_WITH_AS(read_image_folder(scratch.folder()), doctest::Contains("no png or jpg"),
                       Error);
  put_picture(scratch.path("b/odd.png"), 3, 3, 10);
  CHECK_THROWS_WITH_AS(read_image_folder(scratch.folder()), doctest::Contains("b/odd.png"), Error);
  CHECK_NOTHROW(read_image_folder(scratch.folder(), {0, 5, 5}));
  CHECK_THROWS_AS(read_image_folder(scratch.folder(), {0, 5, 0}), Error);
  put(scratch.path("b/odd.png"), "no PNG");
  CHECK_THROWS_WITH_AS(read_image_folder(scratch.folder(), {0, 5, 5}),
                       doctest::Contains("b/odd.png"), Error);
}

TEST_CASE("a folder's test part has the classes and the form of its training part") {
  const Scratch scratch;
  put_picture(scratch.path("train/ant/1.png"), 2, 2, 10);
  put_picture(scratch.path("train/bee/1.png"), 2, 2, 20);
  const std::string name = "folder:" + scratch.folder();
  CHECK_THROWS_WITH_AS(load_dataset(name, Split::test), doctest::Contains("has no test part"),
                       Error);
  put_picture(scratch.path("test/bee/1.png"), 2, 2, 30);
  CHECK(load_dataset(name, Split::train).count == 2);
  const Dataset test = load_dataset(name, Split::test);
  CHECK(test.name == name);
  CHECK(test.classes == 2);
  CHECK(test.labels == std::vector<std::int32_t>{1});
  put_picture(scratch.path("test/bee/1.png"), 3, 3, 30);
  CHECK_THROWS_WITH_AS(load_dataset(name, Split::test), doctest::Contains("not as large"), Error);
  CHECK(load_dataset(name, Split::test, "", {0, 4, 4}).height == 4);
  put_picture(scratch.path("test/wasp/1.png"), 2, 2, 30);
  CHECK_THROWS_WITH_AS(load_dataset(name, Split::test), doctest::Contains("known classes"), Error);
}

TEST_CASE("a folder without train and test is all training data") {
  const Scratch scratch;
  put_picture(scratch.path("ant/1.png"), 2, 2, 10);
  CHECK(load_dataset("folder:" + scratch.folder(), Split::train).count == 1);
  CHECK_THROWS_AS(load_dataset("folder:" + scratch.folder(), Split::test), Error);
}

TEST_CASE("named data sets are found, and a missing one says how to fetch it") {
  const Scratch scratch;
  for (const std::string& name : dataset_names())
    CHECK_THROWS_WITH_AS(load_dataset(name, Split::train, scratch.folder()),
                         doctest::Contains("is missing"), Error);
  CHECK_THROWS_WITH_AS(load_dataset("cifar10", Split::train, scratch.folder()),
                       doctest::Contains("tools/fetch.sh cifar10"), Error);
  CHECK_THROWS_WITH_AS(load_dataset("minst", Split::train), doctest::Contains("mnist"), Error);

  const std::string folder = scratch.path("fashion-mnist/");
  put(folder + "t10k-images-idx3-ubyte.gz", gzip_of(idx_images(1, 1, 1, "a")));
  put(folder + "t10k-labels-idx1-ubyte", idx_labels("\x09"));
  const Dataset fashion = load_dataset("fashion-mnist", Split::test, scratch.folder());
  CHECK(fashion.class_names[9] == "Ankle boot");
  CHECK_THROWS_AS(load_dataset("fashion-mnist", Split::train, scratch.folder()), Error);

  put(scratch.path("cifar10/test_batch.bin"), cifar_record(3, 5));
  CHECK(load_dataset("cifar10", Split::test, scratch.folder()).name == "cifar10");
}

TEST_CASE("a validation part is disjoint, complete, stratified and repeatable") {
  std::vector<std::int32_t> labels;
  for (int i = 0; i < 1000; ++i)
    labels.push_back(i % 10 == 0 ? 0 : i % 3 == 0 ? 1 : 2);
  const TrainValidation split = carve_validation(labels, 101, 7);
  CHECK(split.validation.size() == 101);
  CHECK(split.train.size() == 899);
  std::set<std::int64_t> all(split.train.begin(), split.train.end());
  all.insert(split.validation.begin(), split.validation.end());
  CHECK(all.size() == 1000);
  CHECK(*all.rbegin() == 999);
  CHECK(std::is_sorted(split.validation.begin(), split.validation.end()));

  std::map<std::int32_t, int> total, chosen;
  for (const auto label : labels)
    ++total[label];
  for (const auto i : split.validation)
    ++chosen[labels[std::size_t(i)]];
  for (const auto& [label, count] : total) {
    CHECK(chosen[label] >= count * 101 / 1000);
    CHECK(chosen[label] <= count * 101 / 1000 + 1);
  }
  CHECK(carve_validation(labels, 101, 7).validation == split.validation);
  CHECK(carve_validation(labels, 101, 8).validation != split.validation);
  CHECK(carve_validation(labels, 0, 7).train.size() == 1000);
  CHECK_THROWS_AS(carve_validation(labels, 1000, 7), Error);
  CHECK_THROWS_AS(carve_validation(labels, -1, 7), Error);
  CHECK_THROWS_AS(carve_validation({}, 0, 7), Error);
}

TEST_CASE("the real MNIST files, where they are, are the published ones") {
  if (!std::filesystem::exists("data/mnist/train-images-idx3-ubyte"))
    return;
  const Dataset train = load_dataset("mnist", Split::train),
                test = load_dataset("mnist", Split::test);
  CHECK(train.count == 60000);
  CHECK(test.count == 10000);
  CHECK(train.image_size() == 28 * 28);
  const auto crc = [](const auto& values) {
    return crc32_of(
        {reinterpret_cast<const char*>(values.data()), values.size() * sizeof values[0]});
  };
  CHECK(crc(train.pixels) == 0xf3639b56u);
  CHECK(crc(test.pixels) == 0xe4ca5f57u);
  std::vector<std::int32_t> per_class(10);
  for (const auto label : train.labels)
    ++per_class[std::size_t(label)];
  CHECK(per_class ==
        std::vector<std::int32_t>{5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949});
}

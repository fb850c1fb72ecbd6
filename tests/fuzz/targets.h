// The readers of files from outside, each as a function of any bytes. It throws only when the
// library did something that it must not; that a reader refuses the bytes with an Error is as good
// as that it takes them, which is what the functions return. tests/fuzz/fuzz.cpp calls them with
// what the fuzzer makes up, tests/test_fuzz.cpp with what lies in tests/fuzz/seeds/.
#pragma once

#include "../scratch.h"
#include "models/capsnet_config.h"
#include "train/checkpoint.h"

#include <mereo/io.h>
#include <mereo/train.h>

#include <stdexcept>
#include <string>
#include <string_view>

namespace fuzz {

using namespace mereo;

inline std::string file(const char* name) {
  static const Scratch scratch;
  return scratch.path(name);
}

template <class Body> bool understood(const Body& body) {
  try {
    body();
    return true;
  } catch (const Error&) {
    return false;
  }
}

/// The first byte says how many others are the labels' file; the rest is that of the pictures.
inline bool idx(std::string_view bytes) {
  const std::size_t labels = bytes.empty() ? 0 : std::uint8_t(bytes[0]);
  if (bytes.size() < 1 + labels)
    return false;
  put(file("labels"), bytes.substr(1, labels));
  put(file("pictures"), bytes.substr(1 + labels));
  return understood([] { read_idx(file("pictures"), file("labels")).check(); });
}

/// The first two bytes say how many others are the classes' file and the facts' file; the rest is
/// that of the pictures.
inline bool norb(std::string_view bytes) {
  const std::size_t classes = bytes.empty() ? 0 : std::uint8_t(bytes[0]);
  const std::size_t facts = bytes.size() < 2 ? 0 : std::uint8_t(bytes[1]);
  if (bytes.size() < 2 + classes + facts)
    return false;
  put(file("cat"), bytes.substr(2, classes));
  put(file("info"), bytes.substr(2 + classes, facts));
  put(file("dat"), bytes.substr(2 + classes + facts));
  return understood([] { read_norb(file("dat"), file("cat"), file("info"), {2, 3, 3}).check(); });
}

/// A MATLAB file of the set affNIST.
inline bool affnist(std::string_view bytes) {
  put(file("affnist"), bytes);
  return understood([] { read_affnist({file("affnist")}).check(); });
}

/// As it is, and with the checksum that it ought to have.
inline bool checkpoint(std::string_view bytes) {
  const std::string path = file("checkpoint");
  put(path, bytes);
  const auto load = [&] { load_model(path); };
  const bool good = understood(load);
  understood([&] {
    TensorFile tensors = read_safetensors(path);
    tensors.metadata["checksum"] = checkpoint_checksum(tensors);
    write_safetensors(path, tensors);
    load();
  });
  return good;
}

/// One flat object, as a configuration too; and lines of them.
inline bool json(std::string_view bytes) {
  put(file("lines"), bytes);
  understood([] { read_json_lines(file("lines")); });
  understood([&] { parse_capsnet_config(std::string(bytes)); });
  return understood([&] {
    const std::string text = to_json(parse_json_object(bytes));
    if (to_json(parse_json_object(text)) != text)
      throw std::logic_error("JSON written is not read as it was");
  });
}

/// A PNG with the checksums that its chunks ought to have, as far as there are chunks.
inline std::string with_checksums(std::string png) {
  for (std::size_t at = 8; at + 12 <= png.size();) {
    std::size_t length = 0;
    for (std::size_t i = at; i < at + 4; ++i)
      length = length << 8 | std::uint8_t(png[i]);
    if (length > png.size() - at - 12)
      break;
    const std::size_t end = at + 8 + length;
    png.replace(end, 4, big_endian(crc32_of(std::string_view(png).substr(at + 4, length + 4))));
    at = end + 4;
  }
  return png;
}

/// PNG or JPEG; as it is, and with checksums.
inline bool image(std::string_view bytes) {
  const auto read = [] {
    const Image image = read_image(file("image"));
    if (std::int64_t(image.pixels.size()) != image.height * image.width * image.channels)
      throw std::logic_error("a picture is not of its size");
    resize_image(image, 3, 50);
  };
  put(file("image"), bytes);
  const bool good = understood(read);
  if (!bytes.starts_with("\xff\xd8")) {
    put(file("image"), with_checksums(std::string(bytes)));
    understood(read);
  }
  return good;
}

} // namespace fuzz

#include "models/cnn_config.h"

#include "models/config_values.h"

#include <charconv>

namespace mereo {

namespace {

// A convolution is "32x5s2p3": filters x kernel, stride and pooling where they are not 1.

std::string text(const CnnConfig::Convolution& c) {
  return std::to_string(c.filters) + "x" + std::to_string(c.kernel) +
         (c.stride == 1 ? "" : "s" + std::to_string(c.stride)) +
         (c.pool == 1 ? "" : "p" + std::to_string(c.pool));
}

/// Takes `mark` and a positive number from the front of the text; false when it has no such front.
bool take(std::string_view& text, std::string_view mark, std::int64_t& number) {
  if (!text.starts_with(mark))
    return false;
  constexpr std::int64_t limit = 1 << 20;
  const char *begin = text.data() + mark.size(), *end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(begin, end, number);
  if (error != std::errc() || number < 1 || number > limit)
    return false;
  text.remove_prefix(std::size_t(rest - text.data()));
  return true;
}

} // namespace

// Not in the unnamed namespace, where to_fields() and from_fields() would not find them.

static FieldValue field(const std::vector<CnnConfig::Convolution>& convolutions) {
  std::string list;
  for (const auto& convolution : convolutions)
    list += (list.empty() ? "" : ",") + text(convolution);
  return list;
}

static void assign(const std::string& key, const FieldValue& value,
                   std::vector<CnnConfig::Convolution>& to) {
  const auto check = [&](bool right) {
    if (!right)
      reject_value(key, "FILTERSxKERNEL, then sSTRIDE and pPOOL where they are not 1, with commas "
                        "in between, as in 32x5p2,64x5p2");
  };
  check(std::holds_alternative<std::string>(value));
  to.clear();
  for (const std::string& word : split(std::get<std::string>(value), ',')) {
    std::string_view left = word;
    CnnConfig::Convolution c{};
    check(take(left, "", c.filters) && take(left, "x", c.kernel));
    take(left, "s", c.stride);
    take(left, "p", c.pool);
    check(left.empty());
    to.push_back(c);
  }
}

static constexpr auto members = [](auto& c, const auto& visit) {
  visit("height", c.input.height);
  visit("width", c.input.width);
  visit("channels", c.input.channels);
  visit("classes", c.input.classes);
  visit("labels_per_image", c.input.labels_per_image);
  visit("convolutions", c.convolutions);
  visit("pooling", c.pooling);
  visit("padding", c.padding);
  visit("batch_norm", c.batch_norm);
  visit("convolution", c.convolution);
  visit("convolution_tile", c.convolution_tile);
  visit("dense", c.dense);
  visit("dropout", c.dropout);
};

std::string cnn_config_text(const CnnConfig& config) {
  return to_json(to_fields(config, members));
}

CnnConfig parse_cnn_config(const std::string& text) {
  return from_fields<CnnConfig>(parse_json_object(text), members);
}

Fields cnn_preset(const std::string& name) {
  const auto network = [](const char* convolutions, const char* dense, double dropout) {
    return Fields{{"convolutions", convolutions}, {"dense", dense}, {"dropout", dropout}};
  };
  if (name == "mnist")
    return network("256x5,256x5,128x5", "328,192", 0.5);
  if (name == "multimnist")
    return network("512x9p2,256x5p2", "1024", 0);
  if (name == "norb")
    return network("32x5p2,64x5p2", "1024", 0.5);
  if (name == "parameters")
    return network("64x5p2,128x5p2", "1024,1024,512", 0.5);
  if (name == "compute")
    return network("128x5p2,256x5p2,320x3p2", "1024", 0.5);
  if (name == "small")
    return network("32x5p2,32x5p2,32x3p2", "64", 0.5);
  throw Error("cnn", "there is no preset of this name", name,
              "mnist, multimnist, norb, parameters, compute or small");
}

} // namespace mereo

// CIFAR-10 (Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009).
#include "core/parallel.h"
#include "io/json.h"

#include <mereo/data.h>
#include <mereo/io.h>

namespace mereo {

namespace {

constexpr std::int64_t side = 32, area = side * side, record = 1 + 3 * area;
constexpr std::int64_t file_limit = std::int64_t{1} << 30;

Dataset empty_cifar(const std::string& name) {
  Dataset data;
  data.name = name;
  data.height = data.width = side;
  data.channels = 3;
  data.classes = 10;
  data.class_names = {"airplane", "automobile", "bird",  "cat",  "deer",
                      "dog",      "frog",       "horse", "ship", "truck"};
  return data;
}

std::vector<std::int32_t> read_labels(const std::string& path) {
  const Json json = parse_json(read_file(path, 1 << 24), path, 1);
  const auto* list = json.get<Json::List>();
  if (!list)
    throw Error(path, "is not a list of numbers");
  std::vector<std::int32_t> labels;
  for (const Json& value : *list) {
    const auto* label = value.get<std::uint64_t>();
    if (!label || *label > 9)
      throw Error(path, "a label is not a number from 0 to 9",
                  "label " + std::to_string(labels.size()));
    labels.push_back(std::int32_t(*label));
  }
  return labels;
}

} // namespace

Dataset read_cifar_binary(const std::vector<std::string>& paths) {
  Dataset data = empty_cifar(paths.empty() ? "cifar10" : paths.front());
  for (const std::string& path : paths) {
    const std::string bytes = read_file(path, file_limit);
    if (bytes.empty() || std::int64_t(bytes.size()) % record != 0)
      throw Error(path, "is not a whole number of CIFAR-10 records",
                  std::to_string(bytes.size()) + " bytes, a record has " + std::to_string(record));
    const std::int64_t records = std::int64_t(bytes.size()) / record;
    data.pixels.resize(std::size_t((data.count + records) * 3 * area));
    std::uint8_t* out = data.pixels.data() + data.count * 3 * area;
    data.count += records;
    for (std::int64_t r = 0; r < records; ++r) {
      const auto* planes = reinterpret_cast<const std::uint8_t*>(bytes.data()) + r * record + 1;
      if (planes[-1] > 9)
        throw Error(path, "a label is not a number from 0 to 9", std::to_string(planes[-1]));
      data.labels.push_back(planes[-1]);
      for (std::int64_t i = 0; i < area; ++i)
        for (std::int64_t c = 0; c < 3; ++c)
          *out++ = planes[c * area + i];
    }
  }
  data.check();
  return data;
}

Dataset read_cifar_sheets(const std::vector<std::string>& sheet_paths,
                          const std::string& labels_path) {
  Dataset data = empty_cifar(labels_path);
  data.labels = read_labels(labels_path);
  std::vector<Image> sheets(sheet_paths.size());
  parallel_for(std::int64_t(sheets.size()), [&](std::int64_t i) {
    const std::string& path = sheet_paths[std::size_t(i)];
    sheets[std::size_t(i)] = read_image(path, 3);
    if (sheets[std::size_t(i)].width != area)
      throw Error(path, "a CIFAR-10 sheet is 1024 pixels wide",
                  std::to_string(sheets[std::size_t(i)].width));
  });
  for (Image& sheet : sheets) {
    data.count += sheet.height;
    data.pixels.insert(data.pixels.end(), sheet.pixels.begin(), sheet.pixels.end());
    sheet = {};
  }
  if (data.count != std::int64_t(data.labels.size()))
    throw Error(labels_path, "there are not as many labels as pictures",
                std::to_string(data.labels.size()) + " labels, " + std::to_string(data.count) +
                    " pictures");
  data.check();
  return data;
}

} // namespace mereo

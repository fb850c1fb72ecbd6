// The three files of one part of a NORB set, as a data set.
#include "core/parallel.h"
#include "data/norb.h"

#include <mereo/io.h>

#include <algorithm>

namespace mereo {

namespace {

Viewpoint viewpoint_of(const std::string& path, const std::int32_t* facts) {
  const Viewpoint view{facts[0], facts[1], facts[2], facts[3]};
  const auto& [instance, elevation, azimuth, lighting] = view;
  if (instance < 0 || instance > 9 || elevation < 0 || elevation > 8 || azimuth < 0 ||
      azimuth > 34 || azimuth % 2 != 0 || lighting < 0 || lighting > 5)
    throw Error(path, "a fact about a picture is out of range",
                "instance " + std::to_string(instance) + ", elevation " +
                    std::to_string(elevation) + ", azimuth " + std::to_string(azimuth) +
                    ", lighting " + std::to_string(lighting));
  return view;
}

/// A pair (2, H, W) as one picture (H, W, channels), not yet resized.
Image image_of(const std::uint8_t* pair, std::int64_t H, std::int64_t W, std::int64_t channels) {
  Image image{H, W, channels, std::vector<std::uint8_t>(std::size_t(H * W * channels))};
  for (std::int64_t c = 0; c < channels; ++c)
    for (std::int64_t i = 0; i < H * W; ++i)
      image.pixels[std::size_t(i * channels + c)] = pair[c * H * W + i];
  return image;
}

/// Labels, viewpoints and the chosen ones of as many pictures as the three files have.
struct Chosen {
  std::vector<std::int64_t> indices;
  std::vector<std::int32_t> labels;
  std::vector<Viewpoint> viewpoints;
};

Chosen choose(std::int64_t count, const std::string& cat_path, const std::string& info_path,
              const std::function<bool(const Viewpoint&)>& keep) {
  const NorbNumbers cat = read_norb_numbers(cat_path, 1), info = read_norb_numbers(info_path, 2);
  if (cat.sizes[0] != count || info.sizes != std::vector<std::int64_t>{count, 4})
    throw Error(cat.sizes[0] != count ? cat_path : info_path,
                "does not tell of as many pictures as there are",
                std::to_string(cat.sizes[0]) + " classes, " + Shape(info.sizes).text() +
                    " facts, " + std::to_string(count) + " pairs of pictures");
  Chosen chosen;
  for (std::int64_t i = 0; i < count; ++i) {
    const Viewpoint view = viewpoint_of(info_path, &info.values[std::size_t(4 * i)]);
    if (keep && !keep(view))
      continue;
    chosen.indices.push_back(i);
    chosen.labels.push_back(cat.values[std::size_t(i)]);
    chosen.viewpoints.push_back(view);
  }
  return chosen;
}

/// The chosen pictures, resized as the data set says. Pairs come from the file in blocks, so that
/// they are never in memory all at once.
void read_pictures(NorbReader& dat, const std::vector<std::int64_t>& chosen, Dataset& data) {
  const std::int64_t count = dat.sizes()[0], H = dat.sizes()[2], W = dat.sizes()[3];
  const std::int64_t block = std::min<std::int64_t>(count, 64), pair = 2 * H * W;
  std::vector<std::uint8_t> pairs(std::size_t(block * pair));
  auto next = chosen.begin();
  std::uint8_t* out = data.pixels.data();
  for (std::int64_t begin = 0; begin < count; begin += block) {
    const std::int64_t end = std::min(begin + block, count);
    dat.read(pairs.data(), std::size_t((end - begin) * pair));
    const auto here = next;
    next = std::find_if(next, chosen.end(), [&](std::int64_t i) { return i >= end; });
    parallel_for(next - here, [&](std::int64_t k) {
      const std::uint8_t* from = pairs.data() + (here[k] - begin) * pair;
      const Image image =
          resize_image(image_of(from, H, W, data.channels), data.height, data.width);
      std::copy(image.pixels.begin(), image.pixels.end(), out + k * data.image_size());
    });
    out += (next - here) * data.image_size();
  }
}

} // namespace

Dataset read_norb(const std::string& dat_path, const std::string& cat_path,
                  const std::string& info_path, const PictureOptions& options,
                  const std::function<bool(const Viewpoint&)>& keep) {
  if (options.channels < 0 || options.channels > 2)
    throw Error("read_norb", "a pair of pictures has one or two channels",
                std::to_string(options.channels));
  NorbReader dat(dat_path, NorbElement::uint8, 4);
  const std::int64_t count = dat.sizes()[0], H = dat.sizes()[2], W = dat.sizes()[3];
  constexpr std::int64_t largest = 1024, usual = 48;
  if (dat.sizes()[1] != 2 || H > largest || W > largest)
    throw Error(dat_path, "these are not pairs of pictures of at most 1024x1024",
                Shape(dat.sizes()).text());
  Chosen chosen = choose(count, cat_path, info_path, keep);

  Dataset data;
  data.name = dat_path;
  data.count = std::int64_t(chosen.indices.size());
  data.height = options.height > 0 ? options.height : usual;
  data.width = options.width > 0 ? options.width : usual;
  data.channels = options.channels == 1 ? 1 : 2;
  data.classes = 5;
  data.class_names = {"animal", "human", "airplane", "truck", "car"};
  data.labels = std::move(chosen.labels);
  data.viewpoints = std::move(chosen.viewpoints);
  data.pixels.resize(
      std::size_t(Shape{data.count, data.height, data.width, data.channels}.elements()));
  read_pictures(dat, chosen.indices, data);
  dat.finish();
  data.check();
  return data;
}

} // namespace mereo

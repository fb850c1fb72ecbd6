// The files of the toys: pictures as a NORB set, and the true poses.
#include "core/parallel.h"
#include "data/norb.h"
#include "data/toys.h"
#include "io/file.h"

#include <mereo/io.h>

#include <algorithm>

namespace mereo {

namespace {

constexpr int views = toy_categories * toy_elevations; // of one instance number and azimuth
constexpr std::int64_t pairs_at_once = std::int64_t(views) * toy_lightings;

void put_pose(const Pose& pose, real* out) {
  std::transform(pose.m.begin(), pose.m.end(), out, [](double x) { return real(x); });
}

/// The five toys of one instance number.
struct Row {
  std::vector<ToyChoice> choices;
  std::vector<Part> toys;

  Row(int instance, std::uint64_t seed) {
    for (int category = 0; category < toy_categories; ++category) {
      choices.push_back({category, instance, seed});
      toys.push_back(make_toy(choices.back()));
    }
  }
};

/// What is known of each picture.
class Truth {
public:
  Truth(const std::vector<Row>& rows, std::int64_t pairs) {
    for (const Row& row : rows)
      for (std::size_t c = 0; c < row.toys.size(); ++c) {
        std::string names;
        const auto placed = place(row.toys[c], {});
        for (std::size_t p = 1; p < placed.size(); ++p)
          names += (p > 1 ? ", " : "") + placed[p].part->name;
        file_.metadata["parts." + toy_category_names()[c] + "." +
                       std::to_string(row.choices[c].instance)] = names;
        parts_ = std::max(parts_, std::int64_t(placed.size()) - 1);
      }
    whole_ = Tensor({pairs, 4, 4});
    part_ = Tensor({pairs, parts_, 4, 4});
  }

  void put(std::int64_t pair, const Part& toy, const Pose& for_left_eye) {
    const auto placed = place(toy, for_left_eye);
    put_pose(for_left_eye, whole_.data() + pair * 16);
    for (std::size_t p = 1; p < placed.size(); ++p)
      put_pose(placed[p].pose, part_.data() + (pair * parts_ + std::int64_t(p) - 1) * 16);
  }

  void write(const std::string& path, const std::array<Camera, 2>& eyes) {
    Tensor right({4, 4}), numbers({2, 3});
    put_pose(eyes[1].view * inverse(eyes[0].view), right.data());
    for (std::int64_t i = 0; i < 2; ++i) {
      const Camera& eye = eyes[std::size_t(i)];
      numbers.at({i, 0}) = real(eye.scale);
      numbers.at({i, 1}) = real(eye.centre_x);
      numbers.at({i, 2}) = real(eye.centre_y);
    }
    file_.tensors = {
        {"whole", whole_}, {"parts", part_}, {"right_from_left", right}, {"eyes", numbers}};
    write_safetensors(path, file_);
  }

private:
  TensorFile file_;
  std::int64_t parts_ = 0;
  Tensor whole_, part_;
};

/// All pairs of one instance number and azimuth, categories in turn, as in smallNORB.
struct Block {
  std::vector<std::uint8_t> pairs;
  std::vector<std::int32_t> labels, facts;
};

Block take(const Row& row, int azimuth, std::int64_t first_pair, Truth& truth) {
  std::vector<ToyStage> stages(toy_categories);
  parallel_for(toy_categories, [&](std::int64_t c) {
    const auto category = std::size_t(c);
    stages[category] = stage_toy(row.toys[category], row.choices[category], azimuth);
  });
  Block block;
  block.pairs.resize(std::size_t(pairs_at_once) * 2 * toy_pixels);
  block.labels.resize(std::size_t(pairs_at_once));
  block.facts.resize(std::size_t(pairs_at_once) * 4);
  parallel_for(views, [&](std::int64_t view) {
    const auto category = std::size_t(view % toy_categories);
    const int elevation = int(view / toy_categories);
    const ToyStage& stage = stages[category];
    const auto pictures = photograph(stage, elevation);
    const Pose whole = toy_eyes(stage, elevation)[0].view * stage.pose;
    for (int light = 0; light < toy_lightings; ++light) {
      const std::size_t pair =
          std::size_t(elevation * toy_lightings + light) * toy_categories + category;
      std::copy_n(&pictures[std::size_t(light) * 2 * toy_pixels], 2 * toy_pixels,
                  &block.pairs[pair * 2 * toy_pixels]);
      block.labels[pair] = std::int32_t(category);
      const std::int32_t facts[] = {stage.choice.instance, elevation, 2 * azimuth, light};
      std::copy_n(facts, 4, &block.facts[pair * 4]);
      truth.put(first_pair + std::int64_t(pair), row.toys[category], whole);
    }
  });
  return block;
}

} // namespace

bool make_toys(const std::string& folder, Split split, const ToysOptions& options,
               const std::function<bool(std::int64_t, std::int64_t)>& progress) {
  if (split == Split::familiar)
    throw Error("make_toys", "toys are made for training and for testing");
  if (options.azimuths < 1 || options.azimuths > toy_azimuths)
    throw Error("make_toys", "there are 1 to 18 azimuths", std::to_string(options.azimuths));
  make_folder(folder);

  std::vector<Row> rows;
  for (const int instance : split == Split::train ? train_instances : test_instances)
    rows.emplace_back(instance, options.seed);
  const std::int64_t count = std::ssize(rows) * options.azimuths * pairs_at_once;
  const NorbPaths paths = norb_paths("toys", split, folder);
  NorbSetWriter writer(paths, count, toy_side, toy_side);
  Truth truth(rows, count);
  std::int64_t done = 0;
  for (const Row& row : rows)
    for (int azimuth = 0; azimuth < options.azimuths; ++azimuth) {
      const Block block = take(row, azimuth, done, truth);
      writer.append(block.pairs, block.labels, block.facts);
      done += pairs_at_once;
      if (progress && !progress(done, count))
        return false;
    }
  const std::string prefix = paths.dat.substr(0, paths.dat.rfind("dat.mat"));
  truth.write(prefix + "poses.safetensors",
              toy_eyes(stage_toy(rows[0].toys[0], rows[0].choices[0], 0), 0));
  writer.commit();
  return true;
}

} // namespace mereo

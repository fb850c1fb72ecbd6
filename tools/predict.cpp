// Classifies pictures and shows what the network makes of them.
#include "cli.h"

#include <nlohmann/json.hpp>

namespace {

using namespace mereo;

struct Arguments {
  std::string checkpoint, reconstruction;
  std::vector<std::string> images;
  bool json = false, invert = false, no_reconstruction = false;
  int threads = 1;
};

struct Prediction {
  std::vector<std::int32_t> labels; // as many as a picture shows classes
  std::vector<real> lengths;        // (classes)
  std::string reconstruction;       // the file for the sheet, if any
  Tensor sheet;                     // as read, and as reconstructed from each of them
};

/// The picture as the data set would have it: (1, H, W, C).
Tensor prepare(const std::string& path, const LoadedModel& loaded, bool invert) {
  const CheckpointInfo& info = loaded.info;
  const std::int64_t channels = loaded.model->input().channels;
  const Image image = read_image(path, int(channels));
  const Tensor pixels = image_tensor(resize_image(image, info.height, info.width));
  if (invert)
    for (real& x : pixels.values())
      x = 1 - x;
  return pixels.reshape({1, info.height, info.width, channels});
}

double border_brightness(const Tensor& image) {
  const std::int64_t H = image.shape()[1], W = image.shape()[2], C = image.shape()[3];
  double sum = 0;
  std::int64_t count = 0;
  for (std::int64_t y = 0; y < H; ++y)
    for (std::int64_t x = 0; x < W; ++x)
      if (y == 0 || x == 0 || y == H - 1 || x == W - 1)
        for (std::int64_t c = 0; c < C; ++c, ++count)
          sum += image.data()[(y * W + x) * C + c];
  return sum / double(count);
}

/// Most wrong answers about a good picture come from black on white where white on black was
/// learnt.
void note_brightness(const std::string& path, const Tensor& image, const CheckpointInfo& info) {
  const double border = border_brightness(image);
  if (std::abs(1 - border - info.background) + 0.3 < std::abs(border - info.background))
    std::fprintf(stderr,
                 "note: %s is %s around its border, the pictures learnt were not: try --invert\n",
                 path.c_str(), border > 0.5 ? "bright" : "dark");
}

/// What was read beside what was made of it.
Tensor sheet_of(const Tensor& image, const Variable& reconstruction) {
  const Shape& shape = image.shape();
  const std::int64_t columns = 1 + reconstruction.shape()[0];
  const Tensor pictures(Shape{columns, shape[1], shape[2], shape[3]});
  std::copy_n(image.data(), image.elements(), pictures.data());
  std::copy_n(reconstruction.data(), reconstruction.elements(), pictures.data() + image.elements());
  return contact_sheet(pictures, columns);
}

Prediction predict(Tape& tape, LoadedModel& loaded, const std::string& path, const Arguments& a) {
  const Tensor picture = prepare(path, loaded, a.invert);
  note_brightness(path, picture, loaded.info);
  const Tensor image = apply_view(picture, loaded.info.view);
  tape.reset();
  const Outputs outputs = loaded.model->forward(tape, image, {}, Mode::evaluation);
  Prediction result;
  predictions(outputs.scores, result.labels, loaded.model->input().labels_per_image);
  result.lengths.assign(outputs.scores.data(), outputs.scores.data() + outputs.scores.elements());
  if (a.no_reconstruction || outputs.reconstruction.empty())
    return result;
  result.reconstruction =
      a.reconstruction.empty()
          ? std::filesystem::path(path).replace_extension(".reconstruction.png").string()
          : a.reconstruction;
  result.sheet = sheet_of(image, outputs.reconstruction);
  return result;
}

std::string class_name(const CheckpointInfo& info, std::size_t k) {
  return k < info.class_names.size() ? info.class_names[k] : std::to_string(k);
}

void print_text(const std::string& path, const Prediction& p, const CheckpointInfo& info) {
  std::string names;
  for (const std::int32_t label : p.labels)
    names += (names.empty() ? "" : " and ") + class_name(info, std::size_t(label));
  std::printf("%s: %s\n", path.c_str(), names.c_str());
  for (std::size_t k = 0; k < p.lengths.size(); ++k)
    std::printf("  %-20s %.4f %.*s\n", class_name(info, k).c_str(), double(p.lengths[k]),
                int(std::lround(30 * std::clamp(double(p.lengths[k]), 0.0, 1.0))),
                "##############################");
  if (!p.reconstruction.empty())
    std::printf("  read and reconstructed: %s\n", p.reconstruction.c_str());
}

nlohmann::ordered_json json_of(const std::string& path, const Prediction& p,
                               const CheckpointInfo& info) {
  nlohmann::ordered_json entry;
  entry["image"] = path;
  entry["class"] = p.labels[0];
  entry["name"] = class_name(info, std::size_t(p.labels[0]));
  if (p.labels.size() > 1) {
    entry["classes"] = p.labels;
    for (const std::int32_t label : p.labels)
      entry["names"].push_back(class_name(info, std::size_t(label)));
  }
  entry["lengths"] = p.lengths;
  if (!p.reconstruction.empty())
    entry["reconstruction"] = p.reconstruction;
  return entry;
}

int run(int argc, char** argv) {
  Arguments a;
  CLI::App app("Classifies pictures: the class, the length of every class capsule, and the "
               "reconstruction as PNG.");
  app.add_option("CHECKPOINT", a.checkpoint, "A .safetensors file or a run folder (its best one)")
      ->required();
  app.add_option("IMAGE", a.images, "PNG or JPEG files, resized and greyed as the network needs it")
      ->required();
  app.add_option(
      "--reconstruction", a.reconstruction,
      "Where to write the picture as read and as reconstructed [IMAGE.reconstruction.png]");
  app.add_flag("--no-reconstruction", a.no_reconstruction, "Write no picture");
  app.add_flag("--invert", a.invert, "Turn black to white first");
  app.add_flag("--json", a.json, "Print a JSON array");
  cli::add_threads(app, a.threads);
  if (const auto code = cli::parse(app, argc, argv))
    return *code;
  if (!a.reconstruction.empty() && a.images.size() > 1)
    throw cli::UsageError("--reconstruction: is for one image, not " +
                          std::to_string(a.images.size()));
  set_threads(a.threads);

  LoadedModel loaded = load_model(cli::checkpoint_path(a.checkpoint));
  const std::int64_t channels = loaded.model->input().channels;
  if (channels != 1 && channels != 3)
    throw Error(a.checkpoint, "reads pictures that no image file holds",
                std::to_string(channels) + " channels",
                channels == 2 ? "train with --channels 1 to read the left picture of a pair" : "");
  loaded.model->freeze(1);
  Tape tape;
  nlohmann::ordered_json report = nlohmann::ordered_json::array();
  // Answers come before pictures, which may fail to be written.
  std::vector<Prediction> made;
  for (const std::string& path : a.images) {
    made.push_back(predict(tape, loaded, path, a));
    if (a.json)
      report.push_back(json_of(path, made.back(), loaded.info));
    else
      print_text(path, made.back(), loaded.info);
  }
  if (a.json)
    std::printf("%s\n",
                report.dump(2, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
  std::fflush(stdout);
  for (const Prediction& p : made)
    if (!p.reconstruction.empty())
      write_png(p.reconstruction, p.sheet);
  return 0;
}

} // namespace

int main(int argc, char** argv) {
  return cli::guarded(argv[0], [&] { return run(argc, argv); });
}

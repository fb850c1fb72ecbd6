// Classifies pictures and shows what the network makes of them.
#include "pictures.h"

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
  std::vector<real> scores;         // (classes): lengths or activations
  std::string reconstruction;       // the file for the sheet, if any
  Tensor sheet;                     // as read, and as reconstructed from each of them
};

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
  const Tensor image = cli::seen_of_file(path, loaded, a.invert);
  tape.reset();
  const Outputs outputs = loaded.model->forward(tape, image, {}, Mode::evaluation);
  Prediction result;
  predictions(outputs.scores, result.labels, loaded.model->input().labels_per_image);
  result.scores.assign(outputs.scores.data(), outputs.scores.data() + outputs.scores.elements());
  if (a.no_reconstruction || outputs.reconstruction.empty())
    return result;
  result.reconstruction =
      a.reconstruction.empty()
          ? std::filesystem::path(path).replace_extension(".reconstruction.png").string()
          : a.reconstruction;
  result.sheet = sheet_of(image, outputs.reconstruction);
  return result;
}

void print_text(const std::string& path, const Prediction& p, const CheckpointInfo& info) {
  std::string names;
  for (const std::int32_t label : p.labels)
    names += (names.empty() ? "" : " and ") + info.class_name(label);
  std::printf("%s: %s\n", path.c_str(), names.c_str());
  for (std::size_t k = 0; k < p.scores.size(); ++k)
    std::printf("  %-20s %.4f %.*s\n", info.class_name(std::int64_t(k)).c_str(),
                double(p.scores[k]),
                int(std::lround(30 * std::clamp(double(p.scores[k]), 0.0, 1.0))),
                "##############################");
  if (!p.reconstruction.empty())
    std::printf("  read and reconstructed: %s\n", p.reconstruction.c_str());
}

nlohmann::ordered_json json_of(const std::string& path, const Prediction& p,
                               const CheckpointInfo& info) {
  nlohmann::ordered_json entry;
  entry["image"] = path;
  entry["class"] = p.labels[0];
  entry["name"] = info.class_name(p.labels[0]);
  if (p.labels.size() > 1) {
    entry["classes"] = p.labels;
    for (const std::int32_t label : p.labels)
      entry["names"].push_back(info.class_name(label));
  }
  entry["scores"] = p.scores;
  if (!p.reconstruction.empty())
    entry["reconstruction"] = p.reconstruction;
  return entry;
}

int run(int argc, char** argv) {
  Arguments a;
  CLI::App app("Classifies pictures: the class, the score of every class (the length or the "
               "activation of its capsule), and the reconstruction as PNG.");
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
  cli::check_reads_files(a.checkpoint, *loaded.model);
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

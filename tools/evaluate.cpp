// Tells the error of a checkpoint on a data set, by class, and what is taken for what.
#include "cli.h"

#include <nlohmann/json.hpp>

namespace {

using namespace mereo;

std::string class_name(const Dataset& data, std::int64_t k) {
  return std::size_t(k) < data.class_names.size() ? data.class_names[std::size_t(k)]
                                                  : std::to_string(k);
}

/// Of several labels in a picture, those that were not found, in percent.
double missed_percent(const Evaluation& e) {
  std::int64_t found = 0;
  for (std::int64_t k = 0; k < e.classes; ++k)
    found += e.confusion[std::size_t(k * e.classes + k)];
  return 100.0 * (1 - double(found) / double(e.count * e.labels_per_image));
}

std::int64_t row_sum(const Evaluation& e, std::int64_t row) {
  std::int64_t sum = 0;
  for (std::int64_t column = 0; column < e.classes; ++column)
    sum += e.confusion[std::size_t(row * e.classes + column)];
  return sum;
}

void print_json(const Evaluation& e, const Dataset& data, const std::string& split,
                const std::string& checkpoint) {
  nlohmann::ordered_json report;
  report["checkpoint"] = checkpoint;
  report["data"] = data.name;
  report["split"] = split;
  report["count"] = e.count;
  report["wrong"] = e.wrong;
  report["error_percent"] = e.error_percent();
  if (e.labels_per_image > 1)
    report["labels_missed_percent"] = missed_percent(e);
  report["loss"] = e.loss;
  for (std::int64_t k = 0; k < e.classes; ++k) {
    const auto* row = &e.confusion[std::size_t(k * e.classes)];
    const std::int64_t count = row_sum(e, k);
    report["classes"].push_back(
        {{"name", class_name(data, k)}, {"count", count}, {"wrong", count - row[k]}});
    report["confusion"].push_back(std::vector<std::int64_t>(row, row + e.classes));
  }
  std::printf("%s\n", report.dump(2, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
}

void print_tables(const Evaluation& e, const Dataset& data) {
  std::printf("error %.2f %% (%lld of %lld), loss %.4f\n", e.error_percent(), (long long)(e.wrong),
              (long long)(e.count), e.loss);
  if (e.labels_per_image > 1)
    std::printf("all %lld classes of a picture must be right; %.2f %% of them were missed\n",
                (long long)(e.labels_per_image), missed_percent(e));
  std::printf("\n");
  std::printf("%-20s %8s %8s %8s\n", "class", "pictures", "wrong", "error %");
  for (std::int64_t k = 0; k < e.classes; ++k) {
    const std::int64_t count = row_sum(e, k);
    const std::int64_t wrong = count - e.confusion[std::size_t(k * e.classes + k)];
    std::printf("%-20s %8lld %8lld %8.2f\n", class_name(data, k).c_str(), (long long)(count),
                (long long)(wrong), count ? 100.0 * double(wrong) / double(count) : 0.0);
  }
  std::printf("\ntrue class (row) taken for (column)\n%20s", "");
  for (std::int64_t k = 0; k < e.classes; ++k)
    std::printf(" %6.6s", class_name(data, k).c_str());
  for (std::int64_t row = 0; row < e.classes; ++row) {
    std::printf("\n%-20s", class_name(data, row).c_str());
    for (std::int64_t column = 0; column < e.classes; ++column)
      std::printf(" %6lld", (long long)(e.confusion[std::size_t(row * e.classes + column)]));
  }
  std::printf("\n");
}

/// Of the first two elements of the class capsules.
void print_position(const PositionReport& r, double pixels, bool json) {
  if (json) {
    nlohmann::ordered_json report;
    report["count"] = r.count;
    report["r_squared"] = r.r_squared;
    report["pixels"] = pixels;
    report["moved"] = r.moved;
    report["deviation"] = r.deviation;
    std::printf("%s\n", report.dump(2).c_str());
    return;
  }
  std::printf("the first two elements of the true class's capsule, %lld pictures\n%18s %8s %8s\n",
              (long long)(r.count), "", "x", "y");
  std::printf("R^2 of position    %8.3f %8.3f\n", r.r_squared[0], r.r_squared[1]);
  std::printf("moved, of %.3g px   %8.2f %8.2f\ndeviation          %8.2f %8.2f\n", pixels,
              r.moved[0], r.moved[1], r.deviation[0], r.deviation[1]);
}

int run(int argc, char** argv) {
  std::string checkpoint, data_name, data_dir = "data", split = "test";
  std::int64_t batch = 128;
  int threads = 1, crops = 1;
  bool json = false, position = false;
  CLI::App app("Tells the error of a checkpoint on a data set, by class, with the confusions.");
  app.add_option("CHECKPOINT", checkpoint, "A .safetensors file or a run folder (its best one)")
      ->required();
  app.add_option("--data", data_name,
                 "Data set: " + cli::data_names() + " [the one it was trained on]")
      ->check(cli::data_name());
  app.add_option("--data-dir", data_dir, "Where data sets are")->capture_default_str();
  app.add_option("--split", split,
                 "Which part of it; familiar: test pictures from the viewpoints trained on, of "
                 "-azimuth and -elevation, or only moved, of affine-mnist and affnist")
      ->check(cli::one_of({"test", "train", "familiar"}))
      ->capture_default_str();
  app.add_option("--batch", batch, "Pictures at a time")
      ->check(cli::whole(1))
      ->capture_default_str();
  app.add_option(
         "--crops", crops,
         "13: sum what the network says of the middle of a picture and of 12 crops around it")
      ->check(cli::one_of({"1", "13"}))
      ->capture_default_str();
  app.add_flag("--position", position,
               "Tell instead how well the first two elements of its capsules know where things "
               "are, and move what is reconstructed: see coordinate_shift");
  cli::add_threads(app, threads);
  app.add_flag("--json", json, "Print one JSON object");
  if (const auto code = cli::parse(app, argc, argv))
    return *code;
  set_threads(threads);

  const std::string path = cli::checkpoint_path(checkpoint);
  const LoadedModel loaded = load_model(path);
  const InputShape input = loaded.model->input();
  if (data_name.empty())
    data_name = loaded.info.data;
  const View& view = loaded.info.view;
  if (crops > 1 && view.crop == 0)
    throw Error(path, "the network sees whole pictures: there is one crop of them");
  // Pictures of a folder or NORB set come in any size; others do not, and are refused below.
  const PictureOptions form{int(input.channels), loaded.info.height, loaded.info.width};
  const Dataset data = load_dataset(data_name,
                                    split == "test"    ? Split::test
                                    : split == "train" ? Split::train
                                                       : Split::familiar,
                                    data_dir, form);
  check_fits(input, data, view);
  if (!loaded.info.class_names.empty() && data.class_names != loaded.info.class_names)
    std::fprintf(stderr, "note: the classes of %s are not those of %s, which it was trained on\n",
                 data.name.c_str(), loaded.info.data.c_str());
  loaded.model->freeze(std::min(batch, data.count));
  if (position) {
    const PositionOptions options{.batch = batch, .view = view};
    print_position(measure_position(*loaded.model, data, options), options.pixels, json);
    return 0;
  }
  const auto offsets = crops > 1 ? thirteen_crops() : std::vector<CropOffset>{};
  const Evaluation result =
      evaluate(*loaded.model, data, {.batch = batch, .view = view, .crops = offsets});
  json ? print_json(result, data, split, path) : print_tables(result, data);
  return 0;
}

} // namespace

int main(int argc, char** argv) {
  return cli::guarded(argv[0], [&] { return run(argc, argv); });
}

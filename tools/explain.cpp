// Shows what a network made of pictures: a page with its reconstructions, routing and poses.
#include "explain/report.h"
#include "pictures.h"

namespace {

using namespace mereo;

struct Arguments {
  std::string checkpoint, data, data_dir = "data", split = "test", output = "report";
  std::vector<std::string> images;
  std::vector<std::int64_t> indices;
  std::int64_t count = 10, health = 500;
  bool invert = false;
  int threads = 1;
};

bool from_data(const Arguments& a) {
  return a.images.empty() || !a.indices.empty();
}

Dataset load(const Arguments& a, const LoadedModel& loaded) {
  const Split split = a.split == "train" ? Split::train : Split::test;
  return load_dataset(a.data, split, a.data_dir,
                      {int(loaded.model->input().channels), loaded.info.height, loaded.info.width});
}

void explain_file(Report& report, const std::string& path, const LoadedModel& loaded, bool invert) {
  report.add({std::filesystem::path(path).filename().string(),
              cli::seen_of_file(path, loaded, invert),
              {}});
}

/// As the evaluation of the whole set has it.
void explain_picture(Report& report, const Dataset& data, std::int64_t index,
                     const std::string& split, const LoadedModel& loaded) {
  Loader loader(data, all_indices(data.count),
                {.batch = 1,
                 .shuffle = false,
                 .view = loaded.info.view,
                 .augment = false,
                 .prefetch = false});
  if (index >= data.count)
    throw Error(data.name, "there is no such picture", std::to_string(index),
                "there are " + std::to_string(data.count) + ", the first is 0");
  loader.restore({.epoch = 0, .batch = index});
  Batch batch;
  loader.next(batch);
  report.add(
      {data.name + ", " + split + " picture " + std::to_string(index), batch.images, batch.labels});
}

/// So many, evenly through the set.
std::vector<std::int64_t> some_of(const Dataset& data, std::int64_t count) {
  count = std::min(count, data.count);
  std::vector<std::int64_t> indices;
  for (std::int64_t n = 0; n < count; ++n)
    indices.push_back(n * data.count / count);
  return indices;
}

void add_health(Report& report, const Arguments& a, const LoadedModel& loaded,
                const std::optional<Dataset>& data, const std::string& missing) {
  if (a.health == 0)
    report.add_no_health("Not asked for.");
  else if (!data)
    report.add_no_health("The pictures to measure it with are not here: " + missing);
  else
    report.add(examine(loaded, *data, some_of(*data, a.health)), data->name + ", " + a.split);
}

int run(int argc, char** argv) {
  Arguments a;
  CLI::App app("Shows what a network made of pictures: reconstructions, where the evidence for a "
               "class comes from in each iteration of routing, what each dimension of a pose does, "
               "and how healthy the network is. Writes a page that needs nothing else, and its "
               "pictures as PNG.");
  app.add_option("CHECKPOINT", a.checkpoint, "A .safetensors file or a run folder (its best one)")
      ->required();
  app.add_option("IMAGE", a.images,
                 "PNG or JPEG files, resized and greyed as the network needs it");
  app.add_option("--data", a.data,
                 "Data set: " + cli::data_names() + " [the one it was trained on]")
      ->check(cli::data_name());
  app.add_option("--index", a.indices, "Which pictures of it, from 0 [the first ones]")
      ->check(cli::whole(0));
  app.add_option("--count", a.count,
                 "How many of its first ones, where there is neither IMAGE nor "
                 "--index")
      ->check(cli::whole(1))
      ->capture_default_str();
  app.add_option("--data-dir", a.data_dir, "Where data sets are")->capture_default_str();
  app.add_option("--split", a.split, "Which part of the data set")
      ->check(cli::one_of({"test", "train"}))
      ->capture_default_str();
  app.add_option("-o,--output", a.output, "Folder of the report")->capture_default_str();
  app.add_option("--health", a.health,
                 "Pictures of the data set to measure the network's health with; 0: none")
      ->check(cli::whole(0))
      ->capture_default_str();
  app.add_flag("--invert", a.invert, "Turn black to white in files first");
  cli::add_threads(app, a.threads);
  if (const auto code = cli::parse(app, argc, argv))
    return *code;
  set_threads(a.threads);

  const std::string path = cli::checkpoint_path(a.checkpoint);
  const LoadedModel loaded = load_model(path);
  loaded.model->freeze(1);
  if (a.data.empty())
    a.data = loaded.info.data;
  if (!a.images.empty())
    cli::check_reads_files(path, *loaded.model);
  std::optional<Dataset> data;
  std::string missing;
  try {
    if (from_data(a) || a.health > 0) {
      data = load(a, loaded);
      check_fits(loaded.model->input(), *data, loaded.info.view);
    }
  } catch (const Error& error) {
    if (from_data(a))
      throw;
    data.reset(); // files are explained without it
    missing = error.what();
  }

  Report report(a.output, loaded, a.checkpoint);
  for (const std::string& image : a.images)
    explain_file(report, image, loaded, a.invert);
  if (from_data(a)) {
    if (a.indices.empty()) {
      a.indices.resize(std::size_t(std::min(a.count, data->count)));
      std::iota(a.indices.begin(), a.indices.end(), 0);
    }
    for (const std::int64_t index : a.indices)
      explain_picture(report, *data, index, a.split, loaded);
  }
  add_health(report, a, loaded, data, missing);
  std::printf("%s\n", report.write().c_str());
  return 0;
}

} // namespace

int main(int argc, char** argv) {
  return cli::guarded(argv[0], [&] { return run(argc, argv); });
}

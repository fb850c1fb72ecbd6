// Renders: data sets whose truth is known, turntables of their toys, contact sheets of any data
// set.
#include "cli.h"
#include "data/toys.h"
#include "maker.h"

namespace {

using namespace mereo;

Split split_of(const std::string& name) {
  return name == "test" ? Split::test : Split::train;
}

// --- render toys

struct ToysArguments {
  std::string out = "data/toys";
  ToysOptions options;
  bool quiet = false;
};

int render_toys(const ToysArguments& a) {
  cli::catch_stop_signals();
  for (const Split split : {Split::train, Split::test})
    if (!cli::make_toys_part(a.out, split, a.options, a.quiet))
      return cli::stopped_making();
  return 0;
}

// --- render faces

struct FacesArguments {
  std::string out = "data/faces";
  FacesOptions options;
  bool quiet = false;
};

int render_faces(const FacesArguments& a) {
  cli::catch_stop_signals();
  cli::Maker maker("faces", "pictures", a.quiet);
  const bool made = make_faces(a.out, a.options, std::ref(maker));
  maker.finish(made, a.out);
  return made ? 0 : cli::stopped_making();
}

// --- render sheet

struct SheetArguments {
  std::string data, data_dir = "data", split = "train", out;
  std::int64_t columns = 12, image_size = 0;
};

/// Grey or colour as it is; of a stereo pair the left picture beside the right one.
Tensor picture_of(const Tensor& pixels) {
  const std::int64_t H = pixels.shape()[0], W = pixels.shape()[1];
  if (pixels.shape()[2] != 2)
    return pixels;
  Tensor pair({H, 2 * W, 1});
  for (std::int64_t y = 0; y < H; ++y)
    for (std::int64_t x = 0; x < W; ++x)
      for (std::int64_t eye = 0; eye < 2; ++eye)
        pair.at({y, eye * W + x, 0}) = pixels.at({y, x, eye});
  return pair;
}

/// For each class a row of its pictures, evenly from all of them.
int render_sheet(const SheetArguments& a) {
  const PictureOptions size{.channels = 0, .height = a.image_size, .width = a.image_size};
  const Dataset data = load_dataset(a.data, split_of(a.split), a.data_dir, size);
  std::vector<std::vector<std::int64_t>> members(std::size_t(data.classes));
  for (std::int64_t i = 0; i < data.count; ++i)
    members[std::size_t(data.labels[std::size_t(i)])].push_back(i);
  const bool stereo = data.channels == 2;
  Tensor pictures({data.classes * a.columns, data.height, (stereo ? 2 : 1) * data.width,
                   stereo ? 1 : data.channels});
  std::vector<std::int64_t> chosen, places;
  for (std::int64_t k = 0; k < data.classes; ++k) {
    const auto& row = members[std::size_t(k)];
    const std::int64_t columns = std::min(a.columns, std::ssize(row));
    for (std::int64_t c = 0; c < columns; ++c) {
      chosen.push_back(row[std::size_t(c * std::ssize(row) / columns)]);
      places.push_back(k * a.columns + c);
    }
  }
  // As a network is shown them.
  Loader loader(data, chosen, {.batch = 1, .shuffle = false, .augment = false, .prefetch = false});
  Batch batch;
  for (const std::int64_t place : places) {
    loader.next(batch);
    const Tensor one = picture_of(batch.images.reshape({data.height, data.width, data.channels}));
    std::copy_n(one.data(), one.elements(), pictures.rows(place, place + 1).data());
  }
  write_png(a.out, contact_sheet(pictures, a.columns, 2));
  std::printf("%lld pictures of %s, a row a class: %s\n", (long long)(data.count),
              data.name.c_str(), a.out.c_str());
  return 0;
}

// --- render turntable

struct TurntableArguments {
  std::string category, out;
  ToyChoice choice;
  int steps = toy_azimuths, columns = 9, side = 2 * toy_side, lighting = 0;
  double elevation = 35;
};

int render_turntable(TurntableArguments a) {
  const auto& names = toy_category_names();
  a.choice.category = int(std::find(names.begin(), names.end(), a.category) - names.begin());
  const Part toy = make_toy(a.choice);
  std::vector<ToyStage> stages;
  for (int azimuth = 0; azimuth < toy_azimuths; ++azimuth)
    stages.push_back(stage_toy(toy, a.choice, azimuth));
  std::vector<Shot> shots;
  for (const ToyStage& stage : stages)
    shots.push_back({&stage.scene, eyes_on(stage.middle, a.elevation, a.side)[0],
                     stage.lightings.at(std::size_t(a.lighting))});
  write_png(a.out, contact_sheet(render(shots, 4), a.columns, 2));
  std::printf("%s %d, %zu parts, at 18 azimuths: %s\n", a.category.c_str(), a.choice.instance,
              place(toy, {}).size() - 1, a.out.c_str());
  return 0;
}

// --- the command line

void describe_toys(CLI::App& command, ToysArguments& a) {
  command.add_option("--out", a.out, "Folder to make it in")->capture_default_str();
  command.add_option("--seed", a.options.seed, "Another one makes other toys")
      ->check(cli::whole(0))
      ->capture_default_str();
  command
      .add_option("--azimuths", a.options.azimuths,
                  "Only the first so many of the 18 azimuths, for a small set")
      ->check(cli::whole(1, toy_azimuths))
      ->capture_default_str();
  command.add_flag("--quiet", a.quiet, "Print nothing but errors");
}

void describe_faces(CLI::App& command, FacesArguments& a) {
  command.add_option("--out", a.out, "Folder to make it in")->capture_default_str();
  const auto add = [&](const char* flag, auto& value, const char* text, long long lowest) {
    command.add_option(flag, value, text)->check(cli::whole(lowest))->capture_default_str();
  };
  add("--seed", a.options.seed, "Of everything random", 0);
  add("--train", a.options.train, "Pictures to train on", 1);
  add("--test", a.options.test, "Pictures in each of the four test sets", 1);
  command.add_flag("--quiet", a.quiet, "Print nothing but errors");
}

void describe_sheet(CLI::App& command, SheetArguments& a) {
  command.add_option("--data", a.data, "Data set: " + cli::data_names())
      ->check(cli::data_name())
      ->required();
  command.add_option("--data-dir", a.data_dir, "Where data sets are")->capture_default_str();
  command.add_option("--split", a.split, "Which part of it")
      ->check(cli::one_of({"train", "test"}))
      ->capture_default_str();
  command.add_option("--columns", a.columns, "Pictures of each class")
      ->check(cli::whole(1, 10000))
      ->capture_default_str();
  command
      .add_option("--image-size", a.image_size,
                  "Resize pictures of a folder or a NORB set to this height and width; 0: as usual")
      ->check(cli::whole(0))
      ->capture_default_str();
  command.add_option("-o,--out", a.out, "PNG file to write")->required();
}

void describe_turntable(CLI::App& command, TurntableArguments& a) {
  command.add_option("--category", a.category, "What kind of toy")
      ->check(cli::one_of(toy_category_names()))
      ->required();
  const auto add = [&](const char* flag, auto& value, const char* text,
                       const CLI::Validator& check) {
    command.add_option(flag, value, text)->check(check)->capture_default_str();
  };
  add("--instance", a.choice.instance, "Which one of it, 0 to 9", cli::whole(0, toy_instances - 1));
  add("--seed", a.choice.seed, "The toys' seed", cli::whole(0));
  add("--elevation", a.elevation, "Of the camera, in degrees", cli::number(-89, false, 89));
  add("--lighting", a.lighting, "Which of the lightings, 0 to 5", cli::whole(0, toy_lightings - 1));
  add("--side", a.side, "Height and width of each picture, in pixels", cli::whole(1, 4096));
  add("--columns", a.columns, "Pictures in a row", cli::whole(1));
  command.add_option("-o,--out", a.out, "PNG file to write")->required();
}

int run(int argc, char** argv) {
  ToysArguments toys;
  FacesArguments faces;
  SheetArguments sheet;
  TurntableArguments turntable;
  int threads = 1;
  CLI::App app("Renders data sets whose truth is known, and shows what is in data sets.");
  app.set_help_flag();
  app.set_help_all_flag("-h,--help", "Print this help message and exit");
  app.require_subcommand(0, 1); // none is complained of below, with what there is
  app.fallthrough();
  cli::add_threads(app, threads);
  CLI::App* make = app.add_subcommand(
      "toys", "Make the data set toys: pictures as a NORB set, true poses as safetensors");
  describe_toys(*make, toys);
  CLI::App* draw = app.add_subcommand(
      "faces", "Make the data set faces: figures of shared parts, in four test sets");
  describe_faces(*draw, faces);
  CLI::App* show = app.add_subcommand("sheet", "Show pictures of a data set, a row for each class");
  describe_sheet(*show, sheet);
  CLI::App* turn = app.add_subcommand("turntable", "Show a toy from all sides");
  describe_turntable(*turn, turntable);
  if (const auto code = cli::parse(app, argc, argv))
    return *code;
  if (app.get_subcommands().empty())
    throw cli::UsageError("what is it to render: toys, faces, sheet or turntable?");
  set_threads(threads);
  return *make   ? render_toys(toys)
         : *draw ? render_faces(faces)
         : *show ? render_sheet(sheet)
                 : render_turntable(turntable);
}

} // namespace

int main(int argc, char** argv) {
  return cli::guarded(argv[0], [&] { return run(argc, argv); });
}

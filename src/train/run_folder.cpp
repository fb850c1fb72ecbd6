#include "train/run_folder.h"

#include "io/file.h"
#include "train/fields.h"
#include "train/run_report.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <sys/file.h>

namespace mereo {

namespace {

bool exists(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

/// Whether a file of that name is one of ours that was never completed (see AtomicFile).
bool is_temporary(const std::string& name) {
  constexpr const char* ours[] = {"last.safetensors", "best.safetensors",    "config.json",
                                  "test.json",        "reconstructions.png", "report.html",
                                  "curves.png"};
  return std::any_of(std::begin(ours), std::end(ours),
                     [&](const std::string& file) { return name.starts_with(file + ".tmp-"); });
}

/// The numbers of a line of history as scalars: "step/loss", "epoch/validation_error_percent".
void add_event(EventFile& events, const Fields& line) {
  std::vector<Scalar> scalars;
  for (const auto& [name, value] : line)
    if (name != "epoch" && name != "step" && !std::holds_alternative<std::string>(value))
      scalars.emplace_back(text_field(line, "event") + "/" + name,
                           number_field(line, name.c_str()));
  events.add(whole_field(line, "step"), scalars);
}

} // namespace

std::string RunFolder::path(const char* file) const {
  return writes() ? directory_ + "/" + file : "";
}

RunFolder RunFolder::create(const std::string& directory) {
  RunFolder folder(directory);
  if (!folder.writes())
    return folder;
  make_folder(directory);
  folder.enter();
  if (exists(folder.last()) || exists(folder.best()))
    throw Error(directory, "there is a run in this folder already", "",
                "resume it, or choose another folder");
  truncate_json_lines(folder.path("history.jsonl"), 0); // of a run without a checkpoint
  return folder;
}

RunFolder RunFolder::open(const std::string& directory) {
  RunFolder folder(directory);
  if (directory.empty() || !exists(folder.last()))
    throw Error(directory.empty() ? "train" : directory, "there is no run to resume here", "",
                "a run folder holds last.safetensors");
  folder.enter();
  return folder;
}

void RunFolder::enter() {
  lock_ =
      std::make_shared<Descriptor>(::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (lock_->get() < 0)
    throw file_error(directory_, "cannot open", errno);
  // Some network file systems know no locks: then the user has to take care.
  if (::flock(lock_->get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
    throw Error(directory_, "another process is training in this folder", "",
                "wait for it, or choose another folder");
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(directory_, ignored))
    if (is_temporary(entry.path().filename().string()))
      std::filesystem::remove(entry.path(), ignored);
}

void RunFolder::write_config(const Fields& config) {
  if (!writes())
    return;
  std::string text = "{";
  for (const auto& [name, value] : config) {
    const std::string object = to_json({{name, value}});
    text += (text.size() > 1 ? ",\n  " : "\n  ") + object.substr(1, object.size() - 2);
  }
  write_file_atomically(path("config.json"), text + "\n}\n");
}

void RunFolder::append_history(const Fields& line) {
  if (!writes())
    return;
  append_json_line(path("history.jsonl"), line);
  if (events_)
    add_event(*events_, line);
}

void RunFolder::start_events(std::int64_t steps) {
  if (!writes())
    return;
  const bool first = !EventFile::any_in(directory_);
  events_ = std::make_shared<EventFile>(directory_, first ? 0 : steps + 1);
  if (first)
    for (const Fields& line : read_json_lines(path("history.jsonl")))
      add_event(*events_, line);
}

std::int64_t RunFolder::keep_history(std::int64_t count) {
  const std::string history = path("history.jsonl");
  truncate_json_lines(history, count);
  return std::min(count, std::int64_t(read_json_lines(history).size()));
}

void RunFolder::write_report() const {
  if (writes())
    write_run_report(directory_);
}

Fields history_line(const EpochResult& epoch) {
  return {{"event", "epoch"},
          {"epoch", epoch.epoch},
          {"step", epoch.step},
          {"loss", epoch.loss},
          {"margin", epoch.margin},
          {"reconstruction", epoch.reconstruction},
          {"training_error_percent", epoch.training_error_percent},
          {"validation_error_percent", epoch.validation_error_percent},
          {"validation_loss", epoch.validation_loss},
          {"learning_rate", epoch.learning_rate},
          {"images_per_second", epoch.images_per_second},
          {"seconds", epoch.seconds}};
}

Fields history_line(const TrainProgress& progress) {
  return {{"event", "step"},
          {"epoch", progress.epoch + 1},
          {"step", progress.step},
          {"loss", progress.loss},
          {"margin", progress.margin},
          {"reconstruction", progress.reconstruction},
          {"learning_rate", progress.learning_rate},
          {"gradient_norm", progress.gradient_norm}};
}

void write_reconstructions(const std::string& path, Model& model, const Dataset& data,
                           const View& view, std::span<const std::int64_t> indices, Tape& tape) {
  const std::int64_t columns = std::min<std::int64_t>(16, std::int64_t(indices.size()));
  if (path.empty() || columns == 0 || !model.reconstructs() ||
      (data.channels != 1 && data.channels != 3))
    return;
  // The first batch is spread over all; the rest are there to be laid over them, as in evaluation.
  std::vector<std::int64_t> order;
  for (std::int64_t i = 0; i < columns; ++i)
    order.push_back(indices[std::size_t(i * std::int64_t(indices.size()) / columns)]);
  if (data.labels_per_image > 1)
    order.insert(order.end(), indices.begin(), indices.end());
  Loader loader(
      data, order,
      {.batch = columns, .shuffle = false, .view = view, .augment = false, .prefetch = false});
  Batch batch;
  loader.next(batch);
  const Tensor& seen = batch.images;
  tape.reset();
  const Outputs outputs =
      model.forward(tape, seen, batch.labels, Mode::evaluation, 1, {batch.targets});
  const std::int64_t L = data.labels_per_image;
  const Shape one{columns, seen.shape()[1], seen.shape()[2], data.channels};
  const Tensor sheet(Shape{(1 + L) * columns, one[1], one[2], one[3]});
  std::copy_n(seen.data(), seen.elements(), sheet.data());
  const std::int64_t pixels = seen.elements() / columns;
  for (std::int64_t b = 0; b < columns; ++b)
    for (std::int64_t l = 0; l < L; ++l)
      std::copy_n(outputs.reconstruction.data() + (b * L + l) * pixels, pixels,
                  sheet.data() + ((1 + l) * columns + b) * pixels);
  write_png(path, contact_sheet(sheet, columns));
}

} // namespace mereo

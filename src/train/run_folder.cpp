#include "train/run_folder.h"

#include "train/fields.h"

#include <algorithm>
#include <filesystem>

namespace mereo {

namespace {

bool exists(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

} // namespace

std::string RunFolder::path(const char* file) const {
  return writes() ? directory_ + "/" + file : "";
}

RunFolder RunFolder::create(const std::string& directory, const Fields& config) {
  RunFolder folder;
  folder.directory_ = directory;
  if (!folder.writes())
    return folder;
  // A folder without a checkpoint has nothing to lose.
  if (exists(folder.last()))
    throw Error(directory, "there is a run in this folder already", "",
                "resume it, or choose another folder");
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error)
    throw Error(directory, "cannot make this folder", error.message());
  write_file_atomically(folder.path("config.json"), to_json(config) + "\n");
  return folder;
}

RunFolder RunFolder::open(const std::string& directory) {
  RunFolder folder;
  folder.directory_ = directory;
  if (directory.empty() || !exists(folder.last()))
    throw Error(directory.empty() ? "train" : directory, "there is no run to resume here", "",
                "a run folder holds last.safetensors");
  return folder;
}

void RunFolder::append_history(const Fields& line) {
  if (writes())
    append_json_line(path("history.jsonl"), line);
}

std::int64_t RunFolder::keep_history(std::int64_t count) {
  const std::string history = path("history.jsonl");
  truncate_json_lines(history, count);
  return std::min(count, std::int64_t(read_json_lines(history).size()));
}

Fields recipe_fields(Model& model, const Dataset& training, const TrainOptions& options) {
  const Schedule& schedule = options.schedule;
  Fields fields = {{"data", training.name},
                   {"pictures", training.count},
                   {"batch", options.batch},
                   {"seed", std::int64_t(options.seed)},
                   {"optimizer", options.optimizer},
                   {"schedule", schedule_name(schedule.kind)},
                   {"lr", schedule.start},
                   {"lr_floor", schedule.floor},
                   {"decay", schedule.decay},
                   {"decay_steps", schedule.period},
                   {"schedule_total", schedule.total},
                   {"clip", options.clip},
                   {"shift", std::int64_t(options.max_shift)},
                   {"validation", options.validation},
                   {"model", model.name()}};
  for (const auto& [key, value] : parse_json_object(model.config()))
    fields.emplace_back("model." + key, value);
  return fields;
}

void check_same_recipe(const std::string& path, const Fields& before, const Fields& now) {
  for (const auto& [name, value] : now) {
    const FieldValue* old = find(before, name);
    if (!old || value_text(*old) != value_text(value))
      throw Error(path, "the run was started with another " + name,
                  (old ? value_text(*old) : "none") + " then, " + value_text(value) + " now",
                  "resume with what it was started with, or start a new run");
  }
}

void write_reconstructions(const std::string& path, Model& model, const Dataset& data,
                           std::span<const std::int64_t> indices, Tape& tape) {
  const std::int64_t columns = std::min<std::int64_t>(16, std::int64_t(indices.size()));
  if (path.empty() || columns == 0 || (data.channels != 1 && data.channels != 3))
    return;
  const Tensor sheet(Shape{2 * columns, data.height, data.width, data.channels});
  for (std::int64_t i = 0; i < columns; ++i) {
    const std::int64_t spread = i * std::int64_t(indices.size()) / columns;
    data.copy_image(indices[std::size_t(spread)], sheet.rows(i, i + 1).data());
  }
  tape.reset();
  const Outputs outputs = model.forward(tape, sheet.rows(0, columns), {}, Mode::evaluation);
  if (outputs.reconstruction.empty())
    return;
  std::copy_n(outputs.reconstruction.data(), columns * data.image_size(),
              sheet.rows(columns, 2 * columns).data());
  write_png(path, contact_sheet(sheet, columns));
}

} // namespace mereo

// The files of a run.
#pragma once

#include "io/file.h"
#include "report/event_file.h"
#include "train/checkpoint.h"

#include <memory>

namespace mereo {

/// A run folder, locked against other processes; one without a path writes nothing.
class RunFolder {
public:
  RunFolder() = default;
  /// Makes the folder of a new run. Throws Error when a run is in it already, or on its way.
  static RunFolder create(const std::string& directory);
  /// A run to be continued. Throws Error when there is none, or it has not stopped.
  static RunFolder open(const std::string& directory);

  bool writes() const { return !directory_.empty(); }
  std::string last() const { return path("last.safetensors"); }
  std::string best() const { return path("best.safetensors"); }
  std::string pictures() const { return path("reconstructions.png"); }

  /// config.json, a line a field.
  void write_config(const Fields& config);
  void append_history(const Fields& line);
  /// Forgets all lines after the first count of them; returns how many there are then.
  std::int64_t keep_history(std::int64_t count);
  /// Writes lines of history to an event file, too, from now on, after so many steps; the lines
  /// that are there already, if they are in none.
  void start_events(std::int64_t steps);
  /// report.html and curves.png anew.
  void write_report() const;

private:
  explicit RunFolder(const std::string& directory) : directory_(directory) {}
  /// Locks the folder and removes what killed processes left in it.
  void enter();
  std::string path(const char* file) const;

  std::string directory_;
  std::shared_ptr<Descriptor> lock_;
  std::shared_ptr<EventFile> events_; // null: none
};

Fields history_line(const EpochResult& epoch);
Fields history_line(const TrainProgress& progress);

/// Pictures of the data set as the view has them over what the model makes of them, as PNG; nothing
/// when the model makes no pictures, or of another number of channels than 1 or 3.
void write_reconstructions(const std::string& path, Model& model, const Dataset& data,
                           const View& view, std::span<const std::int64_t> indices, Tape& tape);

} // namespace mereo

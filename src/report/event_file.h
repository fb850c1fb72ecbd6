// Event files, as TensorBoard reads them: records of TFRecord's frame, each an Event of protobuf
// (tensorboard/compat/proto: event.proto, summary.proto).
#pragma once

#include "io/file.h"

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace mereo {

/// CRC-32C, Castagnoli (RFC 3720, section 12.1).
std::uint32_t crc32c(std::string_view bytes);

/// The length and its checksum, the bytes and theirs.
std::string record_frame(std::string_view bytes);

using Scalar = std::pair<std::string, double>; // tag and value

/// A file to which one process adds. A folder with several of them is one run.
class EventFile {
public:
  /// Makes folder/events.out.tfevents.SECONDS.MICROSECONDS.mereo. What other files of the folder
  /// have of next_step and later no longer counts. Throws Error when it cannot be written.
  EventFile(const std::string& folder, std::int64_t next_step);

  /// Appends one event, in a single write. Values that are not finite are left out.
  void add(std::int64_t step, std::span<const Scalar> scalars);

  /// Whether the folder has such a file.
  static bool any_in(const std::string& folder);

private:
  void append(const std::string& event);

  std::string path_;
  std::unique_ptr<Descriptor> file_;
};

} // namespace mereo

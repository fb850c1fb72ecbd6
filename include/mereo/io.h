// Floor 4: tensors, pictures and lines of JSON, in and out of files.
//
// Every reader treats its file as hostile: a claim in a header is checked before it is believed,
// and whatever is wrong becomes an Error that names the file. Every writer of a whole file replaces
// the old one in a single step or leaves it as it was.
#pragma once

#include <mereo/tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace mereo {

// --- whole files

/// The whole file; Error when it cannot be read or is longer than limit bytes.
std::string read_file(const std::string& path, std::int64_t limit = std::int64_t{1} << 32);

/// The whole file, unpacked when it starts as gzip does. limit bounds the unpacked bytes.
std::string read_plain_or_gzip(const std::string& path, std::int64_t limit = std::int64_t{1} << 32);

/// Writes path.tmp-<process id>, flushes it to the disk, and renames it to path. When any step
/// fails (a full disk, say), the temporary file is removed, a previous file stays, and Error names
/// the path and the system's reason.
void write_file_atomically(const std::string& path, std::string_view bytes);

// --- safetensors (https://huggingface.co/docs/safetensors: the format)

/// Named tensors in the order of the file, and text about them.
struct TensorFile {
  std::map<std::string, std::string> metadata;
  std::vector<std::pair<std::string, Tensor>> tensors;

  /// Null when there is no tensor of that name.
  const Tensor* find(std::string_view name) const;
  /// Throws Error when there is no tensor of that name.
  const Tensor& get(std::string_view name) const;
};

/// Reads F32 and F64 tensors into the number type of this build; all of it or Error.
TensorFile read_safetensors(const std::string& path);

/// Only the metadata, without reading the tensors.
std::map<std::string, std::string> read_safetensors_metadata(const std::string& path);

/// Writes F32 (F64 in the double build) as write_file_atomically does. The data starts at a
/// multiple of 64 bytes. Throws Error for a name given twice, and for an empty tensor.
void write_safetensors(const std::string& path, const TensorFile& file);

// --- pictures

/// 8-bit pixels, (height, width, channels), channels last: 1 is grey, 3 is RGB.
struct Image {
  std::int64_t height = 0, width = 0, channels = 0;
  std::vector<std::uint8_t> pixels;
};

/// Reads PNG or JPEG. channels: 1 grey, 3 RGB, 0 as the file has it; alpha is dropped.
Image read_image(const std::string& path, int channels = 0);

/// Area average where it shrinks, bilinear where it grows, each axis on its own.
Image resize_image(const Image& image, std::int64_t height, std::int64_t width);

/// (H, W, C), pixels divided by 255.
Tensor image_tensor(const Image& image);

/// The inverse of image_tensor for (H, W) or (H, W, C), C 1 or 3: clamped to [0, 1] and rounded;
/// NaN is black.
Image tensor_image(const Tensor& pixels);

/// Writes (H, W) or (H, W, C) in [0, 1] as PNG, with write_file_atomically.
void write_png(const std::string& path, const Tensor& pixels);
/// The same of bytes. Throws Error unless there are height * width * channels, and 1 or 3 channels.
void write_png(const std::string& path, const Image& image);

/// Pictures (N, H, W, C) side by side in rows of columns, padding pixels of the given grey between
/// and around them: (rows*(H+padding)+padding, columns*(W+padding)+padding, C).
Tensor contact_sheet(const Tensor& images, std::int64_t columns, std::int64_t padding = 1,
                     real grey = real(0.5));

// --- lines of JSON

/// One flat JSON object, in order. A number is read as int64 when it is written as one, otherwise
/// as double. A double that is not finite is written as null, and null is read as NaN; true and
/// false are read as 1 and 0.
using FieldValue = std::variant<double, std::int64_t, std::string>;
using Fields = std::vector<std::pair<std::string, FieldValue>>;

/// Null when there is no field of that name.
const FieldValue* find(const Fields& fields, std::string_view name);

/// "{"a": 1, "b": "text"}" on one line.
std::string to_json(const Fields& fields);

/// Throws Error unless the text is one object of numbers, strings, booleans and nulls, each name
/// once.
Fields parse_json_object(std::string_view text);

/// Appends one line to a file, made if need be, in a single write. When an earlier crash left an
/// incomplete last line, that is cut off first.
void append_json_line(const std::string& path, const Fields& fields);

/// All complete lines; a last line without its end is what a crash leaves and is dropped. A missing
/// file has no lines. Throws Error with the line number for one that does not parse.
std::vector<Fields> read_json_lines(const std::string& path);

/// Keeps the first count lines (a run resumed from an earlier checkpoint forgets what came after).
void truncate_json_lines(const std::string& path, std::int64_t count);

} // namespace mereo

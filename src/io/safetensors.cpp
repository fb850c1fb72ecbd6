// The safetensors format: an 8-byte little-endian length, a JSON header of that length, raw data.
// The header maps a name to {"dtype", "shape", "data_offsets": [begin, end]}, relative to the data;
// "__metadata__" maps strings to strings. Blanks may follow the JSON, nothing may precede it. The
// data must be covered without holes or overlap.
#include "io/file.h"
#include "io/json.h"

#include <mereo/io.h>

#include <algorithm>
#include <bit>
#include <set>
#include <type_traits>

namespace mereo {

namespace {

static_assert(std::endian::native == std::endian::little, "the file's numbers are little-endian");

constexpr std::int64_t length_bytes = 8;
constexpr std::int64_t header_limit = std::int64_t{1} << 24;
constexpr const char* metadata_name = "__metadata__";
constexpr const char* dtype = sizeof(real) == 4 ? "F32" : "F64";

struct Entry {
  std::string name;
  Shape shape;
  std::int64_t begin, end, element_bytes;
};

struct Header {
  std::map<std::string, std::string> metadata;
  std::vector<Entry> entries; // in the order of the data
  std::int64_t data_begin = 0;
};

std::int64_t whole_number(const Json& value, const std::string& path, const std::string& name) {
  // Beyond 2^60 sums and products could overflow; no file is that long.
  const auto* number = value.get<std::uint64_t>();
  if (!number || *number > (std::uint64_t{1} << 60))
    throw Error(path, "a size or offset is not a sensible whole number", name);
  return std::int64_t(*number);
}

/// Null when there is no such member, or it is of another kind.
template <class Kind> const Kind* member(const Json::Object& object, const char* name) {
  for (const JsonMember& m : object)
    if (m.name == name)
      return m.value.get<Kind>();
  return nullptr;
}

Entry parse_entry(const std::string& path, const std::string& name, const Json& value) {
  const auto wrong = [&](const char* what) { return Error(path, what, "tensor " + name); };
  const auto* object = value.get<Json::Object>();
  const auto* type = object ? member<std::string>(*object, "dtype") : nullptr;
  const auto* shape = object ? member<Json::List>(*object, "shape") : nullptr;
  const auto* offsets = object ? member<Json::List>(*object, "data_offsets") : nullptr;
  if (!type || !shape || !offsets || object->size() != 3)
    throw wrong("a tensor needs dtype, shape and data_offsets, and nothing else");
  Entry entry;
  entry.name = name;
  if (*type == "F32")
    entry.element_bytes = 4;
  else if (*type == "F64")
    entry.element_bytes = 8;
  else
    throw wrong("the number type is neither F32 nor F64");
  if (shape->size() > std::size_t(Shape::max_rank))
    throw wrong("the shape is not a list of at most six sizes");
  std::vector<std::int64_t> sizes;
  for (const Json& size : *shape)
    sizes.push_back(whole_number(size, path, name));
  try {
    entry.shape = Shape(sizes);
  } catch (const Error& error) {
    throw Error(path, error.problem, "tensor " + name + ": " + error.values);
  }
  if (offsets->size() != 2)
    throw wrong("data_offsets is not a pair");
  entry.begin = whole_number((*offsets)[0], path, name);
  entry.end = whole_number((*offsets)[1], path, name);
  // Elements times bytes could overflow where dividing cannot.
  const std::int64_t bytes = entry.end - entry.begin;
  if (bytes < 0 || bytes % entry.element_bytes != 0 ||
      bytes / entry.element_bytes != entry.shape.elements())
    throw wrong("data_offsets contradict the shape");
  return entry;
}

/// The data must be exactly what the tensors cover, one after another.
void check_cover(const std::string& path, std::vector<Entry>& entries, std::int64_t data_bytes) {
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
  });
  std::int64_t end = 0;
  for (const Entry& entry : entries) {
    if (entry.begin != end)
      throw Error(path, entry.begin < end ? "tensors overlap" : "there is a hole between tensors",
                  "tensor " + entry.name);
    end = entry.end;
  }
  if (end != data_bytes)
    throw Error(path, end > data_bytes ? "the file ends too early" : "the file is too long",
                "tensors take " + std::to_string(end) + " bytes, the file has " +
                    std::to_string(data_bytes));
}

Header read_header(int descriptor, const std::string& path, std::int64_t file_bytes) {
  if (file_bytes < length_bytes)
    throw Error(path, "is too short for a safetensors file");
  std::uint64_t length = 0;
  read_exactly(descriptor, path, &length, length_bytes, 0);
  if (length > std::uint64_t(std::min(header_limit, file_bytes - length_bytes)))
    throw Error(path, "the header's length is beyond the file or the limit",
                std::to_string(length) + " bytes", "is it a safetensors file?");
  std::string text(length, '\0');
  read_exactly(descriptor, path, text.data(), length, length_bytes);
  const Json json = parse_json(text, path, 3);
  const auto* members = json.get<Json::Object>();
  if (!members)
    throw Error(path, "the header is not a JSON object");
  if (text[0] != '{' || text.find_first_not_of(' ', text.rfind('}') + 1) != text.npos)
    throw Error(path, "something other than blanks surrounds the header");

  Header header;
  header.data_begin = length_bytes + std::int64_t(length);
  for (const auto& [name, value] : *members) {
    if (name != metadata_name) {
      header.entries.push_back(parse_entry(path, name, value));
      continue;
    }
    const auto* metadata = value.get<Json::Object>();
    if (!metadata)
      throw Error(path, "__metadata__ is not a JSON object");
    for (const auto& [key, text_value] : *metadata) {
      if (!text_value.get<std::string>())
        throw Error(path, "metadata must be text", key);
      header.metadata[key] = *text_value.get<std::string>();
    }
  }
  check_cover(path, header.entries, file_bytes - header.data_begin);
  return header;
}

/// Reads count numbers of type File, converting a piece at a time when real is another type.
template <class File>
void read_values(int descriptor, const std::string& path, std::int64_t offset, real* out,
                 std::int64_t count) {
  if constexpr (std::is_same_v<File, real>) {
    read_exactly(descriptor, path, out, std::size_t(count) * sizeof(File), offset);
  } else {
    File piece[4096];
    for (std::int64_t i = 0; i < count; i += std::ssize(piece)) {
      const auto n = std::min<std::int64_t>(count - i, std::ssize(piece));
      read_exactly(descriptor, path, piece, std::size_t(n) * sizeof(File),
                   offset + i * std::int64_t(sizeof(File)));
      for (std::int64_t k = 0; k < n; ++k)
        out[i + k] = real(piece[k]);
    }
  }
}

std::string header_text(const std::string& path, const TensorFile& file) {
  std::string text = "{";
  const auto begin = [&](const std::string& name) {
    text += (text.back() == '{' ? "" : ",") + quote_json(name, path) + ":";
  };
  if (!file.metadata.empty()) {
    begin(metadata_name);
    text += "{";
    for (const auto& [key, value] : file.metadata) {
      begin(key);
      text += quote_json(value, path);
    }
    text += "}";
  }
  std::set<std::string> names{metadata_name};
  std::int64_t offset = 0;
  for (const auto& [name, tensor] : file.tensors) {
    if (tensor.empty())
      throw Error(path, "an empty tensor cannot be saved", name);
    if (!names.insert(name).second)
      throw Error(path, "two tensors have one name", name);
    begin(name);
    text += std::string(R"({"dtype":")") + dtype + R"(","shape":[)";
    for (int axis = 0; axis < tensor.shape().rank(); ++axis)
      text += (axis ? "," : "") + std::to_string(tensor.shape()[axis]);
    const std::int64_t end = offset + tensor.elements() * std::int64_t(sizeof(real));
    text += R"(],"data_offsets":[)" + std::to_string(offset) + "," + std::to_string(end) + "]}";
    offset = end;
  }
  text += "}";
  const std::size_t past = (text.size() + length_bytes) % alignment;
  if (past != 0)
    text.append(alignment - past, ' ');
  if (std::int64_t(text.size()) > header_limit)
    throw Error(path, "the header is too large to save");
  return text;
}

} // namespace

const Tensor* TensorFile::find(std::string_view name) const {
  for (const auto& [key, tensor] : tensors)
    if (key == name)
      return &tensor;
  return nullptr;
}

const Tensor& TensorFile::get(std::string_view name) const {
  if (const Tensor* tensor = find(name))
    return *tensor;
  throw Error("TensorFile", "there is no tensor of this name", std::string(name));
}

TensorFile read_safetensors(const std::string& path) {
  std::int64_t bytes = 0;
  const Descriptor descriptor(open_to_read(path, bytes));
  Header header = read_header(descriptor.get(), path, bytes);
  TensorFile file;
  file.metadata = std::move(header.metadata);
  for (Entry& entry : header.entries) {
    Tensor tensor(entry.shape);
    const auto read = entry.element_bytes == 4 ? read_values<float> : read_values<double>;
    read(descriptor.get(), path, header.data_begin + entry.begin, tensor.data(),
         entry.shape.elements());
    file.tensors.emplace_back(std::move(entry.name), std::move(tensor));
  }
  return file;
}

std::map<std::string, std::string> read_safetensors_metadata(const std::string& path) {
  std::int64_t bytes = 0;
  const Descriptor descriptor(open_to_read(path, bytes));
  return read_header(descriptor.get(), path, bytes).metadata;
}

void write_safetensors(const std::string& path, const TensorFile& file) {
  const std::string header = header_text(path, file);
  const std::uint64_t length = header.size();
  AtomicFile out(path);
  out.write(&length, length_bytes);
  out.write(header.data(), header.size());
  for (const auto& [name, tensor] : file.tensors)
    out.write(tensor.data(), tensor.values().size_bytes());
  out.commit();
}

} // namespace mereo

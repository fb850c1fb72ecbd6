#include "io/mat.h"

#include "io/mat_source.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace mereo {

namespace {

static_assert(std::endian::native == std::endian::little, "the file's numbers are little-endian");

enum Type : std::uint32_t {
  mi_int8 = 1,
  mi_uint8,
  mi_int16,
  mi_uint16,
  mi_int32,
  mi_uint32,
  mi_single,
  mi_double = 9,
  mi_int64 = 12,
  mi_uint64,
  mi_matrix,
  mi_compressed
};
constexpr std::uint8_t struct_class = 2, first_numeric = 6, uint8_class = 9, last_numeric = 15;
constexpr std::uint32_t complex_flag = 0x800;

/// Type and size of an element whose bytes come next.
struct Tag {
  std::uint32_t type, size;
  bool small;

  explicit Tag(MatSource& source) {
    source.read(&type, 4);
    small = type >> 16 != 0;
    if (small) {
      size = type >> 16;
      type &= 0xffff;
      if (size > 4)
        source.fail("an element of up to 4 bytes has more", std::to_string(size));
    } else {
      source.read(&size, 4);
    }
  }
  /// After the bytes.
  std::int64_t padding() const { return small ? 4 - size : (8 - size % 8) % 8; }
};

/// Of one number.
std::int64_t width(MatSource& source, std::uint32_t type) {
  switch (type) {
  case mi_int8:
  case mi_uint8:
    return 1;
  case mi_int16:
  case mi_uint16:
    return 2;
  case mi_int32:
  case mi_uint32:
  case mi_single:
    return 4;
  case mi_double:
  case mi_int64:
  case mi_uint64:
    return 8;
  default:
    source.fail("numbers are of an unknown type", std::to_string(type));
  }
}

double number(const std::uint8_t* at, std::uint32_t type) {
  const auto as = [&]<class Number>(Number value) {
    std::memcpy(&value, at, sizeof value);
    return double(value);
  };
  switch (type) {
  case mi_int8:
    return as(std::int8_t());
  case mi_uint8:
    return as(std::uint8_t());
  case mi_int16:
    return as(std::int16_t());
  case mi_uint16:
    return as(std::uint16_t());
  case mi_int32:
    return as(std::int32_t());
  case mi_uint32:
    return as(std::uint32_t());
  case mi_single:
    return as(float());
  case mi_double:
    return as(double());
  case mi_int64:
    return as(std::int64_t());
  default:
    return as(std::uint64_t());
  }
}

/// The bytes of an element that is expected to be of this type and no longer than this.
std::string read_short(MatSource& source, std::uint32_t type, std::uint32_t most,
                       const char* what) {
  const Tag tag(source);
  if (tag.type != type || tag.size > most)
    source.fail(std::string("there is no ") + what,
                "type " + std::to_string(tag.type) + ", " + std::to_string(tag.size) + " bytes");
  std::string bytes(tag.size, '\0');
  source.read(bytes.data(), bytes.size());
  source.skip(tag.padding());
  return bytes;
}

/// What every array starts with.
struct Header {
  std::uint8_t kind = 0; // its class
  bool complex = false;
  std::vector<std::int64_t> sizes;
  std::string name;
  std::int64_t elements = 1;

  Header(MatSource& source, std::int64_t limit) {
    const std::string flags = read_short(source, mi_uint32, 8, "array's flags");
    if (flags.size() != 8)
      source.fail("an array's flags are not two numbers");
    std::uint32_t first = 0;
    std::memcpy(&first, flags.data(), 4);
    kind = std::uint8_t(first & 0xff);
    complex = (first & complex_flag) != 0;
    const std::string numbers = read_short(source, mi_int32, 4 * 32, "array's sizes");
    for (std::size_t i = 0; i + 4 <= numbers.size(); i += 4) {
      std::int32_t size = 0;
      std::memcpy(&size, &numbers[i], 4);
      // Divided, not multiplied, so that nothing can overflow.
      if (size < 0 || (size > 0 && elements > limit / size))
        source.fail("an array's size is out of range", std::to_string(size));
      elements *= size;
      sizes.push_back(size);
    }
    if (sizes.size() < 2)
      source.fail("an array has fewer than two sizes");
    name = read_short(source, mi_int8, 1 << 10, "array's name");
  }
};

MatArray read_numbers(MatSource& source, std::int64_t limit) {
  Header header(source, limit);
  if (header.kind < first_numeric || header.kind > last_numeric || header.complex)
    source.fail("a field is not an array of real numbers", "class " + std::to_string(header.kind));
  const Tag tag(source);
  const std::int64_t each = width(source, tag.type);
  const bool bytes = header.kind == uint8_class && tag.type == mi_uint8;
  // A number that is stored as a byte may take eight here.
  if (!bytes && header.elements > limit / std::int64_t(sizeof(double)))
    source.fail("an array of numbers is too large", std::to_string(header.elements));
  if (header.elements * each != std::int64_t(tag.size))
    source.fail("an array has not as many numbers as its sizes say",
                std::to_string(tag.size) + " bytes for " + std::to_string(header.elements) +
                    " numbers of " + std::to_string(each));
  MatArray array{std::move(header.sizes), {}, {}};
  constexpr std::int64_t piece = 1 << 20; // so that memory follows what is there
  std::vector<std::uint8_t> part;
  for (std::int64_t left = tag.size; left > 0; left -= std::int64_t(part.size())) {
    part.resize(std::size_t(std::min(left, piece)));
    source.read(part.data(), part.size());
    if (bytes)
      array.bytes.insert(array.bytes.end(), part.begin(), part.end());
    else
      for (std::size_t i = 0; i < part.size(); i += std::size_t(each))
        array.numbers.push_back(number(&part[i], tag.type));
  }
  source.skip(tag.padding());
  return array;
}

/// The fields' names, each in its part of a text of one length.
std::vector<std::string> read_names(MatSource& source) {
  const std::string length = read_short(source, mi_int32, 4, "length of the fields' names");
  std::int32_t each = 0;
  if (length.size() == 4)
    std::memcpy(&each, length.data(), 4);
  const std::string text = read_short(source, mi_int8, 1 << 16, "fields' names");
  if (each < 1 || text.size() % std::size_t(each) != 0)
    source.fail("the fields' names do not fit their length", std::to_string(each));
  std::vector<std::string> names;
  for (std::size_t at = 0; at < text.size(); at += std::size_t(each)) {
    const std::string padded = text.substr(at, std::size_t(each));
    names.push_back(padded.substr(0, padded.find('\0')));
  }
  return names;
}

/// The array of this name, if it is the one; false, and anything may be left of it, if not.
bool read_struct(MatSource& source, const std::string& variable,
                 const std::vector<std::string>& wanted, std::int64_t limit,
                 std::map<std::string, MatArray>& found) {
  const Header header(source, limit);
  if (header.name != variable)
    return false;
  if (header.kind != struct_class || header.elements != 1)
    source.fail(variable + " is not a struct", "class " + std::to_string(header.kind) + ", " +
                                                   std::to_string(header.elements) + " elements");
  for (const std::string& name : read_names(source)) {
    const Tag tag(source);
    if (tag.type != mi_matrix || tag.small)
      source.fail("field " + name + " is not an array", "type " + std::to_string(tag.type));
    if (std::ranges::count(wanted, name) > 0)
      found[name] = read_numbers(source, limit);
    else
      source.skip(std::int64_t(tag.size) + tag.padding());
    if (found.size() == wanted.size())
      break;
  }
  for (const std::string& name : wanted)
    if (!found.contains(name))
      source.fail(variable + " has no field of this name", name);
  return true;
}

void check_start(MatFile& source) {
  std::array<char, 128> start{};
  if (source.read_some(start.data(), start.size()) < start.size())
    source.fail("is too short for a MATLAB file");
  const std::string text(start.data(), 116), kind(&start[126], 2);
  if (text.starts_with("MATLAB 7.3"))
    throw Error(source.path, "is a MATLAB file of version 7.3, which is not read", {},
                "save it with -v7");
  if (kind == "MI")
    throw Error(source.path, "is a big-endian MATLAB file, which is not read");
  if (kind != "IM" || start[125] != 1)
    source.fail("is not a MATLAB file of version 5");
}

} // namespace

std::map<std::string, MatArray> read_mat_struct(const std::string& path,
                                                const std::string& variable,
                                                const std::vector<std::string>& fields,
                                                std::int64_t limit) {
  MatFile file(path);
  check_start(file);
  std::map<std::string, MatArray> found;
  for (;;) {
    std::array<std::uint32_t, 2> tag{};
    const std::size_t got = file.read_some(tag.data(), sizeof tag);
    if (got == 0)
      file.fail("there is no variable of this name", variable);
    if (got < sizeof tag)
      file.fail("the MATLAB file ends too early");
    const auto [type, size] = tag;
    MatPart part(file, size);
    bool done = false;
    if (type == mi_compressed) {
      MatInflated inflated(part);
      const Tag inner(inflated);
      if (inner.type != mi_matrix || inner.small)
        file.fail("a variable is not an array", "type " + std::to_string(inner.type));
      done = read_struct(inflated, variable, fields, limit, found);
      if (done) // of any other it would be a waste of time, perhaps of much
        inflated.finish();
    } else if (type == mi_matrix) {
      done = read_struct(part, variable, fields, limit, found);
    } else {
      file.fail("a variable is not an array", "type " + std::to_string(type));
    }
    if (done)
      return found;
    part.skip(part.left() + (type == mi_matrix ? (8 - size % 8) % 8 : 0));
  }
}

} // namespace mereo

// MATLAB files of version 5: structs of arrays, as the set affNIST has them.
//
// After a header of 128 bytes come elements: a type and a number of bytes, 32 bits each, then the
// bytes, padded to a multiple of 8. Up to 4 bytes share the first 8 with their type and number, 16
// bits each. A variable is an element of elements; a compressed one is such an element in a zlib
// stream (MathWorks, "MAT-File Format", level 5).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace mereo {

/// An array of numbers, column by column.
struct MatArray {
  std::vector<std::int64_t> sizes;
  std::vector<std::uint8_t> bytes; // of an array of uint8
  std::vector<double> numbers;     // of any other
};

/// The named fields of a struct, which is a variable of the file; all other fields are skipped.
/// Memory grows with what is read, not with what headers promise. Throws Error, naming the file,
/// unless each field is there as an array of real numbers that takes up to `limit` bytes here.
std::map<std::string, MatArray> read_mat_struct(const std::string& path,
                                                const std::string& variable,
                                                const std::vector<std::string>& fields,
                                                std::int64_t limit = std::int64_t{1} << 30);

} // namespace mereo

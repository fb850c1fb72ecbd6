// Reading fields of a flat JSON object that must be there.
#pragma once

#include <mereo/io.h>

namespace mereo {

/// Each throws Error when the field is missing or of another kind.
std::int64_t whole_field(const Fields& fields, const char* name);
double number_field(const Fields& fields, const char* name);
std::string text_field(const Fields& fields, const char* name);

/// The value as JSON writes it; equal texts are equal values.
std::string value_text(const FieldValue& value);

/// Not a number when there is no such field, or it is text.
double number_or_nan(const Fields& fields, std::string_view name);

} // namespace mereo

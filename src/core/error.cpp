#include <mereo/core.h>

#include <algorithm>
#include <utility>

namespace mereo {

static std::string one_line(const std::string& where, const std::string& problem,
                            const std::string& values, const std::string& hint) {
  std::string line = where.empty() ? problem : where + ": " + problem;
  if (!values.empty())
    line += " [" + values + "]";
  if (!hint.empty())
    line += " (" + hint + ")";
  // The name of a file may hold what ends a line, or tells a terminal what to do.
  std::ranges::replace_if(
      line, [](char c) { return (c >= 0 && c < ' ') || c == 127; }, '?');
  return line;
}

Error::Error(std::string where_, std::string problem_, std::string values_, std::string hint_)
    : std::runtime_error(one_line(where_, problem_, values_, hint_)), where(std::move(where_)),
      problem(std::move(problem_)), values(std::move(values_)), hint(std::move(hint_)) {}

} // namespace mereo

#include "models/largest.h"

#include <mereo/models.h>

#include <algorithm>

namespace mereo {

namespace {

void check_rows(const char* where, std::span<const std::int32_t> predicted,
                std::span<const std::int32_t> labels, std::int64_t count) {
  if (count < 1 || predicted.size() != labels.size() || std::ssize(labels) % count != 0)
    throw Error(where, "predictions and labels are not as many",
                std::to_string(predicted.size()) + " and " + std::to_string(labels.size()) + ", " +
                    std::to_string(count) + " an image");
}

} // namespace

void predictions(const Variable& scores, std::vector<std::int32_t>& out, std::int64_t count) {
  const Shape& shape = scores.shape();
  if (shape.rank() != 2 || count < 1 || shape[1] < count)
    throw Error("predictions", "not scores of so many classes",
                shape.text() + ", " + std::to_string(count) + " wanted", "they are (B, classes)");
  out.clear();
  for (std::int64_t b = 0; b < shape[0]; ++b)
    append_largest(scores.data() + b * shape[1], shape[1], count, out);
}

void match_labels(std::vector<std::int32_t>& predicted, std::span<const std::int32_t> labels,
                  std::int64_t count) {
  check_rows("match_labels", predicted, labels, count);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto row = predicted.begin() + std::ptrdiff_t(i) / count * count;
    const auto found = std::find(row, row + count, labels[i]);
    if (found != row + count)
      std::swap(*found, predicted[i]);
  }
}

std::int64_t count_wrong(std::span<const std::int32_t> predicted,
                         std::span<const std::int32_t> labels, std::int64_t count) {
  check_rows("count_wrong", predicted, labels, count);
  std::int64_t wrong = 0;
  for (std::size_t i = 0; i < labels.size(); i += std::size_t(count))
    wrong += !std::equal(&labels[i], &labels[i] + count, &predicted[i]);
  return wrong;
}

} // namespace mereo

#include "data/streams.h"

#include <mereo/data.h>
#include <mereo/random.h>

#include <algorithm>
#include <map>
#include <numeric>

namespace mereo {

namespace {

struct Share {
  std::vector<std::int64_t> members; // of one class
  std::int64_t chosen = 0, remainder = 0;
};

/// Gives each class chosen = count * members / total, the ones left over to the largest remainders.
void apportion(std::vector<Share>& shares, std::int64_t count, std::int64_t total) {
  std::int64_t left = count;
  for (Share& share : shares) {
    const std::int64_t scaled = count * std::int64_t(share.members.size());
    share.chosen = scaled / total;
    share.remainder = scaled % total;
    left -= share.chosen;
  }
  std::vector<Share*> order;
  for (Share& share : shares)
    order.push_back(&share);
  std::stable_sort(order.begin(), order.end(),
                   [](const Share* a, const Share* b) { return a->remainder > b->remainder; });
  for (std::int64_t i = 0; i < left; ++i)
    ++order[std::size_t(i)]->chosen;
}

} // namespace

std::vector<std::int64_t> all_indices(std::int64_t count) {
  std::vector<std::int64_t> indices(std::size_t(std::max<std::int64_t>(0, count)));
  std::iota(indices.begin(), indices.end(), 0);
  return indices;
}

TrainValidation carve_validation(const std::vector<std::int32_t>& labels, std::int64_t count,
                                 std::uint64_t seed) {
  const auto total = std::int64_t(labels.size());
  if (count < 0 || count >= total || total > (std::int64_t{1} << 31))
    throw Error("carve_validation", "the validation part must be smaller than the training set",
                std::to_string(count) + " of " + std::to_string(total));
  std::map<std::int32_t, std::vector<std::int64_t>> by_class;
  for (std::int64_t i = 0; i < total; ++i)
    by_class[labels[std::size_t(i)]].push_back(i);
  std::vector<Share> shares;
  for (auto& [label, members] : by_class)
    shares.push_back({std::move(members)});
  apportion(shares, count, total);

  TrainValidation result;
  for (std::size_t c = 0; c < shares.size(); ++c) {
    auto& members = shares[c].members;
    Random random(seed, stream_of(Purpose::validation, 0, std::int64_t(c)));
    // The first steps of a Fisher-Yates shuffle: the front is a random choice.
    for (std::int64_t i = 0; i < shares[c].chosen; ++i) {
      const auto rest = std::uint32_t(std::int64_t(members.size()) - i);
      std::swap(members[std::size_t(i)], members[std::size_t(i + random.below(rest))]);
    }
    const auto middle = members.begin() + std::ptrdiff_t(shares[c].chosen);
    result.validation.insert(result.validation.end(), members.begin(), middle);
    result.train.insert(result.train.end(), middle, members.end());
  }
  std::sort(result.train.begin(), result.train.end());
  std::sort(result.validation.begin(), result.validation.end());
  return result;
}

} // namespace mereo

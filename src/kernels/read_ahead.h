// Cache lines that will be packed next, fetched by the register tiles that run before.
#pragma once

#include "core/range.h"
#include "kernels/table.h"

#include <algorithm>

namespace mereo {

/// Packing reads each element once, from the third level cache or from memory, and would wait for
/// it. The tiles between two packings have a load to spare in every step, so each of them asks for
/// its share of what comes next.
class ReadAhead {
public:
  /// The most rows announced at once, and the most lines a tile is given.
  static constexpr std::int64_t limit = 512;

  /// where[i][offset ... offset + elements), i < count <= limit, will be wanted after `tiles`
  /// tiles.
  void announce(const real* const* where, std::int64_t count, std::int64_t offset,
                std::int64_t elements, std::int64_t tiles) {
    std::copy_n(where, count, rows_);
    count_ = count;
    offset_ = offset;
    lines_ = ceiling(elements, line);
    share_ = std::min(limit, ceiling(count * lines_, tiles));
    row_ = at_ = 0;
  }

  /// Gives a tile its share.
  void give(GemmTile& tile) {
    tile.ahead_count = take();
    tile.ahead = list_;
  }

  /// Fetches a share at once: for a second list beside the one that is given.
  void fetch() {
    const std::int64_t count = take();
    for (std::int64_t i = 0; i < count; ++i)
      __builtin_prefetch(list_[i], 0, 2);
  }

private:
  std::int64_t take() {
    std::int64_t given = 0;
    while (given < share_ && row_ < count_) {
      const std::int64_t end = std::min(lines_, at_ + share_ - given);
      for (; at_ < end; ++at_)
        list_[given++] = rows_[row_] + offset_ + at_ * line;
      if (at_ == lines_) {
        ++row_;
        at_ = 0;
      }
    }
    return given;
  }

  static constexpr std::int64_t line = 64 / std::int64_t(sizeof(real));

  const real* rows_[limit];
  const real* list_[limit];
  std::int64_t count_ = 0, offset_ = 0, lines_ = 0, share_ = 0, row_ = 0, at_ = 0;
};

} // namespace mereo

#include "data/pieces.h"

#include "data/streams.h"

#include <mereo/random.h>

#include <algorithm>
#include <set>

namespace mereo {

void draw_pieces(const Dataset& data, std::span<const std::int64_t> pool, std::uint64_t seed,
                 std::int64_t epoch, std::int64_t index, std::span<Piece> out) {
  Random random(seed, stream_of(Purpose::piece, epoch, index));
  const auto label = [&](std::int64_t i) { return data.labels.at(std::size_t(i)); };
  const auto move = [&] {
    return std::int64_t(random.below(std::uint32_t(2 * data.max_move + 1))) - data.max_move;
  };
  for (std::size_t l = 0; l < out.size(); ++l) {
    const auto taken = [&](std::int64_t i) {
      return std::any_of(out.begin(), out.begin() + std::ptrdiff_t(l),
                         [&](const Piece& piece) { return label(piece.index) == label(i); });
    };
    std::int64_t chosen = index;
    while (taken(chosen))
      chosen = pool[random.below(std::uint32_t(pool.size()))];
    out[l].index = chosen;
    out[l].dy = move();
    out[l].dx = move();
  }
}

void check_classes(const Dataset& data, std::span<const std::int64_t> pool) {
  std::set<std::int32_t> classes;
  for (const std::int64_t i : pool)
    classes.insert(data.labels.at(std::size_t(i)));
  if (std::ssize(classes) < data.labels_per_image)
    throw Error("data set " + data.name, "these pictures are of fewer classes than an image shows",
                std::to_string(pool.size()) + " pictures of " + std::to_string(classes.size()) +
                    " classes, " + std::to_string(data.labels_per_image) + " in an image");
}

void lay_over(std::span<const real> over, real* picture) {
  for (std::size_t i = 0; i < over.size(); ++i)
    picture[i] = std::min(real(1), picture[i] + over[i]);
}

} // namespace mereo

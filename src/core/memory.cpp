#include <mereo/core.h>
#include <mereo/memory.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <unistd.h>

#if defined(__linux__)
#include <sys/mman.h>
#endif

// Under AddressSanitizer everything that the arena has not handed out is poisoned, with a gap
// between neighbours, so that a kernel that runs past its array is caught although the block goes
// on.
#if defined(__SANITIZE_ADDRESS__)
#define MEREO_POISON_ARENA
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MEREO_POISON_ARENA
#endif
#endif
#if defined(MEREO_POISON_ARENA)
#include <sanitizer/asan_interface.h>
#endif

namespace mereo {

namespace {

constexpr std::size_t huge_page = std::size_t(2) << 20;
constexpr std::size_t huge_from = 2 * huge_page;
constexpr std::size_t smallest_block = std::size_t(1) << 16;
constexpr std::size_t largest = std::numeric_limits<std::ptrdiff_t>::max() - 2 * huge_page;

std::size_t round_up(std::size_t bytes, std::size_t multiple) {
  return (bytes + multiple - 1) / multiple * multiple;
}

[[noreturn]] void out_of_memory(std::size_t bytes) {
  throw Error("memory", "cannot allocate", std::to_string((bytes >> 20) + 1) + " MiB",
              "try a smaller batch");
}

#if defined(MEREO_POISON_ARENA)
constexpr std::size_t gap = alignment;
void poison(const std::byte* from, std::size_t bytes) {
  __asan_poison_memory_region(from, bytes);
}
void unpoison(const std::byte* from, std::size_t bytes) {
  __asan_unpoison_memory_region(from, bytes);
}
#else
constexpr std::size_t gap = 0;
void poison(const std::byte*, std::size_t) {}
void unpoison(const std::byte*, std::size_t) {}
#endif

} // namespace

void AlignedDelete::operator()(std::byte* bytes) const noexcept {
  std::free(bytes);
}

AlignedBytes allocate_aligned(std::size_t bytes) {
  if (bytes > largest)
    out_of_memory(bytes);
  const bool huge = bytes >= huge_from;
  const std::size_t boundary = huge ? huge_page : alignment;
  const std::size_t size = round_up(std::max<std::size_t>(bytes, 1), boundary);
  void* memory = std::aligned_alloc(boundary, size);
  if (!memory)
    out_of_memory(bytes);
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  if (huge)
    madvise(memory, size, MADV_HUGEPAGE); // a wish: that it is not granted is no error
#endif
  return AlignedBytes(static_cast<std::byte*>(memory));
}

std::size_t Arena::checked_bytes(std::size_t count, std::size_t size) {
  if (count > largest / size)
    out_of_memory(std::numeric_limits<std::size_t>::max());
  return count * size;
}

std::int64_t physical_memory() {
#ifdef _SC_PHYS_PAGES
  const std::int64_t pages = sysconf(_SC_PHYS_PAGES), bytes = sysconf(_SC_PAGESIZE);
  if (pages > 0 && bytes > 0)
    return pages * bytes;
#endif
  return std::numeric_limits<std::int64_t>::max();
}

void* Arena::allocate(std::size_t bytes) {
  if (bytes > largest)
    out_of_memory(bytes);
  const std::size_t size = round_up(bytes, alignment) + gap;
  while (current_ < blocks_.size() && blocks_[current_].size - offset_ < size) {
    blocks_[current_].used = offset_;
    ++current_;
    offset_ = 0;
  }
  if (current_ == blocks_.size())
    add_block(std::max({size, capacity(), smallest_block}));
  std::byte* memory = blocks_[current_].bytes.get() + offset_;
  unpoison(memory, bytes);
  offset_ += size;
  peak_ = std::max(peak_, used());
  return memory;
}

void Arena::add_block(std::size_t size) {
  blocks_.reserve(blocks_.size() + 1);
  blocks_.push_back({allocate_aligned(size), size, 0});
  poison(blocks_.back().bytes.get(), size);
}

void Arena::release(Mark mark) {
  current_ = mark.block;
  offset_ = mark.offset;
  if (gap == 0)
    return;
  for (std::size_t b = current_; b < blocks_.size(); ++b) {
    const std::size_t kept = b == current_ ? offset_ : 0;
    poison(blocks_[b].bytes.get() + kept, blocks_[b].size - kept);
  }
}

void Arena::reset() {
  if (blocks_.size() > 1) {
    blocks_.clear(); // before asking for more, so that both are never held at once
    current_ = offset_ = 0;
    add_block(peak_);
  }
  release({0, 0});
}

std::size_t Arena::used() const {
  std::size_t bytes = offset_;
  for (std::size_t b = 0; b < current_; ++b)
    bytes += blocks_[b].used;
  return bytes;
}

std::size_t Arena::capacity() const {
  std::size_t bytes = 0;
  for (const Block& block : blocks_)
    bytes += block.size;
  return bytes;
}

} // namespace mereo

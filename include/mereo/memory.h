// Floor 1: 64-byte aligned memory, and an arena that forgets everything at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <vector>

namespace mereo {

/// Every buffer starts on a cache line, which is also the widest vector register.
inline constexpr std::size_t alignment = 64;

struct AlignedDelete {
  void operator()(std::byte* bytes) const noexcept;
};

/// Owned, aligned, uninitialised bytes. Large ones are backed by huge pages where the system has
/// them.
using AlignedBytes = std::unique_ptr<std::byte[], AlignedDelete>;

/// Throws Error when the memory is not to be had.
AlignedBytes allocate_aligned(std::size_t bytes);

/// Bump allocator. Memory is handed out aligned and uninitialised, and taken back all at once by
/// reset(), or back to a mark by release(). It keeps its memory, so a loop that needs the same
/// amount each time stops allocating after the first two rounds. Not thread-safe: take what the
/// threads need before they start.
class Arena {
public:
  struct Mark {
    std::size_t block, offset;
  };

  Arena() = default;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  void* allocate(std::size_t bytes);

  /// count elements of a type that needs no destructor.
  template <class T> T* allocate_array(std::size_t count) {
    static_assert(std::is_trivially_destructible_v<T>, "the arena never runs destructors");
    return static_cast<T*>(allocate(checked_bytes(count, sizeof(T))));
  }

  Mark mark() const { return {current_, offset_}; }
  /// Gives back everything allocated since mark.
  void release(Mark mark);
  /// Gives back everything, and joins the blocks into one of the size of the peak.
  void reset();

  /// Bytes handed out now.
  std::size_t used() const;
  /// The most bytes handed out since the arena was made.
  std::size_t peak() const { return peak_; }
  /// Bytes held.
  std::size_t capacity() const;

private:
  struct Block {
    AlignedBytes bytes;
    std::size_t size;
    std::size_t used; // once a later block is the current one
  };
  void add_block(std::size_t size);
  static std::size_t checked_bytes(std::size_t count, std::size_t size);

  std::vector<Block> blocks_;
  std::size_t current_ = 0, offset_ = 0, peak_ = 0;
};

/// Bytes of memory that this machine has; the largest number where that is not known.
std::int64_t physical_memory();

/// Gives back at the end of a scope what was allocated within it.
class ArenaScope {
public:
  explicit ArenaScope(Arena& arena) : arena_(arena), mark_(arena.mark()) {}
  ~ArenaScope() { arena_.release(mark_); }
  ArenaScope(const ArenaScope&) = delete;
  ArenaScope& operator=(const ArenaScope&) = delete;

private:
  Arena& arena_;
  Arena::Mark mark_;
};

} // namespace mereo

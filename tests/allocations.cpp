#include "allocations.h"

#include <atomic>
#include <cstddef>
#include <cstdlib>

namespace {

std::atomic<std::int64_t> count = 0, blocks = 0;
std::atomic<std::int64_t> left = 0; // until the one that fails; 0 and below: failing, if armed
std::atomic<bool> armed = false, failed = false, keeps_failing = false;

bool refuse() {
  count.fetch_add(1, std::memory_order_relaxed);
  if (!armed)
    return false;
  const std::int64_t number = left.fetch_sub(1);
  const bool fails = keeps_failing ? number <= 1 : number == 1;
  if (fails)
    failed = true;
  return fails;
}

void* noted(void* memory) {
  if (memory)
    ++blocks;
  return memory;
}

} // namespace

#ifdef __APPLE__ // its linker cannot wrap
#define REAL(function) std::function
#else
#define REAL(function) __real_##function
extern "C" {
void* __real_malloc(std::size_t);
void* __real_calloc(std::size_t, std::size_t);
void* __real_realloc(void*, std::size_t);
void* __real_aligned_alloc(std::size_t, std::size_t);
void __real_free(void*);

void* __wrap_malloc(std::size_t bytes) {
  return refuse() ? nullptr : noted(__real_malloc(bytes));
}
void* __wrap_calloc(std::size_t items, std::size_t bytes) {
  return refuse() ? nullptr : noted(__real_calloc(items, bytes));
}
void* __wrap_realloc(void* memory, std::size_t bytes) {
  if (refuse())
    return nullptr;
  void* moved = __real_realloc(memory, bytes);
  return memory ? moved : noted(moved);
}
void* __wrap_aligned_alloc(std::size_t boundary, std::size_t bytes) {
  return refuse() ? nullptr : noted(__real_aligned_alloc(boundary, bytes));
}
void __wrap_free(void* memory) {
  if (memory)
    --blocks;
  __real_free(memory);
}
}
#endif

namespace {

void* allocate(std::size_t bytes, std::size_t boundary) {
  bytes = bytes ? bytes : 1;
  void* memory = nullptr;
  if (!refuse())
    memory = boundary > alignof(std::max_align_t)
                 ? REAL(aligned_alloc)(boundary, (bytes + boundary - 1) / boundary * boundary)
                 : REAL(malloc)(bytes);
  if (!memory)
    throw std::bad_alloc();
  return noted(memory);
}

void release(void* memory) {
  if (memory)
    --blocks;
  REAL(free)(memory);
}

} // namespace

// The array forms call these; so does the nothrow form, but not AddressSanitizer's. Not inline, or
// gcc sees a free() of what new returned and warns.
#define REPLACED [[gnu::noinline]]
REPLACED void* operator new(std::size_t bytes) {
  return allocate(bytes, 0);
}
REPLACED void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  try {
    return allocate(bytes, 0);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
REPLACED void* operator new(std::size_t bytes, std::align_val_t boundary) {
  return allocate(bytes, std::size_t(boundary));
}
REPLACED void operator delete(void* memory) noexcept {
  release(memory);
}
REPLACED void operator delete(void* memory, std::size_t) noexcept {
  release(memory);
}
REPLACED void operator delete(void* memory, std::align_val_t) noexcept {
  release(memory);
}
REPLACED void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  release(memory);
}

namespace allocations {

std::int64_t made() {
  return count;
}

std::int64_t held() {
  return blocks;
}

void fail(std::int64_t n, Failing failing) {
  left = n;
  failed = false;
  keeps_failing = failing == Failing::one_and_all_after;
  armed = true;
}

bool stop_failing() {
  armed = false;
  return failed;
}

} // namespace allocations

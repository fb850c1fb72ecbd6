// The allocations of this test program: counted, and failing on request. Replaced are operator new
// and, where the linker can wrap functions (see Makefile), malloc's family as the library calls it.
#pragma once

#include <mereo/core.h>

#include <cstdint>
#include <doctest/doctest.h>
#include <new>
#include <string>

namespace allocations {

/// Whether they are counted, which ThreadSanitizer's own operator new prevents.
#if defined(__SANITIZE_THREAD__)
inline constexpr bool counted = false;
#elif defined(__has_feature)
inline constexpr bool counted = !__has_feature(thread_sanitizer);
#else
inline constexpr bool counted = true;
#endif

/// Made so far, by any thread.
std::int64_t made();
/// Made and not yet freed.
std::int64_t held();

enum class Failing { one, one_and_all_after };

/// From now on the n-th allocation fails, n from 1.
void fail(std::int64_t n, Failing failing);
/// No allocation fails from now on. Whether one did.
bool stop_failing();

/// Calls body() with its first, second, third, ... allocation failing until none is left to fail.
/// Such a call must throw std::bad_alloc or Error, or do without, and return what a call without
/// failures does; in any case it must hold nothing afterwards. Returns how many calls failed.
template <class Body>
std::int64_t fail_in_turn(Failing failing, const Body& body, std::int64_t stride = 1) {
  const auto wanted = body(); // makes what is made once, too
  for (std::int64_t n = 1;; n += stride) {
    auto result = wanted;
    std::string strange;
    const std::int64_t before = held(); // doctest, too, has memory
    fail(n, failing);
    try {
      result = body();
    } catch (const std::bad_alloc&) {
    } catch (const mereo::Error&) {
    } catch (const std::exception& error) {
      stop_failing();
      strange = error.what();
    }
    const bool failed = stop_failing();
    const std::int64_t after = held();
    CAPTURE(n);
    REQUIRE(strange == "");
    REQUIRE(result == wanted);
    REQUIRE(after == before);
    if (!failed)
      return (n - 1) / stride;
  }
}

} // namespace allocations

// Errors, memory, random numbers, parallel loops, and the choice of an instruction set.
#include "core/parallel.h"
#include "core/philox.h"
#include "kernels/table.h"

#include <mereo/core.h>
#include <mereo/isa.h>
#include <mereo/memory.h>
#include <mereo/random.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>
#include <set>
#include <vector>

using namespace mereo;

namespace {

/// The error that body throws.
template <class Body> Error error_of(const Body& body) {
  try {
    body();
  } catch (const Error& error) {
    return error;
  }
  FAIL("no error was thrown");
  return Error("", "");
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// Restores the number of threads and the instruction set.
struct Settings {
  int count = threads();
  std::string set = isa();
  ~Settings() {
    set_threads(count);
    set_isa(set);
  }
};

bool aligned(const void* p) {
  return reinterpret_cast<std::uintptr_t>(p) % alignment == 0;
}

} // namespace

// ---- errors -------------------------------------------------------------------------------------

TEST_CASE("an error reads where: problem [values] (hint), and keeps its parts") {
  const Error error("dense", "the shapes do not match", "(2, 3) and (4, 5)", "transpose one");
  CHECK(std::string(error.what()) ==
        "dense: the shapes do not match [(2, 3) and (4, 5)] (transpose one)");
  CHECK(error.where == "dense");
  CHECK(error.problem == "the shapes do not match");
  CHECK(error.values == "(2, 3) and (4, 5)");
  CHECK(error.hint == "transpose one");
  CHECK(std::string(Error("dense", "no weights").what()) == "dense: no weights");
  CHECK(std::string(Error("a\nb\x1b[31m\x7f\xc3\xa9", "is no file").what()) ==
        "a?b?[31m?\xc3\xa9: is no file");
  CHECK(std::string(Error("dense", "no weights", "", "load some").what()) ==
        "dense: no weights (load some)");
}

// ---- memory -------------------------------------------------------------------------------------

TEST_CASE("allocations are aligned, writable to the end, and may be empty") {
  for (std::size_t bytes : {0u, 1u, 63u, 64u, 65u, 4096u, 5u << 20}) {
    CAPTURE(bytes);
    const AlignedBytes memory = allocate_aligned(bytes);
    CHECK(aligned(memory.get()));
    std::memset(memory.get(), 1, bytes);
  }
}

TEST_CASE("memory that is not to be had is an error that names the size") {
  const std::size_t everything = std::numeric_limits<std::size_t>::max();
  const Error error = error_of([&] { allocate_aligned(everything / 2); });
  CHECK(contains(error.values, "MiB"));
  CHECK(!error.hint.empty());
  Arena arena;
  CHECK_THROWS_AS(arena.allocate(everything - 1), Error);
  CHECK_THROWS_AS(arena.allocate_array<double>(everything / 4), Error); // count * 8 overflows
  CHECK(arena.used() == 0);
  CHECK(aligned(arena.allocate(10))); // and the arena is still good
}

TEST_CASE("an arena hands out aligned memory that does not overlap") {
  Arena arena;
  std::vector<std::pair<unsigned char*, std::size_t>> pieces;
  for (std::size_t i = 0; i < 200; ++i) {
    const std::size_t bytes = i * i * 7 % 40000;
    auto* memory = arena.allocate_array<unsigned char>(bytes);
    CHECK(aligned(memory));
    std::memset(memory, int(i), bytes);
    pieces.emplace_back(memory, bytes);
  }
  bool kept = true;
  for (std::size_t i = 0; i < pieces.size(); ++i)
    for (std::size_t k = 0; k < pieces[i].second; ++k)
      kept = kept && pieces[i].first[k] == (unsigned char)i;
  CHECK(kept);
  CHECK(arena.used() <= arena.capacity());
  CHECK(arena.used() == arena.peak());
}

TEST_CASE("an arena gives back to a mark, and joins its blocks on reset") {
  Arena arena;
  void* first = arena.allocate(1000);
  const std::size_t before = arena.used();
  {
    const ArenaScope scope(arena);
    for (int i = 0; i < 10; ++i)
      arena.allocate(100000); // several blocks
    CHECK(arena.used() >= 1000000);
  }
  CHECK(arena.used() == before);
  CHECK(arena.peak() >= 1001000);

  arena.reset();
  CHECK(arena.used() == 0);
  const std::size_t capacity = arena.capacity();
  CHECK(capacity >= 1001000);
  CHECK(capacity == arena.peak());
  for (int round = 0; round < 3; ++round) {
    first = arena.allocate(1000);
    for (int i = 0; i < 10; ++i)
      arena.allocate(100000);
    CHECK(arena.capacity() == capacity); // nothing new was needed
    arena.reset();
    CHECK(arena.allocate(1000) == first);
    arena.reset();
  }
}

TEST_CASE("an arena counts what it handed out, not what it skipped at the end of a block") {
  Arena arena;
  const std::size_t one = (arena.allocate(64), arena.used());
  for (int i = 0; i < 50; ++i)
    arena.allocate(30000);
  const std::size_t each = (arena.used() - one) / 50;
  CHECK(arena.used() == one + 50 * each);
  CHECK(each < 31000);
}

// ---- random numbers -----------------------------------------------------------------------------

TEST_CASE("Philox 4x32-10 gives the published answers") {
  // From the known-answer file of Random123: zeros, ones, the digits of pi.
  const std::uint32_t ones = 0xffffffff;
  CHECK(philox({0, 0, 0, 0}, 0) == Word4{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox({ones, ones, ones, ones}, ~std::uint64_t(0)) ==
        Word4{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0x299f31d0a4093822) ==
        Word4{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("a generator counts blocks below its stream, under its seed") {
  const std::uint64_t seed = 0x299f31d0a4093822, stream = 0x0370734413198a2e, block = 0x123456789;
  const Word4 words = philox({0x23456789, 1, 0x13198a2e, 0x03707344}, seed);
  Random random(seed, stream, block * 4);
  for (std::uint32_t word : words)
    CHECK(random.next() == word);
}

TEST_CASE("a generator continues from its seed, stream and position") {
  Random random(5, 9);
  for (int i = 0; i < 11; ++i) {
    Random copy(random.seed(), random.stream(), random.position());
    CHECK(copy.next() == random.next());
  }
  CHECK(random.position() == 11);
  CHECK(Random(5, 9).next() != Random(5, 10).next());
  CHECK(Random(5, 9).next() != Random(6, 9).next());
}

TEST_CASE("uniform numbers fill [0, 1), and below() every value evenly") {
  Random random(1);
  double sum = 0, least = 1, most = 0;
  const int count = 100000;
  for (int i = 0; i < count; ++i) {
    const double x = random.uniform();
    sum += x;
    least = std::min(least, x);
    most = std::max(most, x);
  }
  CHECK(least >= 0);
  CHECK(most < 1);
  CHECK(sum / count == doctest::Approx(0.5).epsilon(0.01)); // 5 standard errors
  std::vector<int> seen(7);
  for (int i = 0; i < count; ++i)
    ++seen.at(random.below(7));
  for (int n : seen)
    CHECK(std::abs(n - count / 7.0) < 5 * std::sqrt(count / 7.0));
  CHECK(random.below(1) == 0);
  // Two thirds of 2^32: without rejection the lower half would come up twice as often.
  int low = 0;
  for (int i = 0; i < count; ++i)
    low += random.below(0xaaaaaaaa) < 0x55555555;
  CHECK(std::abs(low - count / 2.0) < 5 * std::sqrt(count / 4.0));
}

TEST_CASE("normal numbers have mean 0 and variance 1, and truncated ones stay within 2") {
  Random random(2);
  const int count = 100000;
  double sum = 0, squares = 0, farthest = 0;
  for (int i = 0; i < count; ++i) {
    const double x = random.normal();
    sum += x;
    squares += x * x;
    farthest = std::max(farthest, std::abs(random.truncated_normal()));
  }
  CHECK(std::abs(sum / count) < 5 / std::sqrt(count));
  CHECK(squares / count == doctest::Approx(1).epsilon(0.03));
  CHECK(farthest <= 2);
  CHECK(farthest > 1.99);
}

// ---- parallel loops -----------------------------------------------------------------------------

TEST_CASE("a parallel loop runs every iteration once, on any number of threads") {
  const Settings restore;
  for (int count : {1, 2, 7})
    for (std::int64_t size : {0, 1, 5, 1000}) {
      set_threads(count);
      std::vector<std::atomic<int>> runs(std::size_t(size) + 1);
      std::atomic<bool> indexed = true;
      parallel_for(size, [&](std::int64_t i) {
        ++runs[std::size_t(i)];
        if (thread_index() < 0 || thread_index() >= count)
          indexed = false;
      });
      CHECK(indexed);
      CHECK(std::count(runs.begin(), runs.end() - 1, 1) == size);
      CHECK(thread_index() == 0);
    }
}

TEST_CASE("chunks cover a range in order and do not depend on the number of threads") {
  const Settings restore;
  std::set<std::vector<std::pair<std::int64_t, std::int64_t>>> seen;
  for (int count : {1, 3, 8}) {
    set_threads(count);
    std::vector<std::pair<std::int64_t, std::int64_t>> bounds(4);
    parallel_chunks(103, 30, [&](std::int64_t begin, std::int64_t end) {
      bounds[std::size_t(begin / 30)] = {begin, end};
    });
    seen.insert(bounds);
  }
  REQUIRE(seen.size() == 1);
  using Bounds = std::vector<std::pair<std::int64_t, std::int64_t>>;
  CHECK(*seen.begin() == Bounds{{0, 30}, {30, 60}, {60, 90}, {90, 103}});
}

TEST_CASE("an exception in a parallel loop reaches the caller, and the loop can run again") {
  const Settings restore;
  for (int count : {1, 2, 7}) {
    set_threads(count);
    const Error error = error_of([] {
      parallel_for(100, [](std::int64_t i) {
        if (i == 37)
          throw Error("body", "thirty-seven");
      });
    });
    CHECK(error.problem == "thirty-seven");
    std::atomic<int> runs = 0;
    parallel_for(10, [&](std::int64_t) { ++runs; });
    CHECK(runs == 10);
  }
}

TEST_CASE("a loop within a loop stays on its thread and keeps its index") {
  const Settings restore;
  set_threads(3);
  std::atomic<bool> kept = true;
  std::atomic<int> runs = 0;
  parallel_for(20, [&](std::int64_t) {
    const int outer = thread_index();
    parallel_for(5, [&](std::int64_t) {
      ++runs;
      if (thread_index() != outer)
        kept = false;
    });
    if (thread_index() != outer)
      kept = false;
  });
  CHECK(kept);
  CHECK(runs == 100);
}

TEST_CASE("the number of threads starts at one or more and is checked") {
  const Settings restore;
  CHECK(threads() >= 1);
  set_threads(3);
  CHECK(threads() == 3);
  for (int wrong : {0, -1, 1025}) {
    const Error error = error_of([&] { set_threads(wrong); });
    CHECK(error.values == std::to_string(wrong));
  }
  CHECK(threads() == 3);
}

// ---- instruction sets ---------------------------------------------------------------------------

TEST_CASE("every available instruction set can be chosen, and the reference is the last") {
  const Settings restore;
  const std::vector<std::string> names = available_isas();
  CHECK(names.back() == "reference");
  for (const std::string& name : names) {
    set_isa(name);
    CHECK(isa() == name);
    CHECK(&kernels() == &kernels(name.c_str()));
  }
}

TEST_CASE("an unknown instruction set is an error that lists the available ones") {
  const std::string before = isa();
  const Error error = error_of([] { set_isa("mmx"); });
  CHECK(error.where == "set_isa");
  CHECK(error.values == "mmx");
  for (const std::string& name : available_isas())
    CHECK(contains(error.hint, name));
  CHECK_THROWS_AS(kernels(""), Error);
  CHECK(isa() == before);
}

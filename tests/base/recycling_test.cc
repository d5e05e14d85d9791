#include "weir/recycling.h"

#include <atomic>
#include <cstddef>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "base/text_arena.h"
#include "tests/support/allocations.h"
#include "tests/support/catch.h"

namespace weir {
namespace {

// On the shelf until a test takes them, so that what was given before is known.
void Empty() { recycling::Clear(); }

TEST_CASE("a block that is given is taken again") {
  Empty();
  for (const size_t size : {1, 64, 65, 80, 81, 1000, 4096, 4097, 65536}) {
    void* first = recycling::Take(size);
    std::memset(first, 'x', size);
    recycling::Give(first, size);
    void* second = recycling::Take(size);
    CHECK(second == first);
    recycling::Give(second, size);
  }
  Empty();
}

TEST_CASE("a block is as large as what it is taken for") {
  Empty();
  for (size_t size = 1; size <= recycling::kMostBytes + 4096; size += size / 7 + 1) {
    void* block = recycling::Take(size);
    CHECK(reinterpret_cast<uintptr_t>(block) % alignof(std::max_align_t) == 0);
    std::memset(block, 'x', size);  // a sanitizer would tell
    recycling::Give(block, size);
    // Whoever gets the block for another size may write all of that.
    void* smaller = recycling::Take(size - size / 16);
    std::memset(smaller, 'y', size - size / 16);
    recycling::Give(smaller, size - size / 16);
  }
  Empty();
}

TEST_CASE("the shelf is bounded, and has no large blocks") {
  const auto kept = [](size_t size) {
    Empty();
    std::vector<void*> taken(1000);
    const int64_t before = testing::LiveAllocationsOfThisThread();
    for (void*& block : taken) block = recycling::Take(size);
    for (void* block : taken) recycling::Give(block, size);
    return testing::LiveAllocationsOfThisThread() - before;
  };
  for (const size_t size : {1, 120}) CHECK(kept(size) == 16);
  for (const size_t size : {121, 1000, 4088}) CHECK(kept(size) == 4);
  CHECK(kept(recycling::kMostBytes) == 1);
  CHECK(kept(recycling::kMostBytes + 1) == 0);
  Empty();
}

TEST_CASE("threads never share a block") {
  Empty();
  constexpr int kThreads = 4, kRounds = 20000;
  std::vector<std::thread> threads;
  std::atomic<int> torn{0};
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&torn, thread] {
      const char mine = static_cast<char>('a' + thread);
      for (int round = 0; round < kRounds; ++round) {
        const size_t size = 64 + static_cast<size_t>(round % 5) * 300;
        auto* block = static_cast<char*>(recycling::Take(size));
        std::memset(block, mine, size);
        for (size_t i = 0; i < size; i += 63) torn += block[i] == mine ? 0 : 1;
        recycling::Give(block, size);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(torn == 0);
  Empty();
}

TEST_CASE("kept texts stay where they are") {
  TextArena arena;
  std::vector<std::string> texts;
  std::vector<std::string_view> kept;
  for (size_t i = 0; i < 300; ++i) {
    texts.push_back(std::string(i * 37 % 1500, static_cast<char>('a' + i % 26)));
    kept.push_back(arena.Keep(texts.back()));
  }
  for (size_t i = 0; i < texts.size(); ++i) CHECK(kept[i] == texts[i]);
  TextArena moved = std::move(arena);
  CHECK(kept.back() == texts.back());
  moved.Clear();
  CHECK(moved.Keep("again") == "again");
}

}  // namespace
}  // namespace weir

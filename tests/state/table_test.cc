#include "state/table.h"

#include <atomic>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/random.h"
#include "tests/support/catch.h"

namespace weir::state {
namespace {

struct Item {
  uint64_t value;
  uint64_t live;  // not idle while this is not 0
};

bool IsIdle(const Item& item) { return item.live == 0; }
bool NeverIdle(const Item&) { return false; }
uint64_t ReadValue(const Item& item) {
  return std::atomic_ref(const_cast<uint64_t&>(item.value)).load(std::memory_order_acquire);
}

std::unique_ptr<Segment> MakeSegment() {
  auto segment = Segment::CreatePrivate({.bytes = size_t{32} << 20});
  REQUIRE(segment.ok());
  return *std::move(segment);
}

Table<Item> OpenItems(Segment* segment, uint32_t capacity) {
  auto table = Table<Item>::Open(segment, "items", capacity);
  REQUIRE(table.ok());
  return *table;
}

Hash128 Key(uint64_t number) {
  Random random(number);
  const uint64_t hi = random.Next();
  return {hi, random.Next()};
}

TEST_CASE("a key keeps its slot, and its slot starts zeroed") {
  auto segment = MakeSegment();
  const auto table = OpenItems(segment.get(), 16);
  const Hash128 key = Key(1);
  CHECK_FALSE(table.Find(key));
  const auto slot = table.FindOrClaim(key, NeverIdle);
  REQUIRE(slot);
  REQUIRE(table.Lock(*slot, key));
  CHECK(table.at(*slot).value == 0);
  table.at(*slot).value = 7;
  table.Unlock(*slot);
  CHECK(table.Find(key) == slot);
  CHECK(table.FindOrClaim(key, NeverIdle) == slot);
  CHECK(table.ReadUnlocked(*slot, key, ReadValue) == 7);
  CHECK_FALSE(table.ReadUnlocked(*slot, Key(2), ReadValue));
  CHECK_FALSE(table.ReadUnlocked(table.slots(), key, ReadValue));
  CHECK_FALSE(table.Lock(*slot, Key(2)));
  CHECK_FALSE(table.Lock(table.slots(), key));
  CHECK_FALSE(table.Lock(UINT32_MAX, key));
}

TEST_CASE("finding and locking in one step, or by a guess, ends at the slot that Find tells") {
  auto segment = MakeSegment();
  for (const uint32_t capacity : {1U, 7U, 8U, 9U, 100U, 500U, 3000U}) {
    auto opened = Table<Item>::Open(segment.get(), std::to_string(capacity), capacity);
    REQUIRE(opened.ok());
    const Table<Item>& table = *opened;
    for (uint64_t i = 0; i < capacity; ++i) REQUIRE(table.FindOrClaim(Key(i), NeverIdle));
    uint64_t wrong = 0;
    for (uint64_t i = 0; i < 2 * capacity; ++i) {
      const Hash128 key = Key(i);
      const auto slot = table.Find(key);
      wrong += slot.has_value() != (i < capacity);
      const uint32_t home = table.Prefetch(key);
      const uint32_t guess = table.Guess(key, home);
      wrong += slot && guess >= table.slots();
      const auto locked = table.FindAndLock(key, home);
      wrong += static_cast<bool>(locked) != slot.has_value();
      if (locked) {
        wrong += locked.number() != slot || table.holder(*slot) == 0;
        wrong += &locked.payload() != &table.at(*slot) || &locked.tag() != &table.tag(*slot);
        locked.Unlock();
      }
      // A guess is any slot; whether it is the key's, its lock tells.
      wrong += !slot && table.LockSlot(guess, key);
    }
    for (uint32_t slot = 0; slot < table.slots(); ++slot) wrong += table.holder(slot) != 0;
    CHECK(wrong == 0);
  }
}

TEST_CASE("the all-zero key is a key like any other") {
  auto segment = MakeSegment();
  const auto table = OpenItems(segment.get(), 4);
  CHECK_FALSE(table.Find({0, 0}));
  const auto slot = table.FindOrClaim({0, 0}, NeverIdle);
  REQUIRE(slot);
  CHECK(table.Lock(*slot, {0, 0}));
  table.Unlock(*slot);
  CHECK(table.FindOrClaim({0, 0}, NeverIdle) == slot);
}

TEST_CASE("a small table holds exactly as many keys as it has slots") {
  for (const uint32_t capacity : {1u, 2u, 7u, 128u}) {
    auto segment = MakeSegment();
    const auto table = OpenItems(segment.get(), capacity);
    std::set<uint32_t> slots;
    for (uint64_t i = 0; i < capacity; ++i) {
      const auto slot = table.FindOrClaim(Key(i), NeverIdle);
      REQUIRE(slot);
      slots.insert(*slot);
    }
    CHECK(slots.size() == capacity);
    uint32_t looked_at = 0;
    CHECK_FALSE(table.FindOrClaim(Key(capacity), [&](const Item&) {
      ++looked_at;
      return false;
    }));
    CHECK(looked_at == capacity);
    for (uint64_t i = 0; i < capacity; ++i) CHECK(table.Find(Key(i)));
  }
}

TEST_CASE("a large table finds room for as many live keys as it promises") {
  auto segment = MakeSegment();
  constexpr uint32_t kCapacity = 20000;
  const auto table = OpenItems(segment.get(), kCapacity);
  for (uint64_t i = 0; i < kCapacity; ++i) REQUIRE(table.FindOrClaim(Key(i), NeverIdle));
  for (uint64_t i = 0; i < kCapacity; ++i) REQUIRE(table.Find(Key(i)));
}

TEST_CASE("only idle slots are taken over, and the new key sees zeroes") {
  auto segment = MakeSegment();
  const auto table = OpenItems(segment.get(), 8);
  for (uint64_t i = 0; i < 8; ++i) {
    const auto slot = table.FindOrClaim(Key(i), IsIdle);
    REQUIRE(slot);
    REQUIRE(table.Lock(*slot, Key(i)));
    table.at(*slot) = {.value = i + 100, .live = 1};
    table.Unlock(*slot);
  }
  CHECK_FALSE(table.FindOrClaim(Key(8), IsIdle));
  const auto third = table.Find(Key(3));
  REQUIRE(third);
  table.at(*third).live = 0;
  CHECK(table.FindOrClaim(Key(8), IsIdle) == third);
  CHECK(table.at(*third).value == 0);
  CHECK_FALSE(table.Find(Key(3)));
  CHECK_FALSE(table.Lock(*third, Key(3)));
  for (const uint64_t i : {0, 1, 2, 4, 5, 6, 7}) {
    const auto slot = table.Find(Key(i));
    REQUIRE(slot);
    CHECK(table.at(*slot).value == i + 100);
  }
}

TEST_CASE("churn of short-lived keys never loses a live one") {
  // The naive twin is a map of the live keys.
  auto segment = MakeSegment();
  const auto table = OpenItems(segment.get(), 600);
  std::map<uint64_t, uint64_t> live;
  Random random(5);
  for (uint64_t step = 0; step < 100000; ++step) {
    const uint64_t number = random.Below(2000);
    const auto found = live.find(number);
    if (found != live.end()) {
      const auto slot = table.Find(Key(number));
      REQUIRE(slot);
      REQUIRE(table.at(*slot).value == found->second);
      if (random.Below(2) == 0) {
        table.at(*slot).live = 0;
        live.erase(found);
      }
    } else if (live.size() < 600) {
      const auto slot = table.FindOrClaim(Key(number), IsIdle);
      REQUIRE(slot);
      table.at(*slot) = {.value = step, .live = 1};
      live[number] = step;
    }
  }
}

TEST_CASE("a table that exists keeps its capacity; another payload is refused") {
  auto segment = MakeSegment();
  const auto table = OpenItems(segment.get(), 1000);
  const auto slot = table.FindOrClaim(Key(1), NeverIdle);
  REQUIRE(slot);
  const auto again = OpenItems(segment.get(), 5);
  CHECK(again.capacity() == 1000);
  CHECK(again.Find(Key(1)) == slot);
  struct Other {
    uint64_t words[9];
  };
  CHECK(Table<Other>::Open(segment.get(), "items", 1000).status().code() ==
        absl::StatusCode::kFailedPrecondition);
  CHECK(Table<Item>::Open(segment.get(), "none", 0).status().code() ==
        absl::StatusCode::kInvalidArgument);
  CHECK(Table<Item>::Open(segment.get(), std::string(43, 'n'), 5).status().code() ==
        absl::StatusCode::kInvalidArgument);
}

TEST_CASE("a table that found no room can be opened smaller") {
  auto segment = MakeSegment();
  CHECK(Table<Item>::Open(segment.get(), "items", 1 << 26).status().code() ==
        absl::StatusCode::kResourceExhausted);
  CHECK(OpenItems(segment.get(), 100).capacity() == 100);
}

TEST_CASE("threads claiming the same new keys never make two slots of one") {
  auto segment = MakeSegment();
  constexpr int kThreads = 8;
  constexpr uint64_t kKeys = 3000;
  const auto table = OpenItems(segment.get(), kKeys);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (uint64_t i = 0; i < kKeys; ++i) {
        const auto slot = table.FindOrClaim(Key(i), NeverIdle);
        if (!slot || !table.Lock(*slot, Key(i))) continue;
        ++table.at(*slot).value;
        table.Unlock(*slot);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (uint64_t i = 0; i < kKeys; ++i) {
    const auto slot = table.Find(Key(i));
    REQUIRE(slot);
    REQUIRE(table.at(*slot).value == kThreads);
  }
}

TEST_CASE("threads that take slots from each other never touch another key's payload") {
  auto segment = MakeSegment();
  constexpr int kThreads = 8;
  constexpr uint64_t kKeys = 64;
  const auto table = OpenItems(segment.get(), 16);
  std::atomic<int> foreign{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      Random random(static_cast<uint64_t>(t));
      for (int i = 0; i < 20000; ++i) {
        const uint64_t number = random.Below(kKeys) + 1;
        const auto slot = table.FindOrClaim(Key(number), IsIdle);
        if (!slot || !table.Lock(*slot, Key(number))) continue;
        Item& item = table.at(*slot);
        if (item.value != 0 && item.value != number) ++foreign;
        item.value = number;
        item.live = random.Below(2);
        table.Unlock(*slot);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(foreign == 0);
  std::set<uint32_t> slots;
  uint64_t found = 0;
  for (uint64_t number = 1; number <= kKeys; ++number) {
    if (const auto slot = table.Find(Key(number))) {
      ++found;
      slots.insert(*slot);
    }
  }
  CHECK(slots.size() == found);
}

TEST_CASE("a reader without a lock sees one key's words or none") {
  auto segment = MakeSegment();
  const auto table = OpenItems(segment.get(), 1);
  std::atomic<bool> stop{false};
  std::atomic<int> foreign{0};
  std::thread reader([&] {
    while (!stop.load()) {
      for (uint64_t number = 1; number <= 2; ++number) {
        const auto value = table.ReadUnlocked(0, Key(number), ReadValue);
        if (value && *value != 0 && *value != number) ++foreign;
      }
    }
  });
  for (int i = 0; i < 50000; ++i) {
    const uint64_t number = static_cast<uint64_t>(i % 2) + 1;
    const auto slot = table.FindOrClaim(Key(number), IsIdle);
    if (!slot || !table.Lock(*slot, Key(number))) continue;
    std::atomic_ref<uint64_t>(table.at(*slot).value).store(number, std::memory_order_release);
    table.Unlock(*slot);
  }
  stop = true;
  reader.join();
  CHECK(foreign == 0);
}

TEST_CASE("the spin lock excludes, also when there are more threads than processors") {
  LockWord word{0};
  const PrivateIdentity identity;
  uint64_t count = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 16; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 5000; ++i) {
        const LockHolder lock(word, identity);
        ++count;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(count == 16 * 5000);
  CHECK(TryLock(word, identity));
  CHECK_FALSE(TryLock(word, identity));
}

}  // namespace
}  // namespace weir::state

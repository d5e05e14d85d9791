// The segment's table against the map that one would use in one process: a mutex around
// absl::flat_hash_map. Both look a 128-bit key up, lock, and add one.

#include <benchmark/benchmark.h>

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/random.h"
#include "state/table.h"

namespace weir::state {
namespace {

struct Item {
  uint64_t value;
  uint64_t rest[12];  // the size of a limit's counter
};
constexpr uint32_t kMaxKeys = 1000000;

Hash128 Key(uint64_t number) {
  Random random(number);
  const uint64_t hi = random.Next();
  return {hi, random.Next()};
}

const std::vector<Hash128>& Keys() {
  static const auto* keys = [] {
    auto* made = new std::vector<Hash128>;
    for (uint64_t i = 0; i < kMaxKeys; ++i) made->push_back(Key(i));
    return made;
  }();
  return *keys;
}

struct Tables {
  Tables() {
    auto made = Segment::CreatePrivate({.bytes = size_t{512} << 20, .seed = 1});
    segment = *std::move(made);
    auto opened = Table<Item>::Open(segment.get(), "items", kMaxKeys);
    table = std::make_unique<Table<Item>>(*opened);
    for (const Hash128& key : Keys()) table->FindOrClaim(key, [](const Item&) { return false; });
  }
  std::unique_ptr<Segment> segment;
  std::unique_ptr<Table<Item>> table;
};

void TableFindLockAdd(benchmark::State& state) {
  static auto* tables = new Tables;
  const auto& table = *tables->table;
  const auto count = static_cast<uint64_t>(state.range(0));
  Random random(static_cast<uint64_t>(state.thread_index()));
  for (auto _ : state) {
    const Hash128 key = Keys()[random.Below(count)];
    const auto slot = table.Find(key);
    if (slot && table.Lock(*slot, key)) {
      ++table.at(*slot).value;
      table.Unlock(*slot);
    }
  }
}
BENCHMARK(TableFindLockAdd)
    ->ArgName("keys")
    ->Arg(1)
    ->Arg(1000)
    ->Arg(kMaxKeys)
    ->Threads(1)
    ->Threads(2);

void TableFindMiss(benchmark::State& state) {
  static auto* tables = new Tables;
  Random random(99);
  for (auto _ : state) {
    benchmark::DoNotOptimize(tables->table->Find({random.Next(), random.Next()}));
  }
}
BENCHMARK(TableFindMiss);

struct KeyHash {
  size_t operator()(const Hash128& key) const { return static_cast<size_t>(key.lo); }
};

void NeighbourMutexMapFindAdd(benchmark::State& state) {
  struct Map {
    std::mutex mutex;
    absl::flat_hash_map<Hash128, Item, KeyHash> items;
  };
  static auto* map = [] {
    auto* made = new Map;
    for (const Hash128& key : Keys()) made->items[key] = Item();
    return made;
  }();
  const auto count = static_cast<uint64_t>(state.range(0));
  Random random(static_cast<uint64_t>(state.thread_index()));
  for (auto _ : state) {
    const Hash128 key = Keys()[random.Below(count)];
    const std::lock_guard<std::mutex> lock(map->mutex);
    ++map->items.find(key)->second.value;
  }
}
BENCHMARK(NeighbourMutexMapFindAdd)
    ->ArgName("keys")
    ->Arg(1)
    ->Arg(1000)
    ->Arg(kMaxKeys)
    ->Threads(1)
    ->Threads(2);

}  // namespace
}  // namespace weir::state

// Reserve and settle against what a gateway has otherwise: a mutex around a hash map of token
// buckets in doubles, which limits by name but neither reserves nor refunds; and against one
// compare-and-swap on a line of its own, the floor of anything that threads share.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/random.h"
#include "base/text.h"
#include "weir/limits.h"

namespace weir::limits {
namespace {

constexpr size_t kManyKeys = 1000000;
constexpr int64_t kStepNs = 1000;  // of the clock that the workloads pass in

Rule MakeRule(Algorithm algorithm, const std::string& name) {
  return {.name = name, .algorithm = algorithm, .amount = uint64_t{1} << 50, .window_ns = kMinute};
}

struct Setup {
  explicit Setup(uint32_t counters) {
    auto made = state::Segment::CreatePrivate({.bytes = size_t{512} << 20, .seed = 1});
    segment = *std::move(made);
    auto created = Limiter::Create(
        segment.get(),
        {MakeRule(Algorithm::kSlidingWindow, "window"), MakeRule(Algorithm::kTokenBucket, "bucket"),
         MakeRule(Algorithm::kSlidingWindow, "requests")},
        {.max_counters = counters});
    limiter = *std::move(created);
  }
  std::unique_ptr<state::Segment> segment;
  std::unique_ptr<Limiter> limiter;
};

Limiter& Small() {
  static Setup* setup = new Setup(1024);
  return *setup->limiter;
}
Limiter& Large() {
  static Setup* setup = new Setup(kManyKeys);
  return *setup->limiter;
}

const std::vector<std::string>& Keys() {
  static const auto* keys = [] {
    auto* made = new std::vector<std::string>;
    for (size_t i = 0; i < kManyKeys; ++i) made->push_back("consumer-" + std::to_string(i));
    return made;
  }();
  return *keys;
}

// The neighbour.
class MutexMap {
 public:
  bool Take(std::string_view key, double cost, int64_t now_ns) {
    const std::lock_guard<std::mutex> lock(mutex_);
    auto found = buckets_.find(key);
    if (found == buckets_.end()) found = buckets_.emplace(std::string(key), Bucket()).first;
    Bucket& bucket = found->second;
    const double elapsed = static_cast<double>(now_ns - bucket.at_ns);
    bucket.level = std::min(kSize, bucket.level + elapsed * (kSize / static_cast<double>(kMinute)));
    bucket.at_ns = now_ns;
    if (bucket.level < cost) return false;
    bucket.level -= cost;
    return true;
  }

 private:
  static constexpr double kSize = 1e15;
  struct Bucket {
    double level = kSize;
    int64_t at_ns = 0;
  };
  std::mutex mutex_;
  absl::flat_hash_map<std::string, Bucket, StringHash, StringEq> buckets_;
};

MutexMap& Neighbour() {
  static auto* map = new MutexMap;
  return *map;
}

void ReserveAndSettle(Limiter& limiter, uint32_t rule, std::string_view key, Now now) {
  Reservation held;
  const Charge charge = {.rule = rule, .key = key, .cost = 100, .headroom = 50};
  benchmark::DoNotOptimize(limiter.Reserve({&charge, 1}, now, &held));
  const Actual actual = {.cost = 120, .headroom_used = 20};
  limiter.Settle(&held, {&actual, 1}, now);
}

Now Tick(int64_t& clock) { return {.mono_ns = clock += kStepNs, .unix_ns = 0}; }

void OneKeyReserveSettle(benchmark::State& state) {
  int64_t clock = 0;
  const auto rule = static_cast<uint32_t>(state.range(0));
  for (auto _ : state) ReserveAndSettle(Small(), rule, "team-red", Tick(clock));
}
BENCHMARK(OneKeyReserveSettle)->ArgName("bucket")->Arg(0)->Arg(1)->Threads(1)->Threads(2);

void OwnKeysReserveSettle(benchmark::State& state) {
  int64_t clock = 0;
  const std::string key = "team-" + std::to_string(state.thread_index());
  for (auto _ : state) ReserveAndSettle(Small(), 0, key, Tick(clock));
}
BENCHMARK(OwnKeysReserveSettle)->Threads(2);

void OneKeyTake(benchmark::State& state) {
  int64_t clock = 0;
  const Charge charge = {
      .rule = static_cast<uint32_t>(state.range(0)), .key = "team-red", .cost = 1};
  for (auto _ : state) benchmark::DoNotOptimize(Small().Take({&charge, 1}, Tick(clock)));
}
BENCHMARK(OneKeyTake)->ArgName("bucket")->Arg(0)->Arg(1)->Threads(1)->Threads(2);

void OneKeyRefused(benchmark::State& state) {
  const Charge charge = {.rule = 0, .key = "team-blue", .cost = uint64_t{1} << 50};
  Small().Take({&charge, 1}, {.mono_ns = kSecond, .unix_ns = 0});
  int64_t clock = kSecond;
  for (auto _ : state) benchmark::DoNotOptimize(Small().Take({&charge, 1}, Tick(clock)));
}
BENCHMARK(OneKeyRefused);

void ThreeLimitsReserveSettle(benchmark::State& state) {
  int64_t clock = 0;
  for (auto _ : state) {
    const Now now = Tick(clock);
    Reservation held;
    const Charge charges[] = {{.rule = 0, .key = "team-red", .cost = 100, .headroom = 50},
                              {.rule = 1, .key = "backend-a", .cost = 100},
                              {.rule = 2, .key = "team-red", .cost = 1}};
    benchmark::DoNotOptimize(Small().Reserve(charges, now, &held));
    const Actual actuals[] = {{.cost = 120, .headroom_used = 20}, {.cost = 90}, {.cost = 1}};
    Small().Settle(&held, actuals, now);
  }
}
BENCHMARK(ThreeLimitsReserveSettle);

void MillionKeysTake(benchmark::State& state) {
  const auto rule = static_cast<uint32_t>(state.range(0));
  if (state.thread_index() == 0) {
    for (const std::string& key : Keys()) {
      const Charge charge = {.rule = rule, .key = key, .cost = 1};
      Large().Take({&charge, 1}, {});
    }
  }
  Random random(static_cast<uint64_t>(state.thread_index()));
  int64_t clock = 0;
  for (auto _ : state) {
    const Charge charge = {.rule = rule, .key = Keys()[random.Below(kManyKeys)], .cost = 1};
    benchmark::DoNotOptimize(Large().Take({&charge, 1}, Tick(clock)));
  }
}
BENCHMARK(MillionKeysTake)->ArgName("bucket")->Arg(0)->Threads(1)->Threads(2);

void MillionKeysReserveSettle(benchmark::State& state) {
  if (state.thread_index() == 0) {
    for (const std::string& key : Keys()) {
      const Charge charge = {.rule = 0, .key = key, .cost = 1};
      Large().Take({&charge, 1}, {});
    }
  }
  Random random(static_cast<uint64_t>(state.thread_index()));
  int64_t clock = 0;
  for (auto _ : state) {
    ReserveAndSettle(Large(), 0, Keys()[random.Below(kManyKeys)], Tick(clock));
  }
}
BENCHMARK(MillionKeysReserveSettle)->Threads(1)->Threads(2);

void NeighbourMutexMapOneKey(benchmark::State& state) {
  int64_t clock = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(Neighbour().Take("team-red", 1, Tick(clock).mono_ns));
  }
}
BENCHMARK(NeighbourMutexMapOneKey)->Threads(1)->Threads(2);

void NeighbourMutexMapOwnKeys(benchmark::State& state) {
  int64_t clock = 0;
  const std::string key = "team-" + std::to_string(state.thread_index());
  for (auto _ : state) benchmark::DoNotOptimize(Neighbour().Take(key, 1, Tick(clock).mono_ns));
}
BENCHMARK(NeighbourMutexMapOwnKeys)->Threads(2);

void NeighbourMutexMapMillionKeys(benchmark::State& state) {
  if (state.thread_index() == 0) {
    for (const std::string& key : Keys()) Neighbour().Take(key, 1, 0);
  }
  Random random(static_cast<uint64_t>(state.thread_index()));
  int64_t clock = 0;
  for (auto _ : state) {
    const std::string& key = Keys()[random.Below(kManyKeys)];
    benchmark::DoNotOptimize(Neighbour().Take(key, 1, Tick(clock).mono_ns));
  }
}
BENCHMARK(NeighbourMutexMapMillionKeys)->Threads(1)->Threads(2);

void NeighbourUncontendedCas(benchmark::State& state) {
  struct alignas(64) Line {
    std::atomic<uint64_t> value{0};
  };
  static Line lines[64];
  std::atomic<uint64_t>& word = lines[state.thread_index()].value;
  for (auto _ : state) {
    uint64_t seen = word.load(std::memory_order_relaxed);
    benchmark::DoNotOptimize(word.compare_exchange_strong(seen, seen + 1));
  }
}
BENCHMARK(NeighbourUncontendedCas)->Threads(1)->Threads(2);

}  // namespace
}  // namespace weir::limits

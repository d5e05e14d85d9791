// Reserve and settle against what a gateway has otherwise: a mutex around a hash map of token
// buckets in doubles, which limits by name but neither reserves nor refunds; one 64-bit word that
// is a limiter by itself; and one compare-and-swap on a line of its own, the floor of anything that
// threads share. redis_neighbour.cc adds a script in a Redis.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <filesystem>
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

// Five, as a request has: consumer, team, product, backend, all.
std::vector<Rule> MakeRules() {
  Rule month = MakeRule(Algorithm::kCalendar, "month");
  month.window_ns = 0;
  return {MakeRule(Algorithm::kSlidingWindow, "window"),
          MakeRule(Algorithm::kTokenBucket, "bucket"),
          MakeRule(Algorithm::kSlidingWindow, "requests"), month,
          MakeRule(Algorithm::kTokenBucket, "backend")};
}

struct Setup {
  explicit Setup(uint32_t counters, const std::string& path = {}) {
    constexpr size_t kSmallBytes = size_t{4} << 20;
    const size_t bytes = counters > kManyKeys / 2 ? size_t{1} << 30 : kSmallBytes;
    auto made = path.empty() ? state::Segment::CreatePrivate({.bytes = bytes, .seed = 1})
                             : state::Segment::OpenFile(path, {.bytes = bytes, .seed = 1});
    segment = *std::move(made);
    auto created = Limiter::Create(segment.get(), MakeRules(), {.max_counters = counters});
    limiter = *std::move(created);
    if (!path.empty()) std::filesystem::remove(path);
  }
  std::unique_ptr<state::Segment> segment;
  std::unique_ptr<Limiter> limiter;
};

Limiter& Small() {
  static Setup* setup = new Setup(1024);
  return *setup->limiter;
}
Limiter& Mapped() {
  static Setup* setup =
      new Setup(1024, (std::filesystem::temp_directory_path() / "weir-limits-bench").string());
  return *setup->limiter;
}
Limiter& Large() {
  static Setup* setup = new Setup(kManyKeys);
  return *setup->limiter;
}
Limiter& LargeMapped() {
  static Setup* setup =
      new Setup(kManyKeys, (std::filesystem::temp_directory_path() / "weir-large-bench").string());
  return *setup->limiter;
}
Limiter& LargeForFive() {
  static Setup* setup = new Setup(5 * kManyKeys);
  return *setup->limiter;
}

// A key of eight bytes, made where it is needed: a table of a million strings would be measured as
// much as the limiter.
class Key {
 public:
  explicit Key(uint64_t number) { std::memcpy(bytes_, &number, sizeof(bytes_)); }
  operator std::string_view() const { return {bytes_, sizeof(bytes_)}; }

 private:
  char bytes_[8];
};

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

void OneKeyReserveSettleMappedFile(benchmark::State& state) {
  int64_t clock = 0;
  const auto rule = static_cast<uint32_t>(state.range(0));
  for (auto _ : state) ReserveAndSettle(Mapped(), rule, "team-red", Tick(clock));
}
BENCHMARK(OneKeyReserveSettleMappedFile)->ArgName("bucket")->Arg(0)->Arg(1);

void OneKeyTakeMappedFile(benchmark::State& state) {
  int64_t clock = 0;
  const Charge charge = {
      .rule = static_cast<uint32_t>(state.range(0)), .key = "team-red", .cost = 1};
  for (auto _ : state) benchmark::DoNotOptimize(Mapped().Take({&charge, 1}, Tick(clock)));
}
BENCHMARK(OneKeyTakeMappedFile)->ArgName("bucket")->Arg(0)->Arg(1);

// Five limits, all or nothing.
void TakeFive(Limiter& limiter, std::string_view key, Now now) {
  const Charge charges[] = {{.rule = 0, .key = key, .cost = 1},
                            {.rule = 1, .key = key, .cost = 1},
                            {.rule = 2, .key = key, .cost = 1},
                            {.rule = 3, .key = key, .cost = 1},
                            {.rule = 4, .key = key, .cost = 1}};
  benchmark::DoNotOptimize(limiter.Take(charges, now));
}

void FiveLimitsTake(benchmark::State& state) {
  int64_t clock = 0;
  for (auto _ : state) TakeFive(Small(), "team-red", Tick(clock));
}
BENCHMARK(FiveLimitsTake);

void FiveLimitsMillionKeysTake(benchmark::State& state) {
  for (uint64_t i = 0; i < kManyKeys; ++i) TakeFive(LargeForFive(), Key(i), {});
  Random random(7);
  int64_t clock = 0;
  for (auto _ : state) TakeFive(LargeForFive(), Key(random.Below(kManyKeys)), Tick(clock));
}
BENCHMARK(FiveLimitsMillionKeysTake);

void FairShareTake(benchmark::State& state) {
  static auto* setup = [] {
    auto* made = new Setup(1024);
    Rule rule = MakeRule(Algorithm::kSlidingWindow, "shared");
    rule.share = true;
    made->limiter = *Limiter::Create(made->segment.get(), {rule}, {});
    return made;
  }();
  int64_t clock = 0;
  Random random(1);
  for (auto _ : state) {
    const Key key(random.Below(16));
    const Charge charge = {.rule = 0, .key = key, .cost = 1};
    benchmark::DoNotOptimize(setup->limiter->Take({&charge, 1}, Tick(clock)));
  }
}
BENCHMARK(FairShareTake);

void OneKeyTake(benchmark::State& state) {
  int64_t clock = 0;
  const Charge charge = {
      .rule = static_cast<uint32_t>(state.range(0)), .key = "team-red", .cost = 1};
  for (auto _ : state) benchmark::DoNotOptimize(Small().Take({&charge, 1}, Tick(clock)));
}
BENCHMARK(OneKeyTake)->ArgName("bucket")->Arg(0)->Arg(1)->Threads(1)->Threads(2);

// A million a minute. Half of it was taken in each of two sub-windows, and more than half is asked
// for.
void OneKeyRefused(benchmark::State& state) {
  static auto* setup = [] {
    auto* made = new Setup(1024);
    std::vector<Rule> rules = {MakeRule(Algorithm::kSlidingWindow, "tight window"),
                               MakeRule(Algorithm::kTokenBucket, "tight bucket")};
    for (Rule& rule : rules) rule.amount = 1000000;
    made->limiter = *Limiter::Create(made->segment.get(), rules, {});
    return made;
  }();
  Charge charge = {
      .rule = static_cast<uint32_t>(state.range(0)), .key = "team-red", .cost = 500000};
  int64_t clock = 0;
  for (int64_t i = 0; i < 2; ++i) {
    setup->limiter->Take({&charge, 1}, {.mono_ns = clock += 10 * kSecond, .unix_ns = 0});
  }
  charge.cost = 700000;
  const Now now = {.mono_ns = clock, .unix_ns = 0};
  for (auto _ : state) benchmark::DoNotOptimize(setup->limiter->Take({&charge, 1}, now));
}
BENCHMARK(OneKeyRefused)->ArgName("bucket")->Arg(0)->Arg(1);

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

void TakeOfMillionKeys(benchmark::State& state, Limiter& limiter) {
  const auto rule = static_cast<uint32_t>(state.range(0));
  if (state.thread_index() == 0) {
    for (uint64_t i = 0; i < kManyKeys; ++i) {
      const Key key(i);
      const Charge charge = {.rule = rule, .key = key, .cost = 1};
      limiter.Take({&charge, 1}, {});
    }
  }
  Random random(static_cast<uint64_t>(state.thread_index()));
  int64_t clock = 0;
  for (auto _ : state) {
    const Key key(random.Below(kManyKeys));
    const Charge charge = {.rule = rule, .key = key, .cost = 1};
    benchmark::DoNotOptimize(limiter.Take({&charge, 1}, Tick(clock)));
  }
}

void MillionKeysTake(benchmark::State& state) { TakeOfMillionKeys(state, Large()); }
BENCHMARK(MillionKeysTake)->ArgName("bucket")->Arg(0)->Threads(1)->Threads(2);

void MillionKeysTakeMappedFile(benchmark::State& state) { TakeOfMillionKeys(state, LargeMapped()); }
BENCHMARK(MillionKeysTakeMappedFile)->ArgName("bucket")->Arg(0);

void MillionKeysReserveSettle(benchmark::State& state) {
  if (state.thread_index() == 0) {
    for (uint64_t i = 0; i < kManyKeys; ++i) {
      const Key key(i);
      const Charge charge = {.rule = 0, .key = key, .cost = 1};
      Large().Take({&charge, 1}, {});
    }
  }
  Random random(static_cast<uint64_t>(state.thread_index()));
  int64_t clock = 0;
  for (auto _ : state) {
    ReserveAndSettle(Large(), 0, Key(random.Below(kManyKeys)), Tick(clock));
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
    for (uint64_t i = 0; i < kManyKeys; ++i) Neighbour().Take(Key(i), 1, 0);
  }
  Random random(static_cast<uint64_t>(state.thread_index()));
  int64_t clock = 0;
  for (auto _ : state) {
    const Key key(random.Below(kManyKeys));
    benchmark::DoNotOptimize(Neighbour().Take(key, 1, Tick(clock).mono_ns));
  }
}
BENCHMARK(NeighbourMutexMapMillionKeys)->Threads(1)->Threads(2);

// The generic cell rate algorithm: the time at which the bucket will be full again, in one word.
void NeighbourCasBucketOneKey(benchmark::State& state) {
  constexpr int64_t kWindowNs = kMinute;
  static std::atomic<int64_t> full_at{0};
  int64_t clock = 0;
  for (auto _ : state) {
    const int64_t now_ns = Tick(clock).mono_ns;
    int64_t seen = full_at.load(std::memory_order_relaxed);
    bool admitted = false;
    do {
      const int64_t next = std::max(seen, now_ns) + 1;  // one unit, at one a nanosecond
      admitted = next - now_ns <= kWindowNs;
      if (!admitted || full_at.compare_exchange_weak(seen, next)) break;
    } while (true);
    benchmark::DoNotOptimize(admitted);
  }
}
BENCHMARK(NeighbourCasBucketOneKey)->Threads(1)->Threads(2);

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

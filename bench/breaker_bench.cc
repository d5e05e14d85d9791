// The breaker's calls on the request path against what one writes first: a mutex around an
// unordered_map of structs; and beside a load and a compare-and-swap that nobody contends for,
// which is as fast as shared memory gets.

#include <benchmark/benchmark.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "weir/breaker.h"
#include "weir/state.h"

namespace weir::breaker {
namespace {

constexpr int kKeys = 16;

std::vector<std::string> Keys() {
  std::vector<std::string> keys;
  for (int i = 0; i < kKeys; ++i) {
    keys.push_back(std::string("backend-east-").append(std::to_string(i)));
  }
  return keys;
}

RuleSet Rules() {
  RuleSet set;
  set.rules.resize(2);
  set.rules[0].statuses = {{429, 429}};
  set.rules[0].trip_ns = 30 * kSecond;
  set.rules[1].statuses = {{500, 599}};
  set.rules[1].on_connect = true;
  set.rules[1].count = 10;
  set.rules[1].interval_ns = kSecond;
  set.rules[1].trip_ns = 30 * kSecond;
  return set;
}

RuleSet RulesWithShare() {
  RuleSet set = Rules();
  set.rules[1].count = 1;
  set.rules[1].percentage = 50;
  set.rules[1].min_samples = 100;
  set.rules[1].interval_ns = 10 * kSecond;
  return set;
}

struct Fixture {
  // Each key has had one failure. Rule set 1 has a percentage.
  Fixture()
      : segment(*state::Segment::CreatePrivate({size_t{4} << 20, 1})),
        breaker(*Breaker::Create(segment.get(), {Rules(), RulesWithShare()}, {1024})) {
    for (const std::string& key : Keys()) {
      circuits.push_back(breaker->Find(key, 0, {0, 0}));
      shares.push_back(breaker->Find(key + "-share", 1, {0, 0}));
      breaker->Record(breaker->Acquire(circuits.back(), {0, 0}), {500}, {0, 0});
    }
  }
  std::unique_ptr<state::Segment> segment;
  std::unique_ptr<Breaker> breaker;
  std::vector<Circuit> circuits, shares;
};

Fixture& Shared() {
  static auto* fixture = new Fixture;
  return *fixture;
}

void BM_Check_Closed(benchmark::State& state) {
  Fixture& fixture = Shared();
  const Breaker& breaker = *fixture.breaker;
  Now now{kSecond, 0};
  size_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(breaker.Check(fixture.circuits[i++ % kKeys], now));
    now.mono_ns += 100;
  }
}
BENCHMARK(BM_Check_Closed)->ThreadRange(1, 2);

void BM_Check_Open(benchmark::State& state) {
  Fixture fixture;
  for (const Circuit& circuit : fixture.circuits) {
    fixture.breaker->Record(fixture.breaker->Acquire(circuit, {0, 0}), {429}, {0, 0});
  }
  size_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(fixture.breaker->Check(fixture.circuits[i++ % kKeys], {kSecond, 0}));
  }
}
BENCHMARK(BM_Check_Open);

void BM_Find(benchmark::State& state) {
  Fixture& fixture = Shared();
  const auto keys = Keys();
  size_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(fixture.breaker->Find(keys[i++ % kKeys], 0, {kSecond, 0}));
  }
}
BENCHMARK(BM_Find);

// Permits of each circuit, acquired once: of a success while closed any number may be recorded.
void RecordSuccesses(benchmark::State& state, const std::vector<Circuit>& circuits) {
  Breaker& breaker = *Shared().breaker;
  std::vector<Permit> permits;
  for (const Circuit& circuit : circuits) permits.push_back(breaker.Acquire(circuit, {kSecond, 0}));
  Now now{kSecond, 0};
  size_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(breaker.Record(permits[i++ % kKeys], {200}, now));
    now.mono_ns += 100;
  }
}

void BM_Record_Success(benchmark::State& state) { RecordSuccesses(state, Shared().circuits); }
BENCHMARK(BM_Record_Success)->ThreadRange(1, 2);

void BM_Record_Success_WithPercentage(benchmark::State& state) {
  RecordSuccesses(state, Shared().shares);
}
BENCHMARK(BM_Record_Success_WithPercentage)->ThreadRange(1, 2);

void BM_AcquireRecord_Success(benchmark::State& state) {
  Fixture& fixture = Shared();
  Now now{kSecond, 0};
  size_t i = 0;
  for (auto _ : state) {
    const Permit permit = fixture.breaker->Acquire(fixture.circuits[i++ % kKeys], now);
    benchmark::DoNotOptimize(fixture.breaker->Record(permit, {200}, now));
    now.mono_ns += 100;
  }
}
BENCHMARK(BM_AcquireRecord_Success)->ThreadRange(1, 2);

void BM_AcquireRecord_FailureBelowThreshold(benchmark::State& state) {
  Fixture fixture;
  Now now{kSecond, 0};
  size_t i = 0;
  for (auto _ : state) {
    const Permit permit = fixture.breaker->Acquire(fixture.circuits[i++ % kKeys], now);
    benchmark::DoNotOptimize(fixture.breaker->Record(permit, {500}, now));
    now.mono_ns += 20 * kMillisecond;
  }
}
BENCHMARK(BM_AcquireRecord_FailureBelowThreshold);

void BM_TripProbeReset(benchmark::State& state) {
  Fixture fixture;
  Breaker& breaker = *fixture.breaker;
  const Circuit& circuit = fixture.circuits[0];
  Now now{kSecond, 0};
  for (auto _ : state) {
    breaker.Record(breaker.Acquire(circuit, now), {429}, now);
    now.mono_ns += 30 * kSecond;
    benchmark::DoNotOptimize(breaker.Record(breaker.Acquire(circuit, now), {200}, now));
  }
}
BENCHMARK(BM_TripProbeReset);

// For scale.
std::atomic<uint64_t> shared_words[kKeys * 8];

void BM_Scale_AtomicLoad(benchmark::State& state) {
  size_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(shared_words[i++ % kKeys * 8].load(std::memory_order_acquire));
  }
}
BENCHMARK(BM_Scale_AtomicLoad);

void BM_Scale_CompareAndSwap(benchmark::State& state) {
  size_t i = 0;
  for (auto _ : state) {
    std::atomic<uint64_t>& word = shared_words[i++ % kKeys * 8];
    uint64_t old = word.load(std::memory_order_relaxed);
    benchmark::DoNotOptimize(word.compare_exchange_strong(old, old + 1));
  }
}
BENCHMARK(BM_Scale_CompareAndSwap);

// Consecutive failures only, one rule, no probes: less than the above does.
class NaiveBreaker {
 public:
  bool Check(const std::string& key, int64_t now_ns) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return circuits_[key].open_until_ns <= now_ns;
  }
  void Record(const std::string& key, int status, int64_t now_ns) {
    const std::lock_guard<std::mutex> lock(mutex_);
    Circuit& circuit = circuits_[key];
    circuit.failures = status >= 500 ? circuit.failures + 1 : 0;
    if (circuit.failures >= 10) circuit.open_until_ns = now_ns + 30 * kSecond;
  }

 private:
  struct Circuit {
    int failures = 0;
    int64_t open_until_ns = 0;
  };
  std::mutex mutex_;
  std::unordered_map<std::string, Circuit> circuits_;
};

NaiveBreaker& SharedNaive() {
  static auto* breaker = new NaiveBreaker;
  return *breaker;
}

void BM_Neighbour_MutexMap_Check(benchmark::State& state) {
  const auto keys = Keys();
  int64_t now_ns = kSecond;
  size_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(SharedNaive().Check(keys[i++ % kKeys], now_ns));
    now_ns += 100;
  }
}
BENCHMARK(BM_Neighbour_MutexMap_Check)->ThreadRange(1, 2);

void BM_Neighbour_MutexMap_CheckRecord(benchmark::State& state) {
  const auto keys = Keys();
  int64_t now_ns = kSecond;
  size_t i = 0;
  for (auto _ : state) {
    const std::string& key = keys[i++ % kKeys];
    if (SharedNaive().Check(key, now_ns)) SharedNaive().Record(key, 200, now_ns);
    now_ns += 100;
  }
}
BENCHMARK(BM_Neighbour_MutexMap_CheckRecord)->ThreadRange(1, 2);

void ParseOne(benchmark::State& state, std::string_view retry_after) {
  RetryHeaders headers;
  headers.retry_after = retry_after;
  const Now now{0, 784'111'000 * kSecond};
  for (auto _ : state) {
    benchmark::DoNotOptimize(headers);
    benchmark::DoNotOptimize(ParseRetryAfter(headers, now, kHour));
  }
}
BENCHMARK_CAPTURE(ParseOne, BM_ParseRetryAfter_Seconds, "30");
BENCHMARK_CAPTURE(ParseOne, BM_ParseRetryAfter_GoDuration, "1m30s");
BENCHMARK_CAPTURE(ParseOne, BM_ParseRetryAfter_HttpDate, "Sun, 06 Nov 1994 08:49:37 GMT");

}  // namespace
}  // namespace weir::breaker

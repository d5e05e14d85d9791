// The breaker's calls on the request path against what one writes first: a mutex around an
// unordered_map of structs.

#include <benchmark/benchmark.h>

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

struct Fixture {
  // Each key has had one failure, so every circuit exists.
  Fixture()
      : segment(*state::Segment::CreatePrivate({size_t{4} << 20, 1})),
        breaker(*Breaker::Create(segment.get(), {Rules()}, {1024})),
        keys(Keys()) {
    for (const std::string& key : keys) {
      breaker->Record(breaker->Acquire(key, 0, {0, 0}), 0, {500}, {0, 0});
    }
  }
  std::unique_ptr<state::Segment> segment;
  std::unique_ptr<Breaker> breaker;
  std::vector<std::string> keys;
};

Fixture& Shared() {
  static auto* fixture = new Fixture;
  return *fixture;
}

void BM_Check_Closed(benchmark::State& state) {
  Fixture& fixture = Shared();
  Now now{kSecond, 0};
  size_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(fixture.breaker->Check(fixture.keys[i++ % kKeys], 0, now));
    now.mono_ns += 100;
  }
}
BENCHMARK(BM_Check_Closed)->ThreadRange(1, 2);

void BM_Check_NeverFailed(benchmark::State& state) {
  Fixture& fixture = Shared();
  for (auto _ : state) {
    benchmark::DoNotOptimize(fixture.breaker->Check("backend-healthy", 0, {kSecond, 0}));
  }
}
BENCHMARK(BM_Check_NeverFailed);

void BM_Check_Open(benchmark::State& state) {
  Fixture fixture;
  for (const std::string& key : fixture.keys) {
    fixture.breaker->Record(fixture.breaker->Acquire(key, 0, {0, 0}), 0, {429}, {0, 0});
  }
  size_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(fixture.breaker->Check(fixture.keys[i++ % kKeys], 0, {kSecond, 0}));
  }
}
BENCHMARK(BM_Check_Open);

void BM_AcquireRecord_Success(benchmark::State& state) {
  Fixture& fixture = Shared();
  Now now{kSecond, 0};
  size_t i = 0;
  for (auto _ : state) {
    const Permit permit = fixture.breaker->Acquire(fixture.keys[i++ % kKeys], 0, now);
    benchmark::DoNotOptimize(fixture.breaker->Record(permit, 0, {200}, now));
    now.mono_ns += 100;
  }
}
BENCHMARK(BM_AcquireRecord_Success)->ThreadRange(1, 2);

void BM_AcquireRecord_FailureBelowThreshold(benchmark::State& state) {
  Fixture fixture;
  Now now{kSecond, 0};
  size_t i = 0;
  for (auto _ : state) {
    const Permit permit = fixture.breaker->Acquire(fixture.keys[i++ % kKeys], 0, now);
    benchmark::DoNotOptimize(fixture.breaker->Record(permit, 0, {500}, now));
    now.mono_ns += 20 * kMillisecond;
  }
}
BENCHMARK(BM_AcquireRecord_FailureBelowThreshold);

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

void BM_ParseRetryAfter_Seconds(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(ParseRetryAfter("30", "", {0, 0}, kHour));
}
BENCHMARK(BM_ParseRetryAfter_Seconds);

void BM_ParseRetryAfter_HttpDate(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        ParseRetryAfter("Sun, 06 Nov 1994 08:49:37 GMT", "", {0, 784'111'000 * kSecond}, kHour));
  }
}
BENCHMARK(BM_ParseRetryAfter_HttpDate);

}  // namespace
}  // namespace weir::breaker

// Many threads at one circuit.

#include <atomic>
#include <barrier>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "tests/breaker/support.h"

namespace weir::breaker {
namespace {

TEST_CASE("ten thousand callers at the edge of the cool-down: exactly the probes pass") {
  // Callers are asks: eight threads make a good thousand each, as near at once as it gets.
  RuleSet set = Throttle();
  set.probes = 3;
  set.successes_to_close = 1'000'000;
  auto segment = NewSegment();
  auto breaker = NewBreaker(segment.get(), {set});
  constexpr int kThreads = 8;
  constexpr int kAsks = 1'250;
  const int rounds = std::getenv("WEIR_LONG") != nullptr ? 1'000 : 60;
  std::atomic<int> passed{0};
  std::barrier edge(kThreads);
  const auto run = [&](int thread) {
    for (int round = 0; round < rounds; ++round) {
      const std::string key = std::to_string(round % 20);
      const int64_t now_s = 1'000 + 100 * round;
      const Circuit circuit = breaker.Find(key, At(now_s));
      if (thread == 0) {
        // Still half-open from twenty rounds ago, its probes long overdue, or new.
        breaker.Send(key, {429}, At(now_s));
        passed = 0;
      }
      edge.arrive_and_wait();
      for (int ask = 0; ask < kAsks; ++ask) {
        if (breaker.breaker().Acquire(circuit, At(now_s + 30)).allowed) ++passed;
      }
      edge.arrive_and_wait();
      if (thread == 0 && passed != 3) passed = -1'000'000;
      edge.arrive_and_wait();
      if (passed < 0) return;
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) threads.emplace_back(run, i);
  for (auto& thread : threads) thread.join();
  CHECK(passed == 3);
}

TEST_CASE("chaos over all exits, then a healthy backend closes every circuit") {
  RuleSet set = OneRule(StatusRule(500, 599, 3, 50, 40));
  set.rules[0].on_reset = true;
  set.rules.push_back(StatusRule(500, 599, 1, 160, 40));
  set.rules[1].percentage = 30;
  set.rules[1].min_samples = 8;
  set.rules[1].trip_growth_percent = 200;
  set.rules[1].trip_max_ns = 150;
  set.probes = 2;
  set.successes_to_close = 2;
  set.probe_timeout_ns = 100;
  set.forget_trips_ns = 1'000;
  auto segment = NewSegment();
  // Twelve keys and eight slots: they come and go.
  auto breaker = NewBreaker(segment.get(), {set}, 8);
  std::atomic<int64_t> clock{1};
  std::atomic<int> tripped{0};
  const auto run = [&](uint64_t seed) {
    Random random(seed);
    auto own = *Breaker::Create(segment.get(), {set}, {8});
    Breaker& one = seed % 2 == 0 ? breaker.breaker() : *own;
    std::vector<Circuit> circuits;
    for (int i = 0; i < 20'000; ++i) {
      const Now now{clock.fetch_add(1), 0};
      const size_t k = random.Below(12);
      if (random.Below(1'000) == 0) circuits.clear();
      while (circuits.size() <= k) {
        circuits.push_back(one.Find(std::to_string(circuits.size()), 0, now));
      }
      const Circuit& circuit = circuits[k];
      one.Check(circuit, now);
      const Permit permit = one.Acquire(circuit, now);
      if (!permit.allowed) continue;
      const uint64_t exit = random.Below(8);
      const Now later{clock.load(), 0};
      Report report;
      if (exit == 0) report = one.Record(permit, {500}, later);
      if (exit >= 4) report = one.Record(permit, {200}, later);
      if (exit == 1) report = one.Record(permit, {0, Failure::kReset}, later);
      if (exit == 2) one.Cancel(permit, later);
      if (report.event == Event::kTripped) ++tripped;
      if (i % 16 == 0) one.Get(circuit, later);
      if (i % 256 == 0) one.List(later);
    }
  };
  std::vector<std::thread> threads;
  for (uint64_t i = 0; i < 4; ++i) threads.emplace_back(run, i);
  for (auto& thread : threads) thread.join();
  CHECK(tripped > 50);
  for (int k = 0; k < 12; ++k) {
    const std::string key = std::to_string(k);
    int64_t now = clock + 300;
    for (const int64_t end = now + 300; now < end; ++now) {
      const Permit permit = breaker.Acquire(key, {now, 0});
      if (permit.allowed) breaker.Record(permit, {200}, {now, 0});
    }
    CHECK(breaker.Get(key, {now, 0}).state == State::kClosed);
  }
}

TEST_CASE("a share that threads count together trips neither early nor late") {
  // One in five fails and a third trips: never. Then four in five: once.
  RuleSet set = OneRule(StatusRule(500, 599, 1, kMinute, kMinute));
  set.rules[0].percentage = 33;
  set.rules[0].min_samples = 1'000;
  auto segment = NewSegment();
  auto breaker = NewBreaker(segment.get(), {set});
  const Circuit circuit = breaker.Find("k", At(100));
  for (int i = 0; i < 1'000; ++i) breaker.Send("k", {200}, At(100));
  const auto run = [&](int number, uint64_t of_five, std::atomic<int>* trips) {
    Random random(static_cast<uint64_t>(number));
    for (int i = 0; i < 30'000; ++i) {
      const Permit permit = breaker.breaker().Acquire(circuit, At(110));
      if (!permit.allowed) return;
      const int status = random.Below(5) < of_five ? 503 : 200;
      if (breaker.Record(permit, {status}, At(110)).event == Event::kTripped) ++*trips;
    }
  };
  for (const uint64_t of_five : {1, 4}) {
    std::atomic<int> trips{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) threads.emplace_back(run, i, of_five, &trips);
    for (auto& thread : threads) thread.join();
    CHECK(trips == (of_five == 1 ? 0 : 1));
  }
}

TEST_CASE("changes are read while others write them, whole or not at all") {
  auto segment = NewSegment();
  auto breaker = NewBreaker(segment.get(), {Throttle()});
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> seen{0}, lost{0}, torn{0};
  std::thread reader([&] {
    uint64_t since = 0;
    bool last = false;
    while (!last) {
      last = stop;
      std::vector<Change> changes;
      const ChangesRead read = breaker.breaker().Changes(since, &changes);
      lost += read.lost;
      seen += changes.size();
      for (const Change& change : changes) {
        // What one writer writes agrees with itself.
        const auto key = static_cast<int64_t>(std::stoull(change.key));
        if (change.number <= since || change.unix_ns != key * 7 || change.trip.status != 429 ||
            change.trip.rule != "rule") {
          ++torn;
        }
        since = change.number;
      }
      since = read.last;
    }
  });
  std::vector<std::thread> writers;
  for (int64_t w = 1; w <= 3; ++w) {
    writers.emplace_back([&, w] {
      const std::string key = std::to_string(w * 1'111'111'111);
      for (int64_t i = 0; i < 3'000; ++i) {
        const Now now{i * 100 * kSecond, w * 1'111'111'111 * 7};
        const Circuit circuit = breaker.Find(key, now);
        breaker.Record(breaker.breaker().Acquire(circuit, now), {429}, now);
        const Now later{now.mono_ns + 30 * kSecond, now.unix_ns};
        breaker.Record(breaker.breaker().Acquire(circuit, later), {200}, later);
      }
    });
  }
  for (auto& writer : writers) writer.join();
  stop = true;
  reader.join();
  CHECK(torn == 0);
  CHECK(seen + lost == 3 * 3'000 * 3);
  CHECK(seen >= kMaxEvents);
}

}  // namespace
}  // namespace weir::breaker

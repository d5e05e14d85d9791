// The sliding window against a twin that keeps every event with its time.

#include <algorithm>
#include <deque>

#include "base/random.h"
#include "base/saturating.h"
#include "tests/limits/support.h"

namespace weir::limits {
namespace {

constexpr int64_t kRemembered = kWindowBuckets + 1;

// Keeps every event. Knows the true window, and how late a sub-window may be forgotten.
class EveryEvent {
 public:
  explicit EveryEvent(const Rule& rule)
      : window_ns_(rule.window_ns),
        width_ns_((rule.window_ns + kWindowBuckets - 1) / kWindowBuckets) {}

  struct Event {
    int64_t at_ns;
    uint64_t cost;
  };
  Event& Add(int64_t at_ns, uint64_t cost) {
    events_.push_back({at_ns, cost});
    return events_.back();
  }

  // In (now - window, now].
  uint64_t InTrueWindow(int64_t now_ns) const { return Since(now_ns - window_ns_ + 1); }
  // In the longest time that a booking may be held against somebody.
  uint64_t InLateWindow(int64_t now_ns) const {
    return Since(now_ns - kRemembered * width_ns_ + 1);
  }
  // In the sub-windows that are remembered: what the counter should say, exactly.
  uint64_t Remembered(int64_t now_ns) const { return Since(FirstRemembered(now_ns) * width_ns_); }

  bool IsRemembered(int64_t at_ns, int64_t now_ns) const {
    return at_ns >= FirstRemembered(now_ns) * width_ns_;
  }
  void Forget(int64_t now_ns) {
    while (!events_.empty() && events_.front().at_ns < now_ns - 3 * window_ns_) {
      events_.pop_front();
    }
  }

 private:
  int64_t FirstRemembered(int64_t now_ns) const { return now_ns / width_ns_ - kWindowBuckets; }
  uint64_t Since(int64_t from_ns) const {
    uint64_t sum = 0;
    for (auto it = events_.rbegin(); it != events_.rend() && it->at_ns >= from_ns; ++it) {
      sum += it->cost;
    }
    return sum;
  }

  int64_t window_ns_;
  int64_t width_ns_;
  std::deque<Event> events_;
};

int64_t RandomStep(Random& random, int64_t window_ns) {
  switch (random.Below(16)) {
    case 0:
      return static_cast<int64_t>(random.Next() % static_cast<uint64_t>(3 * window_ns));
    case 1:
      return window_ns / kWindowBuckets;
    case 2:
      return 0;
    case 3:
      return 1;
    default:
      return static_cast<int64_t>(random.Next() % static_cast<uint64_t>(window_ns / 16));
  }
}

TEST_CASE("a sliding window admits exactly what its twin of all events allows") {
  const Rule rules[] = {Window(100, kSecond),        Window(1, kMinute),
                        Window(1000003, 1000000007), Window(50, 366 * kDay),
                        Window(kMaxAmount, kHour),   Window(10, 10 * kSecond)};
  uint64_t seed = 1;
  for (const Rule& rule : rules) {
    Fixture fixture({rule});
    EveryEvent twin(rule);
    Random random(seed++);
    int64_t now = 5 * rule.window_ns;
    uint64_t wrong = 0, over = 0, unjustified = 0, refused = 0;
    // Long windows end where the clock does.
    for (int i = 0; i < 170000 && now < (int64_t{1} << 60); ++i) {
      now += RandomStep(random, rule.window_ns);
      const uint64_t cost = random.Below(rule.amount / 4 + 2);
      const Decision decision = fixture.Take(cost, now);
      wrong += decision.verdicts[0].used_before != twin.Remembered(now);
      if (decision.admitted) {
        twin.Add(now, cost);
        over += twin.InTrueWindow(now) > rule.amount;
      } else {
        ++refused;
        unjustified += twin.InLateWindow(now) + cost <= rule.amount;
      }
      twin.Forget(now);
    }
    INFO("amount " << rule.amount << " window " << rule.window_ns);
    CHECK(wrong == 0);
    CHECK(over == 0);
    CHECK(unjustified == 0);
    CHECK(refused > 100);
  }
}

TEST_CASE("under full demand all but one part in 11 of the amount passes") {
  const Rule rule = Window(1000, 10 * kSecond);
  Fixture fixture({rule});
  uint64_t admitted = 0;
  constexpr int kWindows = 50;
  for (int64_t now = 0; now < kWindows * rule.window_ns; now += 2 * kMillisecond) {
    admitted += fixture.Take(1, now).admitted ? 1 : 0;
  }
  const uint64_t bound = rule.amount * kWindows;
  CHECK(admitted >= bound * kWindowBuckets / kRemembered);
  CHECK(admitted <= bound);
}

TEST_CASE("a booking leaves within a sub-window of the window's end, not before") {
  // Every phase inside a sub-window, window not divisible by 10.
  const Rule rule = Window(10, kSecond + 7);
  const int64_t width = (rule.window_ns + 9) / 10;
  for (int64_t phase = 0; phase < width; phase += width / 50) {
    Fixture fixture({rule});
    const int64_t at = 1000 * width + phase;
    REQUIRE(fixture.Take(10, at).admitted);
    REQUIRE_FALSE(fixture.Take(1, at + rule.window_ns - 1).admitted);
    REQUIRE(fixture.Take(1, at + kRemembered * width).admitted);
    REQUIRE(kRemembered * width - rule.window_ns <= rule.window_ns / 10 + 11);
  }
}

TEST_CASE("settling and releasing a sliding window agrees with the twin") {
  const Rule rule = Window(1000, 10 * kSecond);
  Fixture fixture({rule});
  EveryEvent twin(rule);
  struct Open {
    Reservation held;
    EveryEvent::Event* event;
    uint64_t reserved;
  };
  std::deque<Open> open;
  Random random(99);
  int64_t now = 100 * kSecond;
  uint64_t wrong = 0, refunds = 0, debts = 0;
  for (int i = 0; i < 30000; ++i) {
    now += static_cast<int64_t>(random.Below(600 * kMillisecond));
    if (random.Below(2) == 0 || open.empty()) {
      Open next;
      const Decision decision =
          fixture.Reserve(random.Below(60), now, &next.held, random.Below(60));
      wrong += decision.verdicts[0].used_before != twin.Remembered(now);
      if (!decision.admitted) continue;
      next.reserved = decision.verdicts[0].reserved;
      next.event = &twin.Add(now, next.reserved);
      open.push_back(std::move(next));
      continue;
    }
    const size_t index = random.Below(open.size());
    Open& chosen = open[index];
    const uint64_t actual = random.Below(140);
    const bool release = random.Below(4) == 0;
    if (release) {
      fixture.limiter->Release(&chosen.held, At(now));
    } else {
      fixture.Settle(&chosen.held, actual, now);
    }
    const uint64_t cost = release ? 0 : actual;
    if (cost > chosen.reserved) {
      twin.Add(now, cost - chosen.reserved);
      ++debts;
    } else if (twin.IsRemembered(chosen.event->at_ns, now)) {
      chosen.event->cost = cost;
      ++refunds;
    }
    CHECK_FALSE(chosen.held.active());
    open.erase(open.begin() + static_cast<std::ptrdiff_t>(index));
    wrong += fixture.Used(now) != twin.Remembered(now);
  }
  CHECK(wrong == 0);
  CHECK(refunds > 1000);
  CHECK(debts > 1000);
}

TEST_CASE("a dropped reservation expires with its window") {
  Fixture fixture({Window(10, 10 * kSecond)});
  {
    Reservation held;
    REQUIRE(fixture.Reserve(10, 0, &held).admitted);
    REQUIRE(held.active());
  }
  CHECK_FALSE(fixture.Take(1, 10 * kSecond).admitted);
  CHECK(fixture.Take(10, 11 * kSecond).admitted);
}

TEST_CASE("an excess that becomes known late is booked when it becomes known") {
  Fixture fixture({Window(100, 10 * kSecond)});
  Reservation held;
  REQUIRE(fixture.Reserve(10, 0, &held).admitted);
  const int64_t later = 1000 * kSecond;
  fixture.Settle(&held, 500, later);
  CHECK(fixture.Used(later) == 490);
  const Verdict verdict = fixture.Peek(0, later);
  CHECK_FALSE(verdict.admitted);  // debt
  CHECK(verdict.remaining == 0);
  CHECK(verdict.retry_after_ns == 11 * kSecond);
  CHECK(fixture.Take(100, later + 11 * kSecond).admitted);
}

TEST_CASE("sums saturate instead of wrapping") {
  Fixture fixture({Window(kMaxAmount, kMinute), Bucket(kMaxAmount, kMinute)});
  for (uint32_t rule = 0; rule < 2; ++rule) {
    for (int i = 0; i < 100; ++i) {
      fixture.limiter->Book({.rule = rule, .key = "k", .cost = UINT64_MAX}, At(i * kSecond));
    }
    // Two halves of the range of the type, in one sub-window and in the next.
    for (const int64_t at : {99 * kSecond, 99 * kSecond, 100 * kSecond, 102 * kSecond}) {
      fixture.limiter->Book({.rule = rule, .key = "halves", .cost = uint64_t{1} << 63}, At(at));
    }
    CHECK(fixture.Used(102 * kSecond, rule, "halves") >= uint64_t{1} << 59);
    CHECK(fixture.Used(99 * kSecond, rule) >= uint64_t{1} << 59);
    const Decision decision = fixture.Take(1, 99 * kSecond, rule);
    CHECK_FALSE(decision.admitted);
    CHECK(decision.verdicts[0].remaining == 0);
    CHECK(decision.retry_after_ns > 0);
    CHECK(fixture.Take(UINT64_MAX, 99 * kSecond, rule).retry_after_ns == kNever);
  }
}

}  // namespace
}  // namespace weir::limits

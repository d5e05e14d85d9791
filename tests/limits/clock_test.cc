// Promises about waiting, and clocks that misbehave.

#include <algorithm>

#include "base/random.h"
#include "tests/limits/support.h"

namespace weir::limits {
namespace {

std::vector<Rule> AllKinds() {
  return {Window(100, kMinute, "minute"),      Window(7, 1000000007, "odd"),
          Window(1000, 366 * kDay, "year"),    Bucket(100, kMinute, 0, "full"),
          Bucket(7, 1000000007, 3, "small"),   Bucket(3, kHour, 500, "large"),
          Bucket(999983, kSecond, 50, "fast"), Bucket(kMaxAmount, kSecond, 0, "max")};
}

TEST_CASE("a wait of retry_after admits the same request, and no shorter wait does") {
  Fixture fixture(AllKinds());
  Random random(21);
  uint64_t wrong = 0, waited = 0;
  for (uint32_t rule = 0; rule < fixture.limiter->rules().size(); ++rule) {
    const Rule& spec = fixture.limiter->rules()[rule];
    const uint64_t size = spec.burst != 0 ? spec.burst : spec.amount;
    const bool is_window = spec.algorithm == Algorithm::kSlidingWindow;
    int64_t now = kHour;
    for (int i = 0; i < 10000 && now < (int64_t{1} << 60); ++i) {
      now += static_cast<int64_t>(random.Next() % static_cast<uint64_t>(spec.window_ns / 10));
      if (random.Below(20) == 0) now -= spec.window_ns / 7;
      const uint64_t cost = random.Below(random.Below(4) == 0 ? size + 1 : size / 10 + 2);
      if (random.Below(50) == 0) {
        fixture.limiter->Book({.rule = rule, .key = "k", .cost = cost}, At(now));
      }
      const Decision decision = fixture.Take(cost, now, rule);
      const Verdict& verdict = decision.verdicts[0];
      const Verdict peeked = fixture.Peek(cost, now, rule);
      if (!decision.admitted && cost <= size) {
        ++waited;
        const int64_t until = now + verdict.retry_after_ns;
        wrong += verdict.retry_after_ns <= 0;
        wrong += !fixture.Peek(cost, until, rule).admitted;
        wrong += fixture.Peek(cost, until - 1, rule).admitted;
        // Never longer than the window and a sub-window, unless there is debt or
        // the clock has to catch up, for which it has at most a window.
        wrong += is_window && verdict.used_before <= size &&
                 verdict.retry_after_ns > spec.window_ns / 10 * 11 + spec.window_ns + 50;
      } else if (cost > size) {
        wrong += verdict.retry_after_ns != kNever;
      }
      if (decision.admitted) wrong += verdict.reset_ns != peeked.reset_ns;
      wrong += fixture.Used(now + peeked.reset_ns, rule) != 0;
      if (peeked.reset_ns > 0) wrong += fixture.Used(now + peeked.reset_ns - 1, rule) == 0;
    }
  }
  CHECK(wrong == 0);
  CHECK(waited > 5000);
}

TEST_CASE("a clock that steps back is no gift at once") {
  const int64_t steps[] = {1,       kMillisecond, 100 * kMillisecond, kSecond,
                           kMinute, 10 * kMinute, 8 * kHour,          3650 * kDay};
  for (const Rule& rule : AllKinds()) {
    for (const int64_t back : steps) {
      Fixture fixture({rule});
      const uint64_t size = rule.burst != 0 ? rule.burst : rule.amount;
      const int64_t now = 4000 * kDay;
      REQUIRE(fixture.Take(size, now).admitted);
      REQUIRE_FALSE(fixture.Take(1, now - back).admitted);
      CHECK(fixture.Used(now - back) == size);
      // A booking at the earlier time is on top of what is there.
      fixture.limiter->Book({.key = "k", .cost = 1}, At(now - back));
      CHECK(fixture.Used(now - back) == size + 1);
      CHECK_FALSE(fixture.Peek(size, now - back).admitted);
    }
  }
}

TEST_CASE("a clock that steps back locks nobody out") {
  const int64_t steps[] = {kMillisecond, kSecond, 10 * kMinute, 8 * kHour, 3650 * kDay};
  for (const Rule& rule : AllKinds()) {
    if (rule.window_ns > kDay) continue;
    for (const int64_t back : steps) {
      Fixture fixture({rule});
      const uint64_t size = rule.burst != 0 ? rule.burst : rule.amount;
      const int64_t now = 4000 * kDay;
      REQUIRE(fixture.Take(size, now).admitted);
      const int64_t whole = fixture.Peek(size, now).retry_after_ns;
      const Decision refused = fixture.Take(1, now - back);
      REQUIRE_FALSE(refused.admitted);
      // At most a window more than without the step.
      CHECK(fixture.Peek(size, now - back).retry_after_ns <= whole + rule.window_ns);
      // The counter is touched after the step, and still keeps its word.
      fixture.limiter->Book({.key = "k", .cost = 0}, At(now - back));
      const int64_t retry = fixture.Peek(size, now - back).retry_after_ns;
      CHECK(retry <= whole + rule.window_ns);
      CHECK(fixture.Take(size, now - back + retry).admitted);
    }
  }
}

TEST_CASE("what was reserved before a far step back is never given back twice over") {
  // After the step its number is another's, or nobody's: the booking stays until it expires.
  for (const Rule& rule : {Window(100, 10 * kSecond), Bucket(100, 10 * kSecond)}) {
    for (int64_t lag = 11; lag <= 75; ++lag) {
      Fixture fixture({rule});
      const int64_t now = 1000 * kSecond;
      Reservation held;
      REQUIRE(fixture.Reserve(50, now, &held).admitted);
      const int64_t stepped = now - lag * kSecond;
      REQUIRE(fixture.Take(30, stepped).admitted);
      fixture.limiter->Release(&held, At(stepped));
      CHECK(fixture.Used(stepped) == 80);
      CHECK(fixture.Used(stepped + 11 * kSecond) == 0);
    }
  }
}

TEST_CASE("readings out of order by a little give nothing away") {
  // Two threads whose readings differ: the later one books first.
  Fixture fixture({Bucket(1000, kSecond, 10)});
  uint64_t admitted = 0;
  int64_t now = kHour;
  const int64_t start = now;
  for (int i = 0; i < 200000; ++i) {
    now += 10 * kMicrosecond;
    admitted += fixture.Take(1, now).admitted ? 1 : 0;
    admitted += fixture.Take(1, now - 300 * kMicrosecond).admitted ? 1 : 0;
  }
  CHECK(admitted <= 10 + static_cast<uint64_t>((now - start) / kMillisecond));
  CHECK(admitted >= static_cast<uint64_t>((now - start) / kMillisecond));
}

TEST_CASE("a suspended machine wakes to at most a full bucket") {
  for (const Rule& rule : AllKinds()) {
    Fixture fixture({rule});
    const uint64_t size = rule.burst != 0 ? rule.burst : rule.amount;
    int64_t now = kDay;
    for (const int64_t leap :
         {100 * kMillisecond, 8 * kHour, 3650 * kDay, 100 * kMillisecond, 8 * kHour}) {
      fixture.limiter->Book({.key = "k", .cost = size}, At(now));
      now += leap;
      uint64_t taken = 0;
      const uint64_t room = fixture.Peek(0, now).remaining;
      CHECK(room <= size);
      if (fixture.Take(room, now).admitted) taken += room;
      CHECK_FALSE(fixture.Take(1, now).admitted);
      CHECK(taken <= size);
    }
  }
}

TEST_CASE("the ends of the clock are safe") {
  for (const Rule& rule : AllKinds()) {
    Fixture fixture({rule});
    for (const int64_t now :
         {INT64_MIN, INT64_MAX, int64_t{0}, INT64_MIN + 1, INT64_MAX - 1, int64_t{-1}}) {
      Reservation held;
      fixture.Reserve(1, now, &held, 5);
      fixture.Settle(&held, 2, now);
      const Verdict verdict = fixture.Peek(1, now);
      CHECK(verdict.retry_after_ns >= 0);
      CHECK(verdict.reset_ns >= 0);
    }
  }
}

TEST_CASE("times before the clock's zero are times like others") {
  for (const Rule& rule : AllKinds()) {
    if (rule.window_ns > kDay) continue;
    Fixture early({rule}), late({rule});
    Random random(31);
    int64_t now = -50 * rule.window_ns;
    // A multiple of every sub-window, so that both see the same phase.
    const int64_t parts =
        rule.algorithm == Algorithm::kSlidingWindow ? kWindowBuckets : kBucketPeaks;
    const int64_t shift = (rule.window_ns + parts - 1) / parts * parts * 1000;
    const uint64_t size = rule.burst != 0 ? rule.burst : rule.amount;
    uint64_t wrong = 0;
    for (int i = 0; i < 3000; ++i) {
      now += static_cast<int64_t>(random.Next() % static_cast<uint64_t>(rule.window_ns / 20));
      const uint64_t cost = random.Below(size / 3 + 2);
      const Decision a = early.Take(cost, now);
      const Decision b = late.Take(cost, now + shift);
      wrong += a.admitted != b.admitted || a.retry_after_ns != b.retry_after_ns ||
               a.verdicts[0].used_before != b.verdicts[0].used_before;
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("wall-clock jumps change nothing") {
  Fixture steady({Window(100, kMinute)}), jumping({Window(100, kMinute)});
  Random random(41);
  int64_t now = 0;
  uint64_t wrong = 0;
  for (int i = 0; i < 2000; ++i) {
    now += static_cast<int64_t>(random.Below(2 * kSecond));
    const uint64_t cost = random.Below(10);
    const auto wall = static_cast<int64_t>(random.Next());
    const Charge charge = {.key = "k", .cost = cost};
    wrong += steady.limiter->Take({charge}, {.mono_ns = now, .unix_ns = 0}).admitted !=
             jumping.limiter->Take({charge}, {.mono_ns = now, .unix_ns = wall}).admitted;
  }
  CHECK(wrong == 0);
}

}  // namespace
}  // namespace weir::limits

// The token bucket against exact rational arithmetic.

#include <algorithm>
#include <deque>
#include <vector>

#include "base/random.h"
#include "base/saturating.h"
#include "tests/limits/support.h"

namespace weir::limits {
namespace {

// The level in units of 1/window of a token: every step is exact.
class ExactBucket {
 public:
  explicit ExactBucket(const Rule& rule)
      : amount_(rule.amount),
        window_(static_cast<uint64_t>(rule.window_ns)),
        size_(static_cast<int128>(rule.burst != 0 ? rule.burst : rule.amount) *
              static_cast<int128>(window_)),
        level_(size_) {}

  void Pass(int64_t elapsed_ns) {
    level_ =
        std::min(size_, level_ + static_cast<int128>(elapsed_ns) * static_cast<int128>(amount_));
  }
  bool Fits(uint64_t cost) const { return level_ >= Scaled(cost); }
  void Book(uint64_t cost) { level_ -= Scaled(cost); }
  // What is spent, rounded up.
  uint64_t Spent() const {
    const auto window = static_cast<int128>(window_);
    return static_cast<uint64_t>((size_ - level_ + window - 1) / window);
  }

 private:
  int128 Scaled(uint64_t cost) const {
    return static_cast<int128>(cost) * static_cast<int128>(window_);
  }
  uint64_t amount_;
  uint64_t window_;
  int128 size_;
  int128 level_;
};

TEST_CASE("a token bucket follows exact arithmetic over a million random steps") {
  const Rule rules[] = {Bucket(100, kMinute),
                        Bucket(7, 1000000007),
                        Bucket(3, 366 * kDay, 5),
                        Bucket(1000003, kSecond, 17),
                        Bucket(1, 86399999999999, 1000),
                        Bucket(kMaxAmount, kSecond),
                        Bucket(kMaxAmount - 1, 366 * kDay, kMaxAmount),
                        Bucket(60, kMinute, 10)};
  uint64_t seed = 1;
  for (const Rule& rule : rules) {
    Fixture fixture({rule});
    ExactBucket twin(rule);
    Random random(seed++);
    const uint64_t size = rule.burst != 0 ? rule.burst : rule.amount;
    const auto per_unit =
        std::max<uint64_t>(1, static_cast<uint64_t>(rule.window_ns) / rule.amount);
    int64_t now = 0;
    uint64_t wrong = 0, admitted = 0, refused = 0;
    for (int i = 0; i < 125000; ++i) {
      const int64_t step = static_cast<int64_t>(
          random.Below(64) == 0 ? random.Below(static_cast<uint64_t>(rule.window_ns))
                                : random.Below(3 * per_unit));
      // Within the range of the clock, where windows are long.
      if (now < (int64_t{1} << 61) - step) {
        now += step;
        twin.Pass(step);
      }
      const uint64_t cost = random.Below(8) == 0 ? random.Below(size + 2) : random.Below(4);
      if (random.Below(50) == 0) {
        fixture.limiter->Book({.key = "k", .cost = cost}, At(now));
        twin.Book(cost);
        continue;
      }
      const Decision decision = fixture.Take(cost, now);
      wrong += decision.verdicts[0].used_before != twin.Spent();
      wrong += decision.admitted != twin.Fits(cost);
      if (twin.Fits(cost)) twin.Book(cost);
      ++(decision.admitted ? admitted : refused);
    }
    INFO("amount " << rule.amount << " window " << rule.window_ns);
    CHECK(wrong == 0);
    CHECK(admitted > 100);
    CHECK(refused > 100);
  }
}

TEST_CASE("no fraction is lost or given: ten million looks at odd times sum exactly") {
  // 3 units per 7 s+1 ns, looked at every 1,013 ns, with one unit booked whenever it fits.
  const Rule rule = Bucket(3000000, 7 * kSecond + 1, 2);
  Fixture fixture({rule});
  constexpr int64_t kSteps = 10000000;
  constexpr int64_t kStepNs = 1013;
  uint64_t admitted = 0;
  for (int64_t i = 0; i <= kSteps; ++i) admitted += fixture.Take(1, i * kStepNs).admitted ? 1 : 0;
  // It starts with 2, and demand is always higher than supply: what came is what was taken.
  const auto refilled = static_cast<uint64_t>(static_cast<uint128>(kSteps * kStepNs) * rule.amount /
                                              static_cast<uint64_t>(rule.window_ns));
  CHECK(admitted == refilled + 2);
}

TEST_CASE("a cost above the burst never fits, one of it does") {
  Fixture fixture({Bucket(100, kMinute, 10)});
  CHECK(fixture.Take(11, 0).retry_after_ns == kNever);
  CHECK(fixture.Take(10, 0).admitted);
  CHECK(fixture.Take(1, 0).retry_after_ns == 600 * kMillisecond);
}

TEST_CASE("a new bucket is full, whatever the clock says") {
  for (const int64_t now : {int64_t{0}, int64_t{-5} * kSecond, 1000 * kDay, -1000 * kDay}) {
    Fixture fixture({Bucket(10, kMinute)});
    CHECK(fixture.Take(10, now).admitted);
    const Decision refused = fixture.Take(1, now);
    CHECK(refused.retry_after_ns == 6 * kSecond);
    CHECK(fixture.Take(1, now + 6 * kSecond).admitted);
  }
}

TEST_CASE("what was reserved and not used comes back, up to where the bucket would be") {
  Fixture fixture({Bucket(100, 100 * kSecond)});
  Reservation held;
  REQUIRE(fixture.Reserve(80, 0, &held).admitted);
  SECTION("at once: all of it") {
    fixture.Settle(&held, 30, 0);
    CHECK(fixture.Used(0) == 30);
  }
  SECTION("after the bucket has filled up: nothing") {
    REQUIRE(fixture.Take(50, 90 * kSecond).admitted);
    fixture.Settle(&held, 0, 90 * kSecond);
    CHECK(fixture.Used(90 * kSecond) == 50);
  }
  SECTION("after it has filled by half: the half that was missing") {
    REQUIRE(fixture.Take(50, 40 * kSecond).admitted);  // level was 60, is 10
    fixture.Settle(&held, 0, 40 * kSecond);
    CHECK(fixture.Used(40 * kSecond) == 50);  // as if the 80 had never been
  }
  SECTION("after the window has passed: nothing") {
    fixture.Settle(&held, 0, 100 * kSecond);
    CHECK(fixture.Used(100 * kSecond) == 0);
  }
  SECTION("after the window has passed, although the bucket is not full: nothing") {
    Fixture deep({Bucket(100, 100 * kSecond, 1000)});
    Reservation late;
    REQUIRE(deep.Reserve(500, 0, &late).admitted);
    REQUIRE(deep.Take(600, 110 * kSecond).admitted);
    deep.Settle(&late, 0, 110 * kSecond);
    CHECK(deep.Used(110 * kSecond) == 500 - 110 + 600);
  }
  SECTION("more than reserved: debt, paid by waiting") {
    fixture.Settle(&held, 180, 0);
    CHECK(fixture.Used(0) == 180);
    CHECK(fixture.Peek(0, 0).retry_after_ns == 80 * kSecond);
    CHECK(fixture.Peek(100, 0).retry_after_ns == 180 * kSecond);
    CHECK(fixture.Take(100, 180 * kSecond).admitted);
  }
}

TEST_CASE("two late refunds do not count the same room twice") {
  Fixture fixture({Bucket(100, 100 * kSecond)});
  Reservation first, second;
  REQUIRE(fixture.Reserve(50, 0, &first).admitted);
  REQUIRE(fixture.Reserve(50, 0, &second).admitted);
  REQUIRE(fixture.Take(80, 80 * kSecond).admitted);  // level was 80, is 0
  fixture.Settle(&first, 0, 80 * kSecond);
  fixture.Settle(&second, 0, 80 * kSecond);
  // Had they never been, the bucket would have been full, and 20 would be left.
  CHECK(fixture.Peek(0, 80 * kSecond).remaining == 20);
}

TEST_CASE("with reservations given back, no stretch of time uses more than the bucket's bound") {
  const Rule rules[] = {Bucket(240, 24 * kSecond), Bucket(2400, 24 * kSecond, 100),
                        Bucket(100, 24 * kSecond, 1000)};
  struct Open {
    Reservation held;
    size_t event;
    uint64_t reserved;
  };
  struct Event {
    int64_t at_ns;
    uint64_t used;
  };
  uint64_t over = 0, refunds = 0;
  for (uint64_t seed = 0; seed < 150; ++seed) {
    const Rule& rule = rules[seed % 3];
    const uint64_t size = rule.burst != 0 ? rule.burst : rule.amount;
    Fixture fixture({rule});
    Random random(seed);
    std::vector<Event> events;
    std::deque<Open> open;
    int64_t now = 0;
    for (int i = 0; i < 250; ++i) {
      now += static_cast<int64_t>(random.Below(random.Below(8) == 0 ? 8 * kSecond : kSecond / 2));
      if (random.Below(3) != 0 || open.empty()) {
        Open next;
        const Decision decision = fixture.Reserve(random.Below(size / 2 + 1), now, &next.held);
        if (!decision.admitted) continue;
        next.reserved = decision.verdicts[0].reserved;
        next.event = events.size();
        events.push_back({now, next.reserved});
        open.push_back(std::move(next));
        continue;
      }
      const size_t index = random.Below(open.size());
      const uint64_t used = random.Below(2) == 0 ? 0 : random.Below(open[index].reserved + 1);
      fixture.Settle(&open[index].held, used, now);
      events[open[index].event].used = used;
      open.erase(open.begin() + static_cast<std::ptrdiff_t>(index));
      ++refunds;
    }
    for (size_t first = 0; first < events.size(); ++first) {
      uint64_t used = 0;
      for (size_t last = first; last < events.size(); ++last) {
        used += events[last].used;
        const uint64_t bound =
            size + CeilDiv(rule.amount, kBucketPeaks) + 1 +
            MulDiv(static_cast<uint64_t>(events[last].at_ns - events[first].at_ns), rule.amount,
                   static_cast<uint64_t>(rule.window_ns));
        over += used > bound;
      }
    }
  }
  CHECK(over == 0);
  CHECK(refunds > 5000);
}

}  // namespace
}  // namespace weir::limits

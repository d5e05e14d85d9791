// What is counted, against lists of all that happened.

#include "breaker/history.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>
#include <vector>

#include "base/random.h"
#include "tests/support/catch.h"

namespace weir::breaker {
namespace {

// Failures among `times` that lie less than `interval` before `now`.
int64_t Within(const std::vector<int64_t>& times, int64_t interval, int64_t now) {
  return std::count_if(times.begin(), times.end(),
                       [&](int64_t time) { return now - time < interval; });
}

TEST_CASE("up to sixteen failures are counted exactly") {
  Random random(1);
  for (int round = 0; round < 300; ++round) {
    const auto count = static_cast<uint32_t>(1 + random.Below(kExactCount));
    const auto interval = static_cast<int64_t>(1 + random.Below(1'000));
    Failures history{};
    std::vector<int64_t> times;
    int64_t now = static_cast<int64_t>(random.Below(10));
    int full = 0;
    for (int failure = 0; failure < 500; ++failure) {
      now += static_cast<int64_t>(random.Below(static_cast<uint64_t>(interval) / count + 2));
      times.push_back(now);
      const bool expected = Within(times, interval, now) >= count;
      REQUIRE(AddFailure(&history, count, interval, now) == expected);
      if (!expected) continue;
      // As a circuit does when it trips.
      history = {};
      times.clear();
      ++full;
    }
    if (count == 1) CHECK(full == 500);
  }
}

TEST_CASE("larger counts are never late and at most a fifteenth early in forgetting") {
  Random random(2);
  for (int round = 0; round < 200; ++round) {
    const auto count = static_cast<uint32_t>(kExactCount + 1 + random.Below(100));
    const auto interval = static_cast<int64_t>(15 + random.Below(100'000));
    const int64_t width = interval / 15;
    Failures history{};
    std::vector<int64_t> times;
    int64_t now = static_cast<int64_t>(random.Below(1'000'000));
    for (int failure = 0; failure < 2'000; ++failure) {
      const uint64_t step = 2 * static_cast<uint64_t>(interval) / count;
      now += random.Below(200) == 0 ? 2 * interval : static_cast<int64_t>(random.Below(step + 1));
      times.push_back(now);
      const bool full = AddFailure(&history, count, interval, now);
      if (full) REQUIRE(Within(times, interval, now) >= count);
      if (Within(times, 14 * width, now) >= count) REQUIRE(full);
      if (!full) continue;
      history = {};
      times.clear();
    }
  }
}

TEST_CASE("a clock that steps back keeps what was counted, and no longer than an interval") {
  for (const uint32_t count : {uint32_t{5}, uint32_t{40}}) {
    const int64_t interval = 1'500;
    const int64_t late = 1'000'000'000;
    Failures history{};
    for (uint32_t i = 0; i + 2 < count; ++i)
      REQUIRE_FALSE(AddFailure(&history, count, interval, late));
    // No time passed: they still count.
    Failures now_full = history;
    CHECK_FALSE(AddFailure(&now_full, count, interval, 10'000));
    CHECK(AddFailure(&now_full, count, interval, 10'001));
    // An interval later on the new clock they do not, long before the old time comes again.
    CHECK_FALSE(AddFailure(&history, count, interval, 10'000));
    CHECK_FALSE(AddFailure(&history, count, interval, 10'000 + interval + 100));
    CHECK_FALSE(AddFailure(&history, count, interval, 10'000 + interval + 101));
  }
}

TEST_CASE("threads whose clocks differ a little count in one window") {
  Failures history{};
  int64_t now = 1'000'000;
  for (int i = 0; i < 39; ++i) {
    REQUIRE_FALSE(AddFailure(&history, 40, 1'500, now + (i % 2 == 0 ? 0 : -60)));
  }
  CHECK(AddFailure(&history, 40, 1'500, now));
}

// Sub-intervals by plain division.
uint64_t NumberOf(int64_t now, int64_t interval) {
  return static_cast<uint64_t>(now / (interval / 16));
}

TEST_CASE("the number of a sub-interval is the quotient") {
  Random random(3);
  for (int round = 0; round < 300'000; ++round) {
    const auto interval = static_cast<int64_t>(16 + (random.Next() >> (9 + random.Below(50))));
    const auto now = static_cast<int64_t>(random.Next() >> (1 + random.Below(63)));
    REQUIRE(ShareClock(interval).NumberAt(now) == NumberOf(now, interval));
    const int64_t width = interval / 16;
    const int64_t edge = now / width * width;
    REQUIRE(ShareClock(interval).NumberAt(edge) == static_cast<uint64_t>(edge / width));
    if (edge > 0) {
      REQUIRE(ShareClock(interval).NumberAt(edge - 1) == static_cast<uint64_t>(edge / width - 1));
    }
  }
}

TEST_CASE("shares are exact by sub-interval, never late and at most a sixteenth early") {
  Random random(4);
  for (int round = 0; round < 100; ++round) {
    const auto interval = static_cast<int64_t>(16 + random.Below(100'000));
    const int64_t width = interval / 16;
    const uint64_t word = 4 * random.Below(1'000);
    Shares shares;
    ClearShares(&shares, word);
    const ShareClock clock(interval);
    std::vector<std::pair<int64_t, bool>> all;
    int64_t now = static_cast<int64_t>(random.Below(1'000'000));
    for (int i = 0; i < 1'000; ++i) {
      const uint64_t leap = random.Below(200);
      now += leap == 0   ? 3 * interval
             : leap == 1 ? width * int64_t{1 << 20}
                         : static_cast<int64_t>(random.Below(static_cast<uint64_t>(width) + 1));
      const bool matches = random.Below(3) == 0;
      AddOutcome(&shares, clock.NumberAt(now), matches, &word, word);
      all.emplace_back(now, matches);
      const ShareCounts counts = CountShares(shares, clock.NumberAt(now));
      uint64_t exact[2] = {0, 0};    // all, matching: by sub-interval
      uint64_t longest[2] = {0, 0};  // of the whole interval
      uint64_t surest[2] = {0, 0};   // of fifteen sixteenths of it
      for (const auto& [time, matched] : all) {
        for (size_t sort = 0; sort < (matched ? 2 : 1); ++sort) {
          exact[sort] += NumberOf(now, interval) - NumberOf(time, interval) < 16 ? 1 : 0;
          longest[sort] += now - time < interval ? 1 : 0;
          surest[sort] += now - time <= 15 * width ? 1 : 0;
        }
      }
      REQUIRE(counts.all == exact[0]);
      REQUIRE(counts.matching == exact[1]);
      REQUIRE(counts.all <= longest[0]);
      REQUIRE(counts.matching <= longest[1]);
      REQUIRE(counts.all >= surest[0]);
      REQUIRE(counts.matching >= surest[1]);
    }
  }
}

TEST_CASE("a thread whose clock is a little ahead is counted") {
  const uint64_t word = 4;
  Shares shares;
  ClearShares(&shares, word);
  for (int i = 0; i < 10; ++i) AddOutcome(&shares, 100 + i % 2, i % 2 == 0, &word, word);
  CHECK(CountShares(shares, 100).all == 10);
  CHECK(CountShares(shares, 100).matching == 5);
  CHECK(CountShares(shares, 101).all == 10);
  CHECK(CountShares(shares, 115).all == 10);
  CHECK(CountShares(shares, 116).all == 5);
  CHECK(CountShares(shares, 117).all == 0);
  // A step far back forgets, and what is counted then is found.
  CHECK(CountShares(shares, 50).all == 0);
  AddOutcome(&shares, 50, true, &word, word);
  CHECK(CountShares(shares, 50).all == 1);
}

TEST_CASE("what does not fit keeps its share") {
  const uint64_t word = 4;
  Shares shares;
  ClearShares(&shares, word);
  for (int i = 0; i < 5'000'000; ++i) AddOutcome(&shares, 7, i % 4 == 0, &word, word);
  const ShareCounts counts = CountShares(shares, 7);
  CHECK(counts.all >= 100'000);
  CHECK(counts.matching * 4 >= counts.all - 8);
  CHECK(counts.matching * 4 <= counts.all + 8);
}

TEST_CASE("memory that holds no shares is left alone, and so is another state's") {
  uint64_t word = 4;
  Shares other = {};
  other.words[3] = 12'345;
  const Shares before = other;
  for (uint64_t number = 0; number < 40; ++number) {
    AddOutcome(&other, number, true, &word, word);
  }
  CHECK(std::equal(std::begin(other.words), std::end(other.words), std::begin(before.words)));
  ClearShares(&other, word);
  AddOutcome(&other, 3, true, &word, word + 4);
  CHECK(CountShares(other, 3).all == 0);
}

TEST_CASE("threads lose no outcome") {
  const uint64_t word = 4;
  Shares shares;
  ClearShares(&shares, word);
  constexpr int kEach = 50'000;  // all of it fits into one sub-interval
  std::atomic<int> number{1'000};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        if (t == 0 && i % (kEach / 10) == kEach / 20) ++number;
        AddOutcome(&shares, static_cast<uint64_t>(number.load()), i % 2 == 0, &word, word);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  const ShareCounts counts = CountShares(shares, static_cast<uint64_t>(number.load()));
  CHECK(counts.all == 4 * kEach);
  CHECK(counts.matching == 2 * kEach);
}

}  // namespace
}  // namespace weir::breaker

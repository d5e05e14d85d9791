// AddFailure against a list of all failures.

#include "breaker/history.h"

#include <algorithm>
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
    History history{};
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
    History history{};
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
    History history{};
    for (uint32_t i = 0; i + 2 < count; ++i)
      REQUIRE_FALSE(AddFailure(&history, count, interval, late));
    // No time passed: they still count.
    History now_full = history;
    CHECK_FALSE(AddFailure(&now_full, count, interval, 10'000));
    CHECK(AddFailure(&now_full, count, interval, 10'001));
    // An interval later on the new clock they do not, long before the old time comes again.
    CHECK_FALSE(AddFailure(&history, count, interval, 10'000));
    CHECK_FALSE(AddFailure(&history, count, interval, 10'000 + interval + 100));
    CHECK_FALSE(AddFailure(&history, count, interval, 10'000 + interval + 101));
  }
}

TEST_CASE("threads whose clocks differ a little count in one window") {
  History history{};
  int64_t now = 1'000'000;
  for (int i = 0; i < 39; ++i) {
    REQUIRE_FALSE(AddFailure(&history, 40, 1'500, now + (i % 2 == 0 ? 0 : -60)));
  }
  CHECK(AddFailure(&history, 40, 1'500, now));
}

}  // namespace
}  // namespace weir::breaker

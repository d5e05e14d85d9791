// The integer arithmetic underneath: division by multiplication, the ring of sums, coarse moments.

#include <algorithm>
#include <cstdint>
#include <map>

#include "base/random.h"
#include "limits/counter.h"
#include "limits/divider.h"
#include "limits/ring.h"
#include "tests/limits/support.h"

namespace weir::limits {
namespace {

// Of any number of bits.
uint64_t AnySize(Random& random) { return random.Next() >> random.Below(64); }

TEST_CASE("dividing by multiplication is dividing") {
  Random random(1);
  uint64_t wrong = 0;
  for (int i = 0; i < 300000; ++i) {
    const uint64_t d = std::max<uint64_t>(AnySize(random) >> 2, 1);
    const Divider divider(d);
    const uint64_t q = random.Next() % (~uint64_t{0} / d) + 1;
    for (const uint64_t n : {AnySize(random), q * d - 1, q * d, ~uint64_t{0}}) {
      wrong += divider.Divide(n) != n / d;
      wrong += n != 0 && divider.DivideUp(n) != n / d + (n % d != 0 ? 1 : 0);
    }
    for (const uint64_t far : {AnySize(random), q * d}) {
      const auto n = static_cast<int64_t>(far & ((uint64_t{1} << 62) - 1));
      const auto width = static_cast<int64_t>(d);
      wrong += divider.Floor(n) != n / width;
      wrong += divider.Floor(-n) != -(n / width) - (n % width != 0 ? 1 : 0);
    }
  }
  CHECK(wrong == 0);
  CHECK(Divider().Floor(-7) == -7);
}

// What was added, by sub-window, as long as it is remembered; no clock goes back here.
template <int kSums>
struct RingTwin {
  std::map<int64_t, uint64_t> sums;
  uint64_t Total(int64_t number) const {
    uint64_t total = 0;
    for (const auto& [k, sum] : sums) total += k > number - kSums ? sum : 0;
    return total;
  }
  int64_t NumberWithAtMost(uint64_t keep, int64_t number) const {
    while (Total(number) > keep) ++number;
    return number;
  }
};

template <int kSums>
void CompareWithTwin(uint64_t seed, int64_t number) {
  Random random(seed);
  Ring<kSums> ring{};
  RingTwin<kSums> twin;
  uint64_t wrong = 0;
  for (int i = 0; i < 20000; ++i) {
    if (random.Below(3) == 0) number += static_cast<int64_t>(random.Below(kSums + kSums / 2));
    if (random.Below(2) == 0) {
      const uint64_t amount = random.Below(4) == 0 ? 0 : random.Below(1000);
      const auto added = ring.Add(number, amount);
      twin.sums[number] += amount;
      wrong += added.number != number;
      wrong += added.empty_from != twin.NumberWithAtMost(0, number);
    } else {
      const auto back = number - static_cast<int64_t>(random.Below(kSums + 2));
      const uint64_t amount = random.Below(1500);
      // What nobody looked at since it was due to go may still be there, and is not counted.
      uint64_t& sum = twin.sums[back];
      if (back <= ring.head && back > ring.head - kSums) sum -= std::min(sum, amount);
      wrong += ring.Remove(back, amount) && sum == 0;
    }
    twin.sums.erase(twin.sums.begin(), twin.sums.lower_bound(number - 2 * kSums));
    const uint64_t total = twin.Total(number);
    wrong += ring.Total(number) != total;
    wrong += ring.EmptyFrom(number) != twin.NumberWithAtMost(0, number);
    if (total == 0) continue;
    for (const uint64_t keep : {uint64_t{0}, total - 1, total / 2, random.Below(total)}) {
      wrong += ring.NumberWithAtMost(keep, number, total) != twin.NumberWithAtMost(keep, number);
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("a ring of sums agrees with a list of them, also before the clock's zero") {
  for (uint64_t seed = 0; seed < 4; ++seed) {
    CompareWithTwin<kRememberedSums>(seed, 3);
    CompareWithTwin<kRememberedSums>(seed, -100000);
    CompareWithTwin<kLeaseParts + 1>(seed, -5);
  }
}

TEST_CASE("coarse moments are never before the moments, and those beyond the last are never") {
  Random random(2);
  uint64_t wrong = 0;
  for (int i = 0; i < 100000; ++i) {
    auto moment = static_cast<int64_t>(AnySize(random) >> 3);
    if (random.Below(2) == 0) moment = -moment;
    const int64_t coarse = FromCoarse(ToCoarse(moment));
    wrong += coarse < moment || coarse - moment >= int64_t{1} << 30;
  }
  CHECK(wrong == 0);
  CHECK(FromCoarse(ToCoarse(kNever)) == kNever);
  CHECK(FromCoarse(ToCoarse(kNever - kHour)) == kNever);
  CHECK(FromCoarse(ToCoarse(kMaxMonoNs)) == kNever);
}

TEST_CASE("a lifetime that began before the clock's zero is not forgotten for a new key") {
  Rule rule = Window(10, 0);
  rule.algorithm = Algorithm::kCalendar;
  rule.period = Period::kLifetime;
  Fixture fixture({rule}, {.max_counters = 16});
  REQUIRE(fixture.Take(10, -kHour).admitted);
  for (int i = 0; i < 64; ++i) fixture.Take(1, kSecond + i, 0, std::to_string(i));
  CHECK(fixture.Used(kMinute) == 10);
}

}  // namespace
}  // namespace weir::limits

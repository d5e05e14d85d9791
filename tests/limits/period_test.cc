// Fixed windows, calendar periods and places, against twins; and calendars of all zones.

#include <dirent.h>

#include <algorithm>
#include <deque>
#include <filesystem>
#include <fstream>
#include <set>

#include "absl/time/time.h"
#include "base/random.h"
#include "limits/calendar.h"
#include "tests/limits/support.h"

namespace weir::limits {
namespace {

Rule Places(uint64_t amount, int64_t lease_ns = kMinute) {
  return {
      .name = "p", .algorithm = Algorithm::kConcurrency, .amount = amount, .lease_ns = lease_ns};
}
Rule Every(Period period, uint64_t amount, const std::string& zone = "") {
  return {.name = "c",
          .algorithm = Algorithm::kCalendar,
          .amount = amount,
          .period = period,
          .time_zone = zone};
}
Rule Fixed(uint64_t amount, int64_t window_ns) {
  return {
      .name = "f", .algorithm = Algorithm::kFixedWindow, .amount = amount, .window_ns = window_ns};
}
Now Wall(int64_t unix_ns) { return {.mono_ns = kHour, .unix_ns = unix_ns}; }
int64_t Utc(int year, int month, int day, int hour = 0) {
  return absl::ToUnixNanos(
      absl::FromCivil(absl::CivilHour(year, month, day, hour), absl::UTCTimeZone()));
}
constexpr Period kPeriods[] = {Period::kHour,  Period::kDay,     Period::kWeek,
                               Period::kMonth, Period::kQuarter, Period::kYear};

std::vector<std::string> AllZones() {
  std::vector<std::string> zones;
  std::ifstream list("/usr/share/zoneinfo/tzdata.zi");
  std::set<std::string> names;
  for (std::string line; std::getline(list, line);) {
    if (line.rfind("Z ", 0) == 0) names.insert(line.substr(2, line.find(' ', 2) - 2));
    if (line.rfind("L ", 0) == 0) names.insert(line.substr(line.find(' ', 2) + 1));
  }
  return {names.begin(), names.end()};
}

TEST_CASE("in every zone, the periods of three years tile time") {
  const std::vector<std::string> zones = AllZones();
  if (zones.empty()) return;  // a system without time-zone data
  REQUIRE(zones.size() >= 400);
  uint64_t wrong = 0, periods = 0;
  Random random(1);
  for (const std::string& zone : zones) {
    for (const Period period : kPeriods) {
      auto calendar = Calendar::Make(period, zone, 1);
      REQUIRE(calendar.ok());
      // Years with skipped days (Samoa, 2011) and repeated midnights are among them.
      const int year = random.Below(2) == 0 ? 2010 : 2023;
      int64_t at = Utc(year, 1, 1);
      // Hours are many; their zone changes are what matters.
      const int64_t end = period == Period::kHour ? at + 400 * kDay : Utc(year + 3, 1, 1);
      if (period == Period::kHour && random.Below(8) != 0) continue;
      at = calendar->At(at).start_ns;
      while (at < end) {
        const Calendar::Span span = calendar->At(at);
        wrong += span.start_ns != at || span.end_ns <= at;
        wrong += span.end_ns - span.start_ns > calendar->longest_ns();
        const auto length = static_cast<uint64_t>(span.end_ns - span.start_ns);
        const Calendar::Span inside =
            calendar->At(at + static_cast<int64_t>(random.Next() % length));
        const Calendar::Span last = calendar->At(span.end_ns - 1);
        wrong += inside.start_ns != span.start_ns || inside.end_ns != span.end_ns;
        wrong += last.start_ns != span.start_ns || last.end_ns != span.end_ns;
        at = span.end_ns;
        ++periods;
      }
    }
  }
  CHECK(wrong == 0);
  CHECK(periods > 500000);
}

TEST_CASE("periods are those of the zone's calendar") {
  struct Row {
    Period period;
    const char* zone;
    int64_t at, start, end;
  };
  const Row rows[] = {
      {Period::kDay, "", Utc(2024, 2, 29, 13), Utc(2024, 2, 29), Utc(2024, 3, 1)},
      {Period::kMonth, "", Utc(2024, 2, 29, 13), Utc(2024, 2, 1), Utc(2024, 3, 1)},
      {Period::kQuarter, "", Utc(2024, 2, 29), Utc(2024, 1, 1), Utc(2024, 4, 1)},
      {Period::kYear, "", Utc(2024, 12, 31, 23), Utc(2024, 1, 1), Utc(2025, 1, 1)},
      {Period::kWeek, "", Utc(2024, 3, 3, 23), Utc(2024, 2, 26), Utc(2024, 3, 4)},
      // Days of 23 and 25 hours.
      {Period::kDay, "Europe/Berlin", Utc(2024, 3, 31, 12), Utc(2024, 3, 30, 23),
       Utc(2024, 3, 31, 22)},
      {Period::kDay, "Europe/Berlin", Utc(2024, 10, 27, 12), Utc(2024, 10, 26, 22),
       Utc(2024, 10, 27, 23)},
      // The hour that comes twice is one period.
      {Period::kHour, "Europe/Berlin", Utc(2024, 10, 27, 0), Utc(2024, 10, 27, 0),
       Utc(2024, 10, 27, 2)},
      // Midnight is skipped: the day begins at one.
      {Period::kDay, "America/Sao_Paulo", Utc(2018, 11, 4, 12), Utc(2018, 11, 4, 3),
       Utc(2018, 11, 5, 2)},
      {Period::kMonth, "Asia/Kolkata", Utc(2024, 5, 31, 20), Utc(2024, 5, 31, 18) + 30 * kMinute,
       Utc(2024, 6, 30, 18) + 30 * kMinute},
  };
  for (const Row& row : rows) {
    auto calendar = Calendar::Make(row.period, row.zone, 1);
    if (!calendar.ok()) continue;  // a system without time-zone data
    const Calendar::Span span = calendar->At(row.at);
    CHECK(span.start_ns == row.start);
    CHECK(span.end_ns == row.end);
  }
  auto sundays = Calendar::Make(Period::kWeek, "", 7);
  REQUIRE(sundays.ok());
  CHECK(sundays->At(Utc(2024, 3, 3)).start_ns == Utc(2024, 3, 3));
  CHECK(sundays->At(Utc(2024, 3, 2, 23)).end_ns == Utc(2024, 3, 3));
}

TEST_CASE("rules of periods out of range are named") {
  auto segment = MakeSegment();
  struct Row {
    Rule rule;
    const char* word;
  };
  Rule anchored = Every(Period::kMonth, 1);
  anchored.window_ns = kDay;
  Rule days = Every(Period::kWeek, 1);
  days.week_start = 8;
  Rule lease = Fixed(1, kMinute);
  lease.lease_ns = 2 * kDay;
  Rule no_period = Every(static_cast<Period>(9), 1);
  Rule share = Fixed(1, kMinute);
  share.share = true;
  Rule floor = Window(10, kMinute);
  floor.share = true;
  floor.share_floor = 11;
  const Row rows[] = {{anchored, "window_ns"},
                      {days, "week_start"},
                      {lease, "lease_ns"},
                      {no_period, "period"},
                      {share, "share"},
                      {floor, "share_floor"},
                      {Places(1, 0), "lease_ns"},
                      {Every(Period::kDay, 1, "Europe/Atlantis"), "time_zone"},
                      {Every(Period::kDay, 0), "amount"}};
  for (const Row& row : rows) {
    const auto limiter = Limiter::Create(segment.get(), {row.rule}, {});
    REQUIRE(limiter.status().code() == absl::StatusCode::kInvalidArgument);
    const std::string message(limiter.status().message());
    INFO(message);
    CHECK(message.find(row.word) != std::string::npos);
  }
}

TEST_CASE("a calendar budget ends with its period, at whatever time it is asked again") {
  for (const Period period : kPeriods) {
    Fixture fixture({Every(period, 10, "UTC")});
    auto calendar = Calendar::Make(period, "", 1);
    REQUIRE(calendar.ok());
    Random random(4);
    int64_t now = Utc(2024, 1, 1);
    Calendar::Span span = calendar->At(now);
    uint64_t used = 0, wrong = 0;
    for (int i = 0; i < 20000; ++i) {
      const auto longest = static_cast<uint64_t>(span.end_ns - span.start_ns);
      now +=
          static_cast<int64_t>(random.Next() % (random.Below(30) == 0 ? 4 * longest : longest / 9));
      if (now >= Utc(2100, 1, 1)) break;
      if (now >= span.end_ns) {
        span = calendar->At(now);
        used = 0;
      }
      const uint64_t cost = random.Below(5);
      const Decision decision = fixture.limiter->Take({{.key = "k", .cost = cost}}, Wall(now));
      wrong += decision.verdicts[0].used_before != used;
      wrong += decision.admitted != (used + cost <= 10);
      if (decision.admitted) used += cost;
      if (!decision.admitted) wrong += decision.retry_after_ns != span.end_ns - now;
      if (used != 0) wrong += decision.verdicts[0].reset_ns != span.end_ns - now;
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("a lifetime never ends") {
  Fixture fixture({Every(Period::kLifetime, 10)});
  REQUIRE(fixture.limiter->Take({{.key = "k", .cost = 7}}, Wall(0)).admitted);
  const Decision refused = fixture.limiter->Take({{.key = "k", .cost = 4}}, Wall(100 * 365 * kDay));
  CHECK_FALSE(refused.admitted);
  CHECK(refused.retry_after_ns == kNever);
  CHECK(fixture.limiter->Take({{.key = "k", .cost = 3}}, Wall(100 * 365 * kDay)).admitted);
}

TEST_CASE("a wall clock that strays and comes back finds the count as it would have been") {
  const int64_t strays[] = {kMinute / 2,  10 * kDay,  40 * kDay,  3650 * kDay,
                            -kMinute / 2, -10 * kDay, -40 * kDay, -3650 * kDay};
  for (const int64_t stray : strays) {
    Fixture fixture({Every(Period::kMonth, 100)});
    const auto take = [&](uint64_t cost, int64_t unix_ns) {
      return fixture.limiter->Take({{.key = "k", .cost = cost}}, Wall(unix_ns)).admitted;
    };
    const int64_t now = Utc(2024, 5, 25);
    REQUIRE(take(50, now));
    REQUIRE(take(20, now + stray));
    INFO("stray " << stray / kDay);
    CHECK(fixture.limiter->Peek({.key = "k"}, Wall(now)).used_before == 70);
    CHECK_FALSE(take(31, now));
    CHECK(take(30, now));
    CHECK_FALSE(take(1, Utc(2024, 5, 31, 23)));
    CHECK(take(100, Utc(2024, 6, 1)));
  }
}

TEST_CASE("a fixed window begins with its first booking") {
  Fixture fixture({Fixed(10, kMinute)});
  REQUIRE(fixture.Take(10, kHour + 17).admitted);
  const Decision refused = fixture.Take(1, kHour + kSecond);
  CHECK_FALSE(refused.admitted);
  CHECK(refused.retry_after_ns == kMinute + 17 - kSecond);
  CHECK_FALSE(fixture.Take(1, kHour + kMinute + 16).admitted);
  CHECK(fixture.Take(10, kHour + kMinute + 17).admitted);
  // A new clock, far back: at most a window more, and no gift.
  CHECK_FALSE(fixture.Take(1, kSecond).admitted);
  CHECK(fixture.Peek(10, kSecond).retry_after_ns <= kMinute);
}

TEST_CASE("a fixed window may be anchored to a wall time") {
  Rule rule = Fixed(10, kHour);
  rule.anchor_unix_ns = Utc(1980, 1, 1) + 7 * kMinute;
  Fixture fixture({rule});
  const int64_t now = Utc(2024, 5, 25, 3);
  REQUIRE(fixture.limiter->Take({{.key = "k", .cost = 10}}, Wall(now)).admitted);
  const Decision refused = fixture.limiter->Take({{.key = "k", .cost = 1}}, Wall(now + kMinute));
  CHECK(refused.retry_after_ns == 6 * kMinute);
  CHECK(fixture.limiter->Take({{.key = "k", .cost = 10}}, Wall(now + 7 * kMinute)).admitted);
}

TEST_CASE("places are freed by their ends, or by their leases") {
  Fixture fixture({Places(3, kMinute)});
  std::vector<Reservation> held(4);
  for (int i = 0; i < 3; ++i) REQUIRE(fixture.Reserve(1, i * kSecond, &held[i]).admitted);
  const Decision refused = fixture.Reserve(1, 3 * kSecond, &held[3]);
  REQUIRE_FALSE(refused.admitted);
  CHECK(refused.retry_after_ns == kPlaceWaitNs);
  fixture.Settle(&held[0], 0, 3 * kSecond);
  REQUIRE(fixture.Reserve(1, 3 * kSecond, &held[3]).admitted);
  // Renewed, a lease goes on; the others are over, and their ends change nothing any more.
  REQUIRE(fixture.limiter->TopUp(&held[3], {}, At(50 * kSecond)).admitted);
  CHECK(fixture.Used(75 * kSecond) == 1);
  fixture.Settle(&held[1], 0, 75 * kSecond);
  fixture.limiter->Release(&held[2], At(75 * kSecond));
  CHECK(fixture.Used(75 * kSecond) == 1);
  fixture.limiter->Release(&held[3], At(75 * kSecond));
  CHECK(fixture.Used(75 * kSecond) == 0);
}

// What a period's counter should say, kept as a list of everything.
struct ListTwin {
  struct Item {
    int64_t booked_number;
    uint64_t reserved;
  };
  uint64_t settled = 0;
  std::deque<Item> open;
  uint64_t Used(int64_t number) const {
    uint64_t used = settled;
    for (const Item& item : open) used += item.booked_number > number - 7 ? item.reserved : 0;
    return used;
  }
};

TEST_CASE("reserving and settling in a period agrees with a list of everything") {
  const int64_t width = 10 * kSecond;
  uint64_t seed = 0;
  for (const Rule& rule : {Every(Period::kLifetime, 100000), Places(200)}) {
    Rule leased = rule;
    leased.lease_ns = 6 * width;
    Fixture fixture({leased});
    ListTwin twin;
    std::deque<Reservation> open;
    Random random(++seed);
    int64_t now = 0;
    uint64_t wrong = 0, expired = 0;
    const bool places = rule.algorithm == Algorithm::kConcurrency;
    for (int i = 0; i < 200000; ++i) {
      now += static_cast<int64_t>(random.Below(kSecond));
      if (random.Below(2) == 0 || open.empty()) {
        Reservation held;
        const uint64_t cost = random.Below(8);
        const uint64_t before = twin.Used(now / width);
        const Decision decision = fixture.Reserve(cost, now, &held);
        wrong += decision.verdicts[0].used_before != before;
        wrong += decision.admitted != (before + cost <= leased.amount);
        if (!decision.admitted) continue;
        open.push_back(std::move(held));
        twin.open.push_back({now / width, cost});
      } else {
        const auto index =
            static_cast<std::ptrdiff_t>(random.Below(2) == 0 ? 0 : random.Below(open.size()));
        const ListTwin::Item item = twin.open[static_cast<size_t>(index)];
        expired += item.booked_number <= now / width - 7;
        const uint64_t actual = random.Below(12);
        fixture.Settle(&open[static_cast<size_t>(index)], actual, now);
        open.erase(open.begin() + index);
        twin.open.erase(twin.open.begin() + index);
        if (!places) twin.settled += actual;
      }
      while (open.size() > 100) {  // dropped: they expire
        open.pop_front();
        if (twin.open.front().booked_number > now / width - 7) break;
        twin.open.pop_front();
      }
      if (open.size() != twin.open.size()) {
        // One was dropped before its lease was over: wait until it is.
        now += 80 * kSecond;
        while (open.size() < twin.open.size()) twin.open.pop_front();
      }
      wrong += fixture.Used(now) != twin.Used(now / width);
      if (!places && twin.settled > 90000) {
        Fixture fresh({leased});
        std::swap(fixture.segment, fresh.segment);
        std::swap(fixture.limiter, fresh.limiter);
        twin = {};
        open.clear();
      }
    }
    CHECK(wrong == 0);
    CHECK(expired > 100);
  }
}

}  // namespace
}  // namespace weir::limits

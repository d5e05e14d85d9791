// The fair share: a flood, floors, weights, lending and taking back, against water-filling.

#include <algorithm>
#include <iostream>
#include <numeric>
#include <string>
#include <vector>

#include "base/random.h"
#include "tests/limits/support.h"

namespace weir::limits {
namespace {

Rule Shared(uint64_t amount, uint64_t floor = 0) {
  Rule rule = Window(amount, kMinute, "shared");
  rule.share = true;
  rule.share_floor = floor;
  return rule;
}

// An app that asks `per_second` times a second for `cost`, while it is on.
struct App {
  std::string name;
  uint32_t weight = 1;
  double per_second = 0;
  uint64_t cost = 10;
  int64_t from_ns = 0, until_ns = INT64_MAX;
};

// What each app got in each second.
using Series = std::vector<std::vector<uint64_t>>;

Series Simulate(const Rule& rule, const std::vector<App>& apps, int seconds, uint64_t seed,
                uint64_t* over = nullptr, Series* asked = nullptr) {
  Fixture fixture({rule}, {.max_counters = 512});
  Random random(seed);
  Series got(apps.size(), std::vector<uint64_t>(static_cast<size_t>(seconds), 0));
  if (asked != nullptr) *asked = got;
  constexpr int64_t kStep = 10 * kMillisecond;
  for (int64_t now = 0; now < seconds * kSecond; now += kStep) {
    // In random order, so that nobody is always first at the new room.
    std::vector<size_t> order(apps.size());
    std::iota(order.begin(), order.end(), size_t{0});
    for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.Below(i)]);
    for (const size_t i : order) {
      const App& app = apps[i];
      if (now < app.from_ns || now >= app.until_ns) continue;
      double due = app.per_second * 0.01;
      while (due >= 1 || random.Below(1000000) < static_cast<uint64_t>(due * 1000000)) {
        due -= 1;
        const Decision decision = fixture.limiter->Take(
            {{.key = app.name, .cost = app.cost, .weight = app.weight}}, At(now));
        if (asked != nullptr) (*asked)[i][static_cast<size_t>(now / kSecond)] += app.cost;
        if (decision.admitted) got[i][static_cast<size_t>(now / kSecond)] += app.cost;
        if (due <= 0) break;
      }
    }
  }
  if (over != nullptr) {
    for (size_t end = 60; end <= static_cast<size_t>(seconds); ++end) {
      uint64_t sum = 0;
      for (const auto& series : got) {
        sum = std::accumulate(series.begin() + static_cast<std::ptrdiff_t>(end - 60),
                              series.begin() + static_cast<std::ptrdiff_t>(end), sum);
      }
      *over += sum > rule.amount;
    }
  }
  return got;
}

uint64_t Between(const std::vector<uint64_t>& series, int from_s, int to_s) {
  return std::accumulate(series.begin() + from_s, series.begin() + to_s, uint64_t{0});
}

// Weighted max-min by water-filling: the twin.
std::vector<double> WaterFill(double amount, const std::vector<App>& apps) {
  std::vector<double> share(apps.size(), 0);
  std::vector<bool> met(apps.size(), false);
  const auto demand = [&](size_t i) {
    return apps[i].per_second * static_cast<double>(apps[i].cost) * 60;
  };
  while (true) {
    double left = amount, weights = 0;
    for (size_t i = 0; i < apps.size(); ++i) {
      if (met[i]) left -= demand(i);
      if (!met[i]) weights += apps[i].weight;
    }
    bool changed = false;
    for (size_t i = 0; i < apps.size(); ++i) {
      if (met[i]) continue;
      share[i] = left * apps[i].weight / weights;
      if (demand(i) <= share[i]) {
        share[i] = demand(i);
        met[i] = changed = true;
      }
    }
    if (!changed) return share;
  }
}

TEST_CASE("an app that floods can not push another below its share") {
  // Three apps that want less than or their share, and one that wants twelve times the whole.
  const std::vector<App> apps = {{.name = "flood", .per_second = 2000},
                                 {.name = "half", .per_second = 20.8},  // half its share
                                 {.name = "share", .per_second = 41.6},
                                 {.name = "double", .per_second = 83.3}};
  for (uint64_t seed = 0; seed < 2; ++seed) {
    uint64_t over = 0;
    Series asked;
    const Series got = Simulate(Shared(100000), apps, 420, seed, &over, &asked);
    CHECK(over == 0);
    // In the steady state, per minute. A sliding window passes 10 parts in 11 at full demand.
    const auto per_minute = [&](size_t i) { return Between(got[i], 120, 420) / 5; };
    CHECK(per_minute(1) > Between(asked[1], 120, 420) / 5 * 98 / 100);
    CHECK(per_minute(2) > 25000 * 10 / 11 * 97 / 100);
    CHECK(per_minute(3) > 25000 * 10 / 11);
    CHECK(per_minute(0) > 25000 * 10 / 11);
    CHECK(per_minute(0) < 40000);
  }
}

TEST_CASE("the shares are those of water-filling") {
  Random random(5);
  for (uint64_t seed = 0; seed < 12; ++seed) {
    std::vector<App> apps;
    const size_t count = 2 + random.Below(8);
    for (size_t i = 0; i < count; ++i) {
      apps.push_back({.name = "app" + std::to_string(i),
                      .weight = static_cast<uint32_t>(1 + random.Below(4)),
                      .per_second = static_cast<double>(1 + random.Below(400)) / 2});
    }
    const Series got = Simulate(Shared(60000), apps, 360, seed);
    const std::vector<double> expected = WaterFill(60000, apps);
    for (size_t i = 0; i < count; ++i) {
      const double per_minute = static_cast<double>(Between(got[i], 120, 360)) / 4;
      INFO("seed " << seed << " app " << i << " got " << per_minute << " of " << expected[i]);
      // Ten parts in eleven, and the grain of sub-windows.
      CHECK(per_minute > expected[i] * 0.84);
      CHECK(per_minute < expected[i] * 1.12 + 100);
    }
  }
}

TEST_CASE("idle share is lent at once, and taken back within one window") {
  const std::vector<App> apps = {
      {.name = "always", .per_second = 500},
      {.name = "returns", .per_second = 500, .from_ns = 120 * kSecond, .until_ns = 300 * kSecond}};
  const Series got = Simulate(Shared(60000), apps, 480, 1);
  // Alone it has it all.
  CHECK(Between(got[0], 60, 120) > 60000 * 10 / 11 - 2000);
  // One window (and a sub-window) after its return, the other has its half in each window.
  CHECK(Between(got[1], 120 + 66, 240 + 6) > 30000 * 10 / 11 - 1500);
  CHECK(Between(got[1], 240, 300) > 30000 * 10 / 11 - 1500);
  // And one window after it has gone, all is lent again.
  CHECK(Between(got[0], 372, 432) > 60000 * 10 / 11 - 3000);
}

TEST_CASE("a floor holds though the share is smaller") {
  std::vector<App> apps = {{.name = "small", .weight = 1, .per_second = 100}};
  apps.push_back({.name = "large", .weight = 99, .per_second = 1000});
  const Series got = Simulate(Shared(60000, 6000), apps, 360, 1);
  CHECK(Between(got[0], 120, 360) / 4 > 6000 * 10 / 11 * 9 / 10);
  const Series bare = Simulate(Shared(60000), apps, 360, 1);
  CHECK(Between(bare[0], 120, 360) / 4 < 1500);
}

TEST_CASE("a share smaller than one request still lets one pass") {
  std::vector<App> apps;
  for (int i = 0; i < 20; ++i) {
    apps.push_back({.name = "app" + std::to_string(i), .per_second = 20, .cost = 900});
  }
  const Series got = Simulate(Shared(6000), apps, 600, 1);  // 300 each
  for (const auto& series : got) CHECK(Between(series, 0, 600) >= 900);
}

TEST_CASE("settling returns room to the share and to the whole") {
  Fixture fixture({Shared(1000)}, {.max_counters = 64});
  Reservation held;
  REQUIRE(fixture.Reserve(900, 0, &held).admitted);
  CHECK_FALSE(fixture.Take(200, 0, 0, "other").admitted);
  fixture.Settle(&held, 100, 0);
  CHECK(fixture.Used(0) == 100);
  CHECK(fixture.Take(200, 0, 0, "other").admitted);
  REQUIRE(fixture.Reserve(100, 0, &held).admitted);
  CHECK(fixture.limiter->TopUp(&held, {100}, At(0)).admitted);
  CHECK_FALSE(fixture.limiter->TopUp(&held, {600}, At(0)).admitted);
  fixture.limiter->Release(&held, At(0));
  CHECK(fixture.Used(0) == 100);
}

// The series of bench/share_plot.py: limits_test "[.series]" | bench/share_plot.py > share.svg
TEST_CASE("the series of a flood, as CSV", "[.series]") {
  const std::vector<App> apps = {
      {.name = "steady", .per_second = 40},
      {.name = "bursty", .per_second = 80, .from_ns = 60 * kSecond, .until_ns = 300 * kSecond},
      {.name = "flood", .per_second = 2000, .from_ns = 120 * kSecond, .until_ns = 360 * kSecond}};
  constexpr int kSeconds = 480;
  const Series got = Simulate(Shared(60000), apps, kSeconds, 1);
  std::cout << "second";
  for (const App& app : apps) std::cout << ',' << app.name;
  std::cout << '\n';
  for (int second = 60; second <= kSeconds; second += 5) {
    std::cout << second;
    for (const auto& series : got) std::cout << ',' << Between(series, second - 60, second);
    std::cout << '\n';
  }
}

}  // namespace
}  // namespace weir::limits

// Several limits at once, reservations, full tables, reloads.

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "tests/limits/support.h"

namespace weir::limits {
namespace {

TEST_CASE("rules out of range are named") {
  auto segment = MakeSegment();
  struct Row {
    Rule rule;
    const char* field;
  };
  const Row rows[] = {
      {Window(0, kMinute), "amount"},
      {Window(kMaxAmount + 1, kMinute), "amount"},
      {Window(1, kSecond - 1), "window_ns"},
      {Window(1, 366 * kDay + 1), "window_ns"},
      {Window(1, 0), "window_ns"},
      {Window(1, -kMinute), "window_ns"},
      {Window(1, kMinute, ""), "name"},
      {Window(1, kMinute, std::string(129, 'n')), "name"},
      {Bucket(1, kMinute, kMaxAmount + 1), "burst"},
      {{.name = "x", .amount = 1, .window_ns = kMinute, .burst = 1}, "burst"},
      {{.name = "x", .algorithm = static_cast<Algorithm>(9), .amount = 1, .window_ns = kMinute},
       "algorithm"},
      {Window(1, kMinute, "good"), "name"},  // twice
  };
  for (const Row& row : rows) {
    const auto limiter = Limiter::Create(segment.get(), {Window(1, kMinute, "good"), row.rule}, {});
    REQUIRE(limiter.status().code() == absl::StatusCode::kInvalidArgument);
    const std::string message(limiter.status().message());
    INFO(message);
    CHECK(message.find(std::string("\": ") + row.field + " ") != std::string::npos);
    CHECK(message.find("rule 1") != std::string::npos);
  }
  CHECK(Limiter::Create(segment.get(), {Window(1, kSecond), Bucket(kMaxAmount, 366 * kDay)}, {})
            .ok());
  CHECK(Limiter::Create(segment.get(), {}, {}).ok());
  CHECK(Limiter::Create(MakeSegment().get(), {}, {.max_counters = 0}).status().code() ==
        absl::StatusCode::kInvalidArgument);
}

TEST_CASE("the example of the header") {
  Fixture fixture({Window(1000, kMinute)});
  Limiter* limiter = fixture.limiter.get();
  const Now now = At(0);
  Reservation held;
  Decision d =
      limiter->Reserve({{.rule = 0, .key = "team-red", .cost = 120, .headroom = 400}}, now, &held);
  REQUIRE(d.admitted);
  CHECK(d.binding == -1);
  CHECK(d.verdicts[0].reserved == 520);
  CHECK(d.verdicts[0].remaining == 480);
  limiter->Settle(&held, {{.cost = 150, .headroom_used = 30}}, now);
  CHECK(limiter->Peek({.rule = 0, .key = "team-red"}, now).used_before == 150);
}

TEST_CASE("headroom takes what is left and never refuses") {
  for (const Rule& rule : {Window(100, kMinute), Bucket(100, kMinute)}) {
    Fixture fixture({rule});
    Reservation first, second, third;
    CHECK(fixture.Reserve(60, 0, &first, 30).verdicts[0].reserved == 90);
    CHECK(fixture.Reserve(5, 0, &second, UINT64_MAX).verdicts[0].reserved == 10);
    const Decision refused = fixture.Reserve(1, 0, &third, 0);
    CHECK_FALSE(refused.admitted);
    CHECK(refused.verdicts[0].reserved == 0);
    CHECK_FALSE(third.active());
  }
}

TEST_CASE("the refusing rule that takes longest is the one that binds") {
  Fixture fixture({Window(10, kMinute, "minute"), Window(10, kHour, "hour"),
                   Window(1000, kMinute, "wide"), Bucket(10, kMinute, 5, "bucket")});
  for (uint32_t rule : {0u, 1u}) REQUIRE(fixture.Take(10, 0, rule).admitted);
  const Charge charges[] = {{.rule = 2, .key = "k", .cost = 1},
                            {.rule = 0, .key = "k", .cost = 1},
                            {.rule = 1, .key = "k", .cost = 1}};
  const Decision decision = fixture.limiter->Take(charges, At(0));
  CHECK_FALSE(decision.admitted);
  CHECK(decision.binding == 2);
  CHECK(decision.retry_after_ns == decision.verdicts[2].retry_after_ns);
  CHECK(decision.verdicts[2].retry_after_ns > decision.verdicts[1].retry_after_ns);
  CHECK(decision.verdicts[0].admitted);
  CHECK(decision.verdicts[0].reserved == 0);
  CHECK(decision.verdicts[0].retry_after_ns == 0);
  CHECK(decision.verdicts[1].used_before == 10);
  CHECK(decision.verdicts[1].reset_ns == kMinute / 10 * 11);
  const Decision never = fixture.limiter->Take(
      {{.rule = 1, .key = "k", .cost = 1}, {.rule = 3, .key = "k", .cost = 6}}, At(0));
  CHECK(never.binding == 1);
  CHECK(never.retry_after_ns == kNever);
}

TEST_CASE("a refusal leaves every counter bit-equal") {
  Fixture fixture({Window(50, kMinute, "a"), Bucket(40, kMinute, 0, "b"), Window(30, kHour, "c")});
  Random random(11);
  int64_t now = 0;
  uint64_t refused = 0, changed = 0;
  for (int i = 0; i < 20000; ++i) {
    now += static_cast<int64_t>(random.Below(2 * kMinute));
    if (random.Below(100) == 0) now -= static_cast<int64_t>(random.Below(kMinute));
    std::vector<Charge> charges;
    const std::string keys[] = {"x", "y", "z", std::to_string(i)};
    for (uint32_t rule = 0; rule < 3; ++rule) {
      charges.push_back({.rule = rule,
                         .key = keys[random.Below(4)],
                         .cost = random.Below(30),
                         .headroom = random.Below(10)});
    }
    const std::string before = fixture.Bytes();
    Reservation held;
    const Decision decision = fixture.limiter->Reserve(charges, At(now), &held);
    if (decision.admitted || decision.table_full) continue;
    ++refused;
    changed += fixture.Bytes() != before;
    CHECK_FALSE(held.active());
  }
  CHECK(refused > 2000);
  CHECK(changed == 0);
}

TEST_CASE("limits taken together behave as if each were alone") {
  const std::vector<Rule> rules = {Window(50, kMinute, "a"), Bucket(400, kMinute, 20, "b"),
                                   Window(300, kHour, "c")};
  Fixture together(rules);
  std::vector<std::unique_ptr<Fixture>> alone;
  for (const Rule& rule : rules) alone.push_back(std::make_unique<Fixture>(std::vector{rule}));
  Random random(12);
  int64_t now = 0;
  uint64_t wrong = 0, admitted = 0;
  for (int i = 0; i < 20000; ++i) {
    now += static_cast<int64_t>(random.Below(10 * kSecond));
    std::vector<Charge> charges;
    bool all = true;
    for (uint32_t rule = 0; rule < 3; ++rule) {
      const uint64_t cost = random.Below(random.Below(10) == 0 ? 60 : 6);
      charges.push_back({.rule = rule, .key = "k", .cost = cost});
      all = all && alone[rule]->Peek(cost, now).admitted;
    }
    const Decision decision = together.limiter->Take(charges, At(now));
    wrong += decision.admitted != all;
    for (uint32_t rule = 0; rule < 3; ++rule) {
      const Verdict expected = alone[rule]->Peek(charges[rule].cost, now);
      wrong += decision.verdicts[rule].admitted != expected.admitted;
      wrong += decision.verdicts[rule].used_before != expected.used_before;
      wrong += decision.verdicts[rule].retry_after_ns != expected.retry_after_ns;
      if (all) alone[rule]->Take(charges[rule].cost, now);
    }
    admitted += all ? 1 : 0;
  }
  CHECK(wrong == 0);
  CHECK(admitted > 3000);
  CHECK(admitted < 19000);
}

TEST_CASE("a reservation ends once, whatever is tried after") {
  for (const Rule& rule : {Window(100, kMinute), Bucket(100, kMinute)}) {
    Fixture fixture({rule});
    Reservation held;
    REQUIRE(fixture.Reserve(40, 0, &held).admitted);
    SECTION("settled, then settled, released and moved") {
      fixture.Settle(&held, 25, 0);
      CHECK_FALSE(held.active());
      fixture.Settle(&held, 0, 0);
      fixture.limiter->Release(&held, At(0));
      CHECK(fixture.Used(0) == 25);
    }
    SECTION("released, then settled") {
      fixture.limiter->Release(&held, At(0));
      fixture.Settle(&held, 90, 0);
      CHECK(fixture.Used(0) == 0);
    }
    SECTION("moved: only the new owner holds it") {
      Reservation other = std::move(held);
      CHECK_FALSE(held.active());
      CHECK(other.active());
      fixture.limiter->Release(&held, At(0));
      CHECK(fixture.Used(0) == 40);
      held = std::move(other);
      fixture.limiter->Release(&held, At(0));
      CHECK(fixture.Used(0) == 0);
    }
    SECTION("settled without actuals: stays as reserved") {
      fixture.limiter->Settle(&held, {}, At(0));
      CHECK_FALSE(held.active());
      CHECK(fixture.Used(0) == 40);
    }
  }
}

TEST_CASE("a counter is what was settled and what is outstanding, at every step") {
  for (const Rule& rule : {Window(100000, 366 * kDay), Bucket(100000, 366 * kDay)}) {
    Fixture fixture({rule});
    std::vector<std::pair<Reservation, uint64_t>> open;
    uint64_t settled = 0, outstanding = 0, wrong = 0;
    Random random(13);
    for (int i = 0; i < 20000; ++i) {
      if (random.Below(2) == 0 || open.empty()) {
        Reservation held;
        const Decision decision = fixture.Reserve(random.Below(50), 0, &held, random.Below(50));
        if (decision.admitted) {
          outstanding += decision.verdicts[0].reserved;
          open.emplace_back(std::move(held), decision.verdicts[0].reserved);
        }
      } else {
        auto [held, reserved] = std::move(open.back());
        open.pop_back();
        outstanding -= reserved;
        const uint64_t actual = random.Below(3) == 0 ? 0 : random.Below(20);
        settled += actual;
        fixture.Settle(&held, actual, 0);
      }
      wrong += fixture.Used(0) != settled + outstanding;
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("nearly equal keys never share a counter") {
  Fixture fixture({Window(1, kHour, "limit"), Window(1, kHour, "limit2"), Bucket(1, kHour, 0, "l")},
                  {.max_counters = 20000});
  const std::string base = "sk-proj-0123456789abcdef0123456789abcdef";
  std::set<std::string> keys = {"", std::string(1, '\0'), std::string(2, '\0'), "limit", "2"};
  for (size_t i = 0; i <= base.size(); ++i) {
    keys.insert(base.substr(0, i));
    keys.insert(base.substr(i));
    keys.insert(base.substr(0, i) + '\0' + base.substr(i));
    std::string changed = base;
    changed[i % base.size()] = static_cast<char>(changed[i % base.size()] ^ 0x20);
    keys.insert(changed);
  }
  for (int i = 0; i < 3000; ++i) keys.insert(base + std::to_string(i));
  uint64_t shared = 0;
  for (const std::string& key : keys) {
    for (uint32_t rule = 0; rule < 3; ++rule) shared += !fixture.Take(1, 0, rule, key).admitted;
  }
  CHECK(shared == 0);
  for (const std::string& key : keys) shared += !fixture.Take(1, 0, 0, key).admitted;
  CHECK(shared == keys.size());
}

TEST_CASE("charges that can not be meant are refused, and nothing is booked") {
  Fixture fixture({Window(100, kMinute, "a"), Window(100, kMinute, "b")});
  REQUIRE(fixture.Take(1, 0).admitted);
  const std::string before = fixture.Bytes();
  const Decision twice = fixture.limiter->Take(
      {{.rule = 1, .key = "k", .cost = 1}, {.key = "k", .cost = 1}, {.key = "k", .cost = 2}},
      At(0));
  CHECK_FALSE(twice.admitted);
  CHECK(twice.binding == 2);
  CHECK(twice.retry_after_ns == kNever);
  CHECK(twice.verdicts[0].admitted);
  CHECK(twice.verdicts[1].admitted);
  const Decision unknown = fixture.limiter->Take({{.rule = 2, .key = "k", .cost = 1}}, At(0));
  CHECK_FALSE(unknown.admitted);
  CHECK(unknown.binding == 0);
  CHECK_FALSE(fixture.Peek(1, 0, 7).admitted);
  fixture.limiter->Book({.rule = 7, .key = "k", .cost = 1}, At(0));
  CHECK(fixture.Bytes() == before);
  CHECK(fixture.limiter->Take({}, At(0)).admitted);
}

TEST_CASE("a full table answers as it was told to, until a counter is idle") {
  for (const bool full_admits : {false, true}) {
    Fixture fixture({Window(10, 24 * kSecond, "a"), Bucket(10, 24 * kSecond, 0, "b")},
                    {.max_counters = 4, .full_admits = full_admits});
    REQUIRE(fixture.Take(5, 0, 0, "1").admitted);
    REQUIRE(fixture.Take(5, kSecond, 0, "2").admitted);
    REQUIRE(fixture.Take(5, 2 * kSecond, 1, "3").admitted);  // idle at 14 s, the soonest
    REQUIRE(fixture.Take(10, 2 * kSecond, 1, "4").admitted);
    Reservation held;
    const Decision full = fixture.limiter->Reserve(
        {{.rule = 0, .key = "5", .cost = 1}, {.rule = 0, .key = "1", .cost = 1}}, At(3 * kSecond),
        &held);
    CHECK(full.table_full);
    CHECK(full.admitted == full_admits);
    CHECK(held.active() == full_admits);
    CHECK(fixture.Used(3 * kSecond, 0, "1") == (full_admits ? 6 : 5));
    if (full_admits) {
      CHECK(full.verdicts[0].reserved == 0);
      fixture.limiter->Settle(&held, {{.cost = 3}, {.cost = 1}}, At(3 * kSecond));
    } else {
      CHECK(full.binding == 0);
      // Idle at 14 s, to about a second.
      CHECK(full.retry_after_ns >= 11 * kSecond);
      CHECK(full.retry_after_ns < 11 * kSecond + 2 * kSecond);
      // A wait of that length admits, and no shorter one.
      CHECK_FALSE(fixture.Take(1, 3 * kSecond + full.retry_after_ns - 1, 0, "5").admitted);
    }
    CHECK(fixture.Take(1, 16 * kSecond, 0, "5").admitted);
    CHECK_FALSE(fixture.Take(6, 16 * kSecond, 0, "1").admitted);
    CHECK(fixture.Used(16 * kSecond, 0, "2") == 5);
    CHECK(fixture.Used(16 * kSecond, 1, "4") == 5);
  }
}

TEST_CASE("a flood of new keys never costs a live counter its count") {
  Fixture fixture({Window(1000, kMinute, "a"), Bucket(1000, kMinute, 0, "b")},
                  {.max_counters = 100});
  std::vector<uint64_t> expected(20, 0);
  int64_t now = 0;
  uint64_t wrong = 0, full = 0;
  for (int i = 0; i < 20000; ++i) {
    now += 20 * kMicrosecond;
    const size_t tenant = static_cast<size_t>(i) % expected.size();
    if (i % 50 == 0 && fixture.Take(1, now, 0, "tenant" + std::to_string(tenant)).admitted) {
      ++expected[tenant];
    }
    // A key that books nothing, or gives it all back, holds no slot for long.
    Reservation held;
    const std::string key = "stranger" + std::to_string(i);
    const Decision decision = fixture.limiter->Reserve(
        {{.rule = static_cast<uint32_t>(i % 2), .key = key, .cost = 5}}, At(now), &held);
    full += decision.table_full;
    fixture.limiter->Release(&held, At(now));
  }
  for (size_t tenant = 0; tenant < expected.size(); ++tenant) {
    wrong += fixture.Used(now, 0, "tenant" + std::to_string(tenant)) != expected[tenant];
  }
  CHECK(wrong == 0);
  CHECK(full == 0);
}

TEST_CASE("an excess for a counter that lost its slot is booked to a new one") {
  Fixture fixture({Window(100, 10 * kSecond)}, {.max_counters = 1});
  Reservation held;
  REQUIRE(fixture.Reserve(10, 0, &held).admitted);
  const int64_t later = kHour;
  REQUIRE(fixture.Take(1, later, 0, "other").admitted);
  SECTION("room again") {
    const int64_t even_later = 2 * kHour;
    fixture.Settle(&held, 70, even_later);
    CHECK(fixture.Used(even_later) == 60);
  }
  SECTION("no room") {
    fixture.Settle(&held, 70, later);
    CHECK(fixture.Used(later, 0, "other") == 1);
    CHECK(fixture.Used(later) == 0);
  }
}

TEST_CASE("a reload keeps the counters of rules that keep their shape") {
  auto segment = MakeSegment();
  const auto used = [](const Limiter& limiter, uint32_t rule) {
    return limiter.Peek({.rule = rule, .key = "k"}, At(kSecond)).used_before;
  };
  auto old = MakeLimiter(segment.get(), {Window(100, kMinute, "tokens"), Bucket(100, kMinute)});
  REQUIRE(old->Take({{.rule = 0, .key = "k", .cost = 30}, {.rule = 1, .key = "k", .cost = 60}},
                    At(kSecond))
              .admitted);
  Reservation held;
  REQUIRE(old->Reserve({{.rule = 0, .key = "k", .cost = 20}}, At(kSecond), &held).admitted);

  // Other order, other amount, a new neighbour, another table size.
  auto reloaded = MakeLimiter(
      segment.get(), {Window(7, kHour, "new"), Bucket(50, kMinute), Window(40, kMinute, "tokens")},
      {.max_counters = 9});
  CHECK(used(*reloaded, 0) == 0);
  CHECK(used(*reloaded, 1) == 60);
  CHECK(used(*reloaded, 2) == 50);
  const Verdict debt = reloaded->Peek({.rule = 2, .key = "k", .cost = 1}, At(kSecond));
  CHECK_FALSE(debt.admitted);
  CHECK(debt.remaining == 0);
  CHECK(reloaded->Peek({.rule = 1, .key = "k"}, At(kSecond)).reset_ns == 72 * kSecond);
  // What is in flight ends where it began, and both see it.
  old->Settle(&held, {{.cost = 5}}, At(kSecond));
  CHECK(used(*reloaded, 2) == 35);
  CHECK(used(*old, 0) == 35);

  // Another window or algorithm under the same name: a new counter, the old one unharmed.
  auto reshaped =
      MakeLimiter(segment.get(), {Window(100, kHour, "tokens"), Window(100, kMinute, "b")});
  CHECK(used(*reshaped, 0) == 0);
  CHECK(used(*reshaped, 1) == 0);
  REQUIRE(reshaped->Take({{.rule = 0, .key = "k", .cost = 99}}, At(kSecond)).admitted);
  CHECK(used(*old, 0) == 35);
}

TEST_CASE("peeking changes nothing and makes nothing") {
  Fixture fixture({Window(10, kMinute), Bucket(10, kMinute)});
  REQUIRE(fixture.Take(3, 0, 0).admitted);
  REQUIRE(fixture.Take(3, 0, 1).admitted);
  const std::string before = fixture.Bytes();
  for (const int64_t now : {int64_t{0}, kSecond, kHour, -kDay}) {
    for (uint32_t rule = 0; rule < 2; ++rule) {
      fixture.Peek(1, now, rule);
      fixture.Peek(1, now, rule, "unknown");
    }
  }
  CHECK(fixture.Bytes() == before);
  CHECK(fixture.Peek(0, 0, 0).reset_ns == kMinute / 10 * 11);
  CHECK(fixture.Peek(0, 0, 1).reset_ns == 18 * kSecond);
}

}  // namespace
}  // namespace weir::limits

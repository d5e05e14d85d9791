// What tools see, amounts that change for a while, top-ups, and what a reload says.

#include "base/random.h"
#include "tests/limits/support.h"

namespace weir::limits {
namespace {

TEST_CASE("a report names the fullest counters") {
  auto segment = MakeSegment();
  CHECK(Inspect(segment.get(), 5, At(0)).status().code() == absl::StatusCode::kNotFound);
  Rule places = {.name = "places", .algorithm = Algorithm::kConcurrency, .amount = 10};
  auto limiter = MakeLimiter(segment.get(), {Window(100, kMinute), Bucket(50, kMinute), places});
  Reservation held;
  REQUIRE(limiter->Take({{.rule = 0, .key = "a", .cost = 20}}, At(0)).admitted);
  REQUIRE(limiter->Take({{.rule = 1, .key = "b", .cost = 40}}, At(0)).admitted);
  REQUIRE(limiter->Reserve({{.rule = 2, .key = "c", .cost = 3}}, At(0), &held).admitted);
  const auto report = Inspect(segment.get(), 2, At(0));
  REQUIRE(report.ok());
  CHECK(report->slots == 64);
  CHECK(report->slots_used == 3);
  CHECK(report->counters == 3);
  CHECK(report->locked == 0);
  CHECK(report->leased == 1);
  REQUIRE(report->top.size() == 2);
  CHECK(report->top[0].rule == "b");
  CHECK(report->top[0].used == 40);
  CHECK(report->top[0].key_id.size() == 32);
  CHECK(report->top[1].rule == "places");
  CHECK(report->top[1].reserved == 3);
  CHECK(Inspect(segment.get(), 0, At(kDay))->counters == 0);
}

TEST_CASE("a reload says whose counters start anew") {
  auto segment = MakeSegment();
  CHECK(MakeLimiter(segment.get(), {Window(1, kMinute), Bucket(1, kMinute)})->restarted().empty());
  CHECK(MakeLimiter(segment.get(), {Window(9, kMinute), Bucket(2, kMinute)})->restarted().empty());
  const auto again = MakeLimiter(segment.get(), {Window(9, kHour), Bucket(2, kMinute)});
  REQUIRE(again->restarted().size() == 1);
  CHECK(again->restarted()[0] == "w");
}

TEST_CASE("an override holds for its time, for one key or for all") {
  for (const Rule& rule : {Window(10, kMinute), Bucket(10, kMinute)}) {
    Fixture fixture({rule});
    REQUIRE(fixture.Take(8, 0).admitted);
    REQUIRE_FALSE(fixture.Take(10, 0).admitted);
    Limiter& limiter = *fixture.limiter;
    REQUIRE(limiter.Override(0, "k", 100, kSecond, At(0)).ok());
    CHECK(fixture.Peek(0, 0).amount == 100);
    CHECK(fixture.Peek(0, 0).used_before == 8);  // the count is kept
    CHECK(fixture.Take(10, 0).admitted);
    CHECK(fixture.Peek(0, 0, 0, "other").amount == 10);
    REQUIRE(limiter.Override(0, std::nullopt, 5, kSecond, At(0)).ok());
    CHECK(fixture.Peek(0, 0).amount == 100);
    CHECK(fixture.Peek(0, 0, 0, "other").amount == 5);
    CHECK(fixture.Peek(0, kSecond).amount == 10);
    CHECK(fixture.Peek(0, kSecond, 0, "other").amount == 10);
    REQUIRE(limiter.Override(0, "k", 0, 0, At(0)).ok());
    CHECK(fixture.Peek(0, 0).amount == 5);
    CHECK_FALSE(limiter.Override(1, "k", 1, kSecond, At(0)).ok());
    CHECK_FALSE(limiter.Override(0, "k", kMaxAmount + 1, kSecond, At(0)).ok());
  }
}

TEST_CASE("a charge may bring its own amount") {
  Fixture fixture({Window(10, kMinute)});
  const auto take = [&](uint64_t amount) {
    return fixture.limiter->Take({{.key = "k", .cost = 6, .amount = amount}}, At(0)).admitted;
  };
  CHECK(take(kAmountOfRule));
  CHECK_FALSE(take(kAmountOfRule));
  CHECK_FALSE(take(11));
  CHECK(take(12));
  CHECK_FALSE(take(0));
  CHECK(take(UINT64_MAX - 1));
}

TEST_CASE("a top-up books more, all or nothing, and settling counts it") {
  Rule month = {.name = "month", .algorithm = Algorithm::kCalendar, .amount = 100};
  Rule places = {.name = "places", .algorithm = Algorithm::kConcurrency, .amount = 2};
  Fixture fixture({Window(100, kMinute), Bucket(60, kMinute), month, places});
  Reservation held;
  std::vector<Charge> charges;
  for (uint32_t rule = 0; rule < 4; ++rule) {
    charges.push_back({.rule = rule, .key = "k", .cost = rule == 3 ? 1u : 40u});
  }
  REQUIRE(fixture.limiter->Reserve(charges, At(0), &held).admitted);
  const Decision more = fixture.limiter->TopUp(&held, {20, 20, 20}, At(kSecond));
  REQUIRE(more.admitted);
  CHECK(more.verdicts[0].remaining == 40);
  CHECK(more.verdicts[2].remaining == 40);
  CHECK(fixture.Used(kSecond, 3) == 1);
  const std::string before = fixture.Bytes();
  const Decision refused = fixture.limiter->TopUp(&held, {20, 20, 20}, At(kSecond));
  CHECK_FALSE(refused.admitted);
  CHECK(refused.binding == 1);
  CHECK(fixture.Bytes() == before);
  fixture.limiter->Settle(&held, {{.cost = 50}, {.cost = 50}, {.cost = 50}, {}}, At(kSecond));
  CHECK(fixture.Used(kSecond, 0) == 50);
  CHECK(fixture.Used(kSecond, 2) == 50);
  CHECK(fixture.Used(kSecond, 3) == 0);
}

TEST_CASE("what is learned is learned for each model apart") {
  Fixture fixture({Window(100000, kMinute)});
  const auto reserve = [&](std::string_view model, uint64_t output) {
    Reservation held;
    const Decision decision = fixture.limiter->Reserve(
        {{.key = "k", .cost = 0, .learned = true, .model = model}}, At(0), &held);
    fixture.limiter->Settle(&held, {{.cost = 0, .headroom_used = output}}, At(0));
    return decision.verdicts[0].reserved;
  };
  for (int i = 0; i < 100; ++i) {
    reserve("small", 50);
    reserve("large", 4000);
  }
  CHECK(reserve("small", 50) < 80);
  CHECK(reserve("large", 4000) > 3900);
  CHECK(reserve("never seen", 1) == 256);
  // There is room for twelve models; the one that was learned least makes room for another.
  for (int i = 0; i < 30; ++i) reserve("model " + std::to_string(i), 1);
  CHECK(reserve("large", 4000) > 3900);
}

}  // namespace
}  // namespace weir::limits

// Breaker: the promises one by one.

#include <atomic>
#include <barrier>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "tests/support/catch.h"
#include "weir/breaker.h"
#include "weir/state.h"

namespace weir::breaker {
namespace {

std::unique_ptr<state::Segment> NewSegment(size_t bytes = size_t{4} << 20) {
  auto segment = state::Segment::CreatePrivate({bytes, 42});
  REQUIRE(segment.ok());
  return *std::move(segment);
}

std::unique_ptr<Breaker> NewBreaker(state::Segment* segment, std::vector<RuleSet> sets,
                                    uint32_t max_circuits = 64) {
  auto breaker = Breaker::Create(segment, std::move(sets), {max_circuits});
  REQUIRE(breaker.ok());
  return *std::move(breaker);
}

Rule StatusRule(uint16_t first, uint16_t last, uint32_t count, int64_t interval_ns,
                int64_t trip_ns) {
  Rule rule;
  rule.name = "rule";
  rule.statuses = {{first, last}};
  rule.count = count;
  rule.interval_ns = interval_ns;
  rule.trip_ns = trip_ns;
  return rule;
}

RuleSet OneRule(Rule rule) {
  RuleSet set;
  set.rules = {std::move(rule)};
  return set;
}

// 429 at once opens for thirty seconds.
RuleSet Throttle() { return OneRule(StatusRule(429, 429, 1, 0, 30 * kSecond)); }

Now At(int64_t s) { return {s * kSecond, 0}; }

Report Send(Breaker* breaker, const std::string& key, const Outcome& outcome, Now now) {
  const Permit permit = breaker->Acquire(key, 0, now);
  REQUIRE(permit.allowed);
  return breaker->Record(permit, 0, outcome, now);
}

TEST_CASE("the life of a circuit") {
  auto segment = NewSegment();
  auto breaker = NewBreaker(segment.get(), {Throttle()});
  CHECK(breaker->Get("east", 0, At(1)).state == State::kClosed);

  const Report tripped = Send(breaker.get(), "east", {429}, At(100));
  CHECK(tripped.event == Event::kTripped);
  CHECK(tripped.rule == 0);
  CHECK(tripped.open_until_mono_ns == 130 * kSecond);

  const Permit refused = breaker->Acquire("east", 0, At(129));
  CHECK_FALSE(refused.allowed);
  CHECK(refused.state == State::kOpen);
  CHECK(refused.retry_at_mono_ns == 130 * kSecond);
  CHECK_FALSE(breaker->Check("east", 0, At(129)).allowed);
  CHECK(breaker->Get("east", 0, At(129)).open_until_mono_ns == 130 * kSecond);
  CHECK(breaker->Get("east", 0, At(129)).rule == 0);
  CHECK(breaker->Get("east", 0, At(129)).since_mono_ns == 100 * kSecond);
  CHECK(breaker->Acquire("west", 0, At(129)).allowed);

  CHECK(breaker->Check("east", 0, At(130)).allowed);
  CHECK(breaker->Get("east", 0, At(130)).state == State::kHalfOpen);
  const Permit probe = breaker->Acquire("east", 0, At(130));
  CHECK(probe.allowed);
  CHECK(probe.probe);
  CHECK_FALSE(breaker->Check("east", 0, At(131)).allowed);
  CHECK(breaker->Acquire("east", 0, At(131)).retry_at_mono_ns == 190 * kSecond);
  CHECK(breaker->Record(probe, 0, {200}, At(132)).event == Event::kReset);
  CHECK(breaker->Acquire("east", 0, At(132)).allowed);
  CHECK_FALSE(breaker->Acquire("east", 0, At(132)).probe);
  CHECK(breaker->Get("east", 0, At(133)).since_mono_ns == 132 * kSecond);
  CHECK(breaker->Get("east", 0, At(133)).rule == -1);
}

TEST_CASE("Check takes nothing") {
  auto segment = NewSegment();
  auto breaker = NewBreaker(segment.get(), {Throttle()});
  Send(breaker.get(), "k", {429}, At(0));
  for (int i = 0; i < 5; ++i) {
    const Permit permit = breaker->Check("k", 0, At(30));
    CHECK(permit.allowed);
    CHECK(permit.probe);
    // Its outcome says nothing either: it holds no slot.
    CHECK(breaker->Record(permit, 0, {200}, At(30)).event == Event::kNone);
  }
  CHECK(breaker->Acquire("k", 0, At(30)).allowed);
}

TEST_CASE("a caller's fault never trips, whatever a rule lists") {
  auto segment = NewSegment();
  auto breaker = NewBreaker(segment.get(), {OneRule(StatusRule(100, 999, 1, 0, kSecond))});
  for (const int status : {400, 401, 403, 404, 413, 422}) {
    for (int i = 0; i < 50; ++i) {
      CHECK(Send(breaker.get(), "k", {status, Failure::kNone, kSecond}, At(1)).event ==
            Event::kNone);
    }
  }
  CHECK(breaker->Get("k", 0, At(1)).state == State::kClosed);
  for (const int status : {402, 408, 409, 429, 500, 503, 529, 200}) {
    CHECK(Send(breaker.get(), std::to_string(status), {status}, At(1)).event == Event::kTripped);
  }
}

TEST_CASE("a caller's fault closes: only a working backend finds one") {
  auto segment = NewSegment();
  auto breaker = NewBreaker(segment.get(), {Throttle()});
  Send(breaker.get(), "k", {429}, At(0));
  CHECK(Send(breaker.get(), "k", {401}, At(30)).event == Event::kReset);
}

TEST_CASE("each failure class counts for the rules that watch it, and for no other") {
  for (int watched = 0; watched < 4; ++watched) {
    Rule rule;
    rule.on_connect = watched == 0;
    rule.on_timeout = watched == 1;
    rule.on_reset = watched == 2;
    rule.on_stream_error = watched == 3;
    rule.trip_ns = kSecond;
    auto segment = NewSegment();
    auto breaker = NewBreaker(segment.get(), {OneRule(rule)});
    for (int failed = 0; failed < 4; ++failed) {
      // A failure inside a 200 stream is one, whatever its status was.
      const Outcome outcome{200, static_cast<Failure>(failed + 1), -1};
      const Report report = Send(breaker.get(), std::to_string(failed), outcome, At(0));
      CHECK(report.event == (failed == watched ? Event::kTripped : Event::kNone));
    }
    // Unwatched while half-open: the slot comes back, the circuit stays as it is.
    Send(breaker.get(), "h", {0, static_cast<Failure>(watched + 1)}, At(0));
    const Outcome unwatched{0, static_cast<Failure>((watched + 1) % 4 + 1)};
    for (int i = 0; i < 3; ++i) {
      CHECK(Send(breaker.get(), "h", unwatched, At(2)).event == Event::kNone);
      CHECK(breaker->Get("h", 0, At(2)).state == State::kHalfOpen);
    }
    CHECK(Send(breaker.get(), "h", {200}, At(2)).event == Event::kReset);
  }
}

TEST_CASE("after the threshold nothing more is sent, from the very next decision") {
  auto segment = NewSegment();
  auto breaker =
      NewBreaker(segment.get(), {OneRule(StatusRule(500, 599, 3, 10 * kSecond, kMinute))});
  int sent = 0;
  for (int i = 0; i < 25; ++i) {
    const Permit permit = breaker->Acquire("k", 0, At(1));
    if (!permit.allowed) continue;
    ++sent;
    breaker->Record(permit, 0, {500}, At(1));
  }
  CHECK(sent == 3);
}

TEST_CASE("failures below the threshold, or too far apart, never trip") {
  auto segment = NewSegment();
  auto breaker =
      NewBreaker(segment.get(), {OneRule(StatusRule(500, 599, 3, 10 * kSecond, kMinute))});
  for (int i = 0; i < 1'000; ++i) {
    CHECK(Send(breaker.get(), "k", {500}, At(5 * i)).event == Event::kNone);
    CHECK(Send(breaker.get(), "k", {200}, At(5 * i)).event == Event::kNone);
  }
  // Nearer together three of them fit.
  CHECK(Send(breaker.get(), "k", {500}, At(5'000)).event == Event::kNone);
  CHECK(Send(breaker.get(), "k", {500}, At(5'004)).event == Event::kTripped);
}

TEST_CASE("of several rules that fill at once the longest time is taken") {
  RuleSet set;
  set.rules = {StatusRule(429, 429, 2, kMinute, 5 * kSecond),
               StatusRule(400, 499, 2, kMinute, 50 * kSecond),
               StatusRule(429, 429, 3, kMinute, 500 * kSecond)};
  auto segment = NewSegment();
  auto breaker = NewBreaker(segment.get(), {set});
  Send(breaker.get(), "k", {429}, At(0));
  const Report report = Send(breaker.get(), "k", {429}, At(1));
  CHECK(report.rule == 1);
  CHECK(report.open_until_mono_ns == 51 * kSecond);
}

TEST_CASE("a backend is left alone for as long as it asked, within the cap") {
  RuleSet set = Throttle();
  set.retry_after_max_ns = 100 * kSecond;
  Rule deaf = StatusRule(503, 503, 1, 0, 30 * kSecond);
  deaf.accept_retry_after = false;
  set.rules.push_back(deaf);
  auto segment = NewSegment();
  auto breaker = NewBreaker(segment.get(), {set});
  const auto until = [&](const std::string& key, int status, int64_t retry_after_ns) {
    return Send(breaker.get(), key, {status, Failure::kNone, retry_after_ns}, At(0))
        .open_until_mono_ns;
  };
  CHECK(until("longer", 429, 60 * kSecond) == 60 * kSecond);
  CHECK(until("shorter", 429, 2 * kSecond) == 2 * kSecond);
  CHECK(until("too long", 429, kDay) == 100 * kSecond);
  CHECK(until("endless", 429, std::numeric_limits<int64_t>::max()) == 100 * kSecond);
  CHECK(until("not asked", 429, -1) == 30 * kSecond);
  CHECK(until("no wait", 429, 0) == 30 * kSecond);
  CHECK(until("not accepted", 503, 60 * kSecond) == 30 * kSecond);
}

TEST_CASE("a healthy answer's Retry-After is nothing") {
  auto segment = NewSegment();
  auto breaker = NewBreaker(segment.get(), {Throttle()});
  CHECK(Send(breaker.get(), "k", {200, Failure::kNone, kHour}, At(0)).event == Event::kNone);
  CHECK(breaker->Acquire("k", 0, At(0)).allowed);
}

TEST_CASE("outcomes from before the last change of state are ignored") {
  auto segment = NewSegment();
  auto breaker = NewBreaker(segment.get(), {Throttle()});
  const Permit old_failure = breaker->Acquire("k", 0, At(0));
  const Permit old_success = breaker->Acquire("k", 0, At(0));
  Send(breaker.get(), "k", {429}, At(0));
  CHECK(breaker->Record(old_failure, 0, {429, Failure::kNone, kHour}, At(1)).event == Event::kNone);
  CHECK(breaker->Get("k", 0, At(1)).open_until_mono_ns == 30 * kSecond);

  // Neither settles the probe of a later time.
  const Permit probe = breaker->Acquire("k", 0, At(30));
  CHECK(probe.probe);
  CHECK(breaker->Record(old_success, 0, {200}, At(31)).event == Event::kNone);
  CHECK(breaker->Record(old_failure, 0, {429}, At(31)).event == Event::kNone);
  CHECK_FALSE(breaker->Acquire("k", 0, At(31)).allowed);
  CHECK(breaker->Record(probe, 0, {429}, At(32)).event == Event::kTripped);

  // A probe of the half-open time before is nothing to the next.
  const Permit second = breaker->Acquire("k", 0, At(62));
  CHECK(second.probe);
  CHECK(breaker->Record(probe, 0, {200}, At(62)).event == Event::kNone);
  CHECK(breaker->Record(second, 0, {200}, At(62)).event == Event::kReset);
  CHECK(breaker->Record(second, 0, {429}, At(62)).event == Event::kNone);
  CHECK(breaker->Record(old_failure, 0, {429}, At(62)).event == Event::kNone);
  CHECK(breaker->Acquire("k", 0, At(62)).allowed);
}

TEST_CASE("ending a probe twice gives back nobody else's slot") {
  RuleSet set = Throttle();
  set.probes = 2;
  set.successes_to_close = 5;
  auto segment = NewSegment();
  auto breaker = NewBreaker(segment.get(), {set});
  Send(breaker.get(), "k", {429}, At(0));
  const Permit one = breaker->Acquire("k", 0, At(30));
  const Permit two = breaker->Acquire("k", 0, At(30));
  REQUIRE(two.allowed);
  CHECK_FALSE(breaker->Acquire("k", 0, At(30)).allowed);
  breaker->Cancel(one, 0, At(30));
  breaker->Cancel(one, 0, At(30));
  breaker->Record(one, 0, {200}, At(30));
  CHECK(breaker->Acquire("k", 0, At(30)).allowed);
  CHECK_FALSE(breaker->Acquire("k", 0, At(30)).allowed);
}

TEST_CASE("probes that are lost are reclaimed") {
  RuleSet set = Throttle();
  set.probes = 3;
  set.probe_timeout_ns = 20 * kSecond;
  auto segment = NewSegment();
  auto breaker = NewBreaker(segment.get(), {set});
  Send(breaker.get(), "k", {429}, At(0));
  for (int i = 0; i < 3; ++i) CHECK(breaker->Acquire("k", 0, At(30 + i)).allowed);
  const Permit refused = breaker->Acquire("k", 0, At(40));
  CHECK_FALSE(refused.allowed);
  CHECK(refused.state == State::kHalfOpen);
  CHECK(refused.retry_at_mono_ns == 50 * kSecond);
  CHECK(breaker->Acquire("k", 0, At(50)).allowed);
  CHECK_FALSE(breaker->Acquire("k", 0, At(50)).allowed);
  CHECK(breaker->Acquire("k", 0, At(51)).allowed);
}

TEST_CASE("a wall clock that jumps decides nothing") {
  auto segment = NewSegment();
  auto breaker = NewBreaker(segment.get(), {Throttle()});
  constexpr int64_t kTenYears = 3'652 * kDay;
  const Now trip{kSecond, kTenYears};
  Send(breaker.get(), "k", {429}, trip);
  for (const int64_t wall : {int64_t{0}, -kTenYears, 2 * kTenYears, int64_t{1}}) {
    CHECK_FALSE(breaker->Acquire("k", 0, {30 * kSecond, wall}).allowed);
    CHECK(breaker->Check("k", 0, {31 * kSecond, wall}).allowed);
  }
}

TEST_CASE("a monotonic clock that steps back neither locks out nor gives") {
  auto segment = NewSegment();
  RuleSet set = OneRule(StatusRule(429, 429, 2, 10 * kSecond, 30 * kSecond));
  set.probe_timeout_ns = 20 * kSecond;
  auto breaker = NewBreaker(segment.get(), {set});
  const auto trip = [&](const std::string& key, Now now) {
    Send(breaker.get(), key, {429}, now);
    REQUIRE(Send(breaker.get(), key, {429}, now).event == Event::kTripped);
  };
  // Open: no time has passed, so all of the thirty seconds remain.
  trip("open", At(100'000));
  CHECK(breaker->Check("open", 0, At(50)).retry_at_mono_ns == 80 * kSecond);
  CHECK(breaker->Acquire("open", 0, At(50)).retry_at_mono_ns == 80 * kSecond);
  CHECK_FALSE(breaker->Acquire("open", 0, At(79)).allowed);
  CHECK(breaker->Acquire("open", 0, At(80)).allowed);

  // Half-open: a probe that is lost is overdue one timeout later on the new clock.
  trip("half", At(100'000));
  CHECK(breaker->Acquire("half", 0, At(200'000)).allowed);
  CHECK_FALSE(breaker->Acquire("half", 0, At(50)).allowed);
  CHECK(breaker->Acquire("half", 0, At(50)).retry_at_mono_ns == 70 * kSecond);
  CHECK(breaker->Acquire("half", 0, At(70)).allowed);

  // Opening again does not remember a deadline of the old clock.
  trip("again", At(100'000));
  const Permit probe = breaker->Acquire("again", 0, At(200'000));
  CHECK(breaker->Record(probe, 0, {429}, At(50)).open_until_mono_ns == 80 * kSecond);

  // Closed: an old failure counts for one more interval, not until the old time comes again.
  Send(breaker.get(), "closed", {429}, At(100'000));
  Send(breaker.get(), "closed", {200}, At(50));
  CHECK(Send(breaker.get(), "closed", {429}, At(50)).event == Event::kTripped);
  trip("reset", At(100'000));
  CHECK(Send(breaker.get(), "reset", {200}, At(200'000)).event == Event::kReset);
  trip("reset", At(50));
  CHECK(breaker->Get("reset", 0, At(50)).open_until_mono_ns == 80 * kSecond);
}

TEST_CASE("times at the ends of the numbers do no harm") {
  auto segment = NewSegment();
  auto breaker = NewBreaker(segment.get(), {Throttle()});
  constexpr int64_t kLast = std::numeric_limits<int64_t>::max();
  constexpr int64_t kFirst = std::numeric_limits<int64_t>::min();
  for (const int64_t mono : {kFirst, int64_t{-1}, int64_t{0}, kLast - 1, kLast}) {
    const std::string key = std::to_string(mono);
    Send(breaker.get(), key, {429, Failure::kNone, kLast}, {mono, kFirst});
    for (const int64_t later : {kFirst, int64_t{0}, kDay, kLast}) {
      breaker->Check(key, 0, {later, kLast});
      const Permit permit = breaker->Acquire(key, 0, {later, kLast});
      breaker->Get(key, 0, {later, 0});
      if (permit.allowed) breaker->Record(permit, 0, {429}, {later, 0});
    }
  }
}

TEST_CASE("circuits outlive the breaker") {
  auto segment = NewSegment();
  RuleSet set = Throttle();
  set.probes = 2;
  set.successes_to_close = 3;
  auto breaker = NewBreaker(segment.get(), {set});
  Send(breaker.get(), "k", {429}, At(0));
  const Permit stale = breaker->Acquire("other", 0, At(0));

  // Another size is no obstacle: the circuits stay where they are.
  breaker = NewBreaker(segment.get(), {RuleSet{}, set}, 128);
  CHECK_FALSE(breaker->Acquire("k", 1, At(29)).allowed);
  const Permit probe = breaker->Acquire("k", 1, At(30));
  CHECK(probe.probe);
  breaker->Record(probe, 1, {200}, At(30));
  const Permit waiting = breaker->Acquire("k", 1, At(31));

  breaker = NewBreaker(segment.get(), {set});
  CHECK(breaker->Acquire("k", 0, At(32)).allowed);
  CHECK_FALSE(breaker->Acquire("k", 0, At(32)).allowed);
  CHECK(breaker->Record(waiting, 0, {200}, At(33)).event == Event::kNone);
  CHECK(Send(breaker.get(), "k", {200}, At(34)).event == Event::kReset);
  CHECK(breaker->Record(stale, 0, {429}, At(35)).event == Event::kTripped);
}

TEST_CASE("failures counted under other rules are forgotten, under the same rules kept") {
  auto segment = NewSegment();
  const RuleSet three = OneRule(StatusRule(500, 599, 3, kMinute, kMinute));
  auto breaker = NewBreaker(segment.get(), {three});
  Send(breaker.get(), "k", {500}, At(0));
  Send(breaker.get(), "k", {500}, At(1));

  RuleSet same = three;
  same.rules[0].name = "renamed";
  same.rules[0].trip_ns = kHour;
  breaker = NewBreaker(segment.get(), {same});
  CHECK(Send(breaker.get(), "k", {500}, At(2)).open_until_mono_ns == 2 * kSecond + kHour);

  Send(breaker.get(), "j", {500}, At(0));
  Send(breaker.get(), "j", {500}, At(1));
  RuleSet other = three;
  other.rules[0].statuses = {{502, 504}};
  breaker = NewBreaker(segment.get(), {other});
  CHECK(Send(breaker.get(), "j", {503}, At(2)).event == Event::kNone);
  CHECK(Send(breaker.get(), "j", {503}, At(2)).event == Event::kNone);
  CHECK(Send(breaker.get(), "j", {503}, At(2)).event == Event::kTripped);
}

TEST_CASE("a full table takes over circuits that have nothing to count") {
  auto segment = NewSegment();
  auto breaker =
      NewBreaker(segment.get(), {OneRule(StatusRule(500, 599, 2, 10 * kSecond, kMinute))}, 8);
  // Healthy keys take no room.
  for (int i = 0; i < 10'000; ++i)
    Send(breaker.get(), std::string("h").append(std::to_string(i)), {200}, At(0));
  // Single failures do, for an interval.
  for (int round = 0; round < 100; ++round) {
    for (int i = 0; i < 4; ++i) {
      const std::string key = std::to_string(round * 4 + i);
      Send(breaker.get(), key, {500}, At(100 * round));
      REQUIRE(Send(breaker.get(), key, {500}, At(100 * round)).event == Event::kTripped);
      const Permit probe = breaker->Acquire(key, 0, At(100 * round + 60));
      REQUIRE(breaker->Record(probe, 0, {200}, At(100 * round + 60)).event == Event::kReset);
    }
  }
}

TEST_CASE("a full table of open circuits lets new keys pass unguarded, and never wrongly guarded") {
  auto segment = NewSegment();
  auto breaker = NewBreaker(segment.get(), {Throttle()}, 8);
  int open = 0;
  for (int i = 0; i < 100; ++i) {
    const std::string key = std::to_string(i);
    const bool tripped = Send(breaker.get(), key, {429}, At(0)).event == Event::kTripped;
    CHECK(breaker->Check(key, 0, At(1)).allowed != tripped);
    open += tripped ? 1 : 0;
  }
  CHECK(open >= 8);
  CHECK(open < 100);
  // An hour after their time was over nobody has asked about them: they give way.
  const Now later = At(30 + 3'600);
  for (int i = 200; i < 208; ++i) {
    CHECK(Send(breaker.get(), std::to_string(i), {429}, later).event == Event::kTripped);
  }
}

TEST_CASE("a rule set that does not exist lets everything pass and counts nothing") {
  auto segment = NewSegment();
  auto breaker = NewBreaker(segment.get(), {Throttle()});
  Send(breaker.get(), "k", {429}, At(0));
  const Permit permit = breaker->Acquire("k", 1, At(1));
  CHECK(permit.allowed);
  CHECK(breaker->Check("k", 1, At(1)).allowed);
  CHECK(breaker->Record(permit, 1, {429}, At(1)).event == Event::kNone);
  breaker->Cancel(permit, 1, At(1));
  CHECK(breaker->Get("k", 1, At(1)).state == State::kClosed);
  CHECK_FALSE(breaker->Acquire("k", 0, At(1)).allowed);
}

TEST_CASE("keys are bytes") {
  auto segment = NewSegment();
  auto breaker = NewBreaker(segment.get(), {Throttle()});
  Send(breaker.get(), std::string("k\0x", 3), {429}, At(0));
  CHECK(breaker->Check("k", 0, At(0)).allowed);
  CHECK(breaker->Check("", 0, At(0)).allowed);
  CHECK_FALSE(breaker->Check(std::string_view("k\0x", 3), 0, At(0)).allowed);
}

TEST_CASE("what Create refuses, by name") {
  auto segment = NewSegment();
  const auto message = [&](auto&& change) {
    RuleSet set = Throttle();
    change(set);
    const auto status = Breaker::Create(segment.get(), {Throttle(), set}, {64}).status();
    CHECK((status.ok() || status.code() == absl::StatusCode::kInvalidArgument));
    return std::string(status.message());
  };
  constexpr uint32_t kMax32 = std::numeric_limits<uint32_t>::max();
  constexpr int64_t kMax64 = std::numeric_limits<int64_t>::max();
  CHECK(message([](RuleSet&) {}).empty());
  CHECK(message([](RuleSet& s) { s.rules[0].trip_ns = 0; }) ==
        "rule set 1, rule 0 \"rule\": trip must be 1 ns to 366 days");
  CHECK_FALSE(message([](RuleSet& s) { s.rules[0].trip_ns = kMax64; }).empty());
  CHECK_FALSE(message([](RuleSet& s) { s.rules[0].trip_ns = -1; }).empty());
  CHECK_FALSE(message([](RuleSet& s) { s.rules[0].count = 0; }).empty());
  CHECK_FALSE(message([](RuleSet& s) { s.rules[0].count = kMax32; }).empty());
  CHECK_FALSE(message([](RuleSet& s) { s.rules[0].count = 2; }).empty());
  CHECK_FALSE(message([](RuleSet& s) { s.rules[0].interval_ns = -1; }).empty());
  CHECK_FALSE(message([](RuleSet& s) { s.rules[0].interval_ns = kMax64; }).empty());
  CHECK_FALSE(message([](RuleSet& s) { s.rules[0].statuses.clear(); }).empty());
  CHECK_FALSE(message([](RuleSet& s) { s.rules[0].statuses = {{500, 499}}; }).empty());
  CHECK_FALSE(message([](RuleSet& s) { s.rules[0].statuses = {{99, 100}}; }).empty());
  CHECK_FALSE(message([](RuleSet& s) { s.rules[0].statuses = {{100, 1000}}; }).empty());
  CHECK_FALSE(message([](RuleSet& s) { s.rules.resize(5, s.rules[0]); }).empty());
  CHECK_FALSE(message([](RuleSet& s) { s.probes = 0; }).empty());
  CHECK_FALSE(message([](RuleSet& s) { s.probes = kMaxProbes + 1; }).empty());
  CHECK_FALSE(message([](RuleSet& s) { s.successes_to_close = 0; }).empty());
  CHECK_FALSE(message([](RuleSet& s) { s.successes_to_close = kMax32; }).empty());
  CHECK_FALSE(message([](RuleSet& s) { s.probe_timeout_ns = 0; }).empty());
  CHECK_FALSE(message([](RuleSet& s) { s.probe_timeout_ns = kMax64; }).empty());
  CHECK_FALSE(message([](RuleSet& s) { s.retry_after_max_ns = -1; }).empty());
  CHECK_FALSE(message([](RuleSet& s) { s.retry_after_max_ns = kMax64; }).empty());
  CHECK(message([](RuleSet& s) { s.rules.clear(); }).empty());
  for (const uint32_t circuits : {uint32_t{0}, uint32_t{1'000'001}, kMax32}) {
    CHECK(Breaker::Create(segment.get(), {}, {circuits}).status().code() ==
          absl::StatusCode::kInvalidArgument);
  }
  auto small = NewSegment(size_t{512} << 10);
  CHECK(Breaker::Create(small.get(), {}, {8192}).status().code() ==
        absl::StatusCode::kResourceExhausted);
}

TEST_CASE("many threads at the edge of the cool-down: exactly the probes pass") {
  RuleSet set = Throttle();
  set.probes = 3;
  set.successes_to_close = 1'000'000;
  auto segment = NewSegment();
  auto breaker = NewBreaker(segment.get(), {set});
  constexpr int kThreads = 8;
  constexpr int kRounds = 150;
  constexpr int kAsks = 10;
  std::atomic<int> passed{0};
  std::barrier edge(kThreads);
  const auto run = [&](int thread) {
    for (int round = 0; round < kRounds; ++round) {
      const std::string key = std::to_string(round % 40);
      const int64_t now_s = 1'000 + 100 * round;
      if (thread == 0) {
        // Still half-open from forty rounds ago, its probes long overdue, or new.
        const Permit permit = breaker->Acquire(key, 0, At(now_s));
        breaker->Record(permit, 0, {429}, At(now_s));
        passed = 0;
      }
      edge.arrive_and_wait();
      for (int ask = 0; ask < kAsks; ++ask) {
        if (breaker->Acquire(key, 0, At(now_s + 30)).allowed) ++passed;
      }
      edge.arrive_and_wait();
      if (thread == 0 && passed != 3) passed = -1'000'000;
      edge.arrive_and_wait();
      if (passed < 0) return;
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) threads.emplace_back(run, i);
  for (auto& thread : threads) thread.join();
  CHECK(passed == 3);
}

TEST_CASE("chaos over all exits, then a healthy backend closes every circuit") {
  RuleSet set = OneRule(StatusRule(500, 599, 3, 50, 40));
  set.rules[0].on_reset = true;
  set.probes = 2;
  set.successes_to_close = 2;
  set.probe_timeout_ns = 100;
  auto segment = NewSegment();
  auto breaker = NewBreaker(segment.get(), {set}, 8);
  std::atomic<int64_t> clock{1};
  const auto run = [&](uint64_t seed) {
    Random random(seed);
    auto own = Breaker::Create(segment.get(), {set}, {8});
    for (int i = 0; i < 20'000; ++i) {
      Breaker& one = seed % 2 == 0 ? *breaker : **own;
      const Now now{clock.fetch_add(1), 0};
      const std::string key = std::to_string(random.Below(12));
      one.Check(key, 0, now);
      const Permit permit = one.Acquire(key, 0, now);
      if (!permit.allowed) continue;
      const uint64_t exit = random.Below(5);
      const Now later{clock.load(), 0};
      if (exit == 0) one.Record(permit, 0, {500}, later);
      if (exit == 1) one.Record(permit, 0, {200}, later);
      if (exit == 2) one.Record(permit, 0, {0, Failure::kReset}, later);
      if (exit == 3) one.Cancel(permit, 0, later);
      one.Get(key, 0, later);
    }
  };
  std::vector<std::thread> threads;
  for (uint64_t i = 0; i < 4; ++i) threads.emplace_back(run, i);
  for (auto& thread : threads) thread.join();
  for (int k = 0; k < 12; ++k) {
    const std::string key = std::to_string(k);
    int64_t now = clock + 200;
    for (const int64_t end = now + 200; now < end; ++now) {
      const Permit permit = breaker->Acquire(key, 0, {now, 0});
      if (permit.allowed) breaker->Record(permit, 0, {200}, {now, 0});
    }
    CHECK(breaker->Get(key, 0, {now, 0}).state == State::kClosed);
  }
}

}  // namespace
}  // namespace weir::breaker

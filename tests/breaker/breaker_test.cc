// Breaker: the promises one by one.

#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "tests/breaker/support.h"
#include "tests/support/catch.h"
#include "weir/breaker.h"
#include "weir/state.h"

namespace weir::breaker {
namespace {

TEST_CASE("the life of a circuit") {
  auto segment = NewSegment();
  auto breaker = NewBreaker(segment.get(), {Throttle()});
  CHECK(breaker.Get("east", At(1)).state == State::kClosed);

  const Report tripped = breaker.Send("east", {429}, At(100));
  CHECK(tripped.event == Event::kTripped);
  CHECK(tripped.rule == 0);
  CHECK(tripped.open_until_mono_ns == 130 * kSecond);

  const Permit refused = breaker.Acquire("east", At(129));
  CHECK_FALSE(refused.allowed);
  CHECK(refused.state == State::kOpen);
  CHECK(refused.retry_at_mono_ns == 130 * kSecond);
  CHECK_FALSE(breaker.Check("east", At(129)).allowed);
  CHECK(breaker.Get("east", At(129)).trip.open_until_mono_ns == 130 * kSecond);
  CHECK(breaker.Get("east", At(129)).trip.rule == "rule");
  CHECK(breaker.Get("east", At(129)).since_mono_ns == 100 * kSecond);
  CHECK(breaker.Acquire("west", At(129)).allowed);

  CHECK(breaker.Check("east", At(130)).allowed);
  CHECK(breaker.Get("east", At(130)).state == State::kHalfOpen);
  const Permit probe = breaker.Acquire("east", At(130));
  CHECK(probe.allowed);
  CHECK(probe.probe);
  CHECK_FALSE(breaker.Check("east", At(131)).allowed);
  CHECK(breaker.Acquire("east", At(131)).retry_at_mono_ns == 190 * kSecond);
  CHECK(breaker.Record(probe, {200}, At(132)).event == Event::kReset);
  CHECK(breaker.Acquire("east", At(132)).allowed);
  CHECK_FALSE(breaker.Acquire("east", At(132)).probe);
  CHECK(breaker.Get("east", At(133)).since_mono_ns == 132 * kSecond);
}

TEST_CASE("Check takes nothing") {
  auto segment = NewSegment();
  auto breaker = NewBreaker(segment.get(), {Throttle()});
  breaker.Send("k", {429}, At(0));
  for (int i = 0; i < 5; ++i) {
    const Passage passage = breaker.Check("k", At(30));
    CHECK(passage.allowed);
    CHECK(passage.probe);
  }
  CHECK(breaker.Acquire("k", At(30)).allowed);
}

TEST_CASE("a circuit found once tells as long as the breaker lives") {
  auto segment = NewSegment();
  auto breaker = NewBreaker(segment.get(), {Throttle()});
  const Circuit circuit = breaker.Find("k", At(0));
  CHECK(circuit.IsClosed());
  for (int life = 0; life < 100; ++life) {
    const int64_t t = 100 * life;
    const Permit permit = breaker.breaker().Acquire(circuit, At(t));
    REQUIRE(breaker.Record(permit, {429}, At(t)).event == Event::kTripped);
    REQUIRE_FALSE(circuit.IsClosed());
    REQUIRE_FALSE(breaker.breaker().Check(circuit, At(t + 29)).allowed);
    const Permit probe = breaker.breaker().Acquire(circuit, At(t + 30));
    REQUIRE(breaker.Record(probe, {200}, At(t + 30)).event == Event::kReset);
    REQUIRE(circuit.IsClosed());
  }
  const Circuit nothing;
  CHECK(nothing.IsClosed());
  const Permit free = breaker.breaker().Acquire(nothing, At(0));
  CHECK(free.allowed);
  CHECK(breaker.Record(free, {429}, At(0)).event == Event::kNone);
  CHECK(breaker.breaker().Get(nothing, At(0)).state == State::kClosed);
}

TEST_CASE("a caller's fault never trips, whatever a rule lists") {
  auto segment = NewSegment();
  auto breaker = NewBreaker(segment.get(), {OneRule(StatusRule(100, 999, 1, 0, kSecond))});
  for (const int status : {400, 401, 403, 404, 413, 422}) {
    for (int i = 0; i < 50; ++i) {
      CHECK(breaker.Send("k", {status, Failure::kNone, kSecond}, At(1)).event == Event::kNone);
    }
  }
  CHECK(breaker.Get("k", At(1)).state == State::kClosed);
  for (const int status : {402, 408, 409, 429, 500, 503, 529, 200}) {
    CHECK(breaker.Send(std::to_string(status), {status}, At(1)).event == Event::kTripped);
  }
}

TEST_CASE("a caller's fault closes: only a working backend finds one") {
  auto segment = NewSegment();
  auto breaker = NewBreaker(segment.get(), {Throttle()});
  breaker.Send("k", {429}, At(0));
  CHECK(breaker.Send("k", {401}, At(30)).event == Event::kReset);
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
    for (int failed = 0; failed < 5; ++failed) {
      // A failure inside a 200 stream is one, whatever its status was.
      const Outcome outcome{200, static_cast<Failure>(failed + 1), -1};
      const Report report = breaker.Send(std::to_string(failed), outcome, At(0));
      // Who watches for errors in streams watches for streams that end early.
      const bool counts = failed == watched || (failed == 4 && watched == 3);
      CHECK(report.event == (counts ? Event::kTripped : Event::kNone));
    }
    // Unwatched while half-open: the slot comes back, the circuit stays as it is.
    breaker.Send("h", {0, static_cast<Failure>(watched + 1)}, At(0));
    const Outcome unwatched{0, static_cast<Failure>((watched + 1) % 4 + 1)};
    for (int i = 0; i < 3; ++i) {
      CHECK(breaker.Send("h", unwatched, At(2)).event == Event::kNone);
      CHECK(breaker.Get("h", At(2)).state == State::kHalfOpen);
    }
    CHECK(breaker.Send("h", {200}, At(2)).event == Event::kReset);
  }
}

TEST_CASE("after the threshold nothing more is sent, from the very next decision") {
  auto segment = NewSegment();
  auto breaker =
      NewBreaker(segment.get(), {OneRule(StatusRule(500, 599, 3, 10 * kSecond, kMinute))});
  int sent = 0;
  for (int i = 0; i < 25; ++i) {
    const Permit permit = breaker.Acquire("k", At(1));
    if (!permit.allowed) continue;
    ++sent;
    breaker.Record(permit, {500}, At(1));
  }
  CHECK(sent == 3);
}

TEST_CASE("failures below the threshold, or too far apart, never trip") {
  auto segment = NewSegment();
  auto breaker =
      NewBreaker(segment.get(), {OneRule(StatusRule(500, 599, 3, 10 * kSecond, kMinute))});
  for (int i = 0; i < 1'000; ++i) {
    CHECK(breaker.Send("k", {500}, At(5 * i)).event == Event::kNone);
    CHECK(breaker.Send("k", {200}, At(5 * i)).event == Event::kNone);
  }
  // Nearer together three of them fit.
  CHECK(breaker.Send("k", {500}, At(5'000)).event == Event::kNone);
  CHECK(breaker.Send("k", {500}, At(5'004)).event == Event::kTripped);
}

TEST_CASE("of several rules that fill at once the longest time is taken") {
  RuleSet set;
  set.rules = {StatusRule(429, 429, 2, kMinute, 5 * kSecond),
               StatusRule(400, 499, 2, kMinute, 50 * kSecond),
               StatusRule(429, 429, 3, kMinute, 500 * kSecond)};
  auto segment = NewSegment();
  auto breaker = NewBreaker(segment.get(), {set});
  breaker.Send("k", {429}, At(0));
  const Report report = breaker.Send("k", {429}, At(1));
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
    return breaker.Send(key, {status, Failure::kNone, retry_after_ns}, At(0)).open_until_mono_ns;
  };
  CHECK(until("longer", 429, 60 * kSecond) == 60 * kSecond);
  CHECK(until("shorter", 429, 2 * kSecond) == 2 * kSecond);
  CHECK(until("too long", 429, kDay) == 100 * kSecond);
  CHECK(until("endless", 429, std::numeric_limits<int64_t>::max()) == 100 * kSecond);
  CHECK(until("not asked", 429, -1) == 30 * kSecond);
  CHECK(until("no wait", 429, 0) == 30 * kSecond);
  CHECK(until("not accepted", 503, 60 * kSecond) == 30 * kSecond);
}

TEST_CASE("who asks for next to nothing is not hammered") {
  RuleSet set = Throttle();
  auto segment = NewSegment();
  auto breaker = NewBreaker(segment.get(), {set});
  const Now now = At(0);
  CHECK(breaker.Send("k", {429, Failure::kNone, 1}, now).open_until_mono_ns == 10 * kMillisecond);
  // A client that asks again as soon as it may, for a second, with a backend that always says 1 ns.
  int64_t at = 0;
  int sent = 0;
  while (at < kSecond) {
    const Permit permit = breaker.Acquire("k", {at, 0});
    if (!permit.allowed) {
      REQUIRE(permit.retry_at_mono_ns > at);
      at = permit.retry_at_mono_ns;
      continue;
    }
    ++sent;
    breaker.Record(permit, {429, Failure::kNone, 1}, {at, 0});
  }
  CHECK(sent == 99);
}

TEST_CASE("successive trips grow up to their maximum, and are forgotten in good health") {
  RuleSet set = OneRule(StatusRule(503, 503, 1, 0, 10 * kSecond));
  set.rules[0].trip_growth_percent = 200;
  set.rules[0].trip_max_ns = 35 * kSecond;
  set.rules.push_back(StatusRule(429, 429, 1, 0, 5 * kSecond));
  set.forget_trips_ns = kMinute;
  auto segment = NewSegment();
  auto breaker = NewBreaker(segment.get(), {set});
  int64_t now_s = 1'000;
  // The next trip, at the first probe; how long it is.
  const auto trip = [&](const Outcome& outcome) {
    const int64_t until_ns = breaker.Send("k", outcome, At(now_s)).open_until_mono_ns;
    const int64_t length_s = until_ns / kSecond - now_s;
    now_s += length_s;
    return length_s;
  };
  const auto heal = [&](int64_t for_s) {
    REQUIRE(breaker.Send("k", {200}, At(now_s)).event == Event::kReset);
    now_s += for_s;
  };
  CHECK(trip({503}) == 10);
  CHECK(trip({503}) == 20);
  CHECK(trip({429}) == 5);                               // another rule's trips are its own
  CHECK(trip({503, Failure::kNone, 3 * kSecond}) == 3);  // nor do times count that it asked for
  CHECK(trip({503}) == 35);
  CHECK(trip({503}) == 35);
  heal(59);
  CHECK(trip({503}) == 35);
  heal(60);
  CHECK(trip({503}) == 10);
  CHECK(trip({503}) == 20);
  for (int i = 0; i < 300; ++i) REQUIRE(trip({503}) == 35);
  CHECK(breaker.Get("k", At(now_s)).trip.number == 309);
}

TEST_CASE("a healthy answer's Retry-After is nothing") {
  auto segment = NewSegment();
  auto breaker = NewBreaker(segment.get(), {Throttle()});
  CHECK(breaker.Send("k", {200, Failure::kNone, kHour}, At(0)).event == Event::kNone);
  CHECK(breaker.Acquire("k", At(0)).allowed);
}

TEST_CASE("outcomes from before the last change of state are ignored") {
  auto segment = NewSegment();
  auto breaker = NewBreaker(segment.get(), {Throttle()});
  const Permit old_failure = breaker.Acquire("k", At(0));
  const Permit old_success = breaker.Acquire("k", At(0));
  breaker.Send("k", {429}, At(0));
  CHECK(breaker.Record(old_failure, {429, Failure::kNone, kHour}, At(1)).event == Event::kNone);
  CHECK(breaker.Get("k", At(1)).trip.open_until_mono_ns == 30 * kSecond);

  // Neither settles the probe of a later time.
  const Permit probe = breaker.Acquire("k", At(30));
  CHECK(probe.probe);
  CHECK(breaker.Record(old_success, {200}, At(31)).event == Event::kNone);
  CHECK(breaker.Record(old_failure, {429}, At(31)).event == Event::kNone);
  CHECK_FALSE(breaker.Acquire("k", At(31)).allowed);
  CHECK(breaker.Record(probe, {429}, At(32)).event == Event::kTripped);

  // A probe of the half-open time before is nothing to the next.
  const Permit second = breaker.Acquire("k", At(62));
  CHECK(second.probe);
  CHECK(breaker.Record(probe, {200}, At(62)).event == Event::kNone);
  CHECK(breaker.Record(second, {200}, At(62)).event == Event::kReset);
  CHECK(breaker.Record(second, {429}, At(62)).event == Event::kNone);
  CHECK(breaker.Record(old_failure, {429}, At(62)).event == Event::kNone);
  CHECK(breaker.Acquire("k", At(62)).allowed);
}

TEST_CASE("ending a probe twice gives back nobody else's slot") {
  RuleSet set = Throttle();
  set.probes = 2;
  set.successes_to_close = 5;
  auto segment = NewSegment();
  auto breaker = NewBreaker(segment.get(), {set});
  breaker.Send("k", {429}, At(0));
  const Permit one = breaker.Acquire("k", At(30));
  const Permit two = breaker.Acquire("k", At(30));
  REQUIRE(two.allowed);
  CHECK_FALSE(breaker.Acquire("k", At(30)).allowed);
  breaker.Cancel(one, At(30));
  breaker.Cancel(one, At(30));
  breaker.Record(one, {200}, At(30));
  CHECK(breaker.Acquire("k", At(30)).allowed);
  CHECK_FALSE(breaker.Acquire("k", At(30)).allowed);
}

TEST_CASE("probes that are lost are reclaimed") {
  RuleSet set = Throttle();
  set.probes = 3;
  set.probe_timeout_ns = 20 * kSecond;
  auto segment = NewSegment();
  auto breaker = NewBreaker(segment.get(), {set});
  breaker.Send("k", {429}, At(0));
  for (int i = 0; i < 3; ++i) CHECK(breaker.Acquire("k", At(30 + i)).allowed);
  const Permit refused = breaker.Acquire("k", At(40));
  CHECK_FALSE(refused.allowed);
  CHECK(refused.state == State::kHalfOpen);
  CHECK(refused.retry_at_mono_ns == 50 * kSecond);
  CHECK(breaker.Acquire("k", At(50)).allowed);
  CHECK_FALSE(breaker.Acquire("k", At(50)).allowed);
  CHECK(breaker.Acquire("k", At(51)).allowed);
}

TEST_CASE("a wall clock that jumps decides nothing") {
  auto segment = NewSegment();
  auto breaker = NewBreaker(segment.get(), {Throttle()});
  constexpr int64_t kTenYears = 3'652 * kDay;
  const Now trip{kSecond, kTenYears};
  breaker.Send("k", {429}, trip);
  for (const int64_t wall : {int64_t{0}, -kTenYears, 2 * kTenYears, int64_t{1}}) {
    CHECK_FALSE(breaker.Acquire("k", {30 * kSecond, wall}).allowed);
    CHECK(breaker.Check("k", {31 * kSecond, wall}).allowed);
  }
}

TEST_CASE("a monotonic clock that steps back neither locks out nor gives") {
  auto segment = NewSegment();
  RuleSet set = OneRule(StatusRule(429, 429, 2, 10 * kSecond, 30 * kSecond));
  set.probe_timeout_ns = 20 * kSecond;
  auto breaker = NewBreaker(segment.get(), {set});
  const auto trip = [&](const std::string& key, Now now) {
    breaker.Send(key, {429}, now);
    REQUIRE(breaker.Send(key, {429}, now).event == Event::kTripped);
  };
  // Open: no time has passed, so all of the thirty seconds remain.
  trip("open", At(100'000));
  CHECK(breaker.Check("open", At(50)).retry_at_mono_ns == 80 * kSecond);
  CHECK(breaker.Acquire("open", At(50)).retry_at_mono_ns == 80 * kSecond);
  CHECK_FALSE(breaker.Acquire("open", At(79)).allowed);
  CHECK(breaker.Acquire("open", At(80)).allowed);

  // Half-open: a probe that is lost is overdue one timeout later on the new clock.
  trip("half", At(100'000));
  CHECK(breaker.Acquire("half", At(200'000)).allowed);
  CHECK_FALSE(breaker.Acquire("half", At(50)).allowed);
  CHECK(breaker.Acquire("half", At(50)).retry_at_mono_ns == 70 * kSecond);
  CHECK(breaker.Acquire("half", At(70)).allowed);

  // Opening again does not remember a deadline of the old clock.
  trip("again", At(100'000));
  const Permit probe = breaker.Acquire("again", At(200'000));
  CHECK(breaker.Record(probe, {429}, At(50)).open_until_mono_ns == 80 * kSecond);

  // Closed: an old failure counts for one more interval, not until the old time comes again.
  breaker.Send("closed", {429}, At(100'000));
  breaker.Send("closed", {200}, At(50));
  CHECK(breaker.Send("closed", {429}, At(50)).event == Event::kTripped);
  trip("reset", At(100'000));
  CHECK(breaker.Send("reset", {200}, At(200'000)).event == Event::kReset);
  trip("reset", At(50));
  CHECK(breaker.Get("reset", At(50)).trip.open_until_mono_ns == 80 * kSecond);
}

TEST_CASE("times at the ends of the numbers do no harm") {
  auto segment = NewSegment();
  auto breaker = NewBreaker(segment.get(), {Throttle()});
  constexpr int64_t kLast = std::numeric_limits<int64_t>::max();
  constexpr int64_t kFirst = std::numeric_limits<int64_t>::min();
  for (const int64_t mono : {kFirst, int64_t{-1}, int64_t{0}, kLast - 1, kLast}) {
    const std::string key = std::to_string(mono);
    breaker.Send(key, {429, Failure::kNone, kLast}, {mono, kFirst});
    for (const int64_t later : {kFirst, int64_t{0}, kDay, kLast}) {
      breaker.Check(key, {later, kLast});
      const Permit permit = breaker.Acquire(key, {later, kLast});
      breaker.Get(key, {later, 0});
      if (permit.allowed) breaker.Record(permit, {429}, {later, 0});
    }
  }
}

TEST_CASE("circuits outlive the breaker") {
  auto segment = NewSegment();
  RuleSet set = Throttle();
  set.probes = 2;
  set.successes_to_close = 3;
  auto breaker = NewBreaker(segment.get(), {set});
  breaker.Send("k", {429}, At(0));
  const Permit stale = breaker.Acquire("other", At(0));

  // Another size is no obstacle: the circuits stay where they are.
  breaker = NewBreaker(segment.get(), {set, set}, 128);
  CHECK_FALSE(breaker.Acquire("k", At(29), 1).allowed);
  const Permit probe = breaker.Acquire("k", At(30), 1);
  CHECK(probe.probe);
  breaker.Record(probe, {200}, At(30));
  const Permit waiting = breaker.Acquire("k", At(31), 1);

  breaker = NewBreaker(segment.get(), {set, set}, 16);
  CHECK(breaker.Acquire("k", At(32)).allowed);
  CHECK_FALSE(breaker.Acquire("k", At(32)).allowed);
  CHECK(breaker.Record(waiting, {200}, At(33)).event == Event::kNone);
  CHECK(breaker.Send("k", {200}, At(34)).event == Event::kReset);
  CHECK(breaker.Record(stale, {429}, At(35)).event == Event::kTripped);
}

TEST_CASE("failures counted under other rules are forgotten, under the same rules kept") {
  auto segment = NewSegment();
  const RuleSet three = OneRule(StatusRule(500, 599, 3, kMinute, kMinute));
  auto breaker = NewBreaker(segment.get(), {three});
  breaker.Send("k", {500}, At(0));
  breaker.Send("k", {500}, At(1));

  RuleSet same = three;
  same.rules[0].name = "renamed";
  same.rules[0].trip_ns = kHour;
  breaker = NewBreaker(segment.get(), {same});
  CHECK(breaker.Send("k", {500}, At(2)).open_until_mono_ns == 2 * kSecond + kHour);

  breaker.Send("j", {500}, At(0));
  breaker.Send("j", {500}, At(1));
  RuleSet other = three;
  other.rules[0].statuses = {{502, 504}};
  breaker = NewBreaker(segment.get(), {other});
  CHECK(breaker.Send("j", {503}, At(2)).event == Event::kNone);
  CHECK(breaker.Send("j", {503}, At(2)).event == Event::kNone);
  CHECK(breaker.Send("j", {503}, At(2)).event == Event::kTripped);
}

TEST_CASE("a full table takes over circuits that have nothing to count") {
  auto segment = NewSegment();
  auto breaker =
      NewBreaker(segment.get(), {OneRule(StatusRule(500, 599, 2, 10 * kSecond, kMinute))}, 8);
  // Healthy keys make room for each other.
  for (int i = 0; i < 10'000; ++i)
    breaker.Send(std::string("h").append(std::to_string(i)), {200}, At(0));
  // Single failures keep theirs for an interval, and what tripped for as long as a request takes.
  for (int round = 0; round < 100; ++round) {
    for (int i = 0; i < 4; ++i) {
      const std::string key = std::to_string(round * 4 + i);
      breaker.Send(key, {500}, At(100 * round));
      REQUIRE(breaker.Send(key, {500}, At(100 * round)).event == Event::kTripped);
      const Permit probe = breaker.Acquire(key, At(100 * round + 60));
      REQUIRE(breaker.Record(probe, {200}, At(100 * round + 60)).event == Event::kReset);
    }
  }
}

TEST_CASE("who lost its slot while healthy gets one with its next failure") {
  auto segment = NewSegment();
  auto breaker =
      NewBreaker(segment.get(), {OneRule(StatusRule(500, 599, 2, 10 * kSecond, kMinute))}, 8);
  const Circuit circuit = breaker.Find("mine", At(0));
  const Permit before = breaker.breaker().Acquire(circuit, At(0));
  const Permit too_old = breaker.breaker().Acquire(circuit, At(0));
  for (int i = 0; i < 200; ++i) breaker.Find(std::string("h").append(std::to_string(i)), At(0));
  CHECK_FALSE(circuit.IsClosed());  // not surely
  CHECK(breaker.breaker().Check(circuit, At(1)).allowed);
  const Permit between = breaker.breaker().Acquire(circuit, At(1));
  CHECK(between.allowed);
  CHECK(breaker.Record(before, {500}, At(2)).event == Event::kNone);
  CHECK(breaker.Record(between, {500}, At(3)).event == Event::kTripped);
  CHECK_FALSE(breaker.breaker().Check(circuit, At(4)).allowed);
  CHECK_FALSE(breaker.breaker().Acquire(circuit, At(4)).allowed);
  const Permit probe = breaker.breaker().Acquire(circuit, At(63));
  CHECK(probe.probe);
  CHECK(breaker.Record(probe, {200}, At(63)).event == Event::kReset);
  CHECK(breaker.breaker().Check(circuit, At(64)).allowed);
  // From before all of it.
  CHECK(breaker.Record(too_old, {500}, At(64)).event == Event::kNone);
  CHECK(breaker.Record(too_old, {500}, At(64)).event == Event::kNone);
}

TEST_CASE("a full table of open circuits lets new keys pass unguarded, and never wrongly guarded") {
  auto segment = NewSegment();
  auto breaker = NewBreaker(segment.get(), {Throttle()}, 8);
  int open = 0;
  for (int i = 0; i < 100; ++i) {
    const std::string key = std::to_string(i);
    const bool tripped = breaker.Send(key, {429}, At(0)).event == Event::kTripped;
    CHECK(breaker.Check(key, At(1)).allowed != tripped);
    open += tripped ? 1 : 0;
  }
  CHECK(open == 8);
  // An hour after their time was over nobody has asked about them: they give way.
  const Now later = At(30 + 3'600);
  for (int i = 200; i < 208; ++i) {
    CHECK(breaker.Send(std::to_string(i), {429}, later).event == Event::kTripped);
  }
}

TEST_CASE("a rule set that does not exist lets everything pass and counts nothing") {
  auto segment = NewSegment();
  auto breaker = NewBreaker(segment.get(), {Throttle()});
  breaker.Send("k", {429}, At(0));
  const Permit permit = breaker.Acquire("k", At(1), 1);
  CHECK(permit.allowed);
  CHECK(breaker.Check("k", At(1), 1).allowed);
  CHECK(breaker.Record(permit, {429}, At(1)).event == Event::kNone);
  breaker.Cancel(permit, At(1));
  CHECK(breaker.Get("k", At(1), 1).state == State::kClosed);
  CHECK_FALSE(breaker.Acquire("k", At(1)).allowed);
}

TEST_CASE("keys are bytes") {
  auto segment = NewSegment();
  auto breaker = NewBreaker(segment.get(), {Throttle()});
  breaker.Send(std::string("k\0x", 3), {429}, At(0));
  CHECK(breaker.Check("k", At(0)).allowed);
  CHECK(breaker.Check("", At(0)).allowed);
  CHECK_FALSE(breaker.Check(std::string_view("k\0x", 3), At(0)).allowed);
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
  CHECK_FALSE(message([](RuleSet& s) { s.rules[0].percentage = 101; }).empty());
  CHECK_FALSE(message([](RuleSet& s) { s.rules[0].percentage = 50; }).empty());
  const auto share_problem = [&](auto&& change) {
    return message([&](RuleSet& s) {
      s.rules[0].percentage = 50;
      s.rules[0].interval_ns = kSecond;
      change(s.rules[0]);
    });
  };
  CHECK(share_problem([](Rule&) {}).empty());
  CHECK_FALSE(share_problem([](Rule& r) { r.min_samples = 0; }).empty());
  CHECK_FALSE(share_problem([](Rule& r) { r.min_samples = kMax32; }).empty());
  CHECK_FALSE(share_problem([](Rule& r) { r.interval_ns = 15; }).empty());
  CHECK_FALSE(message([](RuleSet& s) { s.rules[0].trip_growth_percent = 99; }).empty());
  CHECK_FALSE(message([](RuleSet& s) { s.rules[0].trip_growth_percent = kMax32; }).empty());
  const auto growth_problem = [&](int64_t max_ns) {
    return message([&](RuleSet& s) {
      s.rules[0].trip_growth_percent = 200;
      s.rules[0].trip_max_ns = max_ns;
    });
  };
  CHECK(growth_problem(kHour).empty());
  CHECK_FALSE(growth_problem(29 * kSecond).empty());
  CHECK_FALSE(growth_problem(kMax64).empty());
  CHECK_FALSE(message([](RuleSet& s) { s.retry_after_min_ns = -1; }).empty());
  CHECK_FALSE(message([](RuleSet& s) { s.retry_after_min_ns = kMax64; }).empty());
  CHECK_FALSE(message([](RuleSet& s) { s.forget_trips_ns = -1; }).empty());
  CHECK_FALSE(message([](RuleSet& s) { s.forget_trips_ns = kMax64; }).empty());
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

}  // namespace
}  // namespace weir::breaker

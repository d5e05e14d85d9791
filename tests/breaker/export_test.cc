// What hosts and people can read: snapshots, lists, changes.

#include <algorithm>
#include <string>
#include <vector>

#include "tests/breaker/support.h"

namespace weir::breaker {
namespace {

TEST_CASE("a snapshot says what, since when, why and until when") {
  auto segment = NewSegment();
  RuleSet set = Throttle();
  set.rules[0].name = "throttle";
  Rule broken;
  broken.name = "broken, and with a name that is longer than what is kept";
  broken.on_stream_error = true;
  broken.trip_ns = 5 * kSecond;
  set.rules.push_back(broken);
  auto breaker = NewBreaker(segment.get(), {set});
  const Snapshot fresh = breaker.Get("east", At(1));
  CHECK(fresh.key == "east");
  CHECK(fresh.key_id.size() == 32);
  CHECK(fresh.state == State::kClosed);
  CHECK(fresh.trip.number == 0);

  breaker.Send("east", {429, Failure::kNone, 7 * kSecond}, At(100));
  const Snapshot open = breaker.Get("east", At(101));
  CHECK(open.state == State::kOpen);
  CHECK(open.since_mono_ns == 100 * kSecond);
  CHECK(open.trip.open_until_mono_ns == 107 * kSecond);
  CHECK(open.trip.rule == "throttle");
  CHECK(open.trip.status == 429);
  CHECK(open.trip.failure == Failure::kNone);
  CHECK(open.trip.asked);
  CHECK(open.trip.number == 1);
  CHECK(breaker.Get("east", At(107)).state == State::kHalfOpen);

  breaker.Send("east", {0, Failure::kTruncated}, At(107));
  const Snapshot again = breaker.Get("east", At(108));
  CHECK(again.trip.rule == broken.name.substr(0, kMaxRuleBytes));
  CHECK(again.trip.failure == Failure::kTruncated);
  CHECK_FALSE(again.trip.asked);
  CHECK(again.trip.number == 2);

  breaker.Send("east", {200}, At(112));
  const Snapshot closed = breaker.Get("east", At(113));
  CHECK(closed.state == State::kClosed);
  CHECK(closed.since_mono_ns == 112 * kSecond);
  CHECK(closed.trip.number == 2);
  CHECK(FailureName(closed.trip.failure) == "truncated");
  CHECK(StateName(State::kHalfOpen) == "half_open");
  CHECK(EventName(Event::kHalfOpened) == "half_opened");
}

TEST_CASE("the list has every circuit, whoever found it") {
  auto segment = NewSegment();
  auto breaker = NewBreaker(segment.get(), {Throttle()});
  const std::string longest(100, 'x');
  breaker.Find("a", At(0));
  breaker.Send("b", {429}, At(0));
  breaker.Find(longest, At(0));
  auto other = NewBreaker(segment.get(), {});
  auto list = other.breaker().List(At(1));
  REQUIRE(list.size() == 3);
  std::sort(list.begin(), list.end(),
            [](const Snapshot& a, const Snapshot& b) { return a.key < b.key; });
  CHECK(list[0].key == "a");
  CHECK(list[1].key == "b");
  CHECK(list[1].state == State::kOpen);
  CHECK(list[1].key_id == breaker.Get("b", At(1)).key_id);
  CHECK(list[2].key == longest.substr(0, kMaxKeyBytes));
}

TEST_CASE("changes are told once each, in order, and what was lost is counted") {
  auto segment = NewSegment();
  auto breaker = NewBreaker(segment.get(), {Throttle()});
  std::vector<Change> changes;
  CHECK(breaker.breaker().Changes(0, &changes).last == 0);
  CHECK(changes.empty());

  breaker.Send("k", {429}, {100 * kSecond, 5});
  breaker.Send("k", {429}, {130 * kSecond, 6});
  breaker.Send("k", {200}, {160 * kSecond, 7});
  ChangesRead read = breaker.breaker().Changes(0, &changes);
  CHECK(read.last == 5);
  CHECK(read.lost == 0);
  REQUIRE(changes.size() == 5);
  const Event expected[] = {Event::kTripped, Event::kHalfOpened, Event::kTripped,
                            Event::kHalfOpened, Event::kReset};
  for (size_t i = 0; i < 5; ++i) {
    CHECK(changes[i].number == i + 1);
    CHECK(changes[i].event == expected[i]);
    CHECK(changes[i].key == "k");
    CHECK(changes[i].key_id == breaker.Get("k", At(0)).key_id);
    CHECK(changes[i].trip.rule == "rule");
    CHECK(changes[i].trip.status == 429);
  }
  CHECK(changes[0].mono_ns == 100 * kSecond);
  CHECK(changes[0].unix_ns == 5);
  CHECK(changes[0].trip.open_until_mono_ns == 130 * kSecond);
  CHECK(changes[3].mono_ns == 160 * kSecond);
  CHECK(changes[4].trip.number == 2);

  changes.clear();
  CHECK(breaker.breaker().Changes(3, &changes).last == 5);
  CHECK(changes.size() == 2);
  changes.clear();
  CHECK(breaker.breaker().Changes(5, &changes).lost == 0);
  CHECK(changes.empty());

  // From another file's time.
  CHECK(breaker.breaker().Changes(1'000'000, &changes).last == 5);
  CHECK(changes.size() == 5);

  for (int i = 0; i < 300; ++i) breaker.Send("k", {429}, At(1'000 + 30 * i));
  changes.clear();
  read = breaker.breaker().Changes(5, &changes);
  CHECK(read.last == 604);
  CHECK(changes.size() == kMaxEvents);
  CHECK(read.lost == 599 - kMaxEvents);
  CHECK(changes.back().number == read.last);
}

}  // namespace
}  // namespace weir::breaker

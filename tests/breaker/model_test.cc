// All short sequences of calls, and long random ones, against the twin; and from every state that
// they reach, a healthy backend closes the circuit.

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "base/hash.h"
#include "base/random.h"
#include "base/text.h"
#include "breaker/circuit.h"
#include "state/table.h"
#include "tests/breaker/twin.h"
#include "tests/support/catch.h"
#include "weir/breaker.h"
#include "weir/state.h"

namespace weir::breaker {
namespace {

constexpr int64_t kTrip = 30;
constexpr int64_t kTimeout = 20;

// Rule 0: 429, twice within 10. Rule 1: 5xx and resets, at once. Rule 2: connect, three times.
RuleSet SmallSet(uint32_t probes, uint32_t successes, uint32_t count) {
  RuleSet set;
  set.rules.resize(3);
  set.rules[0].statuses = {{429, 429}};
  set.rules[0].count = count;
  set.rules[0].interval_ns = 10;
  set.rules[0].trip_ns = kTrip;
  set.rules[1].statuses = {{400, 404}, {500, 599}};  // its 4xx must never count
  set.rules[1].on_reset = true;
  set.rules[1].trip_ns = 5;
  set.rules[1].accept_retry_after = false;
  set.rules[2].statuses = {{429, 429}};
  set.rules[2].on_connect = true;
  set.rules[2].count = 3;
  set.rules[2].interval_ns = 15;
  set.rules[2].trip_ns = 40;
  set.probes = probes;
  set.successes_to_close = successes;
  set.probe_timeout_ns = kTimeout;
  set.retry_after_max_ns = 50;
  return set;
}

struct Pair {
  Permit permit;
  Twin::Ticket ticket;
};

void RequireSame(const Permit& permit, const Twin::Ticket& ticket) {
  REQUIRE(permit.allowed == ticket.allowed);
  REQUIRE(permit.probe == ticket.probe);
  REQUIRE(permit.state == ticket.state);
  REQUIRE(permit.retry_at_mono_ns == ticket.retry_at);
}

void RequireSame(const Report& report, const Report& expected) {
  REQUIRE(report.event == expected.event);
  REQUIRE(report.rule == expected.rule);
  REQUIRE(report.open_until_mono_ns == expected.open_until_mono_ns);
}

// Walks the tree of sequences. The real circuit is plain data in the segment, so a step is undone
// by putting its bytes back.
class Walker {
 public:
  explicit Walker(const RuleSet& set)
      : set_(set),
        segment_(*state::Segment::CreatePrivate({size_t{1} << 20, 5})),
        breaker_(*Breaker::Create(segment_.get(), {set}, {8})),
        table_(*state::Table<Circuit>::Open(segment_.get(), "breaker", 8)),
        key_(SipHash(segment_->seed(), "k")) {
    slot_ = *table_.FindOrClaim(key_, [](const Circuit&) { return false; });
  }

  void Walk(int depth) { Step(depth, Twin(&set_), {}, {}, 1'000); }
  int64_t nodes() const { return nodes_; }

 private:
  static constexpr int kMoves = 10;

  void Step(int depth, const Twin& twin, const std::vector<Pair>& out,
            const std::vector<Pair>& over, int64_t now) {
    ++nodes_;
    RequireSame(breaker_->Check("k", 0, {now, 0}), twin.Check(now));
    const Circuit saved = table_.at(slot_);
    RequireRecovery(now);
    table_.at(slot_) = saved;
    if (depth == 0) return;
    for (int move = 0; move < kMoves; ++move) {
      Twin next = twin;
      std::vector<Pair> next_out = out;
      std::vector<Pair> next_over = over;
      int64_t next_now = now;
      if (Move(move, &next, &next_out, &next_over, &next_now)) {
        Step(depth - 1, next, next_out, next_over, next_now);
      }
      table_.at(slot_) = saved;
    }
  }

  // False when the move is not possible here.
  bool Move(int move, Twin* twin, std::vector<Pair>* out, std::vector<Pair>* over, int64_t* now) {
    switch (move) {
      case 0: {
        const Pair pair{breaker_->Acquire("k", 0, {*now, 0}), twin->Acquire(*now)};
        RequireSame(pair.permit, pair.ticket);
        if (pair.permit.allowed) out->push_back(pair);
        return true;
      }
      case 1:
        *now += 3;
        return true;
      case 2:
        *now += 20;
        return true;
      case 3:
        return End(out, over, true, {429}, twin, *now);
      case 4:
        return End(out, over, false, {429, Failure::kNone, 60}, twin, *now);
      case 5:
        return End(out, over, true, {200, Failure::kNone, 7}, twin, *now);
      case 6:
        return End(out, over, false, {404}, twin, *now);
      case 7:
        return End(out, over, true, {0, Failure::kConnect}, twin, *now);
      case 8: {
        if (out->empty()) return false;
        breaker_->Cancel(out->back().permit, 0, {*now, 0});
        twin->Cancel(out->back().ticket);
        over->push_back(out->back());
        out->pop_back();
        return true;
      }
      default:
        // Ends the last one a second time.
        if (over->empty()) return false;
        Record(over->back(), {503}, twin, *now);
        return true;
    }
  }

  bool End(std::vector<Pair>* out, std::vector<Pair>* over, bool oldest, const Outcome& outcome,
           Twin* twin, int64_t now) {
    if (out->empty()) return false;
    if (oldest) std::rotate(out->begin(), out->begin() + 1, out->end());
    const Pair pair = out->back();
    out->pop_back();
    Record(pair, outcome, twin, now);
    over->push_back(pair);
    return true;
  }

  void Record(const Pair& pair, const Outcome& outcome, Twin* twin, int64_t now) {
    RequireSame(breaker_->Record(pair.permit, 0, outcome, {now, 0}),
                twin->Record(pair.ticket, outcome, now));
  }

  // Every probe that is out is lost; then all is well with the backend.
  void RequireRecovery(int64_t now) {
    const int64_t longest = 50 + kTimeout + set_.successes_to_close;
    for (const int64_t end = now + longest; now <= end; ++now) {
      const Permit permit = breaker_->Acquire("k", 0, {now, 0});
      if (permit.allowed) breaker_->Record(permit, 0, {200}, {now, 0});
      if (permit.allowed && !permit.probe) break;
    }
    REQUIRE(breaker_->Get("k", 0, {now, 0}).state == State::kClosed);
  }

  const RuleSet set_;
  std::unique_ptr<state::Segment> segment_;
  std::unique_ptr<Breaker> breaker_;
  state::Table<Circuit> table_;
  Hash128 key_;
  uint32_t slot_ = 0;
  int64_t nodes_ = 0;
};

TEST_CASE("every short sequence of calls does what the twin does, and every state recovers") {
  int64_t nodes = 0;
  for (const uint32_t probes : {1, 2}) {
    for (const uint32_t successes : {1, 2}) {
      for (const uint32_t count : {1, 2}) {
        Walker walker(SmallSet(probes, successes, count));
        walker.Walk(6);
        nodes += walker.nodes();
      }
    }
  }
  Walker walker(SmallSet(1, 1, 1));
  walker.Walk(7);
  CHECK(nodes + walker.nodes() > 250'000);
}

TEST_CASE("long random lives of many circuits do what the twins do") {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    Random random(seed);
    const RuleSet set = SmallSet(static_cast<uint32_t>(1 + random.Below(kMaxProbes)),
                                 static_cast<uint32_t>(1 + random.Below(4)),
                                 static_cast<uint32_t>(1 + random.Below(6)));
    auto segment = *state::Segment::CreatePrivate({size_t{1} << 20, seed});
    auto breaker = *Breaker::Create(segment.get(), {set}, {64});
    constexpr size_t kKeys = 8;
    std::vector<Twin> twins(kKeys, Twin(&set));
    std::vector<std::vector<Pair>> out(kKeys);
    int64_t now = 0;
    for (int move = 0; move < 5'000; ++move) {
      if (random.Below(500) == 0) breaker = *Breaker::Create(segment.get(), {set}, {64});
      now += static_cast<int64_t>(random.Below(4));
      const size_t k = random.Below(kKeys);
      const std::string key = std::to_string(k);
      const Now at{now, static_cast<int64_t>(random.Next())};  // the wall clock decides nothing
      RequireSame(breaker->Check(key, 0, at), twins[k].Check(now));
      if (out[k].empty() || random.Below(2) == 0) {
        const Pair pair{breaker->Acquire(key, 0, at), twins[k].Acquire(now)};
        RequireSame(pair.permit, pair.ticket);
        if (pair.permit.allowed) out[k].push_back(pair);
        continue;
      }
      const size_t which = random.Below(out[k].size());
      const Pair pair = out[k][which];
      out[k].erase(out[k].begin() + static_cast<std::ptrdiff_t>(which));
      const uint64_t what = random.Below(16);
      if (what == 0) continue;  // lost
      if (what == 1) {
        breaker->Cancel(pair.permit, 0, at);
        twins[k].Cancel(pair.ticket);
        continue;
      }
      Outcome outcome;
      outcome.failure = what < 6 ? static_cast<Failure>(random.Below(5)) : Failure::kNone;
      constexpr int kStatuses[] = {200, 200, 200, 204, 429, 429, 503, 400, 404, 418, 0};
      outcome.status = kStatuses[random.Below(std::size(kStatuses))];
      if (random.Below(2) == 0) outcome.retry_after_ns = static_cast<int64_t>(random.Below(80)) - 1;
      RequireSame(breaker->Record(pair.permit, 0, outcome, at),
                  twins[k].Record(pair.ticket, outcome, now));
    }
  }
}

}  // namespace
}  // namespace weir::breaker

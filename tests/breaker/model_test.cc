// All states that small configurations can reach, each met once: in every one the circuit does what
// the twin does, exactly the probes pass, what is stale changes nothing, and a healthy backend
// closes it. Then long random lives of larger ones.

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/hash.h"
#include "base/random.h"
#include "breaker/circuit.h"
#include "state/table.h"
#include "tests/breaker/support.h"
#include "tests/breaker/twin.h"

namespace weir::breaker {
namespace {

constexpr int64_t kUnit = 1'000;

struct Pair {
  Permit permit;
  Twin::Ticket ticket;
};

// Said millions of times: only what fails is made a failure of the test.
void Require(bool holds, const char* what) {
  if (!holds) FAIL(what);
}

void RequireSame(const Passage& passage, const Twin::Ticket& ticket) {
  Require(passage.allowed == ticket.allowed, "one passes");
  Require(passage.probe == ticket.probe, "one is a probe");
  Require(passage.state == ticket.state, "the states differ");
  Require(passage.retry_at_mono_ns == ticket.retry_at, "the times worth asking again differ");
}

void RequireSame(const Report& report, const Report& expected) {
  Require(report.event == expected.event, "the events differ");
  Require(report.rule == expected.rule, "the rules differ");
  Require(report.open_until_mono_ns == expected.open_until_mono_ns, "the deadlines differ");
}

bool SameBytes(const CircuitData& a, const CircuitData& b) {
  return std::memcmp(&a, &b, sizeof(a)) == 0;
}

struct Small {
  RuleSet set;
  std::vector<Outcome> outcomes;  // that a request may have
  int64_t step = kUnit;           // how the time passes
  size_t most_out = 3;            // requests out at once
  int most_per_step = INT32_MAX;  // outcomes that are counted at one moment while closed
};

// One state, by a way that leads there.
struct Node {
  CircuitData circuit;
  Twin twin;
  std::vector<Pair> out;
  Permit stale_closed;               // the first that became stale of those given while closed
  std::vector<Permit> stale_probes;  // the last three
  int64_t now;
  int counted_now;
};

// Breadth first over all states. The circuit is plain data in the segment: a state is entered by
// putting its bytes back. Every step is made through two breakers over the one segment, as two
// processes have them, and must be the same: so it is the same in whatever order they interleave.
class Explorer {
 public:
  explicit Explorer(const Small& small)
      : small_(small),
        segment_(NewSegment()),
        breakers_{*Breaker::Create(segment_.get(), {small.set}, {8}),
                  *Breaker::Create(segment_.get(), {small.set}, {8})},
        circuits_{breakers_[0]->Find("k", 0, {}), breakers_[1]->Find("k", 0, {})},
        table_(*state::Table<CircuitData>::Open(segment_.get(), "breaker", 8)),
        slot_(*table_.Find(SipHash(segment_->seed(), "k"))) {}

  size_t Explore() {
    Meet({table_.at(slot_), Twin(&small_.set), {}, {}, {}, 100 * small_.step, 0});
    while (!open_.empty()) {
      const Node node = std::move(open_.front());
      open_.pop_front();
      Leave(node);
    }
    return met_.size();
  }
  size_t steps() const { return steps_; }

 private:
  CircuitData& circuit() { return table_.at(slot_); }

  // Makes a step from `node` through both breakers.
  void Step(const Node& node, const std::function<void(Node*, Breaker&, const Circuit&)>& move) {
    Node reached = node;
    for (int process = 0; process < 2; ++process) {
      Node next = node;
      circuit() = node.circuit;
      move(&next, *breakers_[process], circuits_[process]);
      next.circuit = circuit();
      if (process == 1) {
        Require(SameBytes(next.circuit, reached.circuit), "the processes differ");
      }
      reached = std::move(next);
    }
    ++steps_;
    for (size_t i = 0; i < reached.out.size();) {
      if (!reached.twin.IsStale(reached.out[i].ticket)) {
        ++i;
        continue;
      }
      KeepStale(reached.out[i].permit, &reached);
      reached.out.erase(reached.out.begin() + static_cast<std::ptrdiff_t>(i));
    }
    Meet(std::move(reached));
  }

  static void KeepStale(const Permit& permit, Node* node) {
    if (!permit.probe) {
      if (!node->stale_closed.allowed) node->stale_closed = permit;
      return;
    }
    if (node->stale_probes.size() == 3) node->stale_probes.erase(node->stale_probes.begin());
    node->stale_probes.push_back(permit);
  }

  void Leave(const Node& node) {
    Step(node, [&](Node* next, Breaker&, const Circuit&) {
      next->now += small_.step;
      next->counted_now = 0;
    });
    if (node.out.size() < small_.most_out) {
      Step(node, [](Node* next, Breaker& breaker, const Circuit& circuit) {
        const Now now{next->now, 0};
        const Pair pair{breaker.Acquire(circuit, now), next->twin.Acquire(next->now)};
        RequireSame(pair.permit, pair.ticket);
        if (pair.permit.allowed) next->out.push_back(pair);
      });
    }
    for (size_t i = 0; i < node.out.size(); ++i) {
      const auto take = [i](Node* next) {
        const Pair pair = next->out[i];
        next->out.erase(next->out.begin() + static_cast<std::ptrdiff_t>(i));
        return pair;
      };
      // Lost: its process was killed.
      Step(node, [&](Node* next, Breaker&, const Circuit&) { take(next); });
      Step(node, [&](Node* next, Breaker& breaker, const Circuit&) {
        const Pair pair = take(next);
        breaker.Cancel(pair.permit, {next->now, 0});
        next->twin.Cancel(pair.ticket);
        if (pair.permit.probe) KeepStale(pair.permit, next);
      });
      if (!node.out[i].ticket.probe && node.counted_now >= small_.most_per_step) continue;
      for (const Outcome& outcome : small_.outcomes) {
        Step(node, [&](Node* next, Breaker& breaker, const Circuit&) {
          const Pair pair = take(next);
          if (!pair.ticket.probe) ++next->counted_now;
          RequireSame(breaker.Record(pair.permit, outcome, {next->now, 0}),
                      next->twin.Record(pair.ticket, outcome, next->now));
          if (pair.permit.probe) KeepStale(pair.permit, next);
        });
      }
    }
  }

  // Looks around in a state that was not met before.
  void Meet(Node node) {
    std::vector<Twin::Ticket> tickets;
    for (const Pair& pair : node.out) tickets.push_back(pair.ticket);
    std::string name = node.twin.Canonical(node.now, tickets);
    if (small_.most_per_step != INT32_MAX) {
      name += std::to_string(std::min(node.counted_now, small_.most_per_step));
    }
    // With a permit in hand from before a change of state, or with none, is not the same.
    if (node.stale_closed.allowed) name += " stale";
    if (!met_.insert(std::move(name)).second) return;
    circuit() = node.circuit;
    RequireSame(breakers_[0]->Check(circuits_[0], {node.now, 0}), node.twin.Check(node.now));
    RequireSame(breakers_[1]->Check(circuits_[1], {node.now, 0}), node.twin.Check(node.now));
    Require(SameBytes(circuit(), node.circuit), "looking changed something");
    RequireStaleChangesNothing(node);
    RequireExactlyTheProbes(node);
    RequireRecovery(node);
    open_.push_back(std::move(node));
  }

  void RequireStaleChangesNothing(const Node& node) {
    circuit() = node.circuit;
    std::vector<Permit> stale = node.stale_probes;
    stale.push_back(node.stale_closed);
    for (const Permit& permit : stale) {
      for (const Outcome& outcome : small_.outcomes) {
        Require(breakers_[1]->Record(permit, outcome, {node.now, 0}).event == Event::kNone,
                "something stale did something");
      }
      breakers_[0]->Cancel(permit, {node.now, 0});
    }
    Require(SameBytes(circuit(), node.circuit), "something stale changed something");
  }

  void RequireExactlyTheProbes(const Node& node) {
    circuit() = node.circuit;
    const Passage passage = breakers_[0]->Check(circuits_[0], {node.now, 0});
    if (passage.state != State::kHalfOpen) return;
    uint32_t out = 0;
    if (StateOf(circuit().word) == State::kHalfOpen) {
      for (const Probe& probe : circuit().probes) {
        const int64_t age = node.now - probe.start_ns;
        out += probe.number != 0 && age < small_.set.probe_timeout_ns ? 1 : 0;
      }
    }
    while (breakers_[out % 2]->Acquire(circuits_[out % 2], {node.now, 0}).allowed) ++out;
    Require(out == small_.set.probes, "not exactly the probes passed");
  }

  // Every request that is out is lost; then all is well with the backend.
  void RequireRecovery(const Node& node) {
    circuit() = node.circuit;
    int64_t longest = std::max(small_.set.retry_after_max_ns, small_.set.probe_timeout_ns);
    for (const Rule& rule : small_.set.rules) {
      const bool grows = rule.trip_growth_percent > 100;
      longest = std::max(longest, grows ? rule.trip_max_ns : rule.trip_ns);
    }
    const int64_t end = node.now + longest + small_.set.probe_timeout_ns;
    for (int64_t now = node.now; now <= end; now += small_.step) {
      for (uint32_t i = 0; i < small_.set.successes_to_close; ++i) {
        const Permit permit = breakers_[i % 2]->Acquire(circuits_[i % 2], {now, 0});
        if (permit.allowed) breakers_[0]->Record(permit, {200}, {now, 0});
      }
    }
    Require(circuits_[0].IsClosed(), "a healthy backend does not close it");
    Require(breakers_[0]->Acquire(circuits_[0], {end, 0}).allowed, "it does not pass");
  }

  const Small small_;
  std::unique_ptr<state::Segment> segment_;
  std::unique_ptr<Breaker> breakers_[2];
  Circuit circuits_[2];
  state::Table<CircuitData> table_;
  uint32_t slot_;
  std::unordered_set<std::string> met_;
  std::deque<Node> open_;
  size_t steps_ = 0;
};

// 429 twice within three units, growing; 5xx at once, deaf; and a third that a 429 counts for too.
Small Counts(uint32_t probes, uint32_t successes) {
  Small small;
  RuleSet& set = small.set;
  set.rules = {StatusRule(429, 429, 2, 3 * kUnit, 2 * kUnit), StatusRule(500, 599, 1, 0, kUnit),
               StatusRule(400, 429, 3, 2 * kUnit, 3 * kUnit)};
  set.rules[0].trip_growth_percent = 200;
  set.rules[0].trip_max_ns = 4 * kUnit;
  set.rules[1].accept_retry_after = false;
  set.rules[1].on_reset = true;
  set.probes = probes;
  set.successes_to_close = successes;
  set.probe_timeout_ns = 2 * kUnit;
  set.retry_after_min_ns = kUnit;
  set.retry_after_max_ns = 3 * kUnit;
  set.forget_trips_ns = 2 * kUnit;
  small.outcomes = {{200},
                    {404},
                    {429},
                    {429, Failure::kNone, 1},
                    {503, Failure::kNone, 9 * kUnit},
                    {0, Failure::kReset},
                    {0, Failure::kConnect}};
  small.most_out = probes + 1;
  return small;
}

// Half of at least two 5xx; and 429 at once.
Small SharesOf(uint32_t probes, uint32_t min_samples, uint32_t percentage) {
  Small small;
  RuleSet& set = small.set;
  set.rules = {StatusRule(500, 599, 1, 16 * kUnit, 7 * kUnit),
               StatusRule(429, 429, 2, 16 * kUnit, 8 * kUnit)};
  set.rules[0].percentage = percentage;
  set.rules[0].min_samples = min_samples;
  set.probes = probes;
  set.probe_timeout_ns = 7 * kUnit;
  set.retry_after_max_ns = 9 * kUnit;
  small.outcomes = {{200}, {404}, {429}, {503}};
  small.step = 6 * kUnit;
  small.most_out = 2;
  small.most_per_step = 2;
  return small;
}

TEST_CASE("all reachable states: rules that count") {
  for (const uint32_t probes : {1, 2}) {
    for (const uint32_t successes : {1, 2}) {
      if (probes == 2 && successes == 2 && std::getenv("WEIR_LONG") == nullptr) continue;
      Explorer explorer(Counts(probes, successes));
      const size_t states = explorer.Explore();
      std::cout << "model: counts, " << probes << " probes, " << successes
                << " successes: " << states << " states, " << explorer.steps() << " steps\n";
      CHECK(states > 1'000);
    }
  }
}

TEST_CASE("all reachable states: rules that judge a share") {
  for (const uint32_t min_samples : {2, 3}) {
    for (const uint32_t percentage : {50, 100}) {
      Explorer explorer(SharesOf(1, min_samples, percentage));
      const size_t states = explorer.Explore();
      std::cout << "model: " << percentage << " % of " << min_samples << ": " << states
                << " states, " << explorer.steps() << " steps\n";
      CHECK(states > 1'000);
    }
  }
}

RuleSet RandomSet(Random* random) {
  RuleSet set;
  set.rules.resize(3);
  set.rules[0] = StatusRule(429, 429, static_cast<uint32_t>(1 + random->Below(6)), 10, 30);
  set.rules[0].trip_growth_percent = random->Below(2) == 0 ? 100 : 150;
  set.rules[0].trip_max_ns = 100;
  set.rules[1].statuses = {{400, 404}, {500, 599}};  // its 4xx must never count
  set.rules[1].on_reset = true;
  set.rules[1].trip_ns = 5;
  set.rules[1].accept_retry_after = false;
  if (random->Below(2) == 0) {
    set.rules[1].interval_ns = static_cast<int64_t>(16 + random->Below(300));
    set.rules[1].percentage = static_cast<uint32_t>(1 + random->Below(100));
    set.rules[1].min_samples = static_cast<uint32_t>(1 + random->Below(10));
    set.rules[1].count = static_cast<uint32_t>(1 + random->Below(3));
  }
  set.rules[2] = StatusRule(429, 429, 3, 15, 40);
  set.rules[2].on_connect = true;
  set.rules[2].on_stream_error = true;
  set.probes = static_cast<uint32_t>(1 + random->Below(kMaxProbes));
  set.successes_to_close = static_cast<uint32_t>(1 + random->Below(4));
  set.probe_timeout_ns = 20;
  set.retry_after_min_ns = static_cast<int64_t>(random->Below(10));
  set.retry_after_max_ns = 50;
  set.forget_trips_ns = static_cast<int64_t>(random->Below(100));
  return set;
}

TEST_CASE("long random lives of many circuits do what the twins do") {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    Random random(seed);
    const RuleSet set = RandomSet(&random);
    auto segment = NewSegment();
    auto breaker = NewBreaker(segment.get(), {set});
    constexpr size_t kKeys = 8;
    std::vector<Twin> twins(kKeys, Twin(&set));
    std::vector<std::vector<Pair>> out(kKeys);
    int64_t now = 0;
    for (int move = 0; move < 5'000; ++move) {
      if (random.Below(500) == 0) breaker = NewBreaker(segment.get(), {set});
      now += static_cast<int64_t>(random.Below(4));
      const size_t k = random.Below(kKeys);
      const std::string key = std::to_string(k);
      const Now at{now, static_cast<int64_t>(random.Next())};  // the wall clock decides nothing
      RequireSame(breaker.Check(key, at), twins[k].Check(now));
      if (out[k].empty() || random.Below(2) == 0) {
        const Pair pair{breaker.Acquire(key, at), twins[k].Acquire(now)};
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
        breaker.Cancel(pair.permit, at);
        twins[k].Cancel(pair.ticket);
        continue;
      }
      Outcome outcome;
      outcome.failure = what < 6 ? static_cast<Failure>(random.Below(6)) : Failure::kNone;
      constexpr int kStatuses[] = {200, 200, 200, 204, 429, 429, 503, 400, 404, 418, 0};
      outcome.status = kStatuses[random.Below(std::size(kStatuses))];
      if (random.Below(2) == 0) outcome.retry_after_ns = static_cast<int64_t>(random.Below(80)) - 1;
      RequireSame(breaker.Record(pair.permit, outcome, at),
                  twins[k].Record(pair.ticket, outcome, now));
    }
  }
}

}  // namespace
}  // namespace weir::breaker

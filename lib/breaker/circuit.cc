#include "breaker/circuit.h"

#include <algorithm>
#include <atomic>
#include <iterator>

#include "base/saturating.h"
#include "base/time.h"
#include "breaker/rules.h"

namespace weir::breaker {
namespace {

// A circuit that is open or half-open and that nobody has asked about for this long after its time
// was over may be forgotten when the table is full.
constexpr int64_t kAbandonedNs = kHour;

void ChangeState(Circuit* circuit, State state, int64_t now_ns) {
  const uint64_t epoch = ++circuit->last_serial;
  circuit->since_ns = now_ns;
  circuit->successes = 0;
  if (state == State::kHalfOpen) {
    std::fill(std::begin(circuit->probes), std::end(circuit->probes), Probe{});
  } else {
    std::fill(std::begin(circuit->histories), std::end(circuit->histories), History{});
  }
  std::atomic_ref<uint64_t>(circuit->word)
      .store(epoch * 4 + static_cast<uint64_t>(state), std::memory_order_release);
}

// Undoes a backward step of the clock: see the head of circuit.h.
void Rebase(Circuit* circuit, int64_t now_ns) {
  if (ReadEpoch(*circuit).state == State::kHalfOpen) {
    for (Probe& probe : circuit->probes) probe.start_ns = std::min(probe.start_ns, now_ns);
  }
  if (now_ns >= circuit->since_ns) return;
  const int64_t step = circuit->since_ns - now_ns;
  circuit->since_ns = now_ns;
  circuit->open_until_ns = std::max(SaturatingSub(circuit->open_until_ns, step), now_ns);
  circuit->forget_at_ns = SaturatingSub(circuit->forget_at_ns, step);
}

// When an open circuit's time is over, on a clock that may have stepped back.
int64_t OpenUntil(const Circuit& circuit, int64_t now_ns) {
  if (now_ns >= circuit.since_ns) return circuit.open_until_ns;
  return circuit.open_until_ns - (circuit.since_ns - now_ns);
}

// Is the probe out, and not overdue?
bool IsOut(const Probe& probe, const RuleSet& set, int64_t now_ns) {
  return probe.serial != 0 && ElapsedNs(probe.start_ns, now_ns) < set.probe_timeout_ns;
}

uint32_t ProbesOut(const Circuit& circuit, const RuleSet& set, int64_t now_ns) {
  return static_cast<uint32_t>(
      std::count_if(std::begin(circuit.probes), std::end(circuit.probes),
                    [&](const Probe& probe) { return IsOut(probe, set, now_ns); }));
}

// When the first of the probes that are out will be overdue.
int64_t NextOverdue(const Circuit& circuit, const RuleSet& set, int64_t now_ns) {
  int64_t next = SaturatingAdd(now_ns, set.probe_timeout_ns);
  for (const Probe& probe : circuit.probes) {
    if (!IsOut(probe, set, now_ns)) continue;
    next = std::min(next, SaturatingAdd(std::min(probe.start_ns, now_ns), set.probe_timeout_ns));
  }
  return next;
}

// Opens the circuit for the longest time that any of `rules` wants.
Report Open(Circuit* circuit, const RuleSet& set, uint32_t rules, const Outcome& outcome,
            int64_t now_ns) {
  Report report{Event::kTripped, -1, 0};
  int64_t longest_ns = -1;
  for (size_t i = 0; i < set.rules.size(); ++i) {
    if ((rules >> i & 1) == 0) continue;
    const int64_t open_ns = OpenNs(set, set.rules[i], outcome);
    if (open_ns <= longest_ns) continue;
    longest_ns = open_ns;
    report.rule = static_cast<int>(i);
  }
  ChangeState(circuit, State::kOpen, now_ns);
  circuit->open_until_ns = std::max(circuit->open_until_ns, SaturatingAdd(now_ns, longest_ns));
  circuit->forget_at_ns = SaturatingAdd(circuit->open_until_ns, kAbandonedNs);
  circuit->rule = report.rule + 1;
  report.open_until_mono_ns = circuit->open_until_ns;
  return report;
}

Probe* FindProbe(Circuit* circuit, uint64_t serial) {
  if (serial == 0 || ReadEpoch(*circuit).state != State::kHalfOpen) return nullptr;
  for (Probe& probe : circuit->probes) {
    if (probe.serial == serial) return &probe;
  }
  return nullptr;
}

}  // namespace

Epoch ReadEpoch(const Circuit& circuit) {
  // There is no atomic_ref of a const object before C++26.
  const uint64_t word = std::atomic_ref<uint64_t>(const_cast<uint64_t&>(circuit.word))
                            .load(std::memory_order_acquire);
  return {static_cast<State>(word & 3), word >> 2};
}

View Look(const Circuit& circuit, const RuleSet& set, int64_t now_ns) {
  switch (ReadEpoch(circuit).state) {
    case State::kClosed:
      return {State::kClosed, true, 0};
    case State::kOpen: {
      const int64_t until = OpenUntil(circuit, now_ns);
      if (now_ns < until) return {State::kOpen, false, until};
      return {State::kHalfOpen, true, 0};
    }
    case State::kHalfOpen:
      break;
  }
  if (ProbesOut(circuit, set, now_ns) < set.probes) return {State::kHalfOpen, true, 0};
  return {State::kHalfOpen, false, NextOverdue(circuit, set, now_ns)};
}

uint64_t TakeProbe(Circuit* circuit, const RuleSet& set, int64_t now_ns) {
  Rebase(circuit, now_ns);
  if (ReadEpoch(*circuit).state == State::kOpen && now_ns >= circuit->open_until_ns) {
    ChangeState(circuit, State::kHalfOpen, now_ns);
  }
  if (ReadEpoch(*circuit).state != State::kHalfOpen) return 0;
  if (ProbesOut(*circuit, set, now_ns) >= set.probes) return 0;
  // A free slot, and when there is none that of the oldest overdue probe.
  Probe* free = nullptr;
  for (Probe& probe : circuit->probes) {
    if (IsOut(probe, set, now_ns)) continue;
    if (free == nullptr || probe.serial < free->serial) free = &probe;
  }
  if (free == nullptr) return 0;
  *free = {++circuit->last_serial, now_ns};
  circuit->forget_at_ns = SaturatingAdd(SaturatingAdd(now_ns, set.probe_timeout_ns), kAbandonedNs);
  return free->serial;
}

void ReturnProbe(Circuit* circuit, uint64_t serial) {
  if (Probe* const probe = FindProbe(circuit, serial)) *probe = {};
}

Report EndProbe(Circuit* circuit, const RuleSet& set, uint64_t serial, uint32_t matching,
                const Outcome& outcome, int64_t now_ns) {
  Probe* const probe = FindProbe(circuit, serial);
  if (probe == nullptr) return {};
  *probe = {};
  Rebase(circuit, now_ns);
  if (matching != 0) return Open(circuit, set, matching, outcome, now_ns);
  if (!ShowsHealth(outcome) || ++circuit->successes < set.successes_to_close) return {};
  ChangeState(circuit, State::kClosed, now_ns);
  circuit->forget_at_ns = now_ns;
  return {Event::kReset, -1, 0};
}

Report CountFailure(Circuit* circuit, const RuleSet& set, uint64_t fingerprint, uint32_t matching,
                    const Outcome& outcome, int64_t now_ns) {
  Rebase(circuit, now_ns);
  if (circuit->fingerprint != fingerprint) {
    std::fill(std::begin(circuit->histories), std::end(circuit->histories), History{});
    circuit->fingerprint = fingerprint;
  }
  uint32_t full = 0;
  for (size_t i = 0; i < set.rules.size(); ++i) {
    if ((matching >> i & 1) == 0) continue;
    const Rule& rule = set.rules[i];
    if (AddFailure(&circuit->histories[i], rule.count, rule.interval_ns, now_ns)) {
      full |= uint32_t{1} << i;
    }
  }
  if (full != 0) return Open(circuit, set, full, outcome, now_ns);
  circuit->forget_at_ns =
      std::max(circuit->forget_at_ns, SaturatingAdd(now_ns, LongestIntervalNs(set)));
  return {};
}

}  // namespace weir::breaker

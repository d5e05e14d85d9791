#include "breaker/circuit.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <limits>

#include "base/saturating.h"
#include "base/time.h"
#include "breaker/rules.h"

namespace weir::breaker {
namespace {

// A circuit that is open or half-open and that nobody has asked about for this long after its time
// was over may be forgotten when the table is full.
constexpr int64_t kAbandonedNs = kHour;

void StoreWord(uint64_t* word, uint64_t value) {
  std::atomic_ref<uint64_t>(*word).store(value, std::memory_order_release);
}

// Atomic for the threads that look for a history here: see history.h.
void Put(Probe* slot, Probe probe) {
  std::atomic_ref<uint64_t>(slot->number).store(probe.number, std::memory_order_relaxed);
  std::atomic_ref<int64_t>(slot->start_ns).store(probe.start_ns, std::memory_order_relaxed);
}

void ClearHistories(CircuitData* circuit, const PreparedSet& set) {
  for (size_t i = 0; i < kMaxRules; ++i) {
    History& history = circuit->histories[i];
    if ((set.share_rules >> i & 1) != 0) {
      ClearShares(&history.shares, circuit->word);
    } else {
      for (uint64_t& word : history.shares.words) {
        std::atomic_ref<uint64_t>(word).store(0, std::memory_order_relaxed);
      }
    }
  }
  StoreWord(&circuit->fingerprint, set.fingerprint);
}

void ChangeState(CircuitData* circuit, const PreparedSet& set, State state, int64_t now_ns) {
  constexpr uint64_t kLife = ~((uint64_t{1} << kLifeShift) - 1);
  const uint64_t word = circuit->word;
  circuit->since_ns = now_ns;
  circuit->successes = 0;
  if (state == State::kHalfOpen) {
    for (Probe& probe : circuit->probes) Put(&probe, {});
  } else if (state == State::kClosed) {
    // Whoever dies here leaves probes that nobody has: overdue ones.
    ClearHistories(circuit, set);
  }
  const uint64_t changes = (word & ~kLife & ~uint64_t{3}) + kOneChange;
  StoreWord(&circuit->word, (word & kLife) | (changes & ~kLife) | static_cast<uint64_t>(state));
}

// Undoes a backward step of the clock: see the head of circuit.h.
void Rebase(CircuitData* circuit, int64_t now_ns) {
  if (StateOf(circuit->word) == State::kHalfOpen) {
    for (Probe& probe : circuit->probes) {
      if (probe.start_ns > now_ns) Put(&probe, {probe.number, now_ns});
    }
  }
  if (now_ns >= circuit->since_ns) return;
  const int64_t step = circuit->since_ns - now_ns;
  circuit->since_ns = now_ns;
  circuit->open_until_ns = std::max(SaturatingSub(circuit->open_until_ns, step), now_ns);
  circuit->forget_at_ns = SaturatingSub(circuit->forget_at_ns, step);
}

// When an open circuit's time is over, on a clock that may have stepped back.
int64_t OpenUntil(const CircuitData& circuit, int64_t now_ns) {
  if (now_ns >= circuit.since_ns) return circuit.open_until_ns;
  return circuit.open_until_ns - (circuit.since_ns - now_ns);
}

// Is the probe out, and not overdue?
bool IsOut(const Probe& probe, const RuleSet& set, int64_t now_ns) {
  return probe.number != 0 && probe.start_ns >= 0 &&
         ElapsedNs(probe.start_ns, now_ns) < set.probe_timeout_ns;
}

uint32_t ProbesOut(const CircuitData& circuit, const RuleSet& set, int64_t now_ns) {
  return static_cast<uint32_t>(
      std::count_if(std::begin(circuit.probes), std::end(circuit.probes),
                    [&](const Probe& probe) { return IsOut(probe, set, now_ns); }));
}

// When the first of the probes that are out will be overdue.
int64_t NextOverdue(const CircuitData& circuit, const RuleSet& set, int64_t now_ns) {
  int64_t next = SaturatingAdd(now_ns, set.probe_timeout_ns);
  for (const Probe& probe : circuit.probes) {
    if (!IsOut(probe, set, now_ns)) continue;
    next = std::min(next, SaturatingAdd(std::min(probe.start_ns, now_ns), set.probe_timeout_ns));
  }
  return next;
}

void NoteWhy(CircuitData* circuit, const Rule& rule, const Outcome& outcome, bool asked) {
  circuit->status = static_cast<uint16_t>(std::clamp(outcome.status, 0, 999));
  circuit->failure = static_cast<uint8_t>(outcome.failure);
  circuit->asked = asked ? 1 : 0;
  circuit->rule_bytes = static_cast<uint8_t>(std::min(rule.name.size(), sizeof(circuit->rule)));
  std::memcpy(circuit->rule, rule.name.data(), circuit->rule_bytes);
}

// Opens the circuit for the longest time that any of `rules` wants.
Report Open(CircuitData* circuit, const PreparedSet& set, uint32_t rules, const Outcome& outcome,
            int64_t now_ns) {
  const bool was_well = StateOf(circuit->word) == State::kClosed &&
                        ElapsedNs(circuit->since_ns, now_ns) >= set.rules.forget_trips_ns;
  if (was_well) std::fill(std::begin(circuit->streaks), std::end(circuit->streaks), uint8_t{0});
  Report report{Event::kTripped, -1, 0};
  OpenTime longest{-1, false};
  for (size_t i = 0; i < set.rules.rules.size(); ++i) {
    if ((rules >> i & 1) == 0) continue;
    const OpenTime time = OpenTimeOf(set.rules, set.rules.rules[i], outcome, circuit->streaks[i]);
    if (time.ns <= longest.ns) continue;
    longest = time;
    report.rule = static_cast<int>(i);
  }
  const auto winner = static_cast<size_t>(report.rule);
  const Rule& rule = set.rules.rules[winner];
  uint8_t& streak = circuit->streaks[winner];
  const bool grows = rule.trip_growth_percent > 100 && !longest.asked;
  if (grows && streak < std::numeric_limits<uint8_t>::max()) ++streak;
  NoteWhy(circuit, rule, outcome, longest.asked);
  ++circuit->trips;
  circuit->open_until_ns = std::max(circuit->open_until_ns, SaturatingAdd(now_ns, longest.ns));
  circuit->forget_at_ns =
      SaturatingAdd(circuit->open_until_ns, std::max(kAbandonedNs, set.rules.probe_timeout_ns));
  ChangeState(circuit, set, State::kOpen, now_ns);
  report.open_until_mono_ns = circuit->open_until_ns;
  return report;
}

void Close(CircuitData* circuit, const PreparedSet& set, int64_t now_ns) {
  // Who began before this is over by then, and known to be stale until then.
  int64_t remembered_ns = set.rules.probe_timeout_ns;
  for (const uint8_t streak : circuit->streaks) {
    if (streak != 0) remembered_ns = std::max(remembered_ns, set.rules.forget_trips_ns);
  }
  circuit->forget_at_ns = SaturatingAdd(now_ns, remembered_ns);
  ChangeState(circuit, set, State::kClosed, now_ns);
}

Probe* FindProbe(CircuitData* circuit, uint64_t word, uint64_t number) {
  if (circuit->word != word || StateOf(word) != State::kHalfOpen || number == 0) return nullptr;
  for (Probe& probe : circuit->probes) {
    if (probe.number == number) return &probe;
  }
  return nullptr;
}

}  // namespace

void Begin(CircuitData* circuit, uint64_t life, const PreparedSet& set) {
  ClearHistories(circuit, set);
  StoreWord(&circuit->word, life << kLifeShift);
}

void SetKey(CircuitData* circuit, std::string_view key) {
  circuit->key_bytes = static_cast<uint8_t>(std::min(key.size(), sizeof(circuit->key)));
  if (!key.empty()) std::memcpy(circuit->key, key.data(), circuit->key_bytes);
}

void AdoptRules(CircuitData* circuit, const PreparedSet& set) {
  if (circuit->fingerprint != set.fingerprint) ClearHistories(circuit, set);
}

Passage LookAt(const CircuitData& circuit, const RuleSet& set, int64_t now_ns) {
  switch (StateOf(circuit.word)) {
    case State::kClosed:
      return {true, false, State::kClosed, 0};
    case State::kOpen: {
      const int64_t until = OpenUntil(circuit, now_ns);
      if (now_ns < until) return {false, false, State::kOpen, until};
      return {true, true, State::kHalfOpen, 0};
    }
    case State::kHalfOpen:
      break;
  }
  if (ProbesOut(circuit, set, now_ns) < set.probes) return {true, true, State::kHalfOpen, 0};
  return {false, false, State::kHalfOpen, NextOverdue(circuit, set, now_ns)};
}

ProbeTaken TakeProbe(CircuitData* circuit, const PreparedSet& set, int64_t now_ns) {
  ProbeTaken taken;
  Rebase(circuit, now_ns);
  if (StateOf(circuit->word) == State::kOpen && now_ns >= circuit->open_until_ns) {
    ChangeState(circuit, set, State::kHalfOpen, now_ns);
    taken.half_opened = true;
  }
  if (StateOf(circuit->word) != State::kHalfOpen) return taken;
  if (ProbesOut(*circuit, set.rules, now_ns) >= set.rules.probes) return taken;
  // A free slot, and when there is none that of the oldest overdue probe.
  Probe* free = nullptr;
  for (Probe& probe : circuit->probes) {
    if (IsOut(probe, set.rules, now_ns)) continue;
    if (free == nullptr || probe.number < free->number) free = &probe;
  }
  if (free == nullptr) return taken;
  taken.number = ++circuit->last_probe;
  Put(free, {taken.number, now_ns});
  circuit->forget_at_ns =
      SaturatingAdd(SaturatingAdd(now_ns, set.rules.probe_timeout_ns), kAbandonedNs);
  return taken;
}

void ReturnProbe(CircuitData* circuit, uint64_t word, uint64_t number) {
  if (Probe* const probe = FindProbe(circuit, word, number)) Put(probe, {});
}

Report EndProbe(CircuitData* circuit, const PreparedSet& set, uint64_t word, uint64_t number,
                uint32_t matching, const Outcome& outcome, int64_t now_ns) {
  Probe* const probe = FindProbe(circuit, word, number);
  if (probe == nullptr) return {};
  Put(probe, {});
  Rebase(circuit, now_ns);
  if (matching != 0) return Open(circuit, set, matching, outcome, now_ns);
  if (!ShowsHealth(outcome) || ++circuit->successes < set.rules.successes_to_close) return {};
  Close(circuit, set, now_ns);
  return {Event::kReset, -1, 0};
}

Report CountFailure(CircuitData* circuit, const PreparedSet& set, uint32_t matching,
                    const Outcome& outcome, int64_t now_ns) {
  Rebase(circuit, now_ns);
  AdoptRules(circuit, set);
  uint32_t full = 0;
  for (size_t i = 0; i < set.rules.rules.size(); ++i) {
    const Rule& rule = set.rules.rules[i];
    const bool matches = (matching >> i & 1) != 0;
    bool is_full = false;
    if (rule.percentage != 0) {
      Shares* const shares = &circuit->histories[i].shares;
      const uint64_t number = set.clocks[i].NumberAt(now_ns);
      AddOutcome(shares, number, matches, &circuit->word, circuit->word);
      const ShareCounts counts = CountShares(*shares, number);
      is_full = counts.all >= rule.min_samples && counts.matching >= rule.count &&
                counts.matching * 100 >= counts.all * rule.percentage;
    } else if (matches) {
      is_full = AddFailure(&circuit->histories[i].failures, rule.count, rule.interval_ns, now_ns);
    }
    if (matches && is_full) full |= uint32_t{1} << i;
  }
  if (full != 0) return Open(circuit, set, full, outcome, now_ns);
  circuit->forget_at_ns =
      std::max(circuit->forget_at_ns, SaturatingAdd(now_ns, set.longest_interval_ns));
  return {};
}

void CountHealthy(CircuitData* circuit, const PreparedSet& set, uint64_t word, int64_t now_ns) {
  if (ReadWord(circuit->fingerprint) != set.fingerprint) return;
  for (uint32_t rules = set.share_rules; rules != 0; rules &= rules - 1) {
    const auto rule = static_cast<size_t>(__builtin_ctz(rules));
    AddOutcome(&circuit->histories[rule].shares, set.clocks[rule].NumberAt(now_ns),
               /*matches=*/false, &circuit->word, word);
  }
}

}  // namespace weir::breaker

// Circuits in the segment's table.
//
// A circuit has its slot from the moment it is found, so that whoever holds a handle looks at one
// word. Slots of circuits with nothing to count may go to other keys when the table is full; then
// the word tells, and the circuit is looked up by its key: gone reads as closed, and its next
// failure gives it a slot again.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "base/hash.h"
#include "base/text.h"
#include "base/time.h"
#include "breaker/circuit.h"
#include "breaker/events.h"
#include "breaker/rules.h"
#include "state/table.h"
#include "weir/breaker.h"

namespace weir::breaker {
namespace {

constexpr uint32_t kNoSlot = std::numeric_limits<uint32_t>::max();
constexpr uint32_t kMaxCircuits = 1'000'000;
constexpr Passage kPasses = {true, false, State::kClosed, 0};

// Clocks start anywhere; times here are not negative.
int64_t MonoNs(Now now) { return std::max<int64_t>(now.mono_ns, 0); }

}  // namespace

class Circuits final : public Breaker {
 public:
  Circuits(uint64_t seed, const state::Table<CircuitData>& table, const EventRing& events,
           std::vector<RuleSet> sets)
      : seed_(seed), table_(table), events_(events) {
    sets_.reserve(sets.size());
    for (RuleSet& set : sets) sets_.emplace_back(std::move(set));
  }

  Circuit Find(std::string_view key, uint32_t rule_set, Now now) override {
    Circuit found;
    if (rule_set >= sets_.size()) return found;
    const Hash128 hash = SipHash(seed_, key);
    found.rule_set_ = rule_set;
    found.key_hi_ = hash.hi;
    found.key_lo_ = hash.lo;
    found.slot_ = kNoSlot;
    found.closed_ = ~uint64_t{0};  // no word is like this: always a closer look
    const auto slot = Claim(hash, MonoNs(now));
    if (!slot.has_value() || !table_.Lock(*slot, hash)) return found;
    CircuitData& circuit = table_.at(*slot);
    if (circuit.word == 0) Begin(&circuit, events_.NextLife(), sets_[rule_set]);
    SetKey(&circuit, key);
    if (StateOf(circuit.word) == State::kClosed) AdoptRules(&circuit, sets_[rule_set]);
    found.slot_ = *slot;
    found.word_ = &circuit.word;
    found.closed_ = circuit.word >> kLifeShift << kLifeShift;
    table_.Unlock(*slot);
    return found;
  }

  Permit Acquire(const Circuit& circuit, Now now) override {
    Permit permit;
    permit.rule_set = circuit.rule_set_;
    permit.slot = circuit.slot_;
    permit.key_hi = circuit.key_hi_;
    permit.key_lo = circuit.key_lo_;
    permit.given_mono_ns = MonoNs(now);
    permit.word = ReadWord(*circuit.word_);
    if ((permit.word & Circuit::kLifeAndState) == circuit.closed_) {
      permit.allowed = true;
      return permit;
    }
    AcquireLocked(&permit, now);
    return permit;
  }

  Report Record(const Permit& permit, const Outcome& outcome, Now now) override {
    if (!permit.allowed || permit.rule_set >= sets_.size()) return {};
    const PreparedSet& set = sets_[permit.rule_set];
    const uint32_t matching = MatchingRules(set, outcome);
    if (permit.probe) return RecordProbe(permit, set, matching, outcome, now);
    if (matching != 0) return RecordFailure(permit, set, matching, outcome, now);
    // While closed other outcomes leave no trace, but for rules that have a percentage.
    if (set.share_rules != 0 && permit.slot < table_.slots() && !IsCallersFault(outcome)) {
      CountHealthy(&table_.at(permit.slot), set, permit.word, MonoNs(now));
    }
    return {};
  }

  void Cancel(const Permit& permit, Now /*now*/) override {
    if (!permit.allowed || !permit.probe || !table_.Lock(permit.slot, KeyOf(permit))) return;
    ReturnProbe(&table_.at(permit.slot), permit.word, permit.probe_number);
    table_.Unlock(permit.slot);
  }

  Snapshot Get(const Circuit& circuit, Now now) const override {
    const Hash128 key = KeyOf(circuit);
    const auto slot = LockWherever(circuit.slot_, key);
    CircuitData data = {};
    if (slot.has_value()) data = CopyAndUnlock(*slot);
    return SnapshotOf(data, key, now);
  }

  std::vector<Snapshot> List(Now now) const override {
    std::vector<Snapshot> snapshots;
    for (uint32_t slot = 0; slot < table_.slots(); ++slot) {
      const Hash128 key = table_.key(slot);
      if (key == Hash128{} || !table_.Lock(slot, key)) continue;
      const CircuitData circuit = CopyAndUnlock(slot);
      if (circuit.word != 0) snapshots.push_back(SnapshotOf(circuit, key, now));
    }
    return snapshots;
  }

  ChangesRead Changes(uint64_t since, std::vector<Change>* changes) const override {
    return events_.Read(since, changes);
  }

 private:
  Passage Look(const Circuit& circuit, Now now) const override {
    if (circuit.rule_set_ >= sets_.size()) return kPasses;
    const auto slot = LockWherever(circuit.slot_, KeyOf(circuit));
    if (!slot.has_value()) return kPasses;
    const Passage passage = LookAt(table_.at(*slot), sets_[circuit.rule_set_].rules, MonoNs(now));
    table_.Unlock(*slot);
    return passage;
  }

  // For a circuit that is not closed, or not where it was.
  void AcquireLocked(Permit* permit, Now now) {
    permit->allowed = true;
    permit->word = 0;
    if (permit->rule_set >= sets_.size()) return;
    const Hash128 key = KeyOf(*permit);
    const auto slot = LockWherever(permit->slot, key);
    permit->slot = slot.value_or(kNoSlot);
    if (!slot.has_value()) return;
    const PreparedSet& set = sets_[permit->rule_set];
    CircuitData& circuit = table_.at(*slot);
    const ProbeTaken taken = TakeProbe(&circuit, set, MonoNs(now));
    if (taken.half_opened) events_.Append(Event::kHalfOpened, key, circuit, now);
    permit->word = circuit.word;
    if (taken.number != 0) {
      permit->probe_number = taken.number;
      permit->probe = true;
      permit->state = State::kHalfOpen;
    } else {
      static_cast<Passage&>(*permit) = LookAt(circuit, set.rules, MonoNs(now));
    }
    table_.Unlock(*slot);
  }

  Report RecordProbe(const Permit& permit, const PreparedSet& set, uint32_t matching,
                     const Outcome& outcome, Now now) {
    const Hash128 key = KeyOf(permit);
    if (!table_.Lock(permit.slot, key)) return {};
    CircuitData& circuit = table_.at(permit.slot);
    const Report report =
        EndProbe(&circuit, set, permit.word, permit.probe_number, matching, outcome, MonoNs(now));
    if (report.event != Event::kNone) events_.Append(report.event, key, circuit, now);
    table_.Unlock(permit.slot);
    return report;
  }

  Report RecordFailure(const Permit& permit, const PreparedSet& set, uint32_t matching,
                       const Outcome& outcome, Now now) {
    const Hash128 key = KeyOf(permit);
    const int64_t now_ns = MonoNs(now);
    auto slot = LockWherever(permit.slot, key);
    if (!slot.has_value()) {
      slot = Claim(key, now_ns);
      if (!slot.has_value() || !table_.Lock(*slot, key)) return {};
    }
    CircuitData& circuit = table_.at(*slot);
    if (circuit.word == 0) Begin(&circuit, events_.NextLife(), set);
    Report report;
    if (circuit.word == permit.word || IsOfThisLife(permit, set, circuit, now_ns)) {
      report = CountFailure(&circuit, set, matching, outcome, now_ns);
      if (report.event != Event::kNone) events_.Append(report.event, key, circuit, now);
    }
    table_.Unlock(*slot);
    return report;
  }

  // The slot that the permit was given at is another's now, or there was none. Slots are taken only
  // from circuits whose last change of state is longer ago than a request may take: unless it took
  // longer, this one began after it, and nothing has happened since.
  static bool IsOfThisLife(const Permit& permit, const PreparedSet& set, const CircuitData& circuit,
                           int64_t now_ns) {
    return permit.word >> kLifeShift != circuit.word >> kLifeShift && IsFirstState(circuit.word) &&
           ElapsedNs(permit.given_mono_ns, now_ns) < set.rules.probe_timeout_ns;
  }

  // A slot for the key: its own, an unused one, or that of a circuit which has nothing to count.
  std::optional<uint32_t> Claim(Hash128 key, int64_t now_ns) const {
    // Handles point at slots: they change hands only when nothing else is left.
    if (const auto slot = table_.FindOrClaim(key, [](const CircuitData&) { return false; })) {
      return slot;
    }
    return table_.FindOrClaim(
        key, [&](const CircuitData& circuit) { return circuit.forget_at_ns <= now_ns; });
  }

  // Locks the key's circuit, which was at `slot`; nullopt when there is none.
  std::optional<uint32_t> LockWherever(uint32_t slot, Hash128 key) const {
    if (table_.Lock(slot, key)) return slot;
    const auto found = table_.Find(key);
    return found.has_value() && table_.Lock(*found, key) ? found : std::nullopt;
  }

  // So that nothing which may lack memory is done under the lock. Others may be adding outcomes
  // meanwhile, which are left out.
  CircuitData CopyAndUnlock(uint32_t slot) const {
    CircuitData copy = {};
    std::memcpy(&copy, &table_.at(slot), offsetof(CircuitData, histories));
    table_.Unlock(slot);
    return copy;
  }

  static Snapshot SnapshotOf(const CircuitData& circuit, Hash128 key, Now now) {
    Snapshot snapshot;
    snapshot.key.assign(circuit.key, std::min<size_t>(circuit.key_bytes, sizeof(circuit.key)));
    snapshot.key_id = KeyId(key);
    snapshot.state = StateOf(circuit.word);
    snapshot.since_mono_ns = circuit.since_ns;
    snapshot.trip = TripOf(circuit);
    if (snapshot.state != State::kOpen) return snapshot;
    const Passage passage = LookAt(circuit, {}, MonoNs(now));
    snapshot.state = passage.state;
    if (!passage.allowed) snapshot.trip.open_until_mono_ns = passage.retry_at_mono_ns;
    return snapshot;
  }

  static Hash128 KeyOf(const Permit& permit) { return {permit.key_hi, permit.key_lo}; }
  static Hash128 KeyOf(const Circuit& circuit) { return {circuit.key_hi_, circuit.key_lo_}; }

  const uint64_t seed_;
  const state::Table<CircuitData> table_;
  const EventRing events_;
  std::vector<PreparedSet> sets_;
};

absl::StatusOr<std::unique_ptr<Breaker>> Breaker::Create(state::Segment* segment,
                                                         std::vector<RuleSet> rule_sets,
                                                         const BreakerOptions& options) {
  if (options.max_circuits < 1 || options.max_circuits > kMaxCircuits) {
    return absl::InvalidArgumentError(
        Concat({"max_circuits must be 1 to ", std::to_string(kMaxCircuits)}));
  }
  if (const absl::Status status = CheckRuleSets(rule_sets); !status.ok()) return status;
  auto events = EventRing::Open(segment);
  if (!events.ok()) return events.status();
  auto table = state::Table<CircuitData>::Open(segment, "breaker", options.max_circuits);
  if (!table.ok()) return table.status();
  return std::make_unique<Circuits>(segment->seed(), *table, *events, std::move(rule_sets));
}

std::string_view StateName(State state) {
  constexpr std::string_view kNames[] = {"closed", "open", "half_open"};
  return kNames[static_cast<size_t>(state)];
}

std::string_view FailureName(Failure failure) {
  constexpr std::string_view kNames[] = {"",      "connect",      "timeout",
                                         "reset", "stream_error", "truncated"};
  return kNames[static_cast<size_t>(failure)];
}

std::string_view EventName(Event event) {
  constexpr std::string_view kNames[] = {"", "tripped", "reset", "half_opened"};
  return kNames[static_cast<size_t>(event)];
}

}  // namespace weir::breaker

// Circuits in the segment's table. A circuit exists only once a failure was counted for its key, so
// healthy backends, and models that nobody has, take no room; no circuit reads as a closed one of
// epoch 0, which is also how a new one starts.

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "base/hash.h"
#include "base/text.h"
#include "breaker/circuit.h"
#include "breaker/rules.h"
#include "state/table.h"
#include "weir/breaker.h"

namespace weir::breaker {
namespace {

constexpr uint32_t kNoSlot = std::numeric_limits<uint32_t>::max();
constexpr uint32_t kMaxCircuits = 1'000'000;

// Clocks start anywhere; times here are not negative.
int64_t MonoNs(Now now) { return std::max<int64_t>(now.mono_ns, 0); }

Permit ClosedPermit(uint32_t slot, uint64_t epoch, Hash128 key) {
  Permit permit;
  permit.allowed = true;
  permit.slot = slot;
  permit.epoch = epoch;
  permit.key_hi = key.hi;
  permit.key_lo = key.lo;
  return permit;
}

class TableBreaker final : public Breaker {
 public:
  TableBreaker(uint64_t seed, const state::Table<Circuit>& table, std::vector<RuleSet> sets)
      : seed_(seed), table_(table), sets_(std::move(sets)) {
    for (const RuleSet& set : sets_) fingerprints_.push_back(Fingerprint(set));
  }

  Permit Check(std::string_view key, uint32_t rule_set, Now now) const override {
    const Hash128 hash = SipHash(seed_, key);
    Permit permit = FindClosed(hash);
    if (permit.allowed || rule_set >= sets_.size()) return Allowed(permit);
    const int64_t now_ns = MonoNs(now);
    if (!table_.Lock(permit.slot, hash)) return ClosedPermit(kNoSlot, 0, hash);
    const Circuit& circuit = table_.at(permit.slot);
    const View view = Look(circuit, sets_[rule_set], now_ns);
    if (view.state == State::kClosed) permit.epoch = ReadEpoch(circuit).serial;
    table_.Unlock(permit.slot);
    return WithView(permit, view);
  }

  Permit Acquire(std::string_view key, uint32_t rule_set, Now now) override {
    const Hash128 hash = SipHash(seed_, key);
    Permit permit = FindClosed(hash);
    if (permit.allowed || rule_set >= sets_.size()) return Allowed(permit);
    const int64_t now_ns = MonoNs(now);
    if (!table_.Lock(permit.slot, hash)) return ClosedPermit(kNoSlot, 0, hash);
    Circuit& circuit = table_.at(permit.slot);
    const uint64_t probe = TakeProbe(&circuit, sets_[rule_set], now_ns);
    View view = Look(circuit, sets_[rule_set], now_ns);
    if (view.state == State::kClosed) {
      permit.epoch = ReadEpoch(circuit).serial;
    } else if (probe != 0) {
      permit.epoch = probe;
      view.allowed = true;
    }
    table_.Unlock(permit.slot);
    return WithView(permit, view);
  }

  Report Record(const Permit& permit, uint32_t rule_set, const Outcome& outcome, Now now) override {
    if (!permit.allowed || rule_set >= sets_.size()) return {};
    const RuleSet& set = sets_[rule_set];
    const uint32_t matching = MatchingRules(set, outcome);
    const Hash128 key{permit.key_hi, permit.key_lo};
    const int64_t now_ns = MonoNs(now);
    if (permit.probe) {
      if (!table_.Lock(permit.slot, key)) return {};
      const Report report =
          EndProbe(&table_.at(permit.slot), set, permit.epoch, matching, outcome, now_ns);
      table_.Unlock(permit.slot);
      return report;
    }
    // While closed only failures leave a trace.
    if (matching == 0) return {};
    const auto slot = LockForFailure(permit, key, now_ns);
    if (!slot.has_value()) return {};
    Circuit& circuit = table_.at(*slot);
    Report report;
    const Epoch epoch = ReadEpoch(circuit);
    if (epoch.state == State::kClosed && epoch.serial == permit.epoch) {
      report = CountFailure(&circuit, set, fingerprints_[rule_set], matching, outcome, now_ns);
    }
    table_.Unlock(*slot);
    return report;
  }

  void Cancel(const Permit& permit, uint32_t /*rule_set*/, Now /*now*/) override {
    const Hash128 key{permit.key_hi, permit.key_lo};
    if (!permit.allowed || !permit.probe || !table_.Lock(permit.slot, key)) return;
    ReturnProbe(&table_.at(permit.slot), permit.epoch);
    table_.Unlock(permit.slot);
  }

  Snapshot Get(std::string_view key, uint32_t rule_set, Now now) const override {
    const Hash128 hash = SipHash(seed_, key);
    const auto slot = table_.Find(hash);
    if (!slot.has_value() || rule_set >= sets_.size() || !table_.Lock(*slot, hash)) return {};
    const Circuit& circuit = table_.at(*slot);
    const View view = Look(circuit, sets_[rule_set], MonoNs(now));
    Snapshot snapshot;
    snapshot.state = view.state;
    snapshot.since_mono_ns = circuit.since_ns;
    if (view.state != State::kClosed) {
      snapshot.open_until_mono_ns =
          view.state == State::kOpen ? view.retry_at_ns : circuit.open_until_ns;
      snapshot.rule = circuit.rule - 1;
    }
    table_.Unlock(*slot);
    return snapshot;
  }

 private:
  // The permit of a closed circuit or of none; not allowed, with its slot, when the circuit is
  // neither and must be looked at under its lock. Takes no lock.
  Permit FindClosed(Hash128 key) const {
    const auto slot = table_.Find(key);
    if (!slot.has_value()) return ClosedPermit(kNoSlot, 0, key);
    const auto epoch = table_.ReadUnlocked(*slot, key, ReadEpoch);
    // Slots just changed hands: the lock will tell.
    Permit permit = ClosedPermit(*slot, epoch ? epoch->serial : 0, key);
    permit.allowed = epoch && epoch->state == State::kClosed;
    return permit;
  }

  // For rule sets that do not exist: everything passes and nothing is counted.
  static Permit Allowed(Permit permit) {
    permit.allowed = true;
    return permit;
  }

  static Permit WithView(Permit permit, const View& view) {
    permit.allowed = view.allowed;
    permit.state = view.state;
    permit.probe = view.allowed && view.state == State::kHalfOpen;
    permit.retry_at_mono_ns = view.allowed ? 0 : view.retry_at_ns;
    return permit;
  }

  // The key's slot, made when there is none; nullopt when the permit is stale or there is no room.
  std::optional<uint32_t> LockForFailure(const Permit& permit, Hash128 key, int64_t now_ns) {
    if (table_.Lock(permit.slot, key)) return permit.slot;
    // A circuit of a later epoch was there and is gone: the permit is of its time.
    if (permit.epoch != 0) return std::nullopt;
    const auto slot = table_.FindOrClaim(
        key, [&](const Circuit& circuit) { return circuit.forget_at_ns <= now_ns; });
    if (!slot.has_value() || !table_.Lock(*slot, key)) return std::nullopt;
    return slot;
  }

  const uint64_t seed_;
  const state::Table<Circuit> table_;
  const std::vector<RuleSet> sets_;
  std::vector<uint64_t> fingerprints_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Breaker>> Breaker::Create(state::Segment* segment,
                                                         std::vector<RuleSet> rule_sets,
                                                         const BreakerOptions& options) {
  if (options.max_circuits < 1 || options.max_circuits > kMaxCircuits) {
    return absl::InvalidArgumentError(
        Concat({"max_circuits must be 1 to ", std::to_string(kMaxCircuits)}));
  }
  if (const absl::Status status = CheckRuleSets(rule_sets); !status.ok()) return status;
  auto table = state::Table<Circuit>::Open(segment, "breaker", options.max_circuits);
  if (!table.ok()) return table.status();
  return std::make_unique<TableBreaker>(segment->seed(), *table, std::move(rule_sets));
}

}  // namespace weir::breaker

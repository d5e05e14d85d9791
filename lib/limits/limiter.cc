#include <algorithm>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "base/hash.h"
#include "base/saturating.h"
#include "limits/counter.h"
#include "limits/quantile.h"
#include "limits/rules.h"
#include "state/table.h"
#include "weir/limits.h"

namespace weir::limits {
namespace {

constexpr uint32_t kNoSlot = UINT32_MAX;
// How often a counter may be taken over between finding and locking it before the table counts as
// full. Each time needs another thread to run out of room at that very moment.
constexpr int kMaxAttempts = 8;

// A key that has no slot is this.
constexpr Counter kEmptyCounter{};

// One charge of a decision, with where its counter is.
struct Part {
  const Charge* charge = nullptr;
  const Spec* spec = nullptr;
  Hash128 key;
  uint32_t slot = kNoSlot;
};
using Parts = absl::InlinedVector<Part, 4>;
using CounterTable = state::Table<Counter>;
using Entries = absl::InlinedVector<Reservation::Entry, 4>;

// Holds the locks of all parts that have a slot.
class LockedParts {
 public:
  explicit LockedParts(const CounterTable& table) : table_(table) {}
  ~LockedParts() { Release(); }
  LockedParts(const LockedParts&) = delete;
  LockedParts& operator=(const LockedParts&) = delete;

  // False, with nothing locked, when a counter has changed hands. Slots are taken in ascending
  // order, so that two decisions never wait for each other in a circle.
  bool Lock(const Parts& parts) {
    for (const Part& part : parts) {
      if (part.slot != kNoSlot) order_.push_back(&part);
    }
    if (order_.size() > 1) {
      std::sort(order_.begin(), order_.end(),
                [](const Part* a, const Part* b) { return a->slot < b->slot; });
    }
    for (const Part* part : order_) {
      if (!table_.Lock(part->slot, part->key)) {
        Release();
        return false;
      }
      ++locked_;
    }
    return true;
  }

  void Release() {
    for (size_t i = 0; i < locked_; ++i) table_.Unlock(order_[i]->slot);
    locked_ = 0;
    order_.clear();
  }

 private:
  const CounterTable& table_;
  absl::InlinedVector<const Part*, 4> order_;
  size_t locked_ = 0;
};

// What a counter answers to a charge, changing nothing. Verdicts are written where they stay: on
// this path, copying one costs as much as a lock.
void Judge(const Spec& spec, const Counter& counter, const Charge& charge, int64_t now_ns,
           Verdict& verdict) {
  const uint64_t used = Used(spec, counter, now_ns);
  verdict.rule = charge.rule;
  verdict.amount = spec.size;
  verdict.used_before = used;
  verdict.remaining = spec.size > used ? spec.size - used : uint64_t{0};
  verdict.admitted = charge.cost <= spec.size && used <= spec.size - charge.cost;
  if (!verdict.admitted) verdict.retry_after_ns = RetryAfterNs(spec, counter, now_ns, charge.cost);
}

// An admitted charge with the part of its headroom that there is room for.
uint64_t WithHeadroom(const Charge& charge, const Counter& counter, uint64_t room) {
  const uint64_t wanted = charge.learned ? Quantile90(counter.learned).estimate() : charge.headroom;
  return charge.cost + std::min(wanted, room - charge.cost);
}

void FindBinding(Decision& decision) {
  decision.admitted = true;
  for (size_t i = 0; i < decision.verdicts.size(); ++i) {
    const Verdict& verdict = decision.verdicts[i];
    if (verdict.admitted) continue;
    decision.admitted = false;
    if (decision.binding < 0 || verdict.retry_after_ns > decision.retry_after_ns) {
      decision.binding = static_cast<int>(i);
      decision.retry_after_ns = verdict.retry_after_ns;
    }
  }
}

class TableLimiter final : public Limiter {
 public:
  TableLimiter(std::vector<Rule> rules, uint64_t seed, const LimiterOptions& options,
               CounterTable table)
      : rules_(std::move(rules)), options_(options), table_(table) {
    specs_.reserve(rules_.size());
    for (const Rule& rule : rules_) specs_.push_back(MakeSpec(rule, seed));
  }

  absl::Span<const Rule> rules() const override { return rules_; }

  Decision Reserve(absl::Span<const Charge> charges, Now now, Reservation* held) override {
    Entries& entries = EntriesOf(held);
    entries.clear();
    return Decide(charges, ClampTime(now.mono_ns), &entries);
  }

  Decision Take(absl::Span<const Charge> charges, Now now) override {
    return Decide(charges, ClampTime(now.mono_ns), nullptr);
  }

  void Settle(Reservation* held, absl::Span<const Actual> actual, Now now) override {
    const int64_t now_ns = ClampTime(now.mono_ns);
    Entries& entries = EntriesOf(held);
    const size_t count = std::min(entries.size(), actual.size());
    for (size_t i = 0; i < count; ++i) SettleOne(entries[i], actual[i], now_ns);
    entries.clear();  // ended: a second end finds nothing
  }

  void Release(Reservation* held, Now now) override {
    const int64_t now_ns = ClampTime(now.mono_ns);
    Entries& entries = EntriesOf(held);
    for (const Reservation::Entry& entry : entries) {
      const Hash128 key{entry.key_hi, entry.key_lo};
      if (entry.rule >= specs_.size() || !table_.Lock(entry.slot, key)) continue;
      Refund(specs_[entry.rule], table_.at(entry.slot), now_ns, entry.booked_at, entry.reserved);
      table_.Unlock(entry.slot);
    }
    entries.clear();
  }

  void Book(const Charge& charge, Now now) override {
    if (charge.rule >= specs_.size()) return;
    const Spec& spec = specs_[charge.rule];
    BookAt(spec, SipHash(spec.key_seed, charge.key), charge.cost, ClampTime(now.mono_ns));
  }

  Verdict Peek(const Charge& charge, Now now) const override {
    Verdict verdict;
    if (charge.rule >= specs_.size()) {
      SetImpossible(charge, verdict);
      return verdict;
    }
    const int64_t now_ns = ClampTime(now.mono_ns);
    const Spec& spec = specs_[charge.rule];
    const Hash128 key = SipHash(spec.key_seed, charge.key);
    const std::optional<uint32_t> slot = table_.Find(key);
    if (!slot || !table_.Lock(*slot, key)) {
      Judge(spec, kEmptyCounter, charge, now_ns, verdict);
      return verdict;
    }
    const Counter& counter = table_.at(*slot);
    Judge(spec, counter, charge, now_ns, verdict);
    verdict.reset_ns = ResetNs(spec, counter, now_ns);
    table_.Unlock(*slot);
    return verdict;
  }

 private:
  // The answer to a charge that no waiting helps: an unknown rule, or a counter named twice.
  static void SetImpossible(const Charge& charge, Verdict& verdict) {
    verdict.rule = charge.rule;
    verdict.retry_after_ns = kNever;
  }

  Decision Decide(absl::Span<const Charge> charges, int64_t now_ns, Entries* held) {
    Parts parts;
    if (!Prepare(charges, parts)) return RefuseImpossible(parts);
    // Before anything is booked, so that running out of memory books nothing.
    if (held != nullptr) held->reserve(parts.size());
    Decision decision;
    for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
      decision.table_full = false;
      if (!FindAll(parts)) {
        // A counter that does not exist yet is made only when nothing else refuses.
        if (!JudgeAll(parts, now_ns, decision)) continue;
        if (!decision.admitted) return decision;
        if (!ClaimAll(parts, now_ns, decision)) return decision;
      }
      if (Commit(parts, now_ns, decision, held)) return decision;
    }
    return GiveUp(parts, now_ns);
  }

  // Hashes the keys. False when a charge can not be meant.
  bool Prepare(absl::Span<const Charge> charges, Parts& parts) const {
    bool possible = true;
    for (const Charge& charge : charges) {
      Part& part = parts.emplace_back();
      part.charge = &charge;
      if (charge.rule < specs_.size()) {
        part.spec = &specs_[charge.rule];
        part.key = SipHash(part.spec->key_seed, charge.key);
      }
      possible = possible && IsPossible(parts, parts.size() - 1);
    }
    return possible;
  }

  // Its rule exists, and no earlier charge names the same counter.
  static bool IsPossible(const Parts& parts, size_t index) {
    const Part& part = parts[index];
    if (part.spec == nullptr) return false;
    return std::none_of(parts.begin(), parts.begin() + index, [&](const Part& earlier) {
      return earlier.spec == part.spec && earlier.key == part.key;
    });
  }

  static Decision RefuseImpossible(const Parts& parts) {
    Decision decision;
    for (size_t i = 0; i < parts.size(); ++i) {
      Verdict& verdict = decision.verdicts.emplace_back();
      if (IsPossible(parts, i)) {
        Judge(*parts[i].spec, kEmptyCounter, *parts[i].charge, 0, verdict);
      } else {
        SetImpossible(*parts[i].charge, verdict);
      }
    }
    FindBinding(decision);
    return decision;
  }

  bool FindAll(Parts& parts) const {
    bool all = true;
    for (Part& part : parts) {
      part.slot = table_.Find(part.key).value_or(kNoSlot);
      all = all && part.slot != kNoSlot;
    }
    return all;
  }

  // Judges every part under lock, changing nothing; a part without a slot is an empty counter.
  // False when a counter changed hands.
  bool JudgeAll(const Parts& parts, int64_t now_ns, Decision& decision) const {
    LockedParts locked(table_);
    if (!locked.Lock(parts)) return false;
    JudgeLocked(parts, now_ns, decision);
    NoteResets(parts, now_ns, decision);
    return true;
  }

  void JudgeLocked(const Parts& parts, int64_t now_ns, Decision& decision) const {
    decision.binding = -1;
    decision.retry_after_ns = 0;
    decision.verdicts.clear();
    for (const Part& part : parts) {
      const Counter& counter = part.slot == kNoSlot ? kEmptyCounter : table_.at(part.slot);
      Judge(*part.spec, counter, *part.charge, now_ns, decision.verdicts.emplace_back());
    }
    FindBinding(decision);
  }

  void NoteResets(const Parts& parts, int64_t now_ns, Decision& decision) const {
    for (size_t i = 0; i < parts.size(); ++i) {
      if (parts[i].slot == kNoSlot) continue;
      decision.verdicts[i].reset_ns = ResetNs(*parts[i].spec, table_.at(parts[i].slot), now_ns);
    }
  }

  // A slot for every part that has none. False: the table is full, and `decision` says so.
  bool ClaimAll(Parts& parts, int64_t now_ns, Decision& decision) const {
    for (size_t i = 0; i < parts.size(); ++i) {
      if (parts[i].slot != kNoSlot) continue;
      int64_t soonest_ns = kNever;
      const auto slot = table_.FindOrClaim(parts[i].key, [&](const Counter& counter) {
        soonest_ns = std::min(soonest_ns, counter.empty_at_ns);
        return counter.empty_at_ns <= now_ns;
      });
      if (slot) {
        parts[i].slot = *slot;
        continue;
      }
      decision.table_full = true;
      decision.verdicts[i].admitted = false;
      // Somebody worked on every slot in reach: no time to name but the next moment.
      decision.verdicts[i].retry_after_ns =
          soonest_ns == kNever ? int64_t{1} : SaturatingSub(soonest_ns, now_ns);
    }
    if (!decision.table_full || options_.full_admits) return true;
    FindBinding(decision);
    return false;
  }

  // Decides with all counters locked, and books if all admit. False when a counter changed hands.
  bool Commit(const Parts& parts, int64_t now_ns, Decision& decision, Entries* held) {
    LockedParts locked(table_);
    if (!locked.Lock(parts)) return false;
    JudgeLocked(parts, now_ns, decision);
    if (!decision.admitted) {
      NoteResets(parts, now_ns, decision);
      return true;
    }
    for (size_t i = 0; i < parts.size(); ++i) {
      Reservation::Entry unkept;
      Reservation::Entry& entry = held != nullptr ? held->emplace_back() : unkept;
      BookLocked(parts[i], now_ns, decision.verdicts[i], entry);
    }
    return true;
  }

  void BookLocked(const Part& part, int64_t now_ns, Verdict& verdict,
                  Reservation::Entry& entry) const {
    entry.rule = part.charge->rule;
    entry.slot = part.slot;
    entry.key_hi = part.key.hi;
    entry.key_lo = part.key.lo;
    if (part.slot == kNoSlot) return;
    Counter& counter = table_.at(part.slot);
    verdict.reserved = WithHeadroom(*part.charge, counter, verdict.remaining);
    verdict.remaining -= verdict.reserved;
    const Booking booking = limits::Book(*part.spec, counter, now_ns, verdict.reserved);
    verdict.reset_ns = booking.reset_ns;
    entry.reserved = verdict.reserved;
    entry.booked_at = booking.number;
  }

  // Every attempt lost its counter to another key: the table is too small for what goes on.
  Decision GiveUp(Parts& parts, int64_t now_ns) const {
    for (Part& part : parts) part.slot = kNoSlot;
    Decision decision;
    JudgeLocked(parts, now_ns, decision);
    decision.table_full = true;
    if (options_.full_admits) return decision;
    for (Verdict& verdict : decision.verdicts) {
      verdict.admitted = false;
      verdict.retry_after_ns = std::max(verdict.retry_after_ns, int64_t{1});
    }
    FindBinding(decision);
    return decision;
  }

  void SettleOne(const Reservation::Entry& entry, const Actual& actual, int64_t now_ns) {
    if (entry.rule >= specs_.size()) return;
    const Spec& spec = specs_[entry.rule];
    const Hash128 key{entry.key_hi, entry.key_lo};
    if (!table_.Lock(entry.slot, key)) {
      // The booking has expired and the slot is another's; what exceeded it is news all the same.
      if (actual.cost > entry.reserved) BookAt(spec, key, actual.cost - entry.reserved, now_ns);
      return;
    }
    Counter& counter = table_.at(entry.slot);
    if (actual.cost > entry.reserved) {
      limits::Book(spec, counter, now_ns, actual.cost - entry.reserved);
    } else if (actual.cost < entry.reserved) {
      Refund(spec, counter, now_ns, entry.booked_at, entry.reserved - actual.cost);
    }
    Quantile90 learned(counter.learned);
    if (actual.learn) learned.Add(actual.headroom_used);
    counter.learned = learned.state();
    table_.Unlock(entry.slot);
  }

  // Books to the counter called `key`, made if need be. With no room for it there is nothing to
  // book to: LimiterOptions::full_admits has already decided about such requests.
  void BookAt(const Spec& spec, Hash128 key, uint64_t cost, int64_t now_ns) const {
    for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
      const auto slot = table_.FindOrClaim(
          key, [&](const Counter& counter) { return counter.empty_at_ns <= now_ns; });
      if (!slot) return;
      if (!table_.Lock(*slot, key)) continue;
      limits::Book(spec, table_.at(*slot), now_ns, cost);
      table_.Unlock(*slot);
      return;
    }
  }

  const std::vector<Rule> rules_;
  const LimiterOptions options_;
  const CounterTable table_;
  std::vector<Spec> specs_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Limiter>> Limiter::Create(state::Segment* segment,
                                                         std::vector<Rule> rules,
                                                         const LimiterOptions& options) {
  if (absl::Status status = ValidateRules(rules); !status.ok()) return status;
  auto table = CounterTable::Open(segment, "limits", options.max_counters);
  if (!table.ok()) return table.status();
  return absl::StatusOr<std::unique_ptr<Limiter>>(
      std::make_unique<TableLimiter>(std::move(rules), segment->seed(), options, *table));
}

}  // namespace weir::limits

// Decisions over several counters: find them, lock them in order, judge all, book all or none.

#include <algorithm>
#include <array>
#include <atomic>
#include <optional>
#include <utility>

#include "absl/base/attributes.h"
#include "absl/status/status.h"
#include "base/hash.h"
#include "base/saturating.h"
#include "base/text.h"
#include "limits/arithmetic.h"
#include "limits/counter.h"
#include "limits/directory.h"
#include "limits/judge.h"
#include "limits/quantile.h"
#include "limits/rules.h"
#include "limits/share.h"
#include "limits/slots.h"
#include "weir/limits.h"

namespace weir::limits {
namespace {

using Entries = absl::InlinedVector<Reservation::Entry, 4>;

// What all limiters of a segment share beside the table.
struct Common {
  // The last moment at which some override holds: until one was made, nobody looks for any.
  std::atomic<int64_t> overrides_until;
};

class TableLimiter final : public Limiter {
 public:
  TableLimiter(std::vector<Rule> rules, std::vector<Spec> specs, std::vector<std::string> restarted,
               const KeyHash& hash, const LimiterOptions& options, CounterTable table,
               Common* common)
      : rules_(std::move(rules)),
        specs_(std::move(specs)),
        restarted_(std::move(restarted)),
        hash_(hash),
        options_(options),
        table_(table),
        common_(common) {}

  absl::Span<const Rule> rules() const override { return rules_; }
  absl::Span<const std::string> restarted() const override { return restarted_; }

  Decision Reserve(absl::Span<const Charge> charges, Now now, Reservation* held) override {
    Entries& entries = EntriesOf(held);
    entries.clear();
    return Decide(charges, ClampTimes(now), &entries);
  }

  Decision Take(absl::Span<const Charge> charges, Now now) override {
    return Decide(charges, ClampTimes(now), nullptr);
  }

  Decision TopUp(Reservation* held, absl::Span<const uint64_t> more, Now now) override {
    Entries& entries = EntriesOf(held);
    absl::InlinedVector<Charge, 4> charges(entries.size());
    Parts parts;
    for (size_t i = 0; i < entries.size(); ++i) {
      const Reservation::Entry& entry = entries[i];
      if (entry.rule >= specs_.size()) return {};  // of another limiter: refused
      charges[i].rule = entry.rule;
      charges[i].cost = i < more.size() ? more[i] : 0;
      charges[i].weight = entry.weight;
      Part& part = parts.emplace_back();
      part.charge = &charges[i];
      part.spec = &specs_[entry.rule];
      part.key = {entry.key_hi, entry.key_lo};
      part.terms = MakeTerms(*part.spec, entry.amount);
    }
    for (size_t i = 0; i < entries.size(); ++i) {
      if (parts[i].spec->share) AddShareParts(parts, i);
    }
    Decision decision;
    DecideParts(parts, charges.size(), ClampTimes(now), nullptr, &entries, decision);
    return decision;
  }

  void Settle(Reservation* held, absl::Span<const Actual> actual, Now now) override {
    now = ClampTimes(now);
    Entries& entries = EntriesOf(held);
    const size_t count = std::min(entries.size(), actual.size());
    for (size_t i = 0; i < count; ++i) SettleOne(entries[i], actual[i], now);
    for (size_t i = count; i < entries.size(); ++i) {
      SettleOne(entries[i], {.cost = entries[i].reserved, .learn = false}, now);
    }
    entries.clear();  // ended: a second end finds nothing
  }

  void Release(Reservation* held, Now now) override {
    now = ClampTimes(now);
    Entries& entries = EntriesOf(held);
    for (const Reservation::Entry& entry : entries) SettleOne(entry, {.learn = false}, now);
    entries.clear();
  }

  void Book(const Charge& charge, Now now) override {
    if (charge.rule >= specs_.size()) return;
    now = ClampTimes(now);
    const Spec& spec = specs_[charge.rule];
    const Terms terms = TermsOf(charge, spec, now);
    BookAt(spec, terms, hash_(spec.keys, charge.key), charge.cost, now);
    if (spec.share) BookAt(spec, terms, spec.share_sums[kShareUse], charge.cost, now);
  }

  Verdict Peek(const Charge& charge, Now now) const override {
    now = ClampTimes(now);
    Parts parts;
    Decision decision;
    if (!Prepare({&charge, 1}, now, parts)) {
      SetImpossible(charge, decision.verdicts.emplace_back());
      return decision.verdicts[0];
    }
    do {
      FindAll(parts);
    } while (!JudgeAll(parts, 1, now, decision));
    return decision.verdicts[0];
  }

  absl::Status Override(uint32_t rule, std::optional<std::string_view> key, uint64_t amount,
                        int64_t for_ns, Now now) override {
    if (rule >= specs_.size()) return absl::InvalidArgumentError("there is no such rule");
    if (amount > kMaxAmount) return absl::InvalidArgumentError("the amount is above kMaxAmount");
    now = ClampTimes(now);
    const int64_t until_ns =
        ClampTimes({SaturatingAdd(now.mono_ns, std::max(for_ns, int64_t{0})), 0}).mono_ns;
    const Hash128 name = OverrideName(specs_[rule], key);
    const bool done = WithSlot(name, now, [&](uint32_t slot) {
      Counter& note = table_.at(slot);
      table_.tag(slot) = MakeTag(SlotKind::kOverride, RecordOf(specs_[rule].tag));
      StoreInOrder(note.words[OverrideWords::kUntil], uint64_t{0});
      StoreInOrder(note.words[OverrideWords::kAmount], amount);
      StoreInOrder(note.words[OverrideWords::kUntil], static_cast<uint64_t>(until_ns));
      note.empty_after = ToCoarse(until_ns);
    });
    if (!done) return absl::ResourceExhaustedError("the table of counters is full");
    int64_t last = common_->overrides_until.load(std::memory_order_relaxed);
    while (last < until_ns && !common_->overrides_until.compare_exchange_weak(last, until_ns)) {
    }
    return absl::OkStatus();
  }

 private:
  Decision Decide(absl::Span<const Charge> charges, Now now, Entries* held) {
    Decision decision;
    if (charges.size() == 1 && DecideOne(charges[0], now, held, decision)) return decision;
    DecideMany(charges, now, held, decision);
    return decision;
  }

  void DecideMany(absl::Span<const Charge> charges, Now now, Entries* held, Decision& decision) {
    Parts parts;
    if (!Prepare(charges, now, parts)) return RefuseImpossible(parts, decision);
    // Before anything is booked, so that running out of memory books nothing.
    if (held != nullptr) held->reserve(charges.size());
    DecideParts(parts, charges.size(), now, held, nullptr, decision);
  }

  // The usual case, one counter that exists: what DecideParts does, with nothing to collect, sort
  // or take back. False, with nothing done, when it is not that case.
  bool DecideOne(const Charge& charge, Now now, Entries* made, Decision& decision) const {
    if (charge.rule >= specs_.size() || !charge.model.empty()) return false;
    Part part;
    part.spec = &specs_[charge.rule];
    if (part.spec->share) return false;
    part.charge = &charge;
    part.key = hash_(part.spec->keys, charge.key);
    const auto slot = table_.Find(part.key);
    if (!slot) return false;
    part.slot = *slot;
    part.terms = TermsOf(charge, *part.spec, now);
    if (!table_.Lock(part.slot, part.key)) return false;
    Counter& counter = table_.at(part.slot);
    Verdict& verdict = decision.verdicts.emplace_back();  // one fits without asking for memory
    part.sight = Judge(part, counter, now, verdict);
    decision.admitted = verdict.admitted;
    if (verdict.admitted) {
      Reservation::Entry unkept;
      BookCounter(part, counter, now, made != nullptr ? Kind::kHeld : Kind::kKept, verdict,
                  made != nullptr ? made->emplace_back() : unkept);
    } else {
      decision.binding = 0;
      decision.retry_after_ns = verdict.retry_after_ns;
      verdict.reset_ns = ResetNs(part, counter, part.sight, now);
      FollowClock(*part.spec, part.terms, counter, now);
    }
    table_.Unlock(part.slot);
    return true;
  }

  // The first `count` parts are asked; the rest are sums of their shares. Books to `made`, or on
  // top of `extended`.
  void DecideParts(Parts& parts, size_t count, Now now, Entries* made, Entries* extended,
                   Decision& decision) {
    for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
      decision.table_full = false;
      if (!FindAll(parts)) {
        // A counter that does not exist yet is made only when nothing else refuses.
        if (!JudgeAll(parts, count, now, decision)) continue;
        if (!decision.admitted) FollowClocks(parts, now);
        if (!decision.admitted && parts.size() == count) return;
        if (!ClaimAll(parts, count, now, decision)) return;
      }
      if (Commit(parts, count, now, decision, made, extended)) return;
    }
    GiveUp(parts, count, now, decision);
  }

  // Hashes the keys. False when a charge can not be meant.
  bool Prepare(absl::Span<const Charge> charges, Now now, Parts& parts) const {
    bool possible = true;
    for (const Charge& charge : charges) {
      Part& part = parts.emplace_back();
      part.charge = &charge;
      if (charge.rule < specs_.size()) {
        part.spec = &specs_[charge.rule];
        part.key = hash_(part.spec->keys, charge.key);
        table_.Prefetch(part.key);
        part.terms = TermsOf(charge, *part.spec, now);
      }
      possible = possible && IsPossible(parts, parts.size() - 1);
    }
    if (!possible) return false;
    for (size_t i = 0; i < charges.size(); ++i) {
      if (charges[i].learned && !charges[i].model.empty()) FindLearned(parts[i]);
      if (parts[i].spec->share) AddShareParts(parts, i);
    }
    return true;
  }

  Hash128 OverrideName(const Spec& spec, std::optional<std::string_view> key) const {
    // A key that reads just so gets what all get.
    static constexpr std::string_view kAllKeys =
        "for every key that has no amount of its own, and for as long as it";
    return hash_(spec.overrides, key ? *key : kAllKeys);
  }

  // The amount that holds for a charge, and the bucket that goes with it.
  Terms TermsOf(const Charge& charge, const Spec& spec, Now now) const {
    if (charge.amount != kAmountOfRule) return MakeTerms(spec, std::min(charge.amount, kMaxAmount));
    if (now.mono_ns < common_->overrides_until.load(std::memory_order_relaxed)) {
      for (const auto& key : {std::optional(charge.key), std::optional<std::string_view>()}) {
        const Hash128 name = OverrideName(spec, key);
        const auto slot = table_.Find(name);
        if (!slot || !table_.Lock(*slot, name)) continue;
        const uint64_t amount = table_.at(*slot).words[OverrideWords::kAmount];
        const auto until = static_cast<int64_t>(table_.at(*slot).words[OverrideWords::kUntil]);
        table_.Unlock(*slot);
        if (now.mono_ns < until) return MakeTerms(spec, amount);
      }
    }
    return MakeTerms(spec, spec.amount);
  }

  // Hashes of models tell them apart well enough for a guess; 0 means that none was named.
  uint32_t ModelHash(std::string_view model) const {
    return model.empty() ? 0 : std::max<uint32_t>(1, static_cast<uint32_t>(hash_({}, model).lo));
  }

  // The notes about a counter are named after it.
  Hash128 NoteName(const KeyHash::Start& start, Hash128 key) const {
    return hash_(start, {reinterpret_cast<const char*>(&key), sizeof(key)});
  }

  void FindLearned(Part& part) const {
    part.model = ModelHash(part.charge->model);
    const Hash128 name = NoteName(part.spec->outputs, part.key);
    const auto slot = table_.Find(name);
    if (!slot || !table_.Lock(*slot, name)) return;
    part.learned = Outputs::Learned(table_.at(*slot), part.model);
    table_.Unlock(*slot);
  }

  void AddShareParts(Parts& parts, size_t index) const {
    const Part asked = parts[index];
    const auto first = static_cast<uint32_t>(parts.size());
    parts[index].share = first;
    for (uint32_t i = 0; i < kShareParts; ++i) {
      Part& part = parts.emplace_back();
      part.spec = asked.spec;
      part.terms = asked.terms;
      part.kind = i == kShareNote ? SlotKind::kShare : SlotKind::kShareSum;
      part.key =
          i == kShareNote ? NoteName(asked.spec->share_keys, asked.key) : asked.spec->share_sums[i];
      table_.Prefetch(part.key);
    }
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
  bool JudgeAll(Parts& parts, size_t count, Now now, Decision& decision) const {
    LockedParts locked(table_);
    if (!locked.Lock(parts)) return false;
    JudgeLocked(parts, count, now, decision);
    NoteResets(parts, now, decision);
    return true;
  }

  // After a refusal that no counter has noted.
  void FollowClocks(const Parts& parts, Now now) const {
    for (const Part& part : parts) {
      if (part.kind == SlotKind::kShare || !table_.Lock(part.slot, part.key)) continue;
      FollowClock(*part.spec, part.terms, table_.at(part.slot), now);
      table_.Unlock(part.slot);
    }
  }

  const Counter& CounterOf(const Part& part) const {
    return part.slot == kNoSlot ? kEmptyCounter : table_.at(part.slot);
  }

  // The share of a part; `empty` stands for what has no slot yet.
  Share ShareAt(const Parts& parts, const Part& part,
                std::array<Counter, kShareParts>& empty) const {
    Share share;
    share.own = &CounterOf(part);
    for (uint32_t i = 0; i < kShareParts; ++i) {
      const uint32_t slot = parts[part.share + i].slot;
      share.sums[i] = slot == kNoSlot ? &empty[i] : &table_.at(slot);
    }
    return share;
  }

  void JudgeLocked(Parts& parts, size_t count, Now now, Decision& decision) const {
    decision.binding = -1;
    decision.retry_after_ns = 0;
    decision.verdicts.clear();
    for (size_t i = 0; i < count; ++i) {
      Part& part = parts[i];
      Verdict& verdict = decision.verdicts.emplace_back();
      if (part.share == 0) {
        part.sight = Judge(part, CounterOf(part), now, verdict);
      } else {
        std::array<Counter, kShareParts> empty{};
        part.sight = JudgeShare(part, ShareAt(parts, part, empty), now, verdict);
      }
    }
    FindBinding(decision);
  }

  void NoteResets(const Parts& parts, Now now, Decision& decision) const {
    for (size_t i = 0; i < decision.verdicts.size(); ++i) {
      const Part& part = parts[i];
      if (part.slot == kNoSlot) continue;
      decision.verdicts[i].reset_ns = ResetNs(part, table_.at(part.slot), part.sight, now);
    }
  }

  // A slot for every part that has none. False: the table is full, and `decision` says so.
  bool ClaimAll(Parts& parts, size_t count, Now now, Decision& decision) const {
    for (size_t i = 0; i < parts.size(); ++i) {
      if (parts[i].slot != kNoSlot) continue;
      int64_t soonest_ns = kNever;
      const auto slot = table_.FindOrClaim(parts[i].key, [&](const Counter& counter) {
        soonest_ns = std::min(soonest_ns, FromCoarse(counter.empty_after));
        return IsIdle(counter, now);
      });
      if (slot) {
        parts[i].slot = *slot;
        continue;
      }
      decision.table_full = true;
      Verdict& verdict = decision.verdicts[i < count ? i : 0];
      verdict.admitted = false;
      // Somebody worked on every slot in reach: no time to name but the next moment.
      verdict.retry_after_ns =
          soonest_ns == kNever ? int64_t{1} : SaturatingSub(soonest_ns, now.mono_ns);
    }
    if (!decision.table_full || options_.full_admits) return true;
    FindBinding(decision);
    return false;
  }

  // Decides with all counters locked, and books if all admit. False when a counter changed hands.
  bool Commit(Parts& parts, size_t count, Now now, Decision& decision, Entries* made,
              Entries* extended) {
    LockedParts locked(table_);
    if (!locked.Lock(parts)) return false;
    JudgeLocked(parts, count, now, decision);
    if (!decision.admitted) {
      NoteResets(parts, now, decision);
      for (size_t i = 0; i < count; ++i) {
        if (parts[i].slot == kNoSlot) continue;
        FollowClock(*parts[i].spec, parts[i].terms, table_.at(parts[i].slot), now);
      }
    }
    for (size_t i = 0; i < count; ++i) {
      if (parts[i].share != 0) NoteAsked(parts, parts[i], now, decision.verdicts[i]);
      if (!decision.admitted) continue;
      if (extended != nullptr) {
        ExtendLocked(parts, parts[i], now, decision.verdicts[i], (*extended)[i]);
      } else {
        Reservation::Entry unkept;
        Reservation::Entry& entry = made != nullptr ? made->emplace_back() : unkept;
        BookLocked(parts, parts[i], now, made != nullptr ? Kind::kHeld : Kind::kKept,
                   decision.verdicts[i], entry);
      }
    }
    return true;
  }

  void NoteAsked(const Parts& parts, const Part& part, Now now, const Verdict& verdict) const {
    if (parts[part.share].slot == kNoSlot) return;
    std::array<Counter, kShareParts> empty{};
    NoteDemand(*part.spec, part.terms, ShareAt(parts, part, empty), now, part.charge->weight,
               !verdict.admitted);
    for (uint32_t i = 0; i < kShareParts; ++i) {
      const Part& sum = parts[part.share + i];
      if (sum.slot != kNoSlot) table_.tag(sum.slot) = MakeTag(sum.kind, RecordOf(part.spec->tag));
    }
  }

  void BookLocked(const Parts& parts, const Part& part, Now now, Kind kind, Verdict& verdict,
                  Reservation::Entry& entry) const {
    if (part.slot == kNoSlot) return NameEntry(part, entry);
    Counter& counter = table_.at(part.slot);
    if (part.share != 0) {
      // First the whole, then the key's own: dying in between must not give room away.
      std::array<Counter, kShareParts> empty{};
      const ShareBooking booked = BookShare(*part.spec, part.terms, ShareAt(parts, part, empty),
                                            now, WithHeadroom(part, counter, verdict.remaining));
      entry.share_booked_at = booked.number;
      entry.meek = booked.meek;
    }
    BookCounter(part, counter, now, kind, verdict, entry);
  }

  ABSL_ATTRIBUTE_ALWAYS_INLINE void BookCounter(const Part& part, Counter& counter, Now now,
                                                Kind kind, Verdict& verdict,
                                                Reservation::Entry& entry) const {
    NameEntry(part, entry);
    table_.tag(part.slot) = part.spec->tag;
    verdict.reserved = WithHeadroom(part, counter, verdict.remaining);
    verdict.remaining -= std::min(verdict.remaining, verdict.reserved);
    const Booking booking =
        limits::Book(*part.spec, part.terms, counter, part.sight, now, verdict.reserved, kind);
    verdict.reset_ns = booking.reset_ns;
    entry.reserved = entry.latest = verdict.reserved;
    entry.first_at = entry.booked_at = booking.number;
    entry.period_end = booking.period_end;
  }

  void ExtendLocked(const Parts& parts, const Part& part, Now now, Verdict& verdict,
                    Reservation::Entry& entry) const {
    if (part.slot == kNoSlot) return;
    const uint64_t more = part.charge->cost;
    if (part.share != 0) {
      std::array<Counter, kShareParts> empty{};
      entry.share_booked_at =
          BookShare(*part.spec, part.terms, ShareAt(parts, part, empty), now, more).number;
    }
    Held held = HeldBy(entry);
    Extend(*part.spec, part.terms, table_.at(part.slot), now, more, held);
    verdict.reserved = more;
    verdict.remaining -= std::min(verdict.remaining, more);
    const Counter& counter = table_.at(part.slot);
    verdict.reset_ns = ResetNs(part, counter, Look(*part.spec, part.terms, counter, now), now);
    entry.slot = part.slot;
    entry.reserved = held.reserved;
    entry.latest = held.latest;
    entry.booked_at = held.number;
    entry.period_end = held.period_end;
  }

  // Every attempt lost its counter to another key: the table is too small for what goes on.
  void GiveUp(Parts& parts, size_t count, Now now, Decision& decision) const {
    for (Part& part : parts) part.slot = kNoSlot;
    JudgeLocked(parts, count, now, decision);
    decision.table_full = true;
    if (options_.full_admits) return;
    for (Verdict& verdict : decision.verdicts) {
      verdict.admitted = false;
      verdict.retry_after_ns = std::max(verdict.retry_after_ns, int64_t{1});
    }
    FindBinding(decision);
  }

  void SettleOne(const Reservation::Entry& entry, const Actual& actual, Now now) {
    if (entry.rule >= specs_.size()) return;
    const Spec& spec = specs_[entry.rule];
    const Terms terms = MakeTerms(spec, entry.amount);
    const Hash128 key{entry.key_hi, entry.key_lo};
    const uint64_t excess = actual.cost > entry.reserved ? actual.cost - entry.reserved : 0;
    if (table_.Lock(entry.slot, key)) {
      Counter& counter = table_.at(entry.slot);
      limits::Settle(spec, terms, counter, now, HeldBy(entry), actual.cost);
      if (actual.learn && entry.model == 0) {
        Quantile90 learned(counter.learned);
        learned.Add(actual.headroom_used);
        counter.learned = learned.state();
      }
      table_.Unlock(entry.slot);
    } else if (excess != 0) {
      // The booking has expired and the slot is another's; what exceeded it is news all the same.
      BookAt(spec, terms, key, excess, now);
    }
    if (spec.share) SettleShare(spec, terms, entry, actual.cost, now);
    if (actual.learn && entry.model != 0) Learn(spec, key, entry.model, actual.headroom_used, now);
  }

  void SettleShare(const Spec& spec, const Terms& terms, const Reservation::Entry& entry,
                   uint64_t cost, Now now) {
    Held held = HeldBy(entry);
    held.number = entry.share_booked_at;
    held.first = entry.first_at;
    for (const SharePart part : {kShareUse, kShareMeek}) {
      if (part == kShareMeek && !entry.meek) continue;
      const auto slot = table_.Find(spec.share_sums[part]);
      if (!slot || !table_.Lock(*slot, spec.share_sums[part])) continue;
      limits::Settle(spec, terms, table_.at(*slot), now, held, cost);
      table_.Unlock(*slot);
    }
  }

  void Learn(const Spec& spec, Hash128 key, uint32_t model, uint64_t sample, Now now) {
    WithSlot(NoteName(spec.outputs, key), now, [&](uint32_t slot) {
      table_.tag(slot) = MakeTag(SlotKind::kOutputs, RecordOf(spec.tag));
      Outputs::Learn(table_.at(slot), model, sample);
      table_.at(slot).empty_after = ToCoarse(SaturatingAdd(now.mono_ns, Outputs::kKeepNs));
    });
  }

  // Books to the counter called `key`, made if need be. With no room for it there is nothing to
  // book to: LimiterOptions::full_admits has already decided about such requests.
  void BookAt(const Spec& spec, const Terms& terms, Hash128 key, uint64_t cost, Now now) const {
    WithSlot(key, now, [&](uint32_t slot) {
      table_.tag(slot) = spec.tag;
      Counter& counter = table_.at(slot);
      const Sight sight = Look(spec, terms, counter, now);
      limits::Book(spec, terms, counter, sight, now, cost, Kind::kKept);
    });
  }

  // Calls `body` with the slot called `key`, made if need be, under its lock. False: no room.
  template <class Body>
  bool WithSlot(Hash128 key, Now now, Body&& body) const {
    for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
      const auto slot =
          table_.FindOrClaim(key, [&](const Counter& counter) { return IsIdle(counter, now); });
      if (!slot) return false;
      if (!table_.Lock(*slot, key)) continue;
      body(*slot);
      table_.Unlock(*slot);
      return true;
    }
    return false;
  }

  const std::vector<Rule> rules_;
  const std::vector<Spec> specs_;
  const std::vector<std::string> restarted_;
  const KeyHash hash_;
  const LimiterOptions options_;
  const CounterTable table_;
  Common* const common_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Limiter>> Limiter::Create(state::Segment* segment,
                                                         std::vector<Rule> rules,
                                                         const LimiterOptions& options) {
  if (absl::Status status = ValidateRules(rules); !status.ok()) return status;
  const KeyHash hash(segment->seed());
  auto specs = MakeSpecs(rules, hash);
  if (!specs.ok()) return specs.status();
  auto common = segment->Region("limits.common", sizeof(Common));
  if (!common.ok()) return common.status();
  auto table = CounterTable::Open(segment, kTableName, options.max_counters);
  if (!table.ok()) return table.status();
  auto directory = Directory::Open(segment);
  if (!directory.ok()) return directory.status();
  std::vector<std::string> restarted;
  for (size_t i = 0; i < rules.size(); ++i) {
    const Directory::Entry entry = directory->Note(rules[i]);
    (*specs)[i].tag = MakeTag(SlotKind::kCounter, entry.record);
    if (entry.reshaped) restarted.push_back(rules[i].name);
  }
  return absl::StatusOr<std::unique_ptr<Limiter>>(
      std::make_unique<TableLimiter>(std::move(rules), *std::move(specs), std::move(restarted),
                                     hash, options, *table, static_cast<Common*>(*common)));
}

}  // namespace weir::limits

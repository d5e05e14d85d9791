// Decisions over several counters: find them, lock them in order, judge all, book all or none.

#include <algorithm>
#include <atomic>
#include <optional>
#include <utility>

#include "absl/base/attributes.h"
#include "absl/base/optimization.h"
#include "absl/status/status.h"
#include "base/hash.h"
#include "base/saturating.h"
#include "base/text.h"
#include "limits/arithmetic.h"
#include "limits/books.h"
#include "limits/counter.h"
#include "limits/directory.h"
#include "limits/joint.h"
#include "limits/judge.h"
#include "limits/quantile.h"
#include "limits/rules.h"
#include "limits/share.h"
#include "limits/slots.h"
#include "weir/limits.h"

namespace weir::limits {
namespace {

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
        rule_count_(specs_.size()),
        restarted_(std::move(restarted)),
        hash_(hash),
        options_(options),
        table_(table),
        books_(hash_, table_),
        common_(common) {}

  absl::Span<const Rule> rules() const override { return rules_; }
  absl::Span<const std::string> restarted() const override { return restarted_; }

  Decision Reserve(absl::Span<const Charge> charges, Now now, Reservation* held) override {
    return Decide(charges, now, &EntriesOf(held));
  }

  Decision Take(absl::Span<const Charge> charges, Now now) override {
    return Decide(charges, now, nullptr);
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
      part.slot = table_.Prefetch(part.key);
      part.terms = MakeTerms(*part.spec, entry.amount);
    }
    for (size_t i = 0; i < entries.size(); ++i) {
      if (parts[i].spec->share) AddShareParts(parts, i);
    }
    Decision decision;
    Joint(table_, {parts.data(), parts.size()}, charges.size(), ClampTimes(now), &decision)
        .Decide(nullptr, &entries, options_.full_admits);
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
    books_.Book(spec, terms, hash_(spec.keys, charge.key), charge.cost, now);
    if (spec.share) books_.Book(spec, terms, spec.share_sums[kShareUse], charge.cost, now);
  }

  Verdict Peek(const Charge& charge, Now now) const override {
    now = ClampTimes(now);
    Parts parts;
    if (!Prepare({&charge, 1}, now, parts)) {
      Verdict impossible;
      SetImpossible(charge, impossible);
      return impossible;
    }
    Decision decision;
    Joint(table_, {parts.data(), parts.size()}, 1, now, &decision).Peek();
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
    const bool done = WithSlot(table_, name, now, [&](uint32_t slot) {
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
  ABSL_ATTRIBUTE_ALWAYS_INLINE Decision Decide(absl::Span<const Charge> charges, Now now,
                                               Entries* made) {
    if (ABSL_PREDICT_TRUE(charges.size() == 1 && IsPlain(charges[0]))) {
      return DecideOne(charges[0], now, made);
    }
    Decision decision;
    DecideMany(charges, now, made, decision);
    return decision;
  }

  ABSL_ATTRIBUTE_NOINLINE void DecideMany(absl::Span<const Charge> charges, Now now, Entries* made,
                                          Decision& decision) {
    now = ClampTimes(now);
    if (made != nullptr) made->clear();
    Parts parts;
    if (!Prepare(charges, now, parts)) return RefuseImpossible(parts, decision);
    // Before anything is booked, so that running out of memory books nothing.
    if (made != nullptr) made->reserve(charges.size());
    Joint(table_, {parts.data(), parts.size()}, charges.size(), now, &decision)
        .Decide(made, nullptr, options_.full_admits);
  }

  // Is its counter all that it needs?
  bool IsPlain(const Charge& charge) const {
    return charge.rule < rule_count_ && !specs_[charge.rule].share &&
           !(charge.learned && !charge.model.empty());
  }

  // The usual case, one counter that exists: what Joint does, with nothing to collect, order or
  // take back.
  ABSL_ATTRIBUTE_ALWAYS_INLINE Decision DecideOne(const Charge& charge, Now now, Entries* made) {
    const Spec& spec = specs_[charge.rule];
    const Hash128 key = hash_(spec.keys, charge.key);
    // First of all: while this memory comes, the processor may still be at the decision before.
    const uint32_t home = table_.Prefetch(key);
    Decision decision;
    // Now, while the compiler knows that the vectors are empty; one fits without asking for memory.
    Verdict& verdict = decision.verdicts.emplace_back();
    Reservation::Entry* entry = nullptr;
    if (made != nullptr) {
      made->clear();
      entry = &made->emplace_back();
    }
    now = ClampTimes(now);
    const Terms terms = TermsOf(charge, spec, now);
    const CounterTable::Locked slot = table_.FindAndLock(key, home);
    if (ABSL_PREDICT_FALSE(!slot)) {
      decision.verdicts.clear();
      DecideMany({&charge, 1}, now, made, decision);
      return decision;
    }
    WithAlgorithm(spec.algorithm, [&](Algorithm algorithm) ABSL_ATTRIBUTE_ALWAYS_INLINE {
      DecideLocked(algorithm, charge, spec, terms, slot, key, now, entry, decision, verdict);
    });
    if (made != nullptr && !decision.admitted) made->clear();
    return decision;
  }

  // Judges, books and unlocks.
  ABSL_ATTRIBUTE_ALWAYS_INLINE static void DecideLocked(Algorithm algorithm, const Charge& charge,
                                                        const Spec& spec, const Terms& terms,
                                                        const CounterTable::Locked& slot,
                                                        Hash128 key, Now now,
                                                        Reservation::Entry* entry,
                                                        Decision& decision, Verdict& verdict) {
    Counter& counter = slot.payload();
    Answer answer = AnswerAs(algorithm, spec, terms, counter, now, charge.cost);
    if (ABSL_PREDICT_FALSE(!answer.admitted)) {
      return RefuseLocked(algorithm, charge, spec, terms, slot, now, answer, decision, verdict);
    }
    const uint64_t reserved = WithHeadroom(charge, counter.learned, answer.room);
    slot.tag() = spec.tag;
    const Booking booking = BookAs(algorithm, spec, terms, counter, answer.sight, now, reserved,
                                   entry != nullptr ? Kind::kHeld : Kind::kKept);
    slot.Unlock();
    answer.room -= reserved;
    decision.admitted = true;
    WriteVerdict(charge.rule, terms, answer, 0, verdict);
    verdict.reserved = reserved;
    verdict.reset_ns = booking.reset_ns;
    if (entry == nullptr) return;
    NameEntry(charge, terms.amount, slot.number(), key, *entry);
    NoteBooking(booking, reserved, *entry);
  }

  ABSL_ATTRIBUTE_ALWAYS_INLINE static void RefuseLocked(Algorithm algorithm, const Charge& charge,
                                                        const Spec& spec, const Terms& terms,
                                                        const CounterTable::Locked& slot, Now now,
                                                        const Answer& answer, Decision& decision,
                                                        Verdict& verdict) {
    Counter& counter = slot.payload();
    const int64_t retry_after_ns =
        RetryAs(algorithm, spec, terms, counter, answer.sight, now, charge.cost);
    const int64_t reset_ns = ResetAs(algorithm, spec, terms, counter, answer.sight, now);
    if (ABSL_PREDICT_FALSE(ClockIsBehindAs(algorithm, spec, counter, answer.sight, now))) {
      const Sight copy = answer.sight;  // that its address is taken keeps a value in memory
      FollowClock(spec, terms, counter, copy, now);
    }
    slot.Unlock();
    decision.binding = 0;
    decision.retry_after_ns = retry_after_ns;
    WriteVerdict(charge.rule, terms, answer, retry_after_ns, verdict);
    verdict.reset_ns = reset_ns;
  }

  // Hashes the keys. False when a charge can not be meant.
  bool Prepare(absl::Span<const Charge> charges, Now now, Parts& parts) const {
    parts.resize(charges.size());
    bool possible = true, plain = true;
    Part* const first = parts.data();
    for (size_t i = 0; i < charges.size(); ++i) {
      const Charge& charge = charges[i];
      Part& part = first[i];
      part.charge = &charge;
      if (ABSL_PREDICT_TRUE(charge.rule < rule_count_)) {
        part.spec = &specs_[charge.rule];
        part.key = hash_(part.spec->keys, charge.key);
        part.slot = table_.Prefetch(part.key);
        part.terms = TermsOf(charge, *part.spec, now);
        plain = plain && !part.spec->share && charge.model.empty();
      }
      possible = possible && IsPossible(first, i);
    }
    if (plain || !possible) return possible;
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
  ABSL_ATTRIBUTE_ALWAYS_INLINE Terms TermsOf(const Charge& charge, const Spec& spec,
                                             Now now) const {
    if (ABSL_PREDICT_FALSE(charge.amount != kAmountOfRule)) {
      return MakeTerms(spec, std::min(charge.amount, kMaxAmount));
    }
    const int64_t until = common_->overrides_until.load(std::memory_order_relaxed);
    return ABSL_PREDICT_FALSE(now.mono_ns < until) ? OverriddenTerms(charge, spec, now)
                                                   : spec.terms;
  }

  ABSL_ATTRIBUTE_NOINLINE Terms OverriddenTerms(const Charge& charge, const Spec& spec,
                                                Now now) const {
    for (const auto& key : {std::optional(charge.key), std::optional<std::string_view>()}) {
      const Hash128 name = OverrideName(spec, key);
      const CounterTable::Locked slot = table_.FindAndLock(name, table_.Prefetch(name));
      if (!slot) continue;
      const uint64_t amount = slot.payload().words[OverrideWords::kAmount];
      const auto until = static_cast<int64_t>(slot.payload().words[OverrideWords::kUntil]);
      slot.Unlock();
      if (now.mono_ns < until) return MakeTerms(spec, amount);
    }
    return spec.terms;
  }

  // Hashes of models tell them apart well enough for a guess; 0 means that none was named.
  uint32_t ModelHash(std::string_view model) const {
    return model.empty() ? 0 : std::max<uint32_t>(1, static_cast<uint32_t>(hash_({}, model).lo));
  }

  void FindLearned(Part& part) const {
    part.model = ModelHash(part.charge->model);
    const Hash128 name = hash_(part.spec->outputs, part.key);
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
          i == kShareNote ? hash_(asked.spec->share_keys, asked.key) : asked.spec->share_sums[i];
      part.slot = table_.Prefetch(part.key);
    }
  }

  void SettleOne(const Reservation::Entry& entry, const Actual& actual, Now now) const {
    if (entry.rule < specs_.size()) books_.Settle(specs_[entry.rule], entry, actual, now);
  }

  const std::vector<Rule> rules_;
  const std::vector<Spec> specs_;
  const size_t rule_count_;
  const std::vector<std::string> restarted_;
  const KeyHash hash_;
  const LimiterOptions options_;
  const CounterTable table_;
  const Books books_;
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

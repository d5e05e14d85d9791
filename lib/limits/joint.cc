#include "limits/joint.h"

#include <algorithm>

#include "absl/base/attributes.h"
#include "absl/base/optimization.h"
#include "base/saturating.h"
#include "limits/arithmetic.h"
#include "limits/judge.h"

namespace weir::limits {

void Joint::Decide(Entries* made, Entries* extended, bool full_admits) {
  decision_.table_full = false;
  if (ABSL_PREDICT_TRUE(Guess() && Commit(made, extended))) return;
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    decision_.table_full = false;
    if (!Find()) {
      // A counter that does not exist yet is made only when nothing else refuses.
      if (!JudgeAll()) continue;
      if (!decision_.admitted) FollowClocks();
      if (!decision_.admitted && parts_.size() == asked_) return;
      if (!ClaimAll(full_admits)) return;
    }
    if (Commit(made, extended)) return;
  }
  GiveUp(full_admits);
}

void Joint::Peek() {
  do {
    Find();
  } while (!JudgeAll());
}

// By the marks alone, so that the memory of all slots is asked for before any is waited for. A
// wrong guess shows when it is locked. False: some part has no slot.
bool Joint::Guess() {
  bool all = true;
  for (Part& part : parts_) {
    part.slot = table_.Guess(part.key, part.slot);
    all = all && part.slot != kNoSlot;
  }
  return all;
}

bool Joint::Find() {
  bool all = true;
  for (Part& part : parts_) {
    part.slot = table_.Find(part.key).value_or(kNoSlot);
    all = all && part.slot != kNoSlot;
  }
  return all;
}

// Judges every part under lock, changing nothing; a part without a slot is an empty counter. False
// when a slot is another key's.
bool Joint::JudgeAll() {
  LockedParts locked(table_, parts_);
  if (!locked.Lock()) return false;
  Judge();
  NoteResets();
  return true;
}

// After a refusal that no counter has noted.
void Joint::FollowClocks() const {
  for (const Part& part : parts_) {
    if (part.kind == SlotKind::kShare || !table_.Lock(part.slot, part.key)) continue;
    Counter& counter = table_.at(part.slot);
    const Sight sight = Look(*part.spec, part.terms, counter, now_);
    FollowClock(*part.spec, part.terms, counter, sight, now_);
    table_.Unlock(part.slot);
  }
}

const Counter& Joint::CounterOf(const Part& part) const {
  return part.slot == kNoSlot ? kEmptyCounter : table_.at(part.slot);
}

Share Joint::ShareOf(const Part& part, std::array<Counter, kShareParts>& empty) const {
  Share share;
  share.own = &CounterOf(part);
  for (uint32_t i = 0; i < kShareParts; ++i) {
    const uint32_t slot = parts_[part.share + i].slot;
    share.sums[i] = slot == kNoSlot ? &empty[i] : &table_.at(slot);
  }
  return share;
}

void Joint::Judge() {
  decision_.binding = -1;
  decision_.retry_after_ns = 0;
  decision_.verdicts.clear();
  decision_.verdicts.resize(asked_);
  Verdict* const verdicts = decision_.verdicts.data();
  for (size_t i = 0; i < asked_; ++i) {
    Part& part = parts_[i];
    if (ABSL_PREDICT_TRUE(part.share == 0)) {
      WithAlgorithm(part.spec->algorithm, [&](Algorithm algorithm) ABSL_ATTRIBUTE_ALWAYS_INLINE {
        JudgeAs(algorithm, part, CounterOf(part), now_, verdicts[i]);
      });
    } else {
      std::array<Counter, kShareParts> empty{};
      JudgeShare(part, ShareOf(part, empty), now_, verdicts[i]);
    }
  }
  FindBinding(decision_);
}

void Joint::NoteResets() {
  for (size_t i = 0; i < asked_; ++i) {
    const Part& part = parts_[i];
    if (part.slot == kNoSlot) continue;
    decision_.verdicts[i].reset_ns = ResetNs(part, table_.at(part.slot), part.sight, now_);
  }
}

// A slot for every part that has none. False: the table is full, and the decision says so.
bool Joint::ClaimAll(bool full_admits) {
  for (size_t i = 0; i < parts_.size(); ++i) {
    if (parts_[i].slot != kNoSlot) continue;
    int64_t soonest_ns = kNever;
    const auto slot = table_.FindOrClaim(parts_[i].key, [&](const Counter& counter) {
      soonest_ns = std::min(soonest_ns, FromCoarse(counter.empty_after));
      return IsIdle(counter, now_);
    });
    if (slot) {
      parts_[i].slot = *slot;
      continue;
    }
    decision_.table_full = true;
    Verdict& verdict = decision_.verdicts[i < asked_ ? i : 0];
    verdict.admitted = false;
    // Somebody worked on every slot in reach: no time to name but the next moment.
    verdict.retry_after_ns =
        soonest_ns == kNever ? int64_t{1} : SaturatingSub(soonest_ns, now_.mono_ns);
  }
  if (!decision_.table_full || full_admits) return true;
  FindBinding(decision_);
  return false;
}

// Decides with all counters locked, and books if all admit. False when a slot is another key's.
bool Joint::Commit(Entries* made, Entries* extended) {
  LockedParts locked(table_, parts_);
  if (ABSL_PREDICT_FALSE(!locked.Lock())) return false;
  Judge();
  if (!decision_.admitted) Refuse();
  Verdict* const verdicts = decision_.verdicts.data();
  for (size_t i = 0; i < asked_; ++i) {
    const Part& part = parts_[i];
    if (ABSL_PREDICT_FALSE(part.share != 0)) NoteAsked(part, verdicts[i]);
    if (!decision_.admitted) continue;
    if (extended != nullptr) {
      Extend(part, verdicts[i], (*extended)[i]);
    } else {
      Book(part, verdicts[i], made != nullptr ? &made->emplace_back() : nullptr);
    }
  }
  return true;
}

void Joint::Refuse() {
  NoteResets();
  for (size_t i = 0; i < asked_; ++i) {
    const Part& part = parts_[i];
    if (part.slot == kNoSlot) continue;
    FollowClock(*part.spec, part.terms, table_.at(part.slot), part.sight, now_);
  }
}

void Joint::NoteAsked(const Part& part, const Verdict& verdict) const {
  if (parts_[part.share].slot == kNoSlot) return;
  std::array<Counter, kShareParts> empty{};
  NoteDemand(*part.spec, part.terms, ShareOf(part, empty), now_, part.charge->weight,
             !verdict.admitted);
  for (uint32_t i = 0; i < kShareParts; ++i) {
    const Part& sum = parts_[part.share + i];
    if (sum.slot != kNoSlot) table_.tag(sum.slot) = MakeTag(sum.kind, RecordOf(part.spec->tag));
  }
}

void Joint::Book(const Part& part, Verdict& verdict, Reservation::Entry* entry) const {
  if (entry != nullptr) {
    NameEntry(*part.charge, part.terms.amount, part.slot, part.key, *entry);
    entry->model = part.model;
  }
  if (part.slot == kNoSlot) return;
  Counter& counter = table_.at(part.slot);
  const uint64_t reserved = WithHeadroom(part, counter, verdict.remaining);
  if (ABSL_PREDICT_FALSE(part.share != 0)) {
    // First the whole, then the key's own: dying in between must not give room away.
    std::array<Counter, kShareParts> empty{};
    const ShareBooking booked =
        BookShare(*part.spec, part.terms, ShareOf(part, empty), now_, reserved);
    if (entry != nullptr) {
      entry->share_booked_at = booked.number;
      entry->meek = booked.meek;
    }
  }
  table_.tag(part.slot) = part.spec->tag;
  const Kind kind = entry != nullptr ? Kind::kHeld : Kind::kKept;
  const Booking booking =
      WithAlgorithm(part.spec->algorithm, [&](Algorithm algorithm) ABSL_ATTRIBUTE_ALWAYS_INLINE {
        return BookAs(algorithm, *part.spec, part.terms, counter, part.sight, now_, reserved, kind);
      });
  verdict.reserved = reserved;
  verdict.remaining -= std::min(verdict.remaining, reserved);
  verdict.reset_ns = booking.reset_ns;
  if (entry != nullptr) NoteBooking(booking, reserved, *entry);
}

void Joint::Extend(const Part& part, Verdict& verdict, Reservation::Entry& entry) const {
  if (part.slot == kNoSlot) return;
  const uint64_t more = part.charge->cost;
  if (part.share != 0) {
    std::array<Counter, kShareParts> empty{};
    entry.share_booked_at =
        BookShare(*part.spec, part.terms, ShareOf(part, empty), now_, more).number;
  }
  Held held = HeldBy(entry);
  Counter& counter = table_.at(part.slot);
  limits::Extend(*part.spec, part.terms, counter, now_, more, held);
  verdict.reserved = more;
  verdict.remaining -= std::min(verdict.remaining, more);
  verdict.reset_ns = ResetNs(part, counter, Look(*part.spec, part.terms, counter, now_), now_);
  entry.slot = part.slot;
  entry.reserved = held.reserved;
  entry.latest = held.latest;
  entry.booked_at = held.number;
  entry.period_end = held.period_end;
}

// Every attempt lost its counter to another key: the table is too small for what goes on.
void Joint::GiveUp(bool full_admits) {
  for (Part& part : parts_) part.slot = kNoSlot;
  Judge();
  decision_.table_full = true;
  if (full_admits) return;
  for (Verdict& verdict : decision_.verdicts) {
    verdict.admitted = false;
    verdict.retry_after_ns = std::max(verdict.retry_after_ns, int64_t{1});
  }
  FindBinding(decision_);
}

}  // namespace weir::limits

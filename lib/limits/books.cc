#include "limits/books.h"

#include "absl/base/attributes.h"
#include "base/saturating.h"
#include "limits/arithmetic.h"
#include "limits/judge.h"
#include "limits/quantile.h"
#include "limits/share.h"

namespace weir::limits {

void Books::Settle(const Spec& spec, const Reservation::Entry& entry, const Actual& actual,
                   Now now) const {
  const Terms terms = MakeTerms(spec, entry.amount);
  const Hash128 key{entry.key_hi, entry.key_lo};
  if (const CounterTable::Locked slot = table_.LockSlot(entry.slot, key)) {
    Counter& counter = slot.payload();
    WithAlgorithm(spec.algorithm, [&](Algorithm algorithm) ABSL_ATTRIBUTE_ALWAYS_INLINE {
      SettleAs(algorithm, spec, terms, counter, now, HeldBy(entry), actual.cost);
    });
    if (actual.learn && entry.model == 0) {
      Quantile90 learned(counter.learned);
      learned.Add(actual.headroom_used);
      counter.learned = learned.state();
    }
    slot.Unlock();
  } else if (actual.cost > entry.reserved) {
    // The booking has expired and the slot is another's; what exceeded it is news all the same.
    Book(spec, terms, key, actual.cost - entry.reserved, now);
  }
  if (spec.share) SettleShare(spec, terms, entry, actual.cost, now);
  if (actual.learn && entry.model != 0) Learn(spec, key, entry.model, actual.headroom_used, now);
}

void Books::SettleShare(const Spec& spec, const Terms& terms, const Reservation::Entry& entry,
                        uint64_t cost, Now now) const {
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

void Books::Learn(const Spec& spec, Hash128 key, uint32_t model, uint64_t sample, Now now) const {
  WithSlot(table_, hash_(spec.outputs, key), now, [&](uint32_t slot) {
    table_.tag(slot) = MakeTag(SlotKind::kOutputs, RecordOf(spec.tag));
    Outputs::Learn(table_.at(slot), model, sample);
    table_.at(slot).empty_after = ToCoarse(SaturatingAdd(now.mono_ns, Outputs::kKeepNs));
  });
}

void Books::Book(const Spec& spec, const Terms& terms, Hash128 key, uint64_t cost, Now now) const {
  WithSlot(table_, key, now, [&](uint32_t slot) {
    table_.tag(slot) = spec.tag;
    Counter& counter = table_.at(slot);
    const Sight sight = Look(spec, terms, counter, now);
    limits::Book(spec, terms, counter, sight, now, cost, Kind::kKept);
  });
}

}  // namespace weir::limits

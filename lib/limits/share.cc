#include "limits/share.h"

#include <algorithm>
#include <cstring>

#include "base/saturating.h"
#include "limits/arithmetic.h"

namespace weir::limits {
namespace {

ShareNote& NoteOf(const Share& share) {
  return *reinterpret_cast<ShareNote*>(share.sums[kShareNote]->words);
}

bool IsRecent(int64_t at, uint64_t weight, int64_t number) {
  return weight != 0 && at <= number && at > number - kRememberedSums;
}

uint64_t Total(const Share& share, SharePart part, int64_t number) {
  return share.sums[part]->window.Total(number);
}

Booking BookTo(const Spec& spec, const Terms& terms, Counter& sum, Now now, uint64_t amount) {
  constexpr Algorithm kWindow = Algorithm::kSlidingWindow;
  const Sight sight = LookAs(kWindow, spec, terms, sum, now);
  return BookAs(kWindow, spec, terms, sum, sight, now, amount, Kind::kKept);
}

uint64_t Over(uint64_t a, uint64_t b) { return a > b ? a - b : 0; }

// Moves a weight to the present sub-window.
void Move(const Spec& spec, const Terms& terms, Counter& sum, Now now, uint64_t weight, int64_t* at,
          uint64_t* noted) {
  const int64_t number = spec.width.Floor(now.mono_ns);
  if (*at == number && *noted == weight) return;
  const int64_t placed = BookTo(spec, terms, sum, now, weight).number;
  sum.window.Remove(*at, *noted);
  StoreInOrder(*noted, uint64_t{0});
  StoreInOrder(*at, placed);
  StoreInOrder(*noted, weight);
}

}  // namespace

uint64_t ShareOf(const Spec& spec, const Terms& terms, const Share& share, Now now,
                 const Charge& charge) {
  const int64_t number = spec.width.Floor(now.mono_ns);
  const ShareNote& note = NoteOf(share);
  const uint64_t weight = charge.weight;
  const uint64_t own = share.own->window.Total(number);
  const bool active = IsRecent(note.active_at, note.active_weight, number);
  const bool hungry = IsRecent(note.hungry_at, note.hungry_weight, number);
  const uint64_t all_active =
      Over(Total(share, kShareActive, number), active ? note.active_weight : 0) + weight;
  const uint64_t others_hungry =
      Over(Total(share, kShareHungry, number), hungry ? note.hungry_weight : 0);
  // With nobody else turned away, what is idle is there to be lent: the whole amount.
  uint64_t may_use = terms.amount;
  if (others_hungry != 0) {
    uint64_t meek = Total(share, kShareMeek, number);
    if (!hungry) meek = Over(meek, own);  // this key asks for more: it is among those who share
    // What leaves the window next is asked for again: were it lent first, the meek would be
    // refused.
    meek += CeilDiv(meek, kWindowBuckets);
    const uint64_t lent = MulDiv(Over(terms.amount, meek), weight, others_hungry + weight);
    may_use = std::max({MulDiv(terms.amount, weight, all_active), lent, spec.share_floor});
  }
  // A share smaller than one request must not starve its key: from idle, one passes.
  if (own == 0) may_use = std::max(may_use, charge.cost);
  return std::min(may_use, terms.amount);
}

void NoteDemand(const Spec& spec, const Terms& terms, const Share& share, Now now, uint64_t weight,
                bool refused) {
  ShareNote& note = NoteOf(share);
  const int64_t number = spec.width.Floor(now.mono_ns);
  if (note.hungry_weight != 0 && !IsRecent(note.hungry_at, note.hungry_weight, number)) {
    // Meek again: what it uses is the meek ones' from now on.
    BookTo(spec, terms, *share.sums[kShareMeek], now, share.own->window.Total(number));
    StoreInOrder(note.hungry_weight, uint64_t{0});
  }
  Move(spec, terms, *share.sums[kShareActive], now, weight, &note.active_at, &note.active_weight);
  if (refused) {
    Move(spec, terms, *share.sums[kShareHungry], now, weight, &note.hungry_at, &note.hungry_weight);
  }
  share.sums[kShareNote]->empty_after = ToCoarse(SaturatingAdd(now.mono_ns, 2 * spec.window_ns));
}

ShareBooking BookShare(const Spec& spec, const Terms& terms, const Share& share, Now now,
                       uint64_t cost) {
  const int64_t number = BookTo(spec, terms, *share.sums[kShareUse], now, cost).number;
  const ShareNote& note = NoteOf(share);
  const bool meek = !IsRecent(note.hungry_at, note.hungry_weight, spec.width.Floor(now.mono_ns));
  if (meek) BookTo(spec, terms, *share.sums[kShareMeek], now, cost);
  return {number, meek};
}

}  // namespace weir::limits

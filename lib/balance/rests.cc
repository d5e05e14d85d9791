// Who rests until when, and which tier is in use.

#include "balance/board.h"
#include "base/saturating.h"

namespace weir::balance {
namespace {

// Threads ask with clocks read some time ago; only what steps back further is a clock set back.
constexpr int64_t kSlackNs = kSecond;
constexpr int64_t kReclaimNs = kSecond;
constexpr uint32_t kMaxDoublings = 3;

}  // namespace

int64_t Board::LastTick() const { return SaturatingAdd(header()->checked_at_ns, kSlackNs); }

void Board::Schedule(int64_t at_ns) {
  Header& h = *header();
  const uint64_t in = static_cast<uint64_t>(at_ns) - static_cast<uint64_t>(h.checked_at_ns);
  h.check_in_ns = std::min(h.check_in_ns, in);
}

void Board::Retire(uint32_t slot, int64_t until_ns) {
  Record& r = records_[slot];
  Tier& t = tiers_[r.tier];
  if (IsWeighted(header()->strategy)) {
    const uint64_t virtual_time = VirtualTime(t);
    facts_[slot].credit = Credit(t, PlaceInTier(r), virtual_time);
    t.virtual_time = virtual_time;
  }
  std::atomic_signal_fence(std::memory_order_seq_cst);
  r.rest_until_ns = until_ns;
  r.usable = 0;
  ++header()->usable_epoch;
  --t.usable;
  t.weight -= r.weight;
  t.in_flight -= r.in_flight;
  if (HasTree(header()->strategy)) SetLeaf(tree(t.tree), t.leaves + PlaceInTier(r), kNobody);
}

void Board::Readmit(uint32_t slot, uint64_t virtual_time, int64_t when_ns) {
  Record& r = records_[slot];
  Tier& t = tiers_[r.tier];
  r.rest_until_ns = 0;
  r.why = Availability::kUsable;
  r.usable = 1;
  ++header()->usable_epoch;
  t.weight += r.weight;
  t.in_flight += r.in_flight;
  if (t.usable++ == 0) t.usable_since_ns = when_ns;
  if (!HasTree(header()->strategy)) return;
  const uint32_t place = PlaceInTier(r);
  const uint64_t key = IsWeighted(header()->strategy)
                           ? DueOf(slot, virtual_time) << kPlaceBits | place
                           : KeyOf(r, place);
  SetLeaf(tree(t.tree), t.leaves + place, key);
}

void Board::Rest(uint32_t slot, int64_t until_ns, Availability why, int64_t now_ns) {
  Record& r = records_[slot];
  if (until_ns <= now_ns || r.rest_until_ns >= until_ns) return;
  facts_[slot].rested_at_ns = now_ns;
  r.why = why;
  if (r.usable != 0) {
    Retire(slot, until_ns);
  } else {
    r.rest_until_ns = until_ns;
  }
  if (r.place == 0) return;
  Schedule(until_ns);
  Tier& t = tiers_[r.tier];
  if (t.usable != 0) return;
  NoteDown(&t, now_ns);
  ChooseTier(now_ns);
}

// Nobody of the tier is usable. If all of them are tripped, it has to prove itself.
void Board::NoteDown(Tier* t, int64_t now_ns) {
  const int64_t hold_ns = header()->hold_down_ns;
  t->usable_since_ns = kNever;
  if (hold_ns == 0 || t->held != 0) return;
  for (uint32_t k = 0; k < t->count; ++k) {
    if (records_[order_[t->first + k]].why != Availability::kTripped) return;
  }
  const bool again = t->back_since_ns != 0 && now_ns - t->back_since_ns < hold_ns << t->doublings;
  t->doublings = again ? std::min(t->doublings + 1, kMaxDoublings) : 0;
  t->held = 1;
}

int64_t Board::HoldEnd(const Tier& t) const {
  return SaturatingAdd(t.usable_since_ns, header()->hold_down_ns << t.doublings);
}

void Board::Wake(uint32_t slot, int64_t now_ns) {
  Record& r = records_[slot];
  if (r.rest_until_ns == 0) return;
  // The next tick, of whichever view has it, ends what is over.
  r.rest_until_ns = std::min(r.rest_until_ns, now_ns == 0 ? -1 : now_ns);
  if (r.place != 0) Tick(now_ns);
}

// What is ahead of a clock that was set back moves with it.
void Board::FollowClockBack(int64_t now_ns) {
  Header& h = *header();
  const int64_t latest_ns = SaturatingAdd(now_ns, kSlackNs);
  for (uint32_t p = 0; p < h.members; ++p) {
    Record& r = records_[order_[p]];
    Facts& facts = facts_[order_[p]];
    if (facts.rested_at_ns > latest_ns) {
      if (r.rest_until_ns != 0 && r.rest_until_ns != kNever) {
        const int64_t rest_ns = SaturatingSub(r.rest_until_ns, facts.rested_at_ns);
        r.rest_until_ns = std::max<int64_t>(SaturatingAdd(now_ns, rest_ns), 1);
      }
      facts.rested_at_ns = now_ns;
    }
    if (facts.ttft_at_ns > latest_ns) {
      facts.ttft_at_ns = now_ns;
      SetLatency(order_[p]);
    }
  }
  for (uint32_t t = 0; t < h.tiers; ++t) {
    Tier& tier = tiers_[t];
    if (tier.usable_since_ns != kNever && tier.usable_since_ns > latest_ns) {
      tier.usable_since_ns = now_ns;
    }
    tier.back_since_ns = std::min(tier.back_since_ns, latest_ns);
  }
  h.reclaim_at_ns = std::min(h.reclaim_at_ns, now_ns);
}

void Board::Tick(int64_t now_ns) {
  Header& h = *header();
  if (now_ns < h.checked_at_ns) FollowClockBack(now_ns);
  int64_t next_ns = kNever;
  for (uint32_t t = 0; t < h.tiers; ++t) {
    Tier& tier = tiers_[t];
    uint64_t virtual_time = 0;
    bool known = false;
    for (uint32_t k = 0; k < tier.count; ++k) {
      const uint32_t slot = order_[tier.first + k];
      const int64_t until_ns = records_[slot].rest_until_ns;
      if (until_ns == 0) continue;
      if (until_ns > now_ns) {
        next_ns = std::min(next_ns, until_ns);
        continue;
      }
      // Who returns does not change it, so it is worked out once.
      if (!known && IsWeighted(h.strategy)) virtual_time = VirtualTime(tier);
      known = true;
      Readmit(slot, virtual_time, until_ns);
    }
    if (tier.held == 0 || tier.usable == 0) continue;
    if (tier.usable_since_ns == kNever) tier.usable_since_ns = now_ns;  // has a new member
    if (now_ns >= HoldEnd(tier)) {
      tier.held = 0;
      tier.back_since_ns = now_ns;
    } else {
      next_ns = std::min(next_ns, HoldEnd(tier));
    }
  }
  if (now_ns >= h.reclaim_at_ns) {
    h.reclaim_at_ns = ReclaimColumns() ? SaturatingAdd(now_ns, kReclaimNs) : kNever;
  }
  next_ns = std::min(next_ns, h.reclaim_at_ns);
  ChooseTier(now_ns);
  h.checked_at_ns = SaturatingSub(now_ns, kSlackNs);
  h.check_in_ns = static_cast<uint64_t>(next_ns) - static_cast<uint64_t>(h.checked_at_ns);
}

int64_t Board::SoonestReturn() const {
  int64_t soonest_ns = kNever;
  for (uint32_t p = 0; p < header()->members; ++p) {
    const int64_t until_ns = records_[order_[p]].rest_until_ns;
    if (until_ns != 0) soonest_ns = std::min(soonest_ns, until_ns);
  }
  return soonest_ns;
}

void Board::ChooseTier(int64_t now_ns) {
  Header& h = *header();
  int32_t best = -1;
  int32_t held = -1;
  for (uint32_t t = 0; t < h.tiers && best < 0; ++t) {
    if (tiers_[t].usable == 0) continue;
    if (tiers_[t].held == 0) {
      best = static_cast<int32_t>(t);
    } else if (held < 0) {
      held = static_cast<int32_t>(t);
    }
  }
  if (best < 0 && held >= 0) {  // better than nobody, and in use from now on
    tiers_[held].held = 0;
    tiers_[held].back_since_ns = now_ns;
    best = held;
  }
  h.active = best;
  if (best < 0) return;
  h.active_tree = tiers_[best].tree;
  h.active_leaves = tiers_[best].leaves;
  h.active_first = tiers_[best].first;
}

}  // namespace weir::balance

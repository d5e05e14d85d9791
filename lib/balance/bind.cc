// Laying out the members of a configuration, and taking over what others left.

#include <array>
#include <numeric>

#include "balance/board.h"

namespace weir::balance {
namespace {

// How far a seed can advance a tier's sequence at most: the work at start is bounded, and the first
// picks of many processes follow the weights to within a member in this many.
constexpr uint64_t kMaxStart = 4096;
// Credits stay within a few picks; this end is for memory that is not ours alone.
constexpr int64_t kMaxCredit = int64_t{kMaxMembers} << 32;
constexpr int64_t kHalf = int64_t{1} << 31;
// The golden ratio: its multiples spread evenly over the fractions.
constexpr uint32_t kSpread = 0x9E3779B9;

int64_t Clamped(int128 credit) {
  return static_cast<int64_t>(std::min(std::max(credit, int128{-kMaxCredit}), int128{kMaxCredit}));
}

}  // namespace

uint64_t Board::VirtualTime(const Tier& t) const {
  if (t.weight == 0) return t.virtual_time;
  int128 sum = t.credits;
  for (uint32_t k = 0; k < t.count; ++k) {
    const Record& r = records_[order_[t.first + k]];
    if (r.usable != 0) {
      const uint64_t due = nodes_[t.tree + t.leaves + k] >> kPlaceBits;
      sum += static_cast<int128>(due) * r.weight - kHalf;
    } else {
      sum -= facts_[order_[t.first + k]].credit;
    }
  }
  return static_cast<uint64_t>(std::max(sum, int128{0}) / t.weight);
}

int64_t Board::Credit(const Tier& t, uint32_t place_in_tier, uint64_t virtual_time) const {
  const uint64_t due = nodes_[t.tree + t.leaves + place_in_tier] >> kPlaceBits;
  const uint32_t weight = records_[order_[t.first + place_in_tier]].weight;
  return Clamped((static_cast<int128>(virtual_time) - due) * weight + kHalf);
}

uint64_t Board::DueOf(uint32_t slot, uint64_t virtual_time) const {
  // The stride is what a whole pick takes.
  const int128 ahead =
      (static_cast<int128>(kHalf - facts_[slot].credit) * strides_[records_[slot].place - 1]) >> 32;
  const auto due = static_cast<int64_t>(static_cast<int128>(virtual_time) + ahead);
  return static_cast<uint64_t>(std::clamp<int64_t>(due, 0, int64_t{kLastDue} - 1));
}

void Board::SaveCredits(uint32_t t) {
  const Tier& tier = tiers_[t];
  const uint64_t virtual_time = VirtualTime(tier);
  for (uint32_t k = 0; k < tier.count; ++k) {
    const uint32_t slot = order_[tier.first + k];
    if (records_[slot].usable != 0) facts_[slot].credit = Credit(tier, k, virtual_time);
  }
}

void Board::Unbind() {
  Header& h = *header();
  if (h.config == 0) return;
  if (IsWeighted(h.strategy)) {
    for (uint32_t t = 0; t < h.tiers; ++t) SaveCredits(t);
  }
  std::atomic_signal_fence(std::memory_order_seq_cst);
  h.config = 0;
  h.active = -1;
  ++h.epoch;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  for (uint32_t p = 0; p < h.members; ++p) {
    records_[order_[p]].place = 0;
    records_[order_[p]].usable = 0;
  }
}

void Board::Bind(const Plan& plan, absl::Span<const uint16_t> slots) {
  Unbind();
  Header& h = *header();
  std::array<Tier, kMaxTiers> old;
  const uint32_t old_count = std::min<uint32_t>(h.tiers, layout_.max_tiers);
  std::copy_n(tiers_, old_count, old.begin());
  h.strategy = plan.strategy;
  h.hold_down_ns = plan.hold_down_ns;
  h.decay_rate = plan.decay_rate;
  h.members = static_cast<uint32_t>(slots.size());
  h.tiers = static_cast<uint32_t>(plan.tiers.size());
  std::copy(slots.begin(), slots.end(), order_);
  std::copy(plan.strides.begin(), plan.strides.end(), strides_);
  uint32_t tree = 0;
  for (uint32_t t = 0; t < h.tiers; ++t) {
    Tier& tier = tiers_[t];
    tier = Tier{};
    tier.priority = plan.tiers[t].priority;
    tier.first = plan.tiers[t].first;
    tier.count = plan.tiers[t].count;
    tier.tree = tree;
    tier.leaves = 1;
    while (tier.leaves < tier.count) tier.leaves *= 4;
    tree += std::max(2 * tier.leaves, 4u);
    tier.virtual_time = kFirstDue;
    tier.usable_since_ns = kNever;
    for (uint32_t o = 0; o < old_count; ++o) {  // what the tier of that rank has gone through
      if (old[o].priority != tier.priority) continue;
      tier.usable_since_ns = old[o].usable_since_ns;
      tier.back_since_ns = old[o].back_since_ns;
      tier.held = old[o].held;
      tier.doublings = old[o].doublings;
    }
    for (uint32_t k = 0; k < tier.count; ++k) {
      Record& r = records_[order_[tier.first + k]];
      r.tier = t;
      r.weight = plan.weights[tier.first + k];
      r.log_weight = plan.log_weights[tier.first + k];
      r.place = tier.first + k + 1;
    }
    LayOutTier(t, plan.seed);
  }
  Rebuild();
  h.check_in_ns = 0;
  ++h.epoch;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  h.config = plan.config;
}

// Gives a tier's members, none of which is in a tree yet, the credits they come with.
void Board::LayOutTier(uint32_t t, uint64_t seed) {
  Tier& tier = tiers_[t];
  bool unknown = true;
  uint32_t newcomers = 0;
  int64_t sum = 0;
  for (uint32_t k = 0; k < tier.count; ++k) {
    const uint32_t slot = order_[tier.first + k];
    nodes_[tier.tree + tier.leaves + k] = kNobody;
    // Owed nothing, give or take half a pick: many of them at once are not to be due at once.
    Facts& facts = facts_[slot];
    if (facts.known == 0) facts.credit = -int64_t{static_cast<int32_t>(newcomers++ * kSpread)};
    unknown = unknown && facts.known == 0;
    sum += facts.credit;
  }
  tier.credits = sum;
  for (uint32_t k = 0; k < tier.count; ++k) {
    const uint32_t slot = order_[tier.first + k];
    records_[slot].due = DueOf(slot, kFirstDue);
  }
  if (unknown && HasTree(header()->strategy)) StartTier(t, seed);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  for (uint32_t k = 0; k < tier.count; ++k) facts_[order_[tier.first + k]].known = 1;
}

// Starts a tier that nobody knew at the place in its sequence that `seed` chooses.
void Board::StartTier(uint32_t t, uint64_t seed) {
  const Tier& tier = tiers_[t];
  uint64_t* const tree = nodes_ + tier.tree;
  uint64_t total = 0;
  uint64_t divisor = 0;
  for (uint32_t k = 0; k < tier.count; ++k) {
    const Record& r = records_[order_[tier.first + k]];
    total += r.weight;
    divisor = std::gcd(divisor, uint64_t{r.weight});
    tree[tier.leaves + k] = r.due << kPlaceBits | k;
  }
  SumUp(tier);
  const uint64_t period = std::min(total / divisor, kMaxStart);
  for (uint64_t i = seed % period; i > 0; --i) {
    const uint64_t k = tree[1] & kPlaceMask;
    SetLeaf(tree, tier.leaves + k, tree[1] + (strides_[tier.first + k] << kPlaceBits));
  }
  for (uint32_t k = 0; k < tier.count; ++k) {
    records_[order_[tier.first + k]].due = tree[tier.leaves + k] >> kPlaceBits;
  }
  // The members' own credits follow from where the sequence is.
  if (!IsWeighted(header()->strategy)) {
    for (uint32_t k = 0; k < tier.count; ++k) tree[tier.leaves + k] = kNobody;
  }
}

// Fills a tree from its leaves.
void Board::SumUp(const Tier& tier) {
  uint64_t* const tree = nodes_ + tier.tree;
  for (uint32_t k = tier.count; k < tier.leaves; ++k) tree[tier.leaves + k] = kNobody;
  for (uint32_t size = tier.leaves / 4; size > 0; size /= 4) {
    for (uint32_t node = size; node < 2 * size; ++node) {
      const uint64_t* const child = tree + size_t{4} * node;
      tree[node] = std::min(std::min(child[0], child[1]), std::min(child[2], child[3]));
    }
  }
}

// Derives from the members of the view everything that can be derived.
void Board::Rebuild() {
  Header& h = *header();
  const bool weighted = IsWeighted(h.strategy);
  ++h.usable_epoch;
  for (uint32_t t = 0; t < h.tiers; ++t) {
    Tier& tier = tiers_[t];
    uint64_t* const leaves = nodes_ + tier.tree + tier.leaves;
    tier.usable = tier.weight = tier.in_flight = 0;
    for (uint32_t k = 0; k < tier.count; ++k) {
      Record& r = records_[order_[tier.first + k]];
      r.place = tier.first + k + 1;
      r.usable = r.rest_until_ns == 0 && (!weighted || leaves[k] != kNobody) ? 1 : 0;
      if (r.usable != 0) tier.weight += r.weight;
    }
    // With the weights of those that have a place in the sequence, the others get theirs.
    const uint64_t virtual_time = weighted ? VirtualTime(tier) : 0;
    tier.weight = 0;
    for (uint32_t k = 0; k < tier.count; ++k) {
      const uint32_t slot = order_[tier.first + k];
      Record& r = records_[slot];
      if (r.rest_until_ns != 0) {
        leaves[k] = kNobody;
        continue;
      }
      if (weighted && r.usable == 0) leaves[k] = DueOf(slot, virtual_time) << kPlaceBits | k;
      r.usable = 1;
      if (!weighted) leaves[k] = KeyOf(r, k);
      ++tier.usable;
      tier.weight += r.weight;
      tier.in_flight += r.in_flight;
    }
    SumUp(tier);
  }
  ChooseTier(LastTick());
}

void Board::Recover() {
  MakeIndex();
  SumColumns();
  Header& h = *header();
  if (h.config != 0) {
    Rebuild();
  } else {
    for (uint32_t slot = 0; slot < layout_.slots; ++slot) {
      records_[slot].place = 0;
      records_[slot].usable = 0;
    }
  }
  h.check_in_ns = 0;
  ++h.epoch;
}

}  // namespace weir::balance

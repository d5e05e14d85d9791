// What is under way at each member, and how fast each has been.

#include "balance/board.h"
#include "base/saturating.h"

namespace weir::balance {
namespace {

constexpr uint64_t kUnknownNs = 1'000'000'000;   // of who has work and was never measured
constexpr uint64_t kFailedNs = 1'000'000'000;    // a failure counts as no faster …
constexpr uint64_t kLongestNs = 60'000'000'000;  // … and failures double up to this
constexpr uint16_t kMaxEntry = 65535;

}  // namespace

uint64_t Board::Elapsed(int64_t ns) const {
  if (ns <= 0) return 0;
  return static_cast<uint64_t>((static_cast<uint128>(ns) * header()->decay_rate) >> 32);
}

// The logarithm of an average time, made comparable at all times: all averages shrink at one pace,
// so instead of all of them shrinking, later ones are put higher.
uint64_t Board::Latency(uint64_t ttft_ns, int64_t at_ns) const {
  return (Log2(ttft_ns) >> 16) + Elapsed(at_ns) + 1;
}

void Board::SetLatency(uint32_t slot) {
  Record& r = records_[slot];
  r.latency =
      facts_[slot].ttft_ns == 0 ? 0 : Latency(facts_[slot].ttft_ns, facts_[slot].ttft_at_ns);
  if (header()->strategy == Strategy::kLeastLatency) RefreshLeaf(r);
}

uint64_t Board::KeyOf(const Record& r, uint32_t place_in_tier) const {
  constexpr uint32_t kMostLogWeight = 10 << 16;
  if (header()->strategy == Strategy::kLeastBusy) {
    uint64_t load = 0;
    if (r.in_flight != 0) {
      load = 1 + (((Log2(r.in_flight) >> 16) + kMostLogWeight - r.log_weight + 32) >> 6);
    }
    return WithTurn(Strategy::kLeastBusy, load << kLoadShift | place_in_tier, r.due);
  }
  if (r.latency == 0) return r.due << kPlaceBits | place_in_tier;
  const uint64_t load = (Log2(uint64_t{r.in_flight} + 1) >> 16) + kMostLogWeight - r.log_weight;
  const uint64_t cost = std::min(r.latency + load, (uint64_t{1} << 53) - 2);
  return uint64_t{1} << 63 | cost << kPlaceBits | place_in_tier;
}

void Board::Count(uint32_t slot, int change, uint32_t column, int64_t now_ns) {
  if (column >= kColumns) return;
  uint16_t& entry = columns_[column * layout_.slots + slot];
  if (change < 0 ? entry == 0 : entry == kMaxEntry) return;
  Record& r = records_[slot];
  entry = static_cast<uint16_t>(entry + change);
  r.in_flight = static_cast<uint32_t>(static_cast<int64_t>(r.in_flight) + change);
  if (r.usable != 0) {
    Tier& t = tiers_[r.tier];
    t.in_flight = static_cast<uint32_t>(static_cast<int64_t>(t.in_flight) + change);
  }
  const Strategy strategy = header()->strategy;
  if (strategy == Strategy::kLeastLatency && facts_[slot].ttft_ns == 0) {
    r.latency = r.in_flight == 0 ? 0 : Latency(kUnknownNs, now_ns);
  }
  if (strategy == Strategy::kLeastLatency || strategy == Strategy::kLeastBusy) RefreshLeaf(r);
}

void Board::Observe(uint32_t slot, int64_t ttft_ns, bool ok, int64_t now_ns) {
  Facts& facts = facts_[slot];
  uint64_t took_ns = static_cast<uint64_t>(std::max<int64_t>(ttft_ns, 1));
  if (!ok) {
    took_ns = std::max(took_ns, kFailedNs);
    took_ns = std::max(took_ns, std::min(2 * std::min(facts.ttft_ns, kLongestNs), kLongestNs));
  }
  if (took_ns < facts.ttft_ns) {
    const uint64_t passed = Elapsed(now_ns - facts.ttft_at_ns);
    const uint64_t exponent = std::min(passed, uint64_t{1} << 40) << 16;
    took_ns += Shrink(facts.ttft_ns - took_ns, exponent);
  }
  facts.ttft_ns = took_ns;
  facts.ttft_at_ns = std::max(now_ns, facts.ttft_at_ns);
  SetLatency(slot);
}

void Board::GiveBack(uint32_t slot) {
  Record& r = records_[slot];
  if (r.picks > 0) --r.picks;
  if (r.place == 0 || !HasTree(header()->strategy)) return;
  const uint64_t stride = strides_[r.place - 1];
  if (!IsWeighted(header()->strategy)) {
    r.due -= std::min(stride, r.due);
    RefreshLeaf(r);
  } else if (r.usable != 0) {
    const Tier& t = tiers_[r.tier];
    const uint64_t leaf = t.leaves + PlaceInTier(r);
    uint64_t* const nodes = tree(t.tree);
    const uint64_t due = nodes[leaf] >> kPlaceBits;
    SetLeaf(nodes, leaf, (due - std::min(stride, due)) << kPlaceBits | PlaceInTier(r));
  } else {
    // A pick, less its share of what that pick gave everybody.
    const uint64_t weight = tiers_[r.tier].weight + r.weight;
    facts_[slot].credit += static_cast<int64_t>(kOne - kOne * r.weight / weight);
  }
}

uint32_t Board::FindColumn(uint32_t column) const {
  const uint32_t me = identity_->word();
  if (column < kColumns && owners_[column] == me) return column;
  return static_cast<uint32_t>(std::find(owners_, owners_ + kColumns, me) - owners_);
}

uint32_t Board::Column(uint32_t column) {
  const uint32_t mine = FindColumn(column);
  if (mine != kColumns) return mine;
  const auto find_free = [this] { return std::find(owners_, owners_ + kColumns, 0u) - owners_; };
  if (find_free() == kColumns) ReclaimColumns();
  const auto free = static_cast<uint32_t>(find_free());
  if (free == kColumns) return free;
  owners_[free] = identity_->word();
  // From now on somebody has to look after it.
  header()->reclaim_at_ns = 0;
  header()->check_in_ns = 0;
  return free;
}

// True when another process has things under way, which may die.
bool Board::ReclaimColumns() {
  const uint32_t me = identity_->word();
  bool others = false;
  bool changed = false;
  for (uint32_t c = 0; c < kColumns; ++c) {
    if (owners_[c] == 0 || owners_[c] == me) continue;
    if (!identity_->IsGone(owners_[c])) {
      others = true;
      continue;
    }
    std::fill_n(columns_ + c * layout_.slots, layout_.slots, uint16_t{0});
    owners_[c] = 0;
    changed = true;
  }
  if (changed) {
    SumColumns();
    if (header()->config != 0) Rebuild();
  }
  return others;
}

void Board::SumColumns() {
  for (uint32_t slot = 0; slot < layout_.slots; ++slot) records_[slot].in_flight = 0;
  for (uint32_t c = 0; c < kColumns; ++c) {
    if (owners_[c] == 0) continue;
    for (uint32_t slot = 0; slot < layout_.slots; ++slot) {
      records_[slot].in_flight += columns_[c * layout_.slots + slot];
    }
  }
}

}  // namespace weir::balance

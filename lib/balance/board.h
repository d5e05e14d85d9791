// A pool's region of the segment: who is to be had, what each is owed, and who is next.
//
// Threads: everything but Open and the header's pointer needs the lock.

#ifndef WEIR_LIB_BALANCE_BOARD_H_
#define WEIR_LIB_BALANCE_BOARD_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "balance/layout.h"
#include "base/hash.h"
#include "weir/balance.h"
#include "weir/state.h"

namespace weir::balance {

// A configuration, in the order of its view: by tier, then as the caller listed its members.
struct Plan {
  struct Tier {
    uint32_t priority, first, count;
  };
  uint64_t config = 0;
  uint64_t seed = 0;
  Strategy strategy = Strategy::kWeighted;
  int64_t hold_down_ns = 0;
  uint64_t decay_rate = 0;
  std::vector<Hash128> names;
  std::vector<uint32_t> weights;
  std::vector<uint32_t> log_weights;  // in units of 2^-16
  std::vector<uint64_t> strides;      // rounds from one pick to the next
  std::vector<Tier> tiers;
};

inline bool IsWeighted(Strategy strategy) {
  return strategy == Strategy::kWeighted || strategy == Strategy::kRoundRobin;
}
inline bool HasTree(Strategy strategy) {
  return strategy != Strategy::kP2c && strategy != Strategy::kHash;
}

class Board {
 public:
  // Finds or makes the region of the pool `name`, with room for `members`, and moves into it what a
  // smaller one holds. RESOURCE_EXHAUSTED: no room in the segment.
  absl::Status Open(state::Segment* segment, std::string_view name, size_t members);
  // Goes on with what `opened` found. Its lock is held, and the lock of the present region is not.
  void Adopt(const Board& opened);

  Header* header() const { return header_.load(std::memory_order_acquire); }

  // ---- Members and views (bind.cc, slots.cc) ----

  // Derives everything again: whoever was at work died.
  void Recover();
  // The slot of each name; new names get one, if need be of who was unused longest. That may take
  // slots from the view, which is then nobody's.
  void FindSlots(absl::Span<const Hash128> names, std::vector<uint16_t>* slots);
  // Lays out the view of `plan`, whose members have these slots.
  void Bind(const Plan& plan, absl::Span<const uint16_t> slots);

  // ---- Rests (rests.cc) ----

  void Rest(uint32_t slot, int64_t until_ns, Availability why, int64_t now_ns);
  void Wake(uint32_t slot, int64_t now_ns);
  // Does what has come due: rests and holds that end, processes that are gone.
  void Tick(int64_t now_ns);
  // When the first of the view's members that rest returns; kNever: none does.
  int64_t SoonestReturn() const;
  bool IsDue(int64_t now_ns) const {
    const Header& h = *header_.load(std::memory_order_relaxed);
    return static_cast<uint64_t>(now_ns) - static_cast<uint64_t>(h.checked_at_ns) >= h.check_in_ns;
  }

  // ---- Load (load.cc) ----

  // One more, or one less, under way at the member for the process that `identity` is.
  void Count(uint32_t slot, int change, uint32_t column, int64_t now_ns);
  // The column of this process, which had `column` last; kColumns: there is none left.
  uint32_t Column(uint32_t column);
  // The same where it has one already.
  uint32_t FindColumn(uint32_t column) const;
  // A time to first token, or with `ok` false a failure that took `ttft_ns` (-1: not known).
  void Observe(uint32_t slot, int64_t ttft_ns, bool ok, int64_t now_ns);

  // ---- Picks ----

  // The member's last turn did not count.
  void GiveBack(uint32_t slot);

  Tier& tier(uint32_t t) const { return tiers_[t]; }
  Record& record(uint32_t slot) const { return records_[slot]; }
  const Facts& facts(uint32_t slot) const { return facts_[slot]; }
  uint64_t* tree(uint32_t first_node) const { return nodes_ + first_node; }
  uint64_t stride(uint32_t place) const { return strides_[place]; }
  uint32_t slot_at(uint32_t place) const { return order_[place]; }
  uint32_t PlaceInTier(const Record& r) const { return r.place - 1 - tiers_[r.tier].first; }

  // A leaf gets a new key.
  static void SetLeaf(uint64_t* tree, uint64_t leaf, uint64_t key) {
    tree[leaf] = key;
    while (leaf > 1) {
      key = std::min(key, std::min(tree[leaf ^ 1], std::min(tree[leaf ^ 2], tree[leaf ^ 3])));
      leaf >>= 2;
      tree[leaf] = key;
    }
  }
  // The keys of kLeastBusy and kLeastLatency. The first has load, then turn; the second turn alone,
  // or cost alone with the top bit set.
  static constexpr int kTurnShift = 14, kLoadShift = 48;
  static bool HasTurn(Strategy strategy, uint64_t key) {
    return strategy == Strategy::kLeastBusy || key >> 63 == 0;
  }
  // `key`, which has a turn, with another.
  static uint64_t WithTurn(Strategy strategy, uint64_t key, uint64_t due) {
    const uint64_t place = key & kPlaceMask;
    if (strategy == Strategy::kLeastLatency) return due << kPlaceBits | place;
    return key >> kLoadShift << kLoadShift | due >> kTurnShift << kPlaceBits | place;
  }
  // The key of a usable member.
  uint64_t KeyOf(const Record& r, uint32_t place_in_tier) const;
  // After what a key is made of has changed, of those same strategies.
  void RefreshLeaf(const Record& r) const {
    if (r.usable == 0 || !HasTree(header()->strategy)) return;
    const uint32_t place = PlaceInTier(r);
    const Tier& t = tiers_[r.tier];
    SetLeaf(tree(t.tree), t.leaves + place, KeyOf(r, place));
  }

 private:
  void MoveIn(Board* smaller);
  void Point(Header* header, const Layout& layout);

  void SaveCredits(uint32_t t);
  void Unbind();
  void LayOutTier(uint32_t t, uint64_t seed);
  void SumUp(const Tier& tier);
  void StartTier(uint32_t t, uint64_t seed);
  void Rebuild();
  void MakeIndex();
  uint32_t Look(Hash128 name) const;

  // The virtual time of a weighted tier: that at which its members' credits add up to what they
  // did when the view was laid out.
  uint64_t VirtualTime(const Tier& t) const;
  int64_t Credit(const Tier& t, uint32_t place_in_tier, uint64_t virtual_time) const;
  uint64_t DueOf(uint32_t slot, uint64_t virtual_time) const;

  void Retire(uint32_t slot, int64_t until_ns);
  void Readmit(uint32_t slot, uint64_t virtual_time, int64_t when_ns);
  void NoteDown(Tier* t, int64_t now_ns);
  void FollowClockBack(int64_t now_ns);
  void ChooseTier(int64_t now_ns);
  int64_t HoldEnd(const Tier& t) const;
  void Schedule(int64_t at_ns);
  int64_t LastTick() const;
  bool ReclaimColumns();
  void SumColumns();
  // Time as a logarithm: by how much an average of now outweighs one of time 0, in units of 2^-16.
  uint64_t Elapsed(int64_t ns) const;
  uint64_t Latency(uint64_t ttft_ns, int64_t at_ns) const;
  void SetLatency(uint32_t slot);

  std::atomic<Header*> header_{nullptr};
  Layout layout_{kCapacities[0]};
  const state::Identity* identity_ = nullptr;
  Tier* tiers_ = nullptr;
  Record* records_ = nullptr;
  Facts* facts_ = nullptr;
  uint64_t* nodes_ = nullptr;
  uint64_t* strides_ = nullptr;
  uint16_t* order_ = nullptr;  // slots, by place
  uint16_t* index_ = nullptr;  // slots plus one, by hash of their names
  uint32_t* owners_ = nullptr;
  uint16_t* columns_ = nullptr;
};

}  // namespace weir::balance

#endif  // WEIR_LIB_BALANCE_BOARD_H_

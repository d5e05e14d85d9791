// Picking: what a strategy makes of the board.

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "balance/board.h"
#include "balance/draw.h"
#include "balance/plan.h"
#include "balance/refusals.h"
#include "balance/rendezvous.h"
#include "base/hash.h"
#include "base/saturating.h"
#include "state/spin_lock.h"
#include "weir/balance.h"

namespace weir::balance {
namespace {

// So many candidates are tried by chance before all members are looked through.
constexpr uint32_t kTries = 16;

class PoolImpl final : public Pool {
 public:
  PoolImpl(state::Segment* segment, std::string_view name, std::vector<Member> members,
           const PoolOptions& options)
      : segment_(segment),
        identity_(segment->identity()),
        name_(name),
        members_(std::move(members)),
        options_(options),
        plan_(MakePlan(members_, options, segment->seed(), &order_)),
        places_(members_.size()) {
    for (size_t place = 0; place < order_.size(); ++place) {
      places_[order_[place]] = static_cast<uint16_t>(place);
    }
    for (int i = 0; i < static_cast<int>(members_.size()); ++i) {
      ids_.emplace_back(
          SipHash(options.id_seed, "member", members_[static_cast<size_t>(i)].name).lo, i);
    }
    by_id_ = ids_;
    std::sort(by_id_.begin(), by_id_.end());
    for (const Plan::Tier& tier : plan_.tiers) MakeTables(tier);
  }

  absl::Status Open() {
    if (absl::Status status = board_.Open(segment_, name_, members_.size()); !status.ok()) {
      return status;
    }
    const Entry entry(this);
    Sync(entry.header());
    draw_.Start(Mix(options_.seed + ++entry.header().streams));
    return absl::OkStatus();
  }

  absl::Span<const Member> members() const override { return members_; }

  int Pick(const Ask& ask) override {
    const Guess guess = MakeGuess(ask.hash);
    const Entry entry(this);
    Header& h = entry.header();
    if (h.epoch != epoch_) [[unlikely]] {
      Sync(h);
    }
    if (board_.IsDue(ask.now.mono_ns)) [[unlikely]] {
      board_.Tick(ask.now.mono_ns);
    }
    int place = -1;
    if (ask.prefer < 0 && ask.refused.empty()) [[likely]] {
      if (h.active >= 0) place = PickActive(h, ask.hash, guess);
    } else {
      place = PickFor(h, ask);
    }
    const auto p = static_cast<uint32_t>(place);
    if (p >= order_.size()) return -1;
    const uint32_t slot = board_.slot_at(p);
    ++board_.record(slot).picks;
    if (ask.start) CountIn(slot, ask.now);
    if (outgrown_) [[unlikely]] {
      LayOutAnew(h);
    }
    return order_[p];
  }

  int64_t ReturnsAt() override {
    const Entry entry(this);
    if (entry.header().epoch != epoch_) Sync(entry.header());
    return board_.SoonestReturn();
  }

  void Unused(int member) override {
    if (!Exists(member)) return;
    const Entry entry(this);
    Header& h = entry.header();
    if (h.epoch != epoch_) Sync(h);
    board_.GiveBack(SlotOf(h, member));
  }

  void Started(int member, Now now) override {
    if (!Exists(member)) return;
    const Entry entry(this);
    CountIn(SlotOf(entry.header(), member), now);
  }

  void FirstToken(int member, int64_t ttft_ns, Now now) override {
    if (!Exists(member) || ttft_ns < 0) return;
    const Entry entry(this);
    board_.Observe(SlotOf(entry.header(), member), ttft_ns, /*ok=*/true, now.mono_ns);
  }

  void Finished(int member, int64_t ttft_ns, bool ok, Now now) override {
    if (!Exists(member)) return;
    const Entry entry(this);
    const uint32_t slot = SlotOf(entry.header(), member);
    if (!ok || ttft_ns >= 0) board_.Observe(slot, ttft_ns, ok, now.mono_ns);
    board_.Count(slot, -1, board_.FindColumn(column_), now.mono_ns);
  }

  void Rest(int member, int64_t until_mono_ns, Availability why, Now now) override {
    if (!Exists(member)) return;
    if (why == Availability::kUsable || why == Availability::kRefused) return;
    const Entry entry(this);
    board_.Rest(SlotOf(entry.header(), member), until_mono_ns, why, now.mono_ns);
  }

  void Wake(int member, Now now) override {
    if (!Exists(member)) return;
    const Entry entry(this);
    board_.Wake(SlotOf(entry.header(), member), now.mono_ns);
  }

  uint64_t MemberId(int member) const override {
    return Exists(member) ? ids_[static_cast<size_t>(member)].first : 0;
  }

  int FindMember(uint64_t id) const override {
    const auto found = std::lower_bound(by_id_.begin(), by_id_.end(), std::pair(id, 0));
    return found != by_id_.end() && found->first == id ? found->second : -1;
  }

  std::vector<MemberState> Snapshot(Now now) override {
    const Entry entry(this);
    if (entry.header().epoch != epoch_) Sync(entry.header());
    if (board_.IsDue(now.mono_ns)) board_.Tick(now.mono_ns);
    std::vector<MemberState> states(members_.size());
    for (size_t i = 0; i < states.size(); ++i) {
      const uint32_t slot = slots_[places_[i]];
      const Record& r = board_.record(slot);
      MemberState& state = states[i];
      state.name = members_[i].name;
      state.priority = members_[i].priority;
      state.weight = members_[i].weight;
      state.usable = r.usable != 0;
      state.held = state.usable && board_.tier(r.tier).held != 0;
      state.why = state.usable ? Availability::kUsable : r.why;
      state.until_mono_ns = state.usable ? 0 : r.rest_until_ns;
      state.in_flight = r.in_flight;
      if (board_.facts(slot).ttft_ns != 0) {
        state.ttft_ns = static_cast<int64_t>(board_.facts(slot).ttft_ns);
      }
      state.picks = r.picks;
    }
    return states;
  }

 private:
  // The lock, and a board that is sound.
  class Entry {
   public:
    explicit Entry(PoolImpl* pool) : header_(pool->Lock()) {}
    ~Entry() {
      std::atomic_signal_fence(std::memory_order_seq_cst);
      header_->condition = kIdle;
      state::Unlock(header_->lock);
    }
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;
    Header& header() const { return *header_; }

   private:
    Header* const header_;
  };

  Header* Lock() {
    for (;;) {
      Header* const h = board_.header();
      state::Lock(h->lock, identity_);
      if (h->condition == kIdle) [[likely]] {
        h->condition = kBusy;
        std::atomic_signal_fence(std::memory_order_seq_cst);
        return h;
      }
      if (h->condition == kBusy) {
        board_.Recover();
        return h;
      }
      state::Unlock(h->lock);
      Follow(h);
    }
  }

  // What was in `left` is in a larger region now.
  void Follow(const Header* left) {
    Board opened;
    if (!opened.Open(segment_, name_, members_.size()).ok()) return;
    const state::LockHolder lock(opened.header()->lock, identity_);
    if (board_.header() != left) return;  // another thread was faster
    board_.Adopt(opened);
    slots_.clear();
    epoch_ = 0;
  }

  bool Exists(int member) const {
    return member >= 0 && static_cast<size_t>(member) < members_.size();
  }

  void FindSlots(const Header& h) {
    if (!slots_.empty() && slots_epoch_ == h.slots_epoch) return;
    board_.FindSlots(plan_.names, &slots_);
    slots_epoch_ = h.slots_epoch;
  }

  uint32_t SlotOf(const Header& h, int member) {
    FindSlots(h);
    return slots_[places_[static_cast<size_t>(member)]];
  }

  // Makes the view this pool's.
  void Sync(const Header& h) {
    FindSlots(h);
    if (h.config != plan_.config) board_.Bind(plan_, slots_);
    epoch_ = h.epoch;
  }

  void LayOutAnew(const Header& h) {
    outgrown_ = false;
    board_.Bind(plan_, slots_);
    epoch_ = h.epoch;
  }

  void CountIn(uint32_t slot, Now now) {
    column_ = board_.Column(column_);
    board_.Count(slot, 1, column_, now.mono_ns);
  }

  void MakeTables(const Plan::Tier& tier) {
    const bool choice = tier.count > 1;
    if (options_.strategy == Strategy::kP2c) {
      draws_.push_back(std::make_unique<DrawTable>(tier.count));
    } else if (options_.strategy == Strategy::kHash) {
      std::vector<Candidate> candidates;
      for (uint32_t place = tier.first; place < tier.first + tier.count && choice; ++place) {
        candidates.push_back({StableHash(members_[order_[place]].name), plan_.weights[place]});
      }
      keys_.push_back(choice ? std::make_unique<Rendezvous>(std::move(candidates)) : nullptr);
    }
  }

  // What can be worked out before the lock is had, if the tier in use is what it was.
  struct Guess {
    uint32_t tier = 0;
    uint32_t one = 0, two = 0;  // places in that tier
  };

  Guess MakeGuess(uint64_t hash) {
    Guess guess;
    if (HasTree(options_.strategy)) return guess;
    guess.tier = last_tier_.load(std::memory_order_relaxed);
    if (options_.strategy == Strategy::kHash) {
      const Rendezvous* const keys = keys_[guess.tier].get();
      if (keys != nullptr) guess.one = keys->Owner(hash, 0);
    } else {
      const AliasTable& table = draws_[guess.tier]->table;
      const uint64_t random = draw_.Next();
      guess.one = table.Draw(random >> 32);
      guess.two = table.DrawOther(random & UINT32_MAX, guess.one);
    }
    return guess;
  }

  // One of the members of the tier in use, which has usable ones; a place in the view.
  int PickActive(const Header& h, uint64_t hash, const Guess& guess) {
    switch (options_.strategy) {
      case Strategy::kWeighted:
      case Strategy::kRoundRobin:
        return PickDue(h);
      case Strategy::kLeastBusy:
      case Strategy::kLeastLatency:
        return PickLeast(h);
      case Strategy::kP2c:
      case Strategy::kHash:
        break;
    }
    const auto t = static_cast<uint32_t>(h.active);
    const Tier& tier = board_.tier(t);
    if (t == guess.tier) [[likely]] {
      const Record& one = board_.record(board_.slot_at(tier.first + guess.one));
      if (options_.strategy == Strategy::kHash) {
        if ((one.usable != 0) & HasRoom(tier, one)) [[likely]] {
          return static_cast<int>(tier.first + guess.one);
        }
      } else if (draws_[t]->epoch == h.usable_epoch) [[likely]] {
        const Record& two = board_.record(board_.slot_at(tier.first + guess.two));
        if ((one.usable & two.usable) != 0) [[likely]] {
          return static_cast<int>(tier.first + Select(IsBusier(one, two), guess.two, guess.one));
        }
      }
    }
    last_tier_.store(t, std::memory_order_relaxed);
    if (options_.strategy == Strategy::kHash) return PickByKey(t, hash, nullptr);
    return PickOfTwo(h, t, nullptr);
  }

  // Of the tier in use, whose turn it is.
  int PickDue(const Header& h) {
    uint64_t* const tree = board_.tree(h.active_tree);
    const uint64_t root = tree[1];
    const uint64_t k = root & kPlaceMask;
    const uint32_t place = h.active_first + static_cast<uint32_t>(k);
    const uint64_t key = root + (board_.stride(place) << kPlaceBits);
    Board::SetLeaf(tree, h.active_leaves + k, key);
    outgrown_ = key >> kPlaceBits >= kLastDue;
    return static_cast<int>(place);
  }

  // Of the tier in use, who has least. Of its key only the part changes that says whose turn it is.
  int PickLeast(const Header& h) {
    uint64_t* const tree = board_.tree(h.active_tree);
    const uint64_t root = tree[1];
    const uint64_t k = root & kPlaceMask;
    const uint32_t place = h.active_first + static_cast<uint32_t>(k);
    if (Board::HasTurn(options_.strategy, root)) {
      Record& r = board_.record(board_.slot_at(place));
      TakeTurn(&board_.tier(static_cast<uint32_t>(h.active)), &r, board_.stride(place), true);
      const uint64_t key = Board::WithTurn(options_.strategy, root, r.due);
      Board::SetLeaf(tree, h.active_leaves + k, key);
    }
    return static_cast<int>(place);
  }

  // Turns only decide among equals: who was not wanted for long does not save them up, and who was
  // taken out of turn need not wait until all others have made up for it.
  void TakeTurn(Tier* t, Record* r, uint64_t stride, bool is_first) {
    const uint64_t due = std::max(r->due, t->virtual_time);
    if (is_first) t->virtual_time = due;
    r->due = std::min(due + stride, t->virtual_time + (uint64_t{t->count} + 1) * stride);
    outgrown_ = r->due >= kLastDue;
  }

  // The member at `place`, of a tree, is picked whether or not it is first.
  void Charge(Tier* t, uint32_t place) {
    const uint64_t stride = board_.stride(place);
    const uint32_t k = place - t->first;
    uint64_t* const tree = board_.tree(t->tree);
    if (!IsWeighted(options_.strategy)) {
      Record& r = board_.record(board_.slot_at(place));
      TakeTurn(t, &r, stride, (tree[1] & kPlaceMask) == k);
      board_.RefreshLeaf(r);
      return;
    }
    // Sessions may keep one member busy for an hour; the others need not make up for all of it.
    const uint64_t latest = (tree[1] >> kPlaceBits) + (uint64_t{t->count} + 1) * stride;
    const uint64_t due = std::min((tree[t->leaves + k] >> kPlaceBits) + stride, latest);
    Board::SetLeaf(tree, t->leaves + k, due << kPlaceBits | k);
    outgrown_ = due >= kLastDue;
  }

  // For a request that prefers or refuses members.
  int PickFor(const Header& h, const Ask& ask) {
    const Refusals refusals(ask.refused, members_.size());
    if (Exists(ask.prefer) && !refusals.Has(static_cast<uint32_t>(ask.prefer))) {
      const uint32_t place = places_[static_cast<size_t>(ask.prefer)];
      const Record& r = board_.record(board_.slot_at(place));
      if (r.usable != 0 && (ask.sticky || static_cast<int>(r.tier) == h.active)) {
        if (HasTree(options_.strategy)) Charge(&board_.tier(r.tier), place);
        return static_cast<int>(place);
      }
    }
    // Held tiers only when the others have nobody for this request.
    for (const bool held : {false, true}) {
      for (uint32_t t = 0; t < h.tiers; ++t) {
        Tier& tier = board_.tier(t);
        if (tier.usable == 0 || (tier.held != 0) != held) continue;
        const int place = PickAmong(h, t, refusals, ask.hash);
        if (place >= 0) return place;
      }
    }
    return -1;
  }

  // One of the tier's members that are not refused, or -1.
  int PickAmong(const Header& h, uint32_t t, const Refusals& refusals, uint64_t hash) {
    Tier& tier = board_.tier(t);
    if (options_.strategy == Strategy::kP2c) return PickOfTwo(h, t, &refusals);
    if (options_.strategy == Strategy::kHash) return PickByKey(t, hash, &refusals);
    const uint64_t key = BestKey(tier, refusals);
    if (key == kNobody) return -1;
    const uint32_t place = tier.first + static_cast<uint32_t>(key & kPlaceMask);
    Charge(&tier, place);
    if (refusals.any() && IsWeighted(options_.strategy)) EarnNothing(tier, refusals);
    return static_cast<int>(place);
  }

  // A node whose winner is not refused has the best of all below it; the others are looked into.
  uint64_t BestKey(const Tier& t, const Refusals& refusals) const {
    const uint64_t* const tree = board_.tree(t.tree);
    std::array<uint32_t, 32> stack;
    size_t size = 0;
    uint64_t best = kNobody;
    stack[size++] = 1;
    while (size > 0) {
      const uint32_t node = stack[--size];
      const uint64_t key = tree[node];
      if (key >= best) continue;
      if (!refusals.Has(order_[t.first + (key & kPlaceMask)])) {
        best = key;
      } else if (node < t.leaves) {
        for (uint32_t child = 0; child < 4; ++child) stack[size++] = 4 * node + child;
      }
    }
    return best;
  }

  // A pick went to a member while others of its tier were refused: time passes for them too, so
  // that they are owed what they were owed.
  void EarnNothing(const Tier& t, const Refusals& refusals) {
    uint64_t* const tree = board_.tree(t.tree);
    uint32_t weight = t.weight;
    const auto each = [&](auto&& act) {
      refusals.Each([&](uint32_t member) {
        const uint32_t k = places_[member] - t.first;
        if (k >= t.count) return;
        const Record& r = board_.record(board_.slot_at(t.first + k));
        if (r.usable != 0) act(k, r);
      });
    };
    each([&](uint32_t, const Record& r) { weight -= r.weight; });
    if (weight == 0) return;
    const uint64_t passed = (kOne / weight) << kPlaceBits;
    each([&](uint32_t k, const Record&) {
      Board::SetLeaf(tree, t.leaves + k, tree[t.leaves + k] + passed);
    });
  }

  bool Takes(const Tier& t, uint32_t k, const Refusals* refusals) const {
    return board_.record(board_.slot_at(t.first + k)).usable != 0 &&
           (refusals == nullptr || !refusals->Has(order_[t.first + k]));
  }

  // The table of a tier's usable members.
  const AliasTable& TableOf(const Header& h, uint32_t t) {
    DrawTable& draws = *draws_[t];
    if (draws.epoch == h.usable_epoch) return draws.table;
    std::vector<uint32_t> members;
    std::vector<uint32_t> weights;
    const Tier& tier = board_.tier(t);
    for (uint32_t k = 0; k < tier.count; ++k) {
      if (board_.record(board_.slot_at(tier.first + k)).usable == 0) continue;
      members.push_back(k);
      weights.push_back(plan_.weights[tier.first + k]);
    }
    draws.table.Fill(members, weights);
    draws.epoch = h.usable_epoch;
    return draws.table;
  }

  // A member drawn by weight that takes the request and is not `other`; the tier's count: none.
  uint32_t Draw(const Header& h, uint32_t index, uint32_t other, const Refusals* refusals) {
    const Tier& t = board_.tier(index);
    const AliasTable& table = TableOf(h, index);
    for (uint32_t i = 0; i < kTries; ++i) {
      const uint32_t k = table.Draw(draw_.Next() >> 32);
      if (k != other && Takes(t, k, refusals)) return k;
    }
    uint64_t weight = 0;
    for (uint32_t k = 0; k < t.count; ++k) {
      if (k != other && Takes(t, k, refusals)) weight += plan_.weights[t.first + k];
    }
    if (weight == 0) return t.count;
    auto left = static_cast<uint64_t>((static_cast<uint128>(draw_.Next()) * weight) >> 64);
    for (uint32_t k = 0; k < t.count; ++k) {
      if (k == other || !Takes(t, k, refusals)) continue;
      if (left < plan_.weights[t.first + k]) return k;
      left -= plan_.weights[t.first + k];
    }
    return t.count;
  }

  static bool IsBusier(const Record& a, const Record& b) {
    return uint64_t{b.in_flight} * a.weight < uint64_t{a.in_flight} * b.weight;
  }

  int PickOfTwo(const Header& h, uint32_t index, const Refusals* refusals) {
    const Tier& t = board_.tier(index);
    const uint32_t one = Draw(h, index, t.count, refusals);
    if (one == t.count) return -1;
    uint32_t two = t.usable > 1 ? Draw(h, index, one, refusals) : one;
    if (two == t.count) two = one;
    const bool busier = IsBusier(board_.record(board_.slot_at(t.first + one)),
                                 board_.record(board_.slot_at(t.first + two)));
    return static_cast<int>(t.first + (busier ? two : one));
  }

  // May it have one more, with all that is under way?
  bool HasRoom(const Tier& t, const Record& r) const {
    const bool few = r.in_flight < options_.load_floor;
    const bool fair =
        uint64_t{r.in_flight} * 100 * t.weight <
        uint64_t{options_.load_bound_percent} * (uint64_t{t.in_flight} + 1) * r.weight;
    return few | fair;
  }

  int PickByKey(uint32_t index, uint64_t hash, const Refusals* refusals) {
    const Tier& t = board_.tier(index);
    if (t.count == 1) return Takes(t, 0, refusals) ? static_cast<int>(t.first) : -1;
    const Rendezvous& keys = *keys_[index];
    uint32_t overloaded = t.count;
    for (uint32_t round = 0; round < 2 * kTries; ++round) {
      const uint32_t k = keys.Owner(hash, round);
      if (!Takes(t, k, refusals)) continue;
      if (HasRoom(t, board_.record(board_.slot_at(t.first + k)))) [[likely]] {
        return static_cast<int>(t.first + k);
      }
      if (overloaded == t.count) overloaded = k;
    }
    // Few are left: of those, the one that the key chooses.
    const uint64_t key = Mix(hash);
    uint32_t best = keys.Best(key, [&](uint32_t k) {
      return Takes(t, k, refusals) && HasRoom(t, board_.record(board_.slot_at(t.first + k)));
    });
    if (best == t.count) best = overloaded;
    if (best == t.count) best = keys.Best(key, [&](uint32_t k) { return Takes(t, k, refusals); });
    return best == t.count ? -1 : static_cast<int>(t.first + best);
  }

  state::Segment* const segment_;
  const state::Identity& identity_;
  const std::string name_;
  const std::vector<Member> members_;
  const PoolOptions options_;
  std::vector<uint16_t> order_;  // members, by place
  const Plan plan_;
  std::vector<uint16_t> places_;  // by member
  std::vector<std::pair<uint64_t, int>> ids_, by_id_;
  struct DrawTable {
    explicit DrawTable(uint32_t members) : table(members) {}
    AliasTable table;
    uint64_t epoch = 0;  // whom it has
  };
  std::vector<std::unique_ptr<DrawTable>> draws_;  // kP2c: by tier
  std::vector<std::unique_ptr<Rendezvous>> keys_;  // kHash: by tier; null with one member

  Board board_;
  Draws draw_;
  std::atomic<uint32_t> last_tier_{0};
  // Under the board's lock.
  std::vector<uint16_t> slots_;  // by place
  uint64_t slots_epoch_ = 0;
  uint64_t epoch_ = 0;
  uint32_t column_ = kColumns;
  bool outgrown_ = false;
};

}  // namespace

uint64_t StableHash(std::string_view key) { return SipHash(0, key).lo; }

absl::StatusOr<std::unique_ptr<Pool>> Pool::Create(state::Segment* segment, std::string_view name,
                                                   std::vector<Member> members,
                                                   const PoolOptions& options) {
  if (absl::Status status = Check(name, members, options); !status.ok()) return status;
  auto pool = std::make_unique<PoolImpl>(segment, name, std::move(members), options);
  if (absl::Status status = pool->Open(); !status.ok()) return status;
  return pool;
}

}  // namespace weir::balance

// Smooth weighted round robin over credits that are counted in picks.
//
// Each pick gives every usable member of the tier the share of one pick that its weight earns, and
// takes a whole pick from the member with the most credit: that one is picked. With all members
// usable this is the known smooth sequence, credit for credit. Counting in picks instead of weights
// makes credits of different moments comparable: when members drop out or weights are edited, what
// a member is owed stays a number of picks. Credits in weights would mean, after one heavy member
// left, that the next light one is passed over a thousand times.
//
// A pick is kPick units; a share is weight * (kPick / total), and the whole that is taken is
// total * (kPick / total), so the sum of a tier's credits never changes and no share is off.

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <memory>
#include <numeric>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "balance/cursors.h"
#include "base/text.h"
#include "state/spin_lock.h"
#include "weir/balance.h"

namespace weir::balance {
namespace {

constexpr uint32_t kMaxPriority = 1000;
constexpr uint32_t kMaxWeight = 1000;
constexpr int64_t kPick = int64_t{1} << 48;
// Credits stay within a pick per member; this end is for memory that is not ours alone.
constexpr int64_t kMaxCredit = 1024 * kPick;
// How far a seed can advance a tier's sequence at most: the work at start is bounded, and the first
// picks of many processes follow the weights to within a member in this many.
constexpr uint64_t kMaxStart = 4096;

struct Seat {
  int32_t member = 0;
  int32_t weight = 0;
  uint32_t cursor = 0;
};

struct Tier {
  std::vector<Seat> seats;
};

// Some of a tier's seats: a bit for each, and the sum of their weights.
static_assert(kMaxMembers <= 64);
struct Choice {
  uint64_t seats = 0;
  int64_t weight = 0;

  void Add(size_t seat, int64_t its_weight) {
    seats |= uint64_t{1} << seat;
    weight += its_weight;
  }
};

Choice AllSeats(absl::Span<const Seat> seats) {
  Choice all;
  for (size_t i = 0; i < seats.size(); ++i) all.Add(i, seats[i].weight);
  return all;
}

// One pick among the `choice`, which is not empty. The lock is held.
size_t PickSeat(absl::Span<const Seat> seats, const Choice& choice, int64_t* credits) {
  const int64_t unit = kPick / choice.weight;
  int64_t most = std::numeric_limits<int64_t>::min();
  size_t best = 0;
  for (uint64_t rest = choice.seats; rest != 0; rest &= rest - 1) {
    const auto i = static_cast<size_t>(std::countr_zero(rest));
    const int64_t credit = std::min(credits[seats[i].cursor] + seats[i].weight * unit, kMaxCredit);
    credits[seats[i].cursor] = credit;
    best = credit > most ? i : best;
    most = std::max(credit, most);
  }
  credits[seats[best].cursor] = std::max(most - choice.weight * unit, -kMaxCredit);
  return best;
}

// Starts a tier that nobody knew at the place in its sequence that `seed` chooses.
void Start(absl::Span<const Seat> seats, uint64_t seed, int64_t* credits) {
  const Choice all = AllSeats(seats);
  int64_t divisor = 0;
  for (const Seat& seat : seats) divisor = std::gcd(divisor, seat.weight);
  const uint64_t period = std::min(static_cast<uint64_t>(all.weight / divisor), kMaxStart);
  for (uint64_t i = seed % period; i > 0; --i) PickSeat(seats, all, credits);
}

class SmoothPool final : public Pool {
 public:
  SmoothPool(std::vector<Member> members, std::vector<Hash128> names, Cursors* cursors,
             const state::Identity& identity, uint64_t seed)
      : members_(std::move(members)),
        names_(std::move(names)),
        cursors_(cursors),
        identity_(identity) {
    std::vector<int> order(members_.size());
    std::iota(order.begin(), order.end(), 0);
    const auto priority = [this](int i) { return members_[static_cast<size_t>(i)].priority; };
    std::stable_sort(order.begin(), order.end(),
                     [&](int a, int b) { return priority(a) < priority(b); });
    for (size_t i = 0; i < order.size(); ++i) {
      if (i == 0 || priority(order[i]) != priority(order[i - 1])) tiers_.emplace_back();
      tiers_.back().seats.push_back(
          {order[i], static_cast<int32_t>(members_[static_cast<size_t>(order[i])].weight), 0});
    }
    const state::LockHolder lock(cursors_->lock, identity_);
    const std::vector<Place> places = Bind();
    for (const Tier& tier : tiers_) {
      const bool unknown = std::all_of(tier.seats.begin(), tier.seats.end(), [&](const Seat& seat) {
        return places[static_cast<size_t>(seat.member)].fresh;
      });
      if (unknown) Start(tier.seats, seed, cursors_->credits);
    }
  }

  absl::Span<const Member> members() const override { return members_; }

  int Pick(absl::Span<const Availability> availability) override {
    if (availability.size() != members_.size()) return -1;
    for (const Tier& tier : tiers_) {
      Choice usable;
      for (size_t i = 0; i < tier.seats.size(); ++i) {
        const Seat& seat = tier.seats[i];
        if (availability[static_cast<size_t>(seat.member)] != Availability::kUsable) continue;
        usable.Add(i, seat.weight);
      }
      if (usable.seats == 0) continue;
      // A single one would earn what it pays.
      const size_t seat = std::has_single_bit(usable.seats)
                              ? static_cast<size_t>(std::countr_zero(usable.seats))
                              : PickAmong(tier, usable);
      return tier.seats[seat].member;
    }
    return -1;
  }

 private:
  size_t PickAmong(const Tier& tier, const Choice& usable) {
    const state::LockHolder lock(cursors_->lock, identity_);
    if (cursors_->evictions != evictions_) Bind();
    return PickSeat(tier.seats, usable, cursors_->credits);
  }

  // Finds the cursors again. The lock is held, and guards what this changes in the pool too.
  std::vector<Place> Bind() {
    std::vector<Place> places = BindCursors(cursors_, names_);
    for (Tier& tier : tiers_) {
      for (Seat& seat : tier.seats) seat.cursor = places[static_cast<size_t>(seat.member)].cursor;
    }
    evictions_ = cursors_->evictions;
    return places;
  }

  const std::vector<Member> members_;
  const std::vector<Hash128> names_;
  Cursors* const cursors_;
  const state::Identity& identity_;
  std::vector<Tier> tiers_;
  uint32_t evictions_ = 0;
};

absl::Status CheckMembers(std::string_view pool, const std::vector<Member>& members) {
  const auto refuse = [&](std::string_view name, std::string_view what) {
    return absl::InvalidArgumentError(
        Concat({"pool \"", pool, "\": member \"", name, "\": ", what}));
  };
  if (members.empty() || members.size() > static_cast<size_t>(kMaxMembers)) {
    return absl::InvalidArgumentError(
        Concat({"pool \"", pool, "\": members must be 1 to ", std::to_string(kMaxMembers)}));
  }
  std::unordered_set<std::string_view> names;
  for (const Member& member : members) {
    if (!names.insert(member.name).second) return refuse(member.name, "named twice");
    if (member.priority < 1 || member.priority > kMaxPriority) {
      return refuse(member.name, "priority must be 1 to 1000");
    }
    if (member.weight < 1 || member.weight > kMaxWeight) {
      return refuse(member.name, "weight must be 1 to 1000");
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Pool>> Pool::Create(state::Segment* segment, std::string_view name,
                                                   std::vector<Member> members, uint64_t seed) {
  if (const absl::Status status = CheckMembers(name, members); !status.ok()) return status;
  const auto cursors = OpenCursors(segment, name);
  if (!cursors.ok()) return cursors.status();
  std::vector<Hash128> names;
  names.reserve(members.size());
  for (const Member& member : members) names.push_back(SipHash(segment->seed(), member.name));
  return std::make_unique<SmoothPool>(std::move(members), std::move(names), *cursors,
                                      segment->identity(), seed);
}

}  // namespace weir::balance

// weir/balance.h: which backend gets this request.
//
// Members stand in priority tiers (lower number first). A tier is used only for what the tiers
// above cannot take: every member there is unavailable for this request. Inside a tier, smooth
// weighted round robin: over any run of picks a member's share follows its weight, and no two
// heavy picks clump.
//
//   auto pool = balance::Pool::Create(segment, "gpt-4o", {{"ptu", 1, 3}, {"payg", 2, 1}}, seed);
//   int i = (*pool)->Pick(availability);   // availability[i] as the engine has just found it
//
// How it behaves, with W the weights of the tier's usable members:
// - With the same members usable throughout, every sum(W)/gcd(W) picks give each member exactly its
//   share, evenly spread.
// - When members come and go, or weights are edited, a member's picks differ from the sum of the
//   shares it was due by no more than the number of members, at every moment. Being unavailable
//   earns nothing: who returns takes up its share where it left, with no burst to catch up.
// - The tier falls through and comes back at once, request by request; steadying a flapping member
//   is the breaker's work.
//
// Cursors live in the segment under the names of pool and members, so a reload neither restarts the
// sequence nor favours the first member, whatever it does to the order, weights or tiers; a new
// member starts with nothing owed. Pools of the same name, such as those of an old and a new
// policy, share cursors. `seed` only says where in the sequence a segment starts that has not seen
// the pool yet.
//
// Threads: any thread, any time. Cost: O(members of the tier) under one lock; none when the tier
// has one usable member. Integers only. Memory: about 4 KiB of the segment a pool name, for good.
// Limits: 64 members, weights and priorities 1 to 1000; two generations of members are remembered
// (128 names, the longest unused give way).
// Source: the smooth weighted round robin of nginx's upstream module, as an idea; credits are
// counted in picks instead of weights, which changes nothing while the usable members stay the same
// and keeps the bound above when they do not.

#ifndef WEIR_BALANCE_H_
#define WEIR_BALANCE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "weir/base.h"
#include "weir/state.h"

namespace weir::balance {

inline constexpr int kMaxMembers = 64;

struct Member {
  std::string name;
  uint32_t priority = 1;  // 1 … 1000, lower first
  uint32_t weight = 1;    // 1 … 1000
};

// Why a member can not take this request; kUsable when it can.
enum class Availability : uint8_t { kUsable, kTripped, kOutOfCapacity, kRefused };

class Pool {
 public:
  // INVALID_ARGUMENT: no members, too many, duplicate names, numbers out of range (the message
  // names pool and member). RESOURCE_EXHAUSTED: no room in the segment, which must outlive the
  // pool. `seed` picks where the sequence starts, so that many processes do not all start at the
  // first.
  static absl::StatusOr<std::unique_ptr<Pool>> Create(state::Segment* segment,
                                                      std::string_view name,
                                                      std::vector<Member> members, uint64_t seed);
  virtual ~Pool() = default;

  // In the order given to Create.
  virtual absl::Span<const Member> members() const = 0;

  // The index of the member that gets this request, or -1 when none is usable. `availability` has
  // one entry per member; with any other number of entries none is usable.
  virtual int Pick(absl::Span<const Availability> availability) = 0;
};

}  // namespace weir::balance

#endif  // WEIR_BALANCE_H_

// weir/balance.h: which backend gets this request.
//
// Members stand in priority tiers (lower number first). A tier is used only for what the tiers
// above cannot take: every member there is unavailable for this request. Inside a tier, smooth
// weighted round robin: over any run of picks a member's share follows its weight, and no two
// heavy picks clump. Cursors live in the segment, keyed by pool and member, so a reload neither
// restarts the sequence nor favours the first member.
//
//   int i = pool->Pick(availability);   // availability[i] as the engine has just found it
//
// Threads: any thread. Cost: O(members of the tier) under one lock.
// Source: the smooth weighted round robin of nginx's upstream module, as an idea.

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
  // INVALID_ARGUMENT: no members, too many, duplicate names, numbers out of range.
  // `seed` picks where the sequence starts, so that many processes do not all start at the first.
  static absl::StatusOr<std::unique_ptr<Pool>> Create(state::Segment* segment,
                                                      std::string_view name,
                                                      std::vector<Member> members, uint64_t seed);
  virtual ~Pool() = default;

  virtual absl::Span<const Member> members() const = 0;

  // The index of the member that gets this request, or -1 when none is usable. `availability` has
  // one entry per member.
  virtual int Pick(absl::Span<const Availability> availability) = 0;
};

}  // namespace weir::balance

#endif  // WEIR_BALANCE_H_

// The fair share of weir/limits.h, on running sums.
//
// A rule with a share keeps, beside each key's own counter, a note of when the key was last active
// and last hungry, and four sums over the rule's window, which are ordinary sliding windows: what
// all keys use, the weights of the active keys, the weights of the hungry ones, and what the meek
// use. A key that asks in a new sub-window moves its weight there: added first, removed from where
// it was last, so that a death in between counts it twice until it has left the window.

#ifndef WEIR_LIB_LIMITS_SHARE_H_
#define WEIR_LIB_LIMITS_SHARE_H_

#include <cstdint>

#include "limits/counter.h"
#include "limits/slots.h"

namespace weir::limits {

// The parts that follow a charge's own counter, in this order.
enum SharePart : uint32_t { kShareNote, kShareUse, kShareActive, kShareHungry, kShareMeek };
inline constexpr uint32_t kShareParts = 5;

// What stands in the note's slot.
struct ShareNote {
  int64_t active_at;
  uint64_t active_weight;  // 0: never
  int64_t hungry_at;
  uint64_t hungry_weight;
};

// Everything of one key's share, locked.
struct Share {
  const Counter* own;
  Counter* sums[kShareParts];  // [kShareNote] is the note
};

// What the key may use in all at this moment, for a request of `cost`.
uint64_t ShareOf(const Spec& spec, const Terms& terms, const Share& share, Now now,
                 const Charge& charge);
// Notes that the key asked, and whether it was turned away.
void NoteDemand(const Spec& spec, const Terms& terms, const Share& share, Now now, uint64_t weight,
                bool refused);

// Books into the common sums; says to which sub-window, and whether as a meek key's.
struct ShareBooking {
  int64_t number;
  bool meek;
};
ShareBooking BookShare(const Spec& spec, const Terms& terms, const Share& share, Now now,
                       uint64_t cost);

}  // namespace weir::limits

#endif  // WEIR_LIB_LIMITS_SHARE_H_

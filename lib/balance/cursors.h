// A pool's cursors in the segment: one credit per member, found by the member's name.
//
// A member keeps its credit for as long as the segment lives, through every reload that still names
// it. There is room for two generations of the largest pool, so the requests that still hold an old
// policy pick from the same credits as those that hold the new one. When room runs out, the names
// bound longest ago give way.

#ifndef WEIR_LIB_BALANCE_CURSORS_H_
#define WEIR_LIB_BALANCE_CURSORS_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/hash.h"
#include "state/spin_lock.h"
#include "weir/balance.h"
#include "weir/state.h"

namespace weir::balance {

inline constexpr uint32_t kCursors = 2 * kMaxMembers;

// The region's layout; all zero is a valid start. Everything but the lock is under it.
struct Cursors {
  alignas(64) state::LockWord lock;
  uint32_t generation;  // counts calls of BindCursors
  uint32_t evictions;   // a change tells pools that places they remember may have changed hands
  int64_t credits[kCursors];
  Hash128 names[kCursors];
  uint32_t bound_in[kCursors];  // the generation that last named it; 0: free
};

// The cursors of the pool `name`. RESOURCE_EXHAUSTED: no room in the segment.
absl::StatusOr<Cursors*> OpenCursors(state::Segment* segment, std::string_view name);

struct Place {
  uint32_t cursor = 0;
  bool fresh = false;  // nobody knew the name: its credit is zero
};

// Finds or makes the cursor of each name. The lock is held. At most kMaxMembers distinct names.
std::vector<Place> BindCursors(Cursors* cursors, absl::Span<const Hash128> names);

}  // namespace weir::balance

#endif  // WEIR_LIB_BALANCE_CURSORS_H_

// One counter as it lies in the segment, and the arithmetic of the algorithms on it.
//
// Sliding window: a ring of sub-windows (ring.h). What was booked in sub-window k is kept until
// sub-window k + kWindowBuckets + 1 begins: only then has all of k left the window (t - window, t]
// for every t there.
//
// Token bucket. What is kept is how much of the bucket is spent, so that all-zero memory is a full
// bucket. It shrinks by floor((elapsed * amount + carry) / window), and the remainder is carried:
// no fraction is ever lost. Spent beyond the size of the bucket is debt. What comes back late may
// only fill the bucket as far as it would be full had it never been taken; for that, the highest
// level of each of the last sub-windows is remembered. Level and carry exist twice, and the lowest
// bit of `clock` says which are true: a new state becomes the present one by one store.
//
// Periods (fixed window, calendar, concurrency): what is settled, the period's end, and the leases:
// a ring of what is reserved by the age of the reservation.
//
// Every function that changes a counter is a sequence of stores that leaves it sound wherever it
// stops, because the process may be killed there: what is given away comes last, what is taken
// comes first.

#ifndef WEIR_LIB_LIMITS_COUNTER_H_
#define WEIR_LIB_LIMITS_COUNTER_H_

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/base/attributes.h"
#include "absl/base/optimization.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "limits/calendar.h"
#include "limits/divider.h"
#include "limits/key_hash.h"
#include "limits/ring.h"
#include "weir/limits.h"

namespace weir::limits {

inline constexpr int kRememberedSums = kWindowBuckets + 1;
inline constexpr int kLeaseParts = 6;

// Times are held within ±73 years of the clock's zero, wall times within ±146, so that differences
// and sums of a few windows never overflow.
inline constexpr int64_t kMaxMonoNs = (int64_t{1} << 61) - 1;
inline constexpr int64_t kMaxUnixNs = (int64_t{1} << 62) - 1;
template <int64_t kMost>
ABSL_ATTRIBUTE_ALWAYS_INLINE inline int64_t ClampTime(int64_t ns) {
  const bool within = static_cast<uint64_t>(ns) + uint64_t{kMost} <= 2 * uint64_t{kMost};
  return ABSL_PREDICT_TRUE(within) ? ns : ns < 0 ? -kMost : kMost;
}
ABSL_ATTRIBUTE_ALWAYS_INLINE inline Now ClampTimes(Now now) {
  return {.mono_ns = ClampTime<kMaxMonoNs>(now.mono_ns),
          .unix_ns = ClampTime<kMaxUnixNs>(now.unix_ns)};
}

// What a request may take at most: the rule's, or an amount of its own.
struct Terms {
  uint64_t amount = 0;
  uint64_t size = 0;  // the amount, or the bucket's burst
};

// A rule, made ready. What every decision reads comes first.
struct alignas(64) Spec {
  Algorithm algorithm = Algorithm::kSlidingWindow;
  bool share = false;
  bool by_wall_clock = false;
  bool leases_end = true;
  uint32_t tag = 0;     // of its counters' slots
  KeyHash::Start keys;  // of its counters
  Terms terms;          // of its own amount
  Divider width;  // of a sub-window; periods: of a lease's; divides nothing when leases do not end
  int64_t window_ns = 0;  // periods: none is longer
  Divider window;
  Divider rate;  // by its own amount
  uint64_t burst = 0;
  uint64_t share_floor = 0;
  int64_t anchor_ns = 0;
  Calendar calendar;
  KeyHash::Start outputs;     // of what its keys' outputs have been
  KeyHash::Start overrides;   // of amounts that are others for a while
  KeyHash::Start share_keys;  // of its share
  Hash128 share_sums[5];
};
// INVALID_ARGUMENT: a time zone that is not known. `hash` is the segment's, and names the counters;
// the tag is left to the caller.
absl::StatusOr<Spec> MakeSpec(const Rule& rule, const KeyHash& hash);
// Of all rules; INVALID_ARGUMENT names the one whose time zone there is not.
absl::StatusOr<std::vector<Spec>> MakeSpecs(absl::Span<const Rule> rules, const KeyHash& hash);
// What shapes a rule's counters in memory: rules of equal names and shapes share counters.
std::string ShapeOf(const Rule& rule);

inline Terms MakeTerms(const Spec& spec, uint64_t amount) {
  const bool bucket = spec.algorithm == Algorithm::kTokenBucket;
  return {amount, bucket && spec.burst != 0 && amount != 0 ? spec.burst : amount};
}

using WindowState = Ring<kRememberedSums>;

struct BucketState {
  int64_t clock;  // when it was refilled, times two, and which copy is true
  struct Level {
    uint64_t spent;
    uint64_t carry;  // in 1/window_ns of a unit
  } levels[2];
  uint64_t peaks[kBucketPeaks];  // highest level seen in a sub-window; 0 = not looked at
};

struct PeriodState {
  int64_t end_ns;  // 0 before the first
  uint64_t settled;
  int64_t earlier_end_ns;  // of the period before, into which a clock may fall back
  uint64_t earlier;
  Ring<kLeaseParts + 1> leases;
};

struct Counter {
  int32_t empty_after;  // from this moment on (ToCoarse), forgetting this counter loses nothing
  uint32_t learned;     // Quantile90
  union {
    WindowState window;
    BucketState bucket;
    PeriodState period;
    uint64_t words[12];
  };
};
static_assert(sizeof(Counter) == 104, "with the table's 24 bytes, a slot is two cache lines");

// Moments of mono_ns in steps of about a second, rounded up; those beyond the last step are never.
constexpr int32_t ToCoarse(int64_t mono_ns) {
  constexpr int kBits = 30;
  const int64_t steps = -(-mono_ns >> kBits);
  return static_cast<int32_t>(std::min<int64_t>(steps, INT32_MAX));
}
constexpr int64_t FromCoarse(int32_t coarse) {
  return coarse == INT32_MAX ? kNever : static_cast<int64_t>(coarse) * (int64_t{1} << 30);
}
inline constexpr int32_t kLongEmpty = INT32_MIN;
inline bool IsIdle(const Counter& counter, Now now) {
  return FromCoarse(counter.empty_after) <= now.mono_ns;
}

// The period of a counter at some time, not yet stored.
struct PeriodSight {
  enum class Change : uint8_t { kNone, kBegins, kFallsBack, kMoves };
  Change change = Change::kNone;
  int64_t end_ns = 0;
  uint64_t settled = 0;
  uint64_t leased = 0;  // reserved and not ended
};

// A counter at one moment: what a decision needs to know of it, worked out once.
struct Sight {
  uint64_t used = 0;   // booked and not yet forgotten
  int64_t number = 0;  // of the sub-window; periods: of the lease's
  uint64_t carry = 0;  // bucket
  PeriodSight period;
};
// What follows is inline, for an algorithm that the caller knows, in arithmetic.h.
Sight Look(const Spec& spec, const Terms& terms, const Counter& counter, Now now);

// Until nothing is used if nothing else is booked; 0 when that is so now. `sight` is of now.
int64_t ResetNs(const Spec& spec, const Terms& terms, const Counter& counter, const Sight& sight,
                Now now);

struct Booking {
  int64_t number = 0;      // of the sub-window it went to
  int64_t period_end = 0;  // of its period
  int64_t reset_ns = 0;    // until nothing is used if nothing else is booked
};
enum class Kind : uint8_t { kKept, kHeld };
// Books `cost`, fit or not; held until it is settled, or kept for good. `sight` is of now.
Booking Book(const Spec& spec, const Terms& terms, Counter& counter, const Sight& sight, Now now,
             uint64_t cost, Kind kind);

// Brings a counter along when the clock has stepped back further than it waits for. A refusal must
// do so too: a counter that only refuses would else wait until the clock has caught up. `sight` is
// of now.
void FollowClock(const Spec& spec, const Terms& terms, Counter& counter, const Sight& sight,
                 Now now);

// What a reservation booked last, when it booked first, and what it has in all.
struct Held {
  int64_t first = 0;
  int64_t number = 0;
  int64_t period_end = 0;
  uint64_t latest = 0;
  uint64_t reserved = 0;
};
// Replaces it by what was used.
void Settle(const Spec& spec, const Terms& terms, Counter& counter, Now now, const Held& held,
            uint64_t used);
// Books `more` on top of it. Leases begin anew, so all of it is the latest booking then.
void Extend(const Spec& spec, const Terms& terms, Counter& counter, Now now, uint64_t more,
            Held& held);

}  // namespace weir::limits

#endif  // WEIR_LIB_LIMITS_COUNTER_H_

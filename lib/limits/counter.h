// One counter as it lies in the segment, and the arithmetic of the two algorithms on it.
//
// Sliding window. Time is cut into sub-windows of ceil(window / kWindowBuckets). What was booked in
// sub-window k is kept as one sum until sub-window k + kWindowBuckets + 1 begins: only then has all
// of k left the window (t - window, t] for every t there. So kWindowBuckets + 1 sums are
// remembered.
//
// Token bucket. What is kept is how much of the bucket is spent, so that all-zero memory is a full
// bucket. It shrinks by floor((elapsed * amount + carry) / window), and the remainder is carried:
// no fraction is ever lost. Spent beyond the size of the bucket is debt. What comes back late may
// only fill the bucket as far as it would be full had it never been taken; for that, the highest
// level of each of the last sub-windows is remembered.
//
// A clock that steps back: up to one window, a counter stands still until the clock has caught up;
// further, the counter goes on from the new time as if none had passed.
//
// Functions that take a const Counter change nothing; the others are the commit.

#ifndef WEIR_LIB_LIMITS_COUNTER_H_
#define WEIR_LIB_LIMITS_COUNTER_H_

#include <cstdint>

#include "weir/limits.h"

namespace weir::limits {

inline constexpr int kRememberedSums = kWindowBuckets + 1;

// Times are held within ±146 years, so that differences and sums of a few windows never overflow.
inline constexpr int64_t kMaxTimeNs = (int64_t{1} << 62) - 1;
int64_t ClampTime(int64_t mono_ns);

// A rule, made ready.
struct Spec {
  Algorithm algorithm = Algorithm::kSlidingWindow;
  uint64_t amount = 0;
  uint64_t size = 0;  // what fits at most: the amount, or the bucket's burst
  int64_t window_ns = 0;
  int64_t width_ns = 0;   // of a sub-window
  uint64_t key_seed = 0;  // of the hash of this rule's keys
};
Spec MakeSpec(const Rule& rule, uint64_t seed);

struct WindowState {
  int64_t head;    // number of the newest sub-window
  uint64_t total;  // of all sums
  uint64_t sums[kRememberedSums];
};

struct BucketState {
  int64_t refilled_ns;
  uint64_t spent;
  uint64_t carry;                  // in 1/window_ns of a unit
  uint64_t peaks[kWindowBuckets];  // highest level seen in a sub-window; 0 = not looked at
};

struct Counter {
  int64_t empty_at_ns;  // from then on, forgetting this counter loses nothing
  uint64_t learned;     // Quantile90
  union {
    WindowState window;
    BucketState bucket;
  };
};
static_assert(sizeof(Counter) == 232, "with the table's 24 bytes, a slot is four cache lines");

// What is booked and not yet forgotten.
uint64_t Used(const Spec& spec, const Counter& counter, int64_t now_ns);

// The shortest wait after which `cost` fits if nothing else is booked; kNever when it can not.
int64_t RetryAfterNs(const Spec& spec, const Counter& counter, int64_t now_ns, uint64_t cost);

// Until nothing is used if nothing else is booked.
int64_t ResetNs(const Spec& spec, const Counter& counter, int64_t now_ns);

struct Booking {
  int64_t number = 0;    // of the sub-window it went to
  int64_t reset_ns = 0;  // ResetNs afterwards
};
// Books `cost`, fit or not.
Booking Book(const Spec& spec, Counter& counter, int64_t now_ns, uint64_t cost);

// Gives back `unused` of what was booked in sub-window `booked_at`, if that is still remembered.
void Refund(const Spec& spec, Counter& counter, int64_t now_ns, int64_t booked_at, uint64_t unused);

}  // namespace weir::limits

#endif  // WEIR_LIB_LIMITS_COUNTER_H_

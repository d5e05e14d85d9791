// What happens on every decision, inline: looking at a counter, the waits, and booking. Each takes
// the algorithm beside the spec that has it: where the caller knows it, all others are compiled
// away. Inlining is demanded where a small struct through memory would cost as much as the
// arithmetic.

#ifndef WEIR_LIB_LIMITS_ARITHMETIC_H_
#define WEIR_LIB_LIMITS_ARITHMETIC_H_

#include <algorithm>
#include <cstdint>

#include "absl/base/attributes.h"
#include "absl/base/optimization.h"
#include "base/saturating.h"
#include "limits/bucket.h"
#include "limits/counter.h"
#include "limits/period.h"

namespace weir::limits {

// Notes from when on nothing is lost by forgetting the counter.
inline void NoteEmpty(Counter& counter, Now now, int64_t reset_ns) {
  counter.empty_after = reset_ns == 0 ? kLongEmpty : ToCoarse(SaturatingAdd(now.mono_ns, reset_ns));
}

ABSL_ATTRIBUTE_ALWAYS_INLINE inline Sight LookAs(Algorithm algorithm, const Spec& spec,
                                                 const Terms& terms, const Counter& counter,
                                                 Now now) {
  Sight sight;
  if (algorithm == Algorithm::kSlidingWindow) {
    sight.number = spec.width.Floor(now.mono_ns);
    sight.used = counter.window.Total(sight.number);
  } else if (algorithm == Algorithm::kTokenBucket) {
    const BucketState::Level level = BucketLevel(spec, terms, counter.bucket, now.mono_ns);
    sight.used = level.spent;
    sight.carry = level.carry;
  } else {
    sight.number = LeaseNumber(spec, now);
    sight.period = LookAtPeriod(spec, counter.period, now, sight.number);
    sight.used = sight.period.settled + sight.period.leased;
  }
  return sight;
}

// Until at most `keep` is used, while more is now.
ABSL_ATTRIBUTE_ALWAYS_INLINE inline int64_t WaitForAs(Algorithm algorithm, const Spec& spec,
                                                      const Terms& terms, const Counter& counter,
                                                      const Sight& sight, Now now, uint64_t keep) {
  if (algorithm == Algorithm::kSlidingWindow) {
    const int64_t number = counter.window.NumberWithAtMost(keep, sight.number, sight.used);
    return number * static_cast<int64_t>(spec.width.divisor()) - now.mono_ns;
  }
  if (algorithm == Algorithm::kTokenBucket) {
    const int64_t refilled_ns = BucketLevelAt(spec, counter.bucket, now.mono_ns);
    return BucketWaitNs(spec, terms, {sight.used, sight.carry}, refilled_ns, now.mono_ns, keep);
  }
  return PeriodWaitNs(spec, counter.period, sight.period, sight.number, now, keep);
}

// Until sub-window `later` begins, when it is `number` now.
inline int64_t WindowWaitNs(const Spec& spec, int64_t later, int64_t number, Now now) {
  if (later == number) return 0;
  return later * static_cast<int64_t>(spec.width.divisor()) - now.mono_ns;
}

// Until nothing is used; 0 when that is so now. Of a window, `sight` need not know what is.
ABSL_ATTRIBUTE_ALWAYS_INLINE inline int64_t ResetAs(Algorithm algorithm, const Spec& spec,
                                                    const Terms& terms, const Counter& counter,
                                                    const Sight& sight, Now now) {
  if (algorithm == Algorithm::kSlidingWindow) {
    return WindowWaitNs(spec, counter.window.EmptyFrom(sight.number), sight.number, now);
  }
  if (sight.used == 0) return 0;
  return WaitForAs(algorithm, spec, terms, counter, sight, now, 0);
}

// The shortest wait after which `cost` fits if nothing else is booked; kNever when it can not.
ABSL_ATTRIBUTE_ALWAYS_INLINE inline int64_t RetryAs(Algorithm algorithm, const Spec& spec,
                                                    const Terms& terms, const Counter& counter,
                                                    const Sight& sight, Now now, uint64_t cost) {
  if (cost > terms.size) return kNever;
  if (sight.used <= terms.size - cost) return 0;
  const int64_t wait = WaitForAs(algorithm, spec, terms, counter, sight, now, terms.size - cost);
  return algorithm == Algorithm::kConcurrency ? std::min(wait, kPlaceWaitNs) : wait;
}

// Has the clock stepped back further than the counter waits for? `sight` is of now.
ABSL_ATTRIBUTE_ALWAYS_INLINE inline bool ClockIsBehindAs(Algorithm algorithm, const Spec& spec,
                                                         const Counter& counter, const Sight& sight,
                                                         Now now) {
  if (algorithm == Algorithm::kSlidingWindow) {
    return counter.window.head - sight.number >= kRememberedSums;
  }
  if (algorithm == Algorithm::kTokenBucket) {
    return bucket_internal::ClockIsNew(spec, counter.bucket, now.mono_ns);
  }
  using Change = PeriodSight::Change;
  return sight.period.change == Change::kFallsBack || sight.period.change == Change::kMoves;
}

ABSL_ATTRIBUTE_ALWAYS_INLINE inline Booking BookAs(Algorithm algorithm, const Spec& spec,
                                                   const Terms& terms, Counter& counter,
                                                   const Sight& sight, Now now, uint64_t cost,
                                                   Kind kind) {
  Booking booking;
  if (algorithm == Algorithm::kSlidingWindow) {
    const WindowState::Added added = counter.window.Add(sight.number, cost);
    booking.number = added.number;
    booking.reset_ns = WindowWaitNs(spec, added.empty_from, sight.number, now);
  } else if (algorithm == Algorithm::kTokenBucket) {
    const auto present =
        BucketBook(spec, terms, counter.bucket, now.mono_ns, cost, {sight.used, sight.carry});
    booking.number = present.number;
    booking.reset_ns = BucketResetNs(spec, terms, present, now.mono_ns);
  } else {
    Sight after = sight;
    booking.number = PeriodBook(algorithm, counter.period, cost, kind, &after);
    booking.period_end = after.period.end_ns;
    booking.reset_ns = ResetAs(algorithm, spec, terms, counter, after, now);
  }
  NoteEmpty(counter, now, booking.reset_ns);
  return booking;
}

// Gives back what was booked to sub-window `number` of a window or a bucket. Returns the wait until
// nothing is used.
ABSL_ATTRIBUTE_ALWAYS_INLINE inline int64_t RefundAs(Algorithm algorithm, const Spec& spec,
                                                     const Terms& terms, Counter& counter, Now now,
                                                     int64_t number, uint64_t unused) {
  if (algorithm == Algorithm::kSlidingWindow) {
    const bool some_left = counter.window.Remove(number, unused);
    const int64_t newest = counter.window.head;
    const int64_t present = spec.width.Floor(now.mono_ns);
    // Where something is left in the newest sub-window of the present, that is the last to go.
    const bool usual = some_left && number == newest && newest == present;
    const int64_t empty =
        ABSL_PREDICT_TRUE(usual) ? newest + kRememberedSums : counter.window.EmptyFrom(present);
    return WindowWaitNs(spec, empty, present, now);
  }
  const auto present = BucketRefund(spec, terms, counter.bucket, now.mono_ns, number, unused);
  return BucketResetNs(spec, terms, present, now.mono_ns);
}

// Replaces what is held by what was used.
ABSL_ATTRIBUTE_ALWAYS_INLINE inline void SettleAs(Algorithm algorithm, const Spec& spec,
                                                  const Terms& terms, Counter& counter, Now now,
                                                  const Held& held, uint64_t used) {
  int64_t reset_ns = 0;
  if (algorithm > Algorithm::kTokenBucket) {
    PeriodSettle(spec, counter.period, now, held, used);
    const Sight after = LookAs(algorithm, spec, terms, counter, now);
    reset_ns = ResetAs(algorithm, spec, terms, counter, after, now);
  } else if (used > held.reserved) {
    const Sight sight = LookAs(algorithm, spec, terms, counter, now);
    BookAs(algorithm, spec, terms, counter, sight, now, used - held.reserved, Kind::kKept);
    return;
  } else if (used == held.reserved) {
    return;
  } else {
    // From the last booking first. What was booked between the first and the last is given back to
    // the first: it is forgotten sooner, so what stays is never too little.
    const uint64_t unused = held.reserved - used;
    const uint64_t last = std::min(unused, held.latest);
    reset_ns = RefundAs(algorithm, spec, terms, counter, now, held.number, last);
    if (ABSL_PREDICT_FALSE(unused != last)) {
      reset_ns = RefundAs(algorithm, spec, terms, counter, now, held.first, unused - last);
    }
  }
  NoteEmpty(counter, now, reset_ns);
}

}  // namespace weir::limits

#endif  // WEIR_LIB_LIMITS_ARITHMETIC_H_

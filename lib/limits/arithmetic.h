// What happens on every decision, inline: looking at a counter, the waits, and booking. Inlining is
// demanded where a small struct through memory would cost as much as the arithmetic.

#ifndef WEIR_LIB_LIMITS_ARITHMETIC_H_
#define WEIR_LIB_LIMITS_ARITHMETIC_H_

#include <algorithm>
#include <cstdint>

#include "absl/base/attributes.h"
#include "base/saturating.h"
#include "limits/bucket.h"
#include "limits/counter.h"
#include "limits/period.h"

namespace weir::limits {

// Notes from when on nothing is lost by forgetting the counter.
inline void NoteEmpty(Counter& counter, Now now, int64_t reset_ns) {
  counter.empty_after = reset_ns == 0 ? kLongEmpty : ToCoarse(SaturatingAdd(now.mono_ns, reset_ns));
}

ABSL_ATTRIBUTE_ALWAYS_INLINE inline Sight Look(const Spec& spec, const Terms& terms,
                                               const Counter& counter, Now now) {
  switch (spec.algorithm) {
    case Algorithm::kSlidingWindow: {
      const int64_t number = spec.width.Floor(now.mono_ns);
      return {counter.window.Total(number), number, 0};
    }
    case Algorithm::kTokenBucket: {
      const BucketState::Level level = BucketLevel(spec, terms, counter.bucket, now.mono_ns);
      return {level.spent, 0, level.carry};
    }
    default:
      return {PeriodUsed(spec, counter.period, now), 0, 0};
  }
}

inline int64_t WaitNs(const Spec& spec, const Terms& terms, const Counter& counter,
                      const Sight& sight, Now now, uint64_t keep) {
  if (sight.used <= keep) return 0;
  switch (spec.algorithm) {
    case Algorithm::kSlidingWindow:
      return counter.window.NumberWithAtMost(keep, sight.number) *
                 static_cast<int64_t>(spec.width.divisor()) -
             now.mono_ns;
    case Algorithm::kTokenBucket:
      return BucketWaitNs(spec, terms, counter.bucket, {sight.used, sight.carry}, now.mono_ns,
                          keep);
    default:
      return PeriodWaitNs(spec, counter.period, now, keep);
  }
}

inline int64_t RetryAfterNs(const Spec& spec, const Terms& terms, const Counter& counter,
                            const Sight& sight, Now now, uint64_t cost) {
  if (cost > terms.size) return kNever;
  const int64_t wait = WaitNs(spec, terms, counter, sight, now, terms.size - cost);
  return spec.algorithm == Algorithm::kConcurrency ? std::min(wait, kPlaceWaitNs) : wait;
}

ABSL_ATTRIBUTE_ALWAYS_INLINE inline Booking Book(const Spec& spec, const Terms& terms,
                                                 Counter& counter, const Sight& sight, Now now,
                                                 uint64_t cost, Kind kind) {
  Booking booking;
  Sight after = sight;
  switch (spec.algorithm) {
    case Algorithm::kSlidingWindow:
      booking.number = counter.window.Add(sight.number, cost);
      after.used = SaturatingAdd(sight.used, cost);
      break;
    case Algorithm::kTokenBucket: {
      BucketState::Level level{sight.used, sight.carry};
      booking.number = BucketBook(spec, terms, counter.bucket, now.mono_ns, cost, &level);
      after.used = level.spent;
      break;
    }
    default:
      booking = PeriodBook(spec, counter.period, now, cost, kind);
      after.used = SaturatingAdd(sight.used, cost);
      break;
  }
  booking.reset_ns = WaitNs(spec, terms, counter, after, now, 0);
  NoteEmpty(counter, now, booking.reset_ns);
  return booking;
}

}  // namespace weir::limits

#endif  // WEIR_LIB_LIMITS_ARITHMETIC_H_

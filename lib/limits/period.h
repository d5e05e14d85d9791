// Fixed windows, calendar periods and concurrency: the periods of counter.h.

#ifndef WEIR_LIB_LIMITS_PERIOD_H_
#define WEIR_LIB_LIMITS_PERIOD_H_

#include <algorithm>
#include <cstdint>

#include "absl/base/attributes.h"
#include "base/saturating.h"
#include "limits/counter.h"

namespace weir::limits {

namespace period_internal {

// Two readings of the wall clock may differ by this much without one of them being wrong.
inline constexpr int64_t kWallSkewNs = kMinute;

inline int64_t ClockOf(const Spec& spec, Now now) {
  return spec.by_wall_clock ? now.unix_ns : now.mono_ns;
}

// The clock had strayed ahead: what was booked meanwhile belongs to the period that goes on.
inline bool FallsBack(const Spec& spec, const PeriodState& period, int64_t clock) {
  return spec.by_wall_clock && period.earlier_end_ns != 0 &&
         period.earlier_end_ns <= period.end_ns && clock < period.earlier_end_ns - kWallSkewNs;
}

// Is the period one that just goes on?
inline bool GoesOn(const Spec& spec, const PeriodState& period, int64_t clock) {
  const int64_t end = period.end_ns;
  if (end == kNever) return true;
  return end != 0 && clock < end && !FallsBack(spec, period, clock) &&
         end - clock <= 2 * spec.window_ns;
}

// Of one that does not.
PeriodSight LookAtChange(const Spec& spec, const PeriodState& period, Now now,
                         int64_t lease_number);
void StoreChange(PeriodState& period, const PeriodSight& sight);

inline void AddSettled(PeriodState& period, uint64_t amount) {
  StoreInOrder(period.settled, std::min(SaturatingAdd(period.settled, amount), kMaxSum));
}

}  // namespace period_internal

inline int64_t LeaseNumber(const Spec& spec, Now now) {
  return spec.leases_end ? spec.width.Floor(now.mono_ns) : 0;
}

ABSL_ATTRIBUTE_ALWAYS_INLINE inline PeriodSight LookAtPeriod(const Spec& spec,
                                                             const PeriodState& period, Now now,
                                                             int64_t lease_number) {
  if (!period_internal::GoesOn(spec, period, period_internal::ClockOf(spec, now))) {
    return period_internal::LookAtChange(spec, period, now, lease_number);
  }
  return {PeriodSight::Change::kNone, period.end_ns, period.settled,
          period.leases.Total(lease_number)};
}

// Until at most `keep` is used, while more is now.
inline int64_t PeriodWaitNs(const Spec& spec, const PeriodState& period, const PeriodSight& sight,
                            int64_t lease_number, Now now, uint64_t keep) {
  const int64_t until_end =
      sight.end_ns == kNever ? kNever : sight.end_ns - period_internal::ClockOf(spec, now);
  if (sight.settled > keep || !spec.leases_end) return until_end;
  const int64_t number =
      period.leases.NumberWithAtMost(keep - sight.settled, lease_number, sight.leased);
  const int64_t until_lease = number * static_cast<int64_t>(spec.width.divisor()) - now.mono_ns;
  return std::min(until_end, until_lease);
}

// Books on top of `sight`, which is that of now, and brings it up to date. Returns the number of
// the lease's sub-window.
ABSL_ATTRIBUTE_ALWAYS_INLINE inline int64_t PeriodBook(Algorithm algorithm, PeriodState& period,
                                                       uint64_t cost, Kind kind, Sight* sight) {
  if (sight->period.change != PeriodSight::Change::kNone) {
    period_internal::StoreChange(period, sight->period);
    sight->period.change = PeriodSight::Change::kNone;
    sight->period.settled = period.settled;
  }
  int64_t number = 0;
  if (kind == Kind::kHeld || algorithm == Algorithm::kConcurrency) {
    number = period.leases.Add(sight->number, cost).number;
    sight->period.leased = SaturatingAdd(sight->period.leased, cost);
  } else {
    period_internal::AddSettled(period, cost);
    sight->period.settled = period.settled;
  }
  sight->used = sight->period.settled + sight->period.leased;
  return number;
}

void PeriodSettle(const Spec& spec, PeriodState& period, Now now, const Held& held, uint64_t used);
void PeriodExtend(const Spec& spec, PeriodState& period, Now now, uint64_t more, Held& held);

}  // namespace weir::limits

#endif  // WEIR_LIB_LIMITS_PERIOD_H_

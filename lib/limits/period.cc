#include "limits/period.h"

#include <algorithm>

#include "base/saturating.h"

namespace weir::limits {
namespace {

int64_t EndOf(const Spec& spec, Now now) {
  switch (spec.algorithm) {
    case Algorithm::kCalendar:
      return spec.calendar.At(now.unix_ns).end_ns;
    case Algorithm::kFixedWindow:
      if (!spec.by_wall_clock) return now.mono_ns + spec.window_ns;
      return spec.anchor_ns +
             (spec.window.Floor(now.unix_ns - spec.anchor_ns) + 1) * spec.window_ns;
    default:
      return kNever;  // places are taken and freed without end
  }
}

}  // namespace

namespace period_internal {

PeriodSight LookAtChange(const Spec& spec, const PeriodState& period, Now now,
                         int64_t lease_number) {
  using Change = PeriodSight::Change;
  const int64_t end = period.end_ns;
  PeriodSight sight{Change::kMoves, EndOf(spec, now), period.settled, 0};
  if (end == 0 || ClockOf(spec, now) >= end) {
    // Back in the period that a clock had left for the far past: it goes on.
    const bool back = end != 0 && sight.end_ns == period.earlier_end_ns &&
                      sight.end_ns - end > 2 * spec.window_ns;
    if (!back) {
      sight.change = Change::kBegins;
      if (end != 0) {
        sight.settled = 0;
        return sight;
      }
    }
  } else if (FallsBack(spec, period, ClockOf(spec, now))) {
    sight.change = Change::kFallsBack;
    sight.settled = SaturatingAdd(period.earlier, period.settled);
  }
  // Else it ends far more than a period from now: the clock has stepped back, and the period goes
  // on from there.
  sight.leased = period.leases.Total(lease_number);
  return sight;
}

void StoreChange(PeriodState& period, const PeriodSight& sight) {
  switch (sight.change) {
    case PeriodSight::Change::kNone:
      return;
    case PeriodSight::Change::kBegins:
      StoreInOrder(period.earlier_end_ns, period.end_ns);
      StoreInOrder(period.earlier, period.settled);
      // The old count goes before the new period comes: dying in between must lock nobody out.
      StoreInOrder(period.settled, uint64_t{0});
      if (period.end_ns != 0) {
        for (uint64_t& sum : period.leases.sums) StoreInOrder(sum, uint64_t{0});
      }
      break;
    case PeriodSight::Change::kFallsBack:
      StoreInOrder(period.settled, sight.settled);
      StoreInOrder(period.earlier_end_ns, int64_t{0});
      StoreInOrder(period.earlier, uint64_t{0});
      break;
    case PeriodSight::Change::kMoves:
      StoreInOrder(period.earlier, uint64_t{0});
      StoreInOrder(period.earlier_end_ns, period.end_ns);
      break;
  }
  StoreInOrder(period.end_ns, sight.end_ns);
}

}  // namespace period_internal

void PeriodSettle(const Spec& spec, PeriodState& period, Now now, const Held& held, uint64_t used) {
  period_internal::StoreChange(period, LookAtPeriod(spec, period, now, LeaseNumber(spec, now)));
  if (held.period_end != period.end_ns) {
    // It was booked in a period that is over; what exceeded it is news of this one.
    period_internal::AddSettled(period, used > held.reserved ? used - held.reserved : 0);
    return;
  }
  if (spec.algorithm != Algorithm::kConcurrency) period_internal::AddSettled(period, used);
  // Only now: dying in between leaves it counted twice until the lease is over, never not at all.
  period.leases.Remove(held.number, held.reserved);
}

void PeriodExtend(const Spec& spec, PeriodState& period, Now now, uint64_t more, Held& held) {
  Sight sight;
  sight.number = LeaseNumber(spec, now);
  sight.period = LookAtPeriod(spec, period, now, sight.number);
  const uint64_t all = SaturatingAdd(held.reserved, more);
  const int64_t number = PeriodBook(spec.algorithm, period, all, Kind::kHeld, &sight);
  if (held.period_end == sight.period.end_ns) period.leases.Remove(held.number, held.reserved);
  held.reserved = held.latest = all;
  held.number = number;
  held.period_end = sight.period.end_ns;
}

}  // namespace weir::limits

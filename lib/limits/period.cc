#include "limits/period.h"

#include <algorithm>

#include "base/saturating.h"

namespace weir::limits {
namespace {

// Two readings of the wall clock may differ by this much without one of them being wrong.
constexpr int64_t kWallSkewNs = kMinute;

int64_t ClockOf(const Spec& spec, Now now) {
  return spec.by_wall_clock ? now.unix_ns : now.mono_ns;
}

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

// The period as it is at some time, not yet stored.
struct Present {
  enum class Change : uint8_t { kNone, kBegins, kFallsBack, kMoves } change;
  int64_t end_ns;
  uint64_t settled;
};

Present Look(const Spec& spec, const PeriodState& period, Now now) {
  const int64_t clock = ClockOf(spec, now);
  const int64_t end = period.end_ns;
  if (end == 0 || clock >= end) {
    if (end == kNever) return {Present::Change::kNone, end, period.settled};
    const int64_t next = EndOf(spec, now);
    // Back in the period that a clock had left for the far past: it goes on.
    if (end != 0 && next == period.earlier_end_ns && next - end > 2 * spec.window_ns) {
      return {Present::Change::kMoves, next, period.settled};
    }
    return {Present::Change::kBegins, next, end == 0 ? period.settled : 0};
  }
  if (end == kNever) return {Present::Change::kNone, end, period.settled};
  if (spec.by_wall_clock && period.earlier_end_ns != 0 && period.earlier_end_ns <= end &&
      clock < period.earlier_end_ns - kWallSkewNs) {
    // The clock had strayed ahead: what was booked meanwhile belongs to the period that goes on.
    return {Present::Change::kFallsBack, EndOf(spec, now),
            SaturatingAdd(period.earlier, period.settled)};
  }
  // Far more than a period: the clock has stepped back, and the period goes on from there.
  if (end - clock > 2 * spec.window_ns)
    return {Present::Change::kMoves, EndOf(spec, now), period.settled};
  return {Present::Change::kNone, end, period.settled};
}

int64_t LeaseNumber(const Spec& spec, Now now) {
  return spec.leases_end ? spec.width.Floor(now.mono_ns) : 0;
}

uint64_t LeasedIn(const Spec& spec, const PeriodState& period, const Present& present, Now now) {
  if (present.change == Present::Change::kBegins && period.end_ns != 0) return 0;
  return period.leases.Total(LeaseNumber(spec, now));
}

void Store(PeriodState& period, const Present& present) {
  switch (present.change) {
    case Present::Change::kNone:
      return;
    case Present::Change::kBegins:
      StoreInOrder(period.earlier_end_ns, period.end_ns);
      StoreInOrder(period.earlier, period.settled);
      // The old count goes before the new period comes: dying in between must lock nobody out.
      StoreInOrder(period.settled, uint64_t{0});
      if (period.end_ns != 0) {
        for (uint64_t& sum : period.leases.sums) StoreInOrder(sum, uint64_t{0});
      }
      break;
    case Present::Change::kFallsBack:
      StoreInOrder(period.settled, present.settled);
      StoreInOrder(period.earlier_end_ns, int64_t{0});
      StoreInOrder(period.earlier, uint64_t{0});
      break;
    case Present::Change::kMoves:
      StoreInOrder(period.earlier, uint64_t{0});
      StoreInOrder(period.earlier_end_ns, period.end_ns);
      break;
  }
  StoreInOrder(period.end_ns, present.end_ns);
}

void AddSettled(PeriodState& period, uint64_t amount) {
  StoreInOrder(period.settled, std::min(SaturatingAdd(period.settled, amount), kMaxSum));
}

}  // namespace

uint64_t PeriodUsed(const Spec& spec, const PeriodState& period, Now now) {
  const Present present = Look(spec, period, now);
  return present.settled + LeasedIn(spec, period, present, now);
}

uint64_t PeriodLeased(const Spec& spec, const PeriodState& period, Now now) {
  return LeasedIn(spec, period, Look(spec, period, now), now);
}

bool PeriodIsAhead(const Spec& spec, const PeriodState& period, Now now) {
  const Present::Change change = Look(spec, period, now).change;
  return change == Present::Change::kFallsBack || change == Present::Change::kMoves;
}

int64_t PeriodWaitNs(const Spec& spec, const PeriodState& period, Now now, uint64_t keep) {
  const Present present = Look(spec, period, now);
  const uint64_t leased = LeasedIn(spec, period, present, now);
  if (present.settled + leased <= keep) return 0;
  const int64_t until_end = present.end_ns == kNever ? kNever : present.end_ns - ClockOf(spec, now);
  if (present.settled > keep || !spec.leases_end) return until_end;
  const int64_t number =
      period.leases.NumberWithAtMost(keep - present.settled, LeaseNumber(spec, now));
  const int64_t until_lease = number * static_cast<int64_t>(spec.width.divisor()) - now.mono_ns;
  return std::min(until_end, until_lease);
}

Booking PeriodBook(const Spec& spec, PeriodState& period, Now now, uint64_t cost, Kind kind) {
  const Present present = Look(spec, period, now);
  Store(period, present);
  Booking booking;
  booking.period_end = present.end_ns;
  if (kind == Kind::kHeld || spec.algorithm == Algorithm::kConcurrency) {
    booking.number = period.leases.Add(LeaseNumber(spec, now), cost);
  } else {
    AddSettled(period, cost);
  }
  return booking;
}

void PeriodSettle(const Spec& spec, PeriodState& period, Now now, const Held& held, uint64_t used) {
  Store(period, Look(spec, period, now));
  if (held.period_end != period.end_ns) {
    // It was booked in a period that is over; what exceeded it is news of this one.
    AddSettled(period, used > held.reserved ? used - held.reserved : 0);
    return;
  }
  if (spec.algorithm != Algorithm::kConcurrency) AddSettled(period, used);
  // Only now: dying in between leaves it counted twice until the lease is over, never not at all.
  period.leases.Remove(held.number, held.reserved);
}

void PeriodExtend(const Spec& spec, PeriodState& period, Now now, uint64_t more, Held& held) {
  const Booking booking =
      PeriodBook(spec, period, now, SaturatingAdd(held.reserved, more), Kind::kHeld);
  if (held.period_end == booking.period_end) period.leases.Remove(held.number, held.reserved);
  held.reserved = SaturatingAdd(held.reserved, more);
  held.latest = held.reserved;
  held.number = booking.number;
  held.period_end = booking.period_end;
}

}  // namespace weir::limits

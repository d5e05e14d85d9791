// Fixed windows, calendar periods and concurrency: the periods of counter.h.

#ifndef WEIR_LIB_LIMITS_PERIOD_H_
#define WEIR_LIB_LIMITS_PERIOD_H_

#include <cstdint>

#include "limits/counter.h"

namespace weir::limits {

uint64_t PeriodUsed(const Spec& spec, const PeriodState& period, Now now);
uint64_t PeriodLeased(const Spec& spec, const PeriodState& period, Now now);
// Has the clock stepped back so far that the period is not that of now?
bool PeriodIsAhead(const Spec& spec, const PeriodState& period, Now now);
// Until at most `keep` is used; 0 when that is so now.
int64_t PeriodWaitNs(const Spec& spec, const PeriodState& period, Now now, uint64_t keep);
// Books; `reset_ns` is left alone.
Booking PeriodBook(const Spec& spec, PeriodState& period, Now now, uint64_t cost, Kind kind);
void PeriodSettle(const Spec& spec, PeriodState& period, Now now, const Held& held, uint64_t used);
void PeriodExtend(const Spec& spec, PeriodState& period, Now now, uint64_t more, Held& held);

}  // namespace weir::limits

#endif  // WEIR_LIB_LIMITS_PERIOD_H_

// Calendar periods: where they end, in any time zone.
//
// A period begins at the first moment of its civil time: the first of two midnights when clocks go
// back over it, the moment of the change when they skip it. The moments of all periods of a kind,
// in order, cut time without gap or overlap, whatever the zone does: where the local time repeats,
// the period of a moment is the one whose boundaries hold it, not the one its civil time names.
//
// Threads: immutable. Cost: some hundred nanoseconds, so counters keep the end that they were told.

#ifndef WEIR_LIB_LIMITS_CALENDAR_H_
#define WEIR_LIB_LIMITS_CALENDAR_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "weir/limits.h"

namespace weir::limits {

class Calendar {
 public:
  // `time_zone` is an IANA name; empty is UTC. `week_start`: 1 = Monday … 7 = Sunday.
  // INVALID_ARGUMENT: a zone that the system's time-zone data does not have.
  static absl::StatusOr<Calendar> Make(Period period, const std::string& time_zone, int week_start);

  // The period that holds `unix_ns`: it begins at `start_ns` and ends before `end_ns`.
  struct Span {
    int64_t start_ns, end_ns;
  };
  Span At(int64_t unix_ns) const;

  // No period is longer.
  int64_t longest_ns() const;

 private:
  // Whole civil seconds; periods are stepped through by their first one.
  absl::CivilSecond FirstSecond(absl::CivilSecond second) const;
  absl::CivilSecond Step(absl::CivilSecond first, int periods) const;
  int64_t MomentNs(absl::CivilSecond second) const;

  Period period_ = Period::kMonth;
  absl::TimeZone zone_;
  absl::Weekday week_start_ = absl::Weekday::monday;
};

}  // namespace weir::limits

#endif  // WEIR_LIB_LIMITS_CALENDAR_H_

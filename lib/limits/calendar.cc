#include "limits/calendar.h"

#include <limits>
#include <string>

#include "absl/status/status.h"
#include "base/text.h"

namespace weir::limits {
namespace {

constexpr int64_t kNeverEnds = std::numeric_limits<int64_t>::max();

}  // namespace

absl::StatusOr<Calendar> Calendar::Make(Period period, const std::string& time_zone,
                                        int week_start) {
  Calendar calendar;
  calendar.period_ = period;
  calendar.zone_ = absl::UTCTimeZone();
  calendar.week_start_ = static_cast<absl::Weekday>(week_start - 1);
  if (!time_zone.empty() && !absl::LoadTimeZone(time_zone, &calendar.zone_)) {
    return absl::InvalidArgumentError(
        Concat({"\"", time_zone,
                "\" is no time zone that this system knows: an IANA name such as Europe/Berlin is "
                "wanted, and the system's time-zone data (tzdata) must be installed"}));
  }
  return calendar;
}

absl::CivilSecond Calendar::FirstSecond(absl::CivilSecond second) const {
  switch (period_) {
    case Period::kHour:
      return absl::CivilSecond(absl::CivilHour(second));
    case Period::kDay:
      return absl::CivilSecond(absl::CivilDay(second));
    case Period::kWeek:
      return absl::CivilSecond(absl::PrevWeekday(absl::CivilDay(second) + 1, week_start_));
    case Period::kMonth:
      return absl::CivilSecond(absl::CivilMonth(second));
    case Period::kQuarter:
      return absl::CivilSecond(absl::CivilMonth(second.year(), (second.month() - 1) / 3 * 3 + 1));
    case Period::kYear:
    case Period::kLifetime:
      break;
  }
  return absl::CivilSecond(absl::CivilYear(second));
}

absl::CivilSecond Calendar::Step(absl::CivilSecond first, int periods) const {
  switch (period_) {
    case Period::kHour:
      return absl::CivilSecond(absl::CivilHour(first) + periods);
    case Period::kDay:
      return absl::CivilSecond(absl::CivilDay(first) + periods);
    case Period::kWeek:
      return absl::CivilSecond(absl::CivilDay(first) + 7 * periods);
    case Period::kMonth:
      return absl::CivilSecond(absl::CivilMonth(first) + periods);
    case Period::kQuarter:
      return absl::CivilSecond(absl::CivilMonth(first) + 3 * periods);
    case Period::kYear:
    case Period::kLifetime:
      break;
  }
  return absl::CivilSecond(absl::CivilYear(first) + periods);
}

int64_t Calendar::MomentNs(absl::CivilSecond second) const {
  const absl::TimeZone::TimeInfo info = zone_.At(second);
  const absl::Time moment = info.kind == absl::TimeZone::TimeInfo::SKIPPED ? info.trans : info.pre;
  return absl::ToUnixNanos(moment);
}

Calendar::Span Calendar::At(int64_t unix_ns) const {
  if (period_ == Period::kLifetime) return {std::numeric_limits<int64_t>::min(), kNeverEnds};
  absl::CivilSecond first = FirstSecond(zone_.At(absl::FromUnixNanos(unix_ns)).cs);
  int64_t start_ns = MomentNs(first);
  while (start_ns > unix_ns) {
    first = Step(first, -1);
    start_ns = MomentNs(first);
  }
  int64_t end_ns = MomentNs(Step(first, 1));
  // In repeated local time, and where a whole period was skipped.
  while (end_ns <= unix_ns) {
    first = Step(first, 1);
    start_ns = end_ns;
    end_ns = MomentNs(Step(first, 1));
  }
  return {start_ns, end_ns};
}

int64_t Calendar::longest_ns() const {
  switch (period_) {
    case Period::kHour:
      return 4 * kHour;
    case Period::kDay:
      return 3 * kDay;
    case Period::kWeek:
      return 9 * kDay;
    case Period::kMonth:
      return 33 * kDay;
    case Period::kQuarter:
      return 94 * kDay;
    case Period::kYear:
      return 368 * kDay;
    case Period::kLifetime:
      break;
  }
  return kNeverEnds;
}

}  // namespace weir::limits

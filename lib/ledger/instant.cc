// The calendar's arithmetic is that of Howard Hinnant, "chrono-Compatible Low-Level Date
// Algorithms": years begin in March, so that the leap day is the last.

#include "ledger/instant.h"

#include <algorithm>
#include <cstring>

#include "weir/base.h"

namespace weir::ledger {
namespace {

constexpr int64_t kDaysOfEra = 146097;  // 400 years
constexpr int64_t kDaysTo1970 = 719468;

struct Date {
  int64_t year = 0;
  int64_t month = 0, day = 0;  // from 1
};

Date DateOf(int64_t days) {
  const int64_t shifted = days + kDaysTo1970;
  const int64_t era = shifted / kDaysOfEra;
  const int64_t day_of_era = shifted % kDaysOfEra;
  const int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const int64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t from_march = (5 * day_of_year + 2) / 153;
  const int64_t month = from_march < 10 ? from_march + 3 : from_march - 9;
  return {year_of_era + era * 400 + (month <= 2 ? 1 : 0), month,
          day_of_year - (153 * from_march + 2) / 5 + 1};
}

int64_t DaysOf(const Date& date) {
  const int64_t year = date.year - (date.month <= 2 ? 1 : 0);
  const int64_t era = year / 400;
  const int64_t year_of_era = year % 400;
  const int64_t from_march = date.month > 2 ? date.month - 3 : date.month + 9;
  const int64_t day_of_year = (153 * from_march + 2) / 5 + date.day - 1;
  return era * kDaysOfEra + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
         kDaysTo1970;
}

void PutDigits(int64_t value, size_t count, char* out) {
  for (size_t i = count; i > 0; --i, value /= 10) {
    out[i - 1] = static_cast<char>('0' + value % 10);
  }
}

bool TakeDigits(std::string_view text, size_t at, size_t count, int64_t* value) {
  *value = 0;
  for (const char c : text.substr(at, count)) {
    if (c < '0' || c > '9') return false;
    *value = *value * 10 + (c - '0');
  }
  return true;
}

}  // namespace

void PutInstant(int64_t unix_ns, char* out) {
  const int64_t ns = std::max<int64_t>(unix_ns, 0);
  const Date date = DateOf(ns / kDay);
  std::memcpy(out, "0000-00-00T00:00:00.000000Z", kInstantBytes);
  PutDigits(date.year, 4, out);
  PutDigits(date.month, 2, out + 5);
  PutDigits(date.day, 2, out + 8);
  PutDigits(ns / kHour % 24, 2, out + 11);
  PutDigits(ns / kMinute % 60, 2, out + 14);
  PutDigits(ns / kSecond % 60, 2, out + 17);
  PutDigits(ns / kMicrosecond % 1'000'000, 6, out + 20);
}

bool ParseInstant(std::string_view text, int64_t* unix_ns) {
  if (text.size() != kInstantBytes) return false;
  Date date;
  int64_t hour = 0, minute = 0, second = 0, us = 0;
  if (!TakeDigits(text, 0, 4, &date.year) || !TakeDigits(text, 5, 2, &date.month) ||
      !TakeDigits(text, 8, 2, &date.day) || !TakeDigits(text, 11, 2, &hour) ||
      !TakeDigits(text, 14, 2, &minute) || !TakeDigits(text, 17, 2, &second) ||
      !TakeDigits(text, 20, 6, &us)) {
    return false;
  }
  // 2^63 ns is in the year 2262. What was no date or had no separators is not what is written back.
  if (date.year < 1970 || date.year > 2261) return false;
  *unix_ns =
      DaysOf(date) * kDay + hour * kHour + minute * kMinute + second * kSecond + us * kMicrosecond;
  char again[kInstantBytes];
  PutInstant(*unix_ns, again);
  return text == std::string_view(again, kInstantBytes);
}

}  // namespace weir::ledger

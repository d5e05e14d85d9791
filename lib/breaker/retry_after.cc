// When to come back, as backends say it, by hand and in integers.

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string_view>

#include "base/saturating.h"
#include "base/text.h"
#include "weir/breaker.h"

namespace weir::breaker {
namespace {

constexpr std::array<std::string_view, 7> kDays = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                                   "Friday", "Saturday", "Sunday"};
constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

constexpr bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// The size of `digits [ "." digits ]` at the start of `text`; 0 when it starts with none.
size_t DecimalSize(std::string_view text) {
  size_t size = 0;
  while (size < text.size() && IsDigit(text[size])) ++size;
  if (size == 0 || size + 1 >= text.size() || text[size] != '.' || !IsDigit(text[size + 1])) {
    return size;
  }
  ++size;
  while (size < text.size() && IsDigit(text[size])) ++size;
  return size;
}

// Such a number, of units of `unit_ns` (at most a day), rounded up to whole nanoseconds,
// saturating.
int64_t DecimalNs(std::string_view number, int64_t unit_ns) {
  // More digits of a fraction are a remainder: a day has fewer nanoseconds.
  constexpr uint64_t kMostParts = 1'000'000'000'000'000'000;
  int64_t whole = 0;
  uint64_t fraction = 0;
  uint64_t parts = 1;
  bool rest = false;
  bool in_fraction = false;
  for (const char c : number) {
    if (c == '.') {
      in_fraction = true;
    } else if (!in_fraction) {
      whole = SaturatingAdd(SaturatingMul<int64_t>(whole, 10), int64_t{c} - '0');
    } else if (parts < kMostParts) {
      fraction = fraction * 10 + static_cast<uint64_t>(c - '0');
      parts *= 10;
    } else {
      rest = rest || c != '0';
    }
  }
  const uint128 product = static_cast<uint128>(fraction) * static_cast<uint64_t>(unit_ns);
  const auto ns = static_cast<int64_t>(product / parts);
  const bool up = rest || product % parts != 0;
  return SaturatingAdd(SaturatingMul(whole, unit_ns), ns + (up ? 1 : 0));
}

// A number of `unit_ns`, or a duration as Go prints it; nullopt for all else: signs, exponents,
// hexadecimals, words.
std::optional<int64_t> ParseDuration(std::string_view text, int64_t unit_ns) {
  struct Unit {
    std::string_view name;
    int64_t ns;
  };
  static constexpr Unit kUnits[] = {{"ms", kMillisecond},
                                    {"us", kMicrosecond},
                                    {"\xC2\xB5s", kMicrosecond},
                                    {"\xCE\xBCs", kMicrosecond},
                                    {"ns", 1},
                                    {"s", kSecond},
                                    {"m", kMinute},
                                    {"h", kHour},
                                    {"d", kDay}};
  size_t size = DecimalSize(text);
  if (size != 0 && size == text.size()) return DecimalNs(text, unit_ns);
  int64_t ns = 0;
  do {
    if (size == 0) return std::nullopt;
    const std::string_view number = text.substr(0, size);
    text.remove_prefix(size);
    const auto* const unit =
        std::find_if(std::begin(kUnits), std::end(kUnits), [&](const Unit& candidate) {
          return text.substr(0, candidate.name.size()) == candidate.name;
        });
    if (unit == std::end(kUnits)) return std::nullopt;
    text.remove_prefix(unit->name.size());
    ns = SaturatingAdd(ns, DecimalNs(number, unit->ns));
    size = DecimalSize(text);
  } while (!text.empty());
  return ns;
}

// Reads a date's text from the left; once something did not fit, ok() stays false.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : rest_(text) {}

  bool ok() const { return ok_; }
  bool done() const { return ok_ && rest_.empty(); }
  char peek() const { return rest_.empty() ? '\0' : rest_.front(); }

  void Skip(std::string_view expected) {
    if (!EqualsIgnoreCase(rest_.substr(0, expected.size()), expected)) return Fail();
    rest_.remove_prefix(expected.size());
  }

  std::string_view Letters() {
    size_t size = 0;
    while (size < rest_.size() && AsLower(rest_[size]) >= 'a' && AsLower(rest_[size]) <= 'z')
      ++size;
    const std::string_view letters = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return letters;
  }

  // A number of at least `least` and at most `most` digits.
  int64_t Number(size_t least, size_t most) {
    int64_t number = 0;
    size_t size = 0;
    for (; size < rest_.size() && size < most && IsDigit(rest_[size]); ++size) {
      number = number * 10 + (rest_[size] - '0');
    }
    rest_.remove_prefix(size);
    if (size < least) Fail();
    return number;
  }

  void Fail() { ok_ = false; }

 private:
  static char AsLower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

  std::string_view rest_;
  bool ok_ = true;
};

struct Date {
  int64_t year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
};

bool IsLeapYear(int64_t year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

int64_t DaysInMonth(int64_t year, int64_t month) {
  if (month == 2) return IsLeapYear(year) ? 29 : 28;
  return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

// Days since 1970-01-01 in the Gregorian calendar; year >= 1.
int64_t DaysSinceEpoch(const Date& date) {
  const int64_t before = date.year - 1;
  int64_t days = before * 365 + before / 4 - before / 100 + before / 400;
  for (int64_t month = 1; month < date.month; ++month) days += DaysInMonth(date.year, month);
  constexpr int64_t kDaysBefore1970 = 719'162;
  return days + date.day - 1 - kDaysBefore1970;
}

// Nanoseconds since 1970; nullopt when the date does not exist. A leap second reads as the next.
std::optional<int64_t> UnixNs(const Date& date) {
  if (date.year < 1 || date.month < 1 || date.day < 1) return std::nullopt;
  if (date.day > DaysInMonth(date.year, date.month)) return std::nullopt;
  if (date.hour > 23 || date.minute > 59 || date.second > 60) return std::nullopt;
  const int64_t seconds =
      DaysSinceEpoch(date) * 86'400 + date.hour * 3'600 + date.minute * 60 + date.second;
  return SaturatingMul(seconds, kSecond);
}

int64_t YearOf(int64_t unix_ns) {
  // Exact enough for choosing a century: 365.2425 days to the year.
  return 1970 + unix_ns / (kDay / 10'000 * 3'652'425);
}

void ReadTime(Cursor* cursor, Date* date) {
  date->hour = cursor->Number(2, 2);
  cursor->Skip(":");
  date->minute = cursor->Number(2, 2);
  cursor->Skip(":");
  date->second = cursor->Number(2, 2);
}

void ReadMonth(Cursor* cursor, Date* date) {
  const std::string_view name = cursor->Letters();
  for (size_t i = 0; i < kMonths.size(); ++i) {
    if (EqualsIgnoreCase(name, kMonths[i])) date->month = static_cast<int64_t>(i) + 1;
  }
  if (date->month == 0) cursor->Fail();
}

// "Sun, 06 Nov 1994 08:49:37 GMT" after the comma.
void ReadImfFixdate(Cursor* cursor, Date* date) {
  ReadMonth(cursor, date);
  cursor->Skip(" ");
  date->year = cursor->Number(4, 4);
}

// "Sunday, 06-Nov-94 08:49:37 GMT" after the day of the month. RFC 9110, section 5.6.7: a two-digit
// year is at most 50 years ahead, or else in the past.
void ReadRfc850(Cursor* cursor, Date* date, int64_t unix_ns) {
  cursor->Skip("-");
  ReadMonth(cursor, date);
  cursor->Skip("-");
  const int64_t this_year = YearOf(unix_ns);
  date->year = this_year / 100 * 100 + cursor->Number(2, 2);
  if (date->year > this_year + 50) date->year -= 100;
  if (date->year <= this_year - 50) date->year += 100;
}

// "Sun Nov  6 08:49:37 1994" after the day of the week.
void ReadAsctime(Cursor* cursor, Date* date) {
  cursor->Skip(" ");
  ReadMonth(cursor, date);
  cursor->Skip(" ");
  if (cursor->peek() == ' ') cursor->Skip(" ");
  date->day = cursor->Number(1, 2);
  cursor->Skip(" ");
  ReadTime(cursor, date);
  cursor->Skip(" ");
  date->year = cursor->Number(4, 4);
}

// An HTTP date in any of its three forms. The name of the day must be one, and need not be the
// right one: what counts is when.
std::optional<int64_t> ParseHttpDate(std::string_view text, int64_t unix_ns) {
  Cursor cursor(text);
  const std::string_view name = cursor.Letters();
  const bool is_day = std::any_of(kDays.begin(), kDays.end(), [&](std::string_view day) {
    return EqualsIgnoreCase(name, day) || EqualsIgnoreCase(name, day.substr(0, 3));
  });
  if (!is_day) return std::nullopt;
  Date date;
  if (cursor.peek() == ' ') {
    ReadAsctime(&cursor, &date);
  } else {
    cursor.Skip(", ");
    date.day = cursor.Number(1, 2);
    if (cursor.peek() == '-') {
      ReadRfc850(&cursor, &date, unix_ns);
    } else {
      cursor.Skip(" ");
      ReadImfFixdate(&cursor, &date);
    }
    cursor.Skip(" ");
    ReadTime(&cursor, &date);
    cursor.Skip(" GMT");
  }
  return cursor.done() ? UnixNs(date) : std::nullopt;
}

// One value of Retry-After: a duration, or the time until a date; a date that is past is no wait.
std::optional<int64_t> ParseValue(std::string_view text, Now now) {
  if (const auto ns = ParseDuration(text, kSecond)) return ns;
  const auto date_ns = ParseHttpDate(text, now.unix_ns);
  if (!date_ns.has_value()) return std::nullopt;
  return std::max<int64_t>(SaturatingSub(*date_ns, now.unix_ns), 0);
}

// Calls `parse` with each value of a list and returns the largest result; nullopt unless all of
// them are usable. Dates hold a comma of their own: a part that is no value takes in the next one.
template <class Parse>
std::optional<int64_t> LargestOf(std::string_view list, const Parse& parse) {
  int64_t largest = -1;
  while (true) {
    size_t end = std::min(list.find(','), list.size());
    auto value = parse(TrimSpace(list.substr(0, end)));
    if (!value.has_value() && end < list.size()) {
      end = std::min(list.find(',', end + 1), list.size());
      value = parse(TrimSpace(list.substr(0, end)));
    }
    if (!value.has_value()) return std::nullopt;
    largest = std::max(largest, *value);
    if (end == list.size()) return largest;
    list.remove_prefix(end + 1);
  }
}

// Of one limit: when it is full again, if nothing is left of it.
std::optional<int64_t> ParseReset(std::string_view remaining, std::string_view reset) {
  if (TrimSpace(remaining) != "0") return std::nullopt;
  return LargestOf(reset, [](std::string_view text) { return ParseDuration(text, kSecond); });
}

std::optional<int64_t> Larger(std::optional<int64_t> a, std::optional<int64_t> b) {
  if (!a.has_value() || !b.has_value()) return a.has_value() ? a : b;
  return std::max(*a, *b);
}

// The first source that says anything usable.
std::optional<int64_t> FirstUsable(const RetryHeaders& headers, Now now) {
  const auto parse_ms = [](std::string_view text) { return ParseDuration(text, kMillisecond); };
  const auto ms = Larger(LargestOf(headers.retry_after_ms, parse_ms),
                         LargestOf(headers.x_ms_retry_after_ms, parse_ms));
  // Zero milliseconds is what gateways write by mistake; the other headers may know better.
  if (ms.value_or(0) > 0) return ms;
  const auto ns =
      LargestOf(headers.retry_after, [&](std::string_view text) { return ParseValue(text, now); });
  if (ns.has_value()) return ns;
  return Larger(ParseReset(headers.remaining_requests, headers.reset_requests),
                ParseReset(headers.remaining_tokens, headers.reset_tokens));
}

}  // namespace

std::optional<int64_t> ParseRetryAfter(const RetryHeaders& headers, Now now, int64_t cap_ns) {
  const auto ns = FirstUsable(headers, now);
  if (!ns.has_value()) return std::nullopt;
  return std::min(*ns, std::max<int64_t>(cap_ns, 0));
}

}  // namespace weir::breaker

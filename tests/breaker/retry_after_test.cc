// ParseRetryAfter: a table of what servers send, and a fuzzing pass for the bounds.

#include <algorithm>
#include <ctime>
#include <iterator>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "tests/support/catch.h"
#include "weir/breaker.h"

namespace weir::breaker {
namespace {

using namespace std::string_view_literals;  // NOLINT(google-build-using-namespace): NULs in text

constexpr int64_t kCap = kHour;
// 1994-11-06 08:49:37 UTC, the example of RFC 9110, less 30 seconds.
constexpr int64_t kRfcUnixS = 784'111'777;
constexpr Now kNow{5 * kSecond, (kRfcUnixS - 30) * kSecond};
constexpr int64_t kNone = -1;

struct Row {
  std::string_view retry_after, retry_after_ms;
  int64_t expected;  // kNone: nothing usable
};

const Row kRows[] = {
    // Seconds.
    {"0", "", 0},
    {"1", "", kSecond},
    {"3", "", 3 * kSecond},
    {"003", "", 3 * kSecond},
    {" 3 ", "", 3 * kSecond},
    {"\t3", "", 3 * kSecond},
    {"30", "", 30 * kSecond},
    {"3600", "", kHour},
    {"3601", "", kCap},
    {"1.5", "", 1500 * kMillisecond},
    {"0.25", "", 250 * kMillisecond},
    {"0.000000001", "", 1},
    {"0.0000000001", "", 1},  // rounded up: waiting that long is enough
    {"1.0000000000", "", kSecond},
    {"3600.0000000001", "", kCap},
    {"2147483", "", kCap},  // 24.8 days
    {"2147484", "", kCap},
    {"4294967296", "", kCap},
    {"9999999999", "", kCap},
    {"9223372036854775807", "", kCap},
    {"9223372036854775808", "", kCap},
    {"18446744073709551616", "", kCap},
    {"99999999999999999999999999999999999999999999999999", "", kCap},
    {"99999999999999999999.99999999999999999999", "", kCap},
    // What is no number.
    {"", "", kNone},
    {" ", "", kNone},
    {"-1", "", kNone},
    {"-3", "", kNone},
    {"-0", "", kNone},
    {"+3", "", kNone},
    {"0x10", "", kNone},
    {"1e5", "", kNone},
    {"inf", "", kNone},
    {"Infinity", "", kNone},
    {"nan", "", kNone},
    {"null", "", kNone},
    {"soon", "", kNone},
    {"3s", "", kNone},
    {"6m0s", "", kNone},
    {"3 seconds", "", kNone},
    {"1 2", "", kNone},
    {"1.", "", kNone},
    {".5", "", kNone},
    {"1.5.2", "", kNone},
    {"1.-5", "", kNone},
    {"1_000", "", kNone},
    {"\"3\"", "", kNone},
    {"3\r\n", "", kNone},
    {"3\0"sv, "", kNone},
    {"\xEF\xBC\x93", "", kNone},  // a full-width three
    // Dates: thirty seconds ahead, in the three forms.
    {"Sun, 06 Nov 1994 08:49:37 GMT", "", 30 * kSecond},
    {"Sunday, 06-Nov-94 08:49:37 GMT", "", 30 * kSecond},
    {"Sun Nov  6 08:49:37 1994", "", 30 * kSecond},
    {"sun, 06 nov 1994 08:49:37 gmt", "", 30 * kSecond},
    {"Sun, 6 Nov 1994 08:49:37 GMT", "", 30 * kSecond},
    {"Mon, 06 Nov 1994 08:49:37 GMT", "", 30 * kSecond},
    {"Sun Nov 06 08:49:37 1994", "", 30 * kSecond},
    {"Sun, 06 Nov 1994 08:49:07 GMT", "", 0},
    {"Sun, 06 Nov 1994 08:49:08 GMT", "", kSecond},
    {"Sun, 06 Nov 1994 08:49:60 GMT", "", 53 * kSecond},
    {"Sun, 06 Nov 1994 09:50:00 GMT", "", kCap},
    {"Fri, 31 Dec 9999 23:59:59 GMT", "", kCap},
    {"Mon, 01 Jan 0001 00:00:00 GMT", "", 0},
    {"Thu, 01 Jan 1970 00:00:00 GMT", "", 0},
    {"Sun, 06 Nov 1993 08:49:37 GMT", "", 0},
    {"Tuesday, 29-Feb-00 00:00:00 GMT", "", kCap},  // 2000, in fewer than 50 years
    {"Sunday, 06-Nov-44 08:49:37 GMT", "", kCap},   // 2044
    {"Sunday, 06-Nov-45 08:49:37 GMT", "", 0},      // 1945
    {"Monday, 06-Nov-93 08:49:37 GMT", "", 0},
    // Dates that are none.
    {"Sun, 00 Nov 1994 08:49:37 GMT", "", kNone},
    {"Sun, 31 Nov 1994 08:49:37 GMT", "", kNone},
    {"Sun, 29 Feb 1995 08:49:37 GMT", "", kNone},
    {"Sun, 29 Feb 1900 08:49:37 GMT", "", kNone},
    {"Sun, 06 Nov 0000 08:49:37 GMT", "", kNone},
    {"Sun, 06 Nov 1994 24:00:00 GMT", "", kNone},
    {"Sun, 06 Nov 1994 08:60:00 GMT", "", kNone},
    {"Sun, 06 Nov 1994 08:49:61 GMT", "", kNone},
    {"Sun, 06 Nov 1994 08:49:37", "", kNone},
    {"Sun, 06 Nov 1994 08:49:37 PST", "", kNone},
    {"Sun, 06 Nov 1994 08:49:37 +0000", "", kNone},
    {"Sun, 06 Nov 1994 08:49:37 GMT ", "", 30 * kSecond},
    {"Sun, 06 Nov 1994 08:49:37 GMT x", "", kNone},
    {"Sun, 06 Nov -994 08:49:37 GMT", "", kNone},
    {"Sun, 06 Nov 19940 08:49:37 GMT", "", kNone},
    {"Sun, 06 Nov 94 08:49:37 GMT", "", kNone},
    {"Sun, 06 Nox 1994 08:49:37 GMT", "", kNone},
    {"Son, 06 Nov 1994 08:49:37 GMT", "", kNone},
    {"06 Nov 1994 08:49:37 GMT", "", kNone},
    {"Sun,06 Nov 1994 08:49:37 GMT", "", kNone},
    {"Sun, 06 Nov 1994 8:49:37 GMT", "", kNone},
    {"1994-11-06T08:49:37Z", "", kNone},
    // Two headers joined.
    {"3, 5", "", 5 * kSecond},
    {"5,3", "", 5 * kSecond},
    {"3, -5", "", kNone},
    {"3, soon", "", kNone},
    {"3,", "", kNone},
    {",3", "", kNone},
    {"3, Sun, 06 Nov 1994 08:49:37 GMT", "", 30 * kSecond},
    {"Sun, 06 Nov 1994 08:49:37 GMT, 45", "", 45 * kSecond},
    {"Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:47 GMT", "", 40 * kSecond},
    {"Sun Nov  6 08:49:37 1994, 3", "", 30 * kSecond},
    // Milliseconds come first.
    {"", "1", kMillisecond},
    {"", "250", 250 * kMillisecond},
    {"9", "250", 250 * kMillisecond},
    {"9", "0.5", 500 * kMicrosecond},
    {"9", "0.0000001", 1},
    {"9", "20, 30", 30 * kMillisecond},
    {"9", "99999999999999999999", kCap},
    {"9", "0", 9 * kSecond},
    {"9", "0.0", 9 * kSecond},
    {"", "0", kNone},
    {"0", "0", 0},
    {"9", "-1", 9 * kSecond},
    {"9", "+1", 9 * kSecond},
    {"9", "0x10", 9 * kSecond},
    {"9", "soon", 9 * kSecond},
    {"9", "Sun, 06 Nov 1994 08:49:37 GMT", 9 * kSecond},
    {"soon", "soon", kNone},
};

TEST_CASE("Retry-After as it is sent") {
  static_assert(std::size(kRows) >= 60);
  for (const Row& row : kRows) {
    INFO("retry-after \"" << std::string(row.retry_after) << "\", retry-after-ms \""
                          << std::string(row.retry_after_ms) << "\"");
    CHECK(ParseRetryAfter(row.retry_after, row.retry_after_ms, kNow, kCap).value_or(kNone) ==
          row.expected);
  }
}

TEST_CASE("the cap is the end of everything") {
  constexpr int64_t kForever = std::numeric_limits<int64_t>::max();
  CHECK(ParseRetryAfter("7", "", kNow, 0) == 0);
  CHECK(ParseRetryAfter("7", "", kNow, -5) == 0);
  CHECK(ParseRetryAfter("", "7", kNow, 5) == 5);
  CHECK(ParseRetryAfter("9999999999999", "", kNow, kForever) == kForever);
  CHECK(ParseRetryAfter("Fri, 31 Dec 9999 23:59:59 GMT", "", kNow, kForever) ==
        kForever - kNow.unix_ns);
  CHECK(ParseRetryAfter(std::string(1 << 20, '9'), "", kNow, kCap) == kCap);
  CHECK(ParseRetryAfter(std::string(1 << 20, ','), "", kNow, kCap) == std::nullopt);
}

TEST_CASE("two-digit years are those nearest to now") {
  // 2026-01-01 00:00:00 UTC.
  const Now now{0, int64_t{1'767'225'600} * kSecond};
  CHECK(ParseRetryAfter("Thursday, 01-Jan-26 00:00:05 GMT", "", now, kCap) == 5 * kSecond);
  CHECK(ParseRetryAfter("Thursday, 01-Jan-76 00:00:00 GMT", "", now, kCap) == kCap);  // 2076
  CHECK(ParseRetryAfter("Thursday, 01-Jan-77 00:00:00 GMT", "", now, kCap) == 0);     // 1977
  CHECK(ParseRetryAfter("Friday, 31-Dec-99 23:59:59 GMT", "", now, kCap) == 0);       // 1999
}

std::string Printed(const char* format, int64_t unix_s) {
  const auto time = static_cast<std::time_t>(unix_s);
  std::tm parts{};
  gmtime_r(&time, &parts);
  char text[64];
  return std::string(text, std::strftime(text, sizeof(text), format, &parts));
}

TEST_CASE("dates of four centuries, as the C library prints them") {
  Random random(9);
  for (int round = 0; round < 20'000; ++round) {
    // 1900 to 2261, where nanoseconds end.
    const int64_t unix_s = static_cast<int64_t>(random.Below(11'390'000'000)) - 2'200'000'000;
    const int64_t before_s = static_cast<int64_t>(random.Below(3'000));
    const Now now{0, (unix_s - before_s) * kSecond};
    INFO(unix_s);
    REQUIRE(ParseRetryAfter(Printed("%a, %d %b %Y %H:%M:%S GMT", unix_s), "", now, kCap) ==
            before_s * kSecond);
    REQUIRE(ParseRetryAfter(Printed("%a %b %e %H:%M:%S %Y", unix_s), "", now, kCap) ==
            before_s * kSecond);
    if (now.unix_ns > 0) {
      REQUIRE(ParseRetryAfter(Printed("%A, %d-%b-%y %H:%M:%S GMT", unix_s), "", now, kCap) ==
              before_s * kSecond);
    }
  }
}

TEST_CASE("whatever is sent, the result is within the cap") {
  const std::vector<std::string_view> pieces = {
      "0",      "1",  "9",    "99999999999", ".",    "-",   "+",   ",",    " ",    "Sun",
      "Sunday", "06", "Nov",  "94",          "1994", "GMT", "08",  ":",    "49",   "e5",
      "0x",     "\t", "\xff", "\0"sv,        "Feb",  "29",  "Dec", "9999", "0000", ", "};
  Random random(10);
  int usable = 0;
  for (int round = 0; round < 300'000; ++round) {
    std::string seconds;
    std::string ms;
    for (uint64_t i = random.Below(9); i > 0; --i) seconds += pieces[random.Below(pieces.size())];
    for (uint64_t i = random.Below(4); i > 0; --i) ms += pieces[random.Below(pieces.size())];
    const Now now{0, static_cast<int64_t>(random.Next())};
    const int64_t cap = static_cast<int64_t>(random.Next() >> random.Below(64));
    const auto ns = ParseRetryAfter(seconds, ms, now, cap);
    if (!ns.has_value()) continue;
    ++usable;
    REQUIRE(*ns >= 0);
    REQUIRE(*ns <= std::max<int64_t>(cap, 0));
  }
  CHECK(usable > 1'000);
}

}  // namespace
}  // namespace weir::breaker

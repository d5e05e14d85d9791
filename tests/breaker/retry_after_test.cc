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

std::optional<int64_t> Parse(std::string_view retry_after, std::string_view retry_after_ms, Now now,
                             int64_t cap_ns) {
  RetryHeaders headers;
  headers.retry_after = retry_after;
  headers.retry_after_ms = retry_after_ms;
  return ParseRetryAfter(headers, now, cap_ns);
}

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
    // Durations as Go prints them.
    {"3s", "", 3 * kSecond},
    {"6m0s", "", 6 * kMinute},
    {"1m30s", "", 90 * kSecond},
    {"120ms", "", 120 * kMillisecond},
    {"20ms", "", 20 * kMillisecond},
    {"59.56s", "", 59'560 * kMillisecond},
    {"2m59.56s", "", 179'560 * kMillisecond},
    {"0.5h", "", 30 * kMinute},
    {"0.000000001m", "", 60},
    {"0.00000000001m", "", 1},  // rounded up
    {"0.99999999999999999999s", "", kSecond},
    {"1h0m0s", "", kHour},
    {"1h1ns", "", kCap},
    {"8760h0m0s", "", kCap},
    {"1d2h", "", kCap},
    {"99999999999999999999h", "", kCap},
    {"99999999999999999999h99999999999999999999m", "", kCap},
    {"7us", "", 7 * kMicrosecond},
    {"7\xC2\xB5s", "", 7 * kMicrosecond},
    {"7\xCE\xBCs", "", 7 * kMicrosecond},
    {"7ns", "", 7},
    {"0s", "", 0},
    {"30s1m", "", 90 * kSecond},
    {"-3s", "", kNone},
    {"+3s", "", kNone},
    {"1h-3m", "", kNone},
    {"1m30", "", kNone},
    {"m", "", kNone},
    {"s3", "", kNone},
    {".5s", "", kNone},
    {"1.s", "", kNone},
    {"1m 30s", "", kNone},
    {"3S", "", kNone},
    {"3sec", "", kNone},
    {"3w", "", kNone},
    {"1e3s", "", kNone},
    {"infs", "", kNone},
    {"7\xC2", "", kNone},
    {"PT1M", "", kNone},
    {"3s, 5s", "", 5 * kSecond},
    {"3s, 5m, soon", "", kNone},
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
    {"9", "120ms", 120 * kMillisecond},
    {"9", "1m30s", 90 * kSecond},
    {"9", "0s", 9 * kSecond},
    {"9", "-3ms", 9 * kSecond},
    {"soon", "soon", kNone},
};

TEST_CASE("Retry-After as it is sent") {
  static_assert(std::size(kRows) >= 60);
  for (const Row& row : kRows) {
    INFO("retry-after \"" << std::string(row.retry_after) << "\", retry-after-ms \""
                          << std::string(row.retry_after_ms) << "\"");
    CHECK(Parse(row.retry_after, row.retry_after_ms, kNow, kCap).value_or(kNone) == row.expected);
  }
}

struct OtherRow {
  RetryHeaders headers;
  int64_t expected;
};

// retry-after, retry-after-ms, x-ms-retry-after-ms, then remaining and reset of requests, of
// tokens.
const OtherRow kOtherRows[] = {
    {{"9", "", "250", "", "", "", ""}, 250 * kMillisecond},
    {{"9", "100", "250", "", "", "", ""}, 250 * kMillisecond},
    {{"9", "250", "100", "", "", "", ""}, 250 * kMillisecond},
    {{"9", "250", "soon", "", "", "", ""}, 250 * kMillisecond},
    {{"9", "0", "250", "", "", "", ""}, 250 * kMillisecond},
    {{"9", "0", "0", "", "", "", ""}, 9 * kSecond},
    // Resets: of limits that are used up, and only when nothing else is said.
    {{"", "", "", "0", "6m0s", "", ""}, 6 * kMinute},
    {{"", "", "", "", "", "0", "120ms"}, 120 * kMillisecond},
    {{"", "", "", "0", "1s", "0", "6m0s"}, 6 * kMinute},
    {{"", "", "", "0", "6m0s", "0", "1s"}, 6 * kMinute},
    {{"", "", "", "12", "6m0s", "0", "1s"}, kSecond},
    {{"", "", "", "12", "6m0s", "12", "1s"}, kNone},
    {{"", "", "", "", "6m0s", "", "1s"}, kNone},
    {{"", "", "", " 0 ", "59", "", ""}, 59 * kSecond},
    {{"", "", "", "0", "-6m0s", "", ""}, kNone},
    {{"", "", "", "0", "", "0", ""}, kNone},
    {{"", "", "", "0", "99999h", "", ""}, kCap},
    {{"", "", "", "0", "0s", "", ""}, 0},
    {{"3", "", "", "0", "6m0s", "", ""}, 3 * kSecond},
    {{"soon", "", "", "0", "6m0s", "", ""}, 6 * kMinute},
    {{"", "", "", "-0", "6m0s", "", ""}, kNone},
    {{"", "", "", "00", "6m0s", "", ""}, kNone},
    {{"", "", "", "0", "Sun, 06 Nov 1994 08:49:37 GMT", "", ""}, kNone},
};

TEST_CASE("the other headers that say when") {
  for (const OtherRow& row : kOtherRows) {
    INFO(&row - kOtherRows);
    CHECK(ParseRetryAfter(row.headers, kNow, kCap).value_or(kNone) == row.expected);
  }
}

TEST_CASE("the cap is the end of everything") {
  constexpr int64_t kForever = std::numeric_limits<int64_t>::max();
  CHECK(Parse("7", "", kNow, 0) == 0);
  CHECK(Parse("7", "", kNow, -5) == 0);
  CHECK(Parse("", "7", kNow, 5) == 5);
  CHECK(Parse("9999999999999", "", kNow, kForever) == kForever);
  CHECK(Parse("Fri, 31 Dec 9999 23:59:59 GMT", "", kNow, kForever) == kForever - kNow.unix_ns);
  CHECK(Parse(std::string(1 << 20, '9'), "", kNow, kCap) == kCap);
  CHECK(Parse(std::string(1 << 20, ','), "", kNow, kCap) == std::nullopt);
}

TEST_CASE("two-digit years are those nearest to now") {
  // 2026-01-01 00:00:00 UTC.
  const Now now{0, int64_t{1'767'225'600} * kSecond};
  CHECK(Parse("Thursday, 01-Jan-26 00:00:05 GMT", "", now, kCap) == 5 * kSecond);
  CHECK(Parse("Thursday, 01-Jan-76 00:00:00 GMT", "", now, kCap) == kCap);  // 2076
  CHECK(Parse("Thursday, 01-Jan-77 00:00:00 GMT", "", now, kCap) == 0);     // 1977
  CHECK(Parse("Friday, 31-Dec-99 23:59:59 GMT", "", now, kCap) == 0);       // 1999
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
    REQUIRE(Parse(Printed("%a, %d %b %Y %H:%M:%S GMT", unix_s), "", now, kCap) ==
            before_s * kSecond);
    REQUIRE(Parse(Printed("%a %b %e %H:%M:%S %Y", unix_s), "", now, kCap) == before_s * kSecond);
    if (now.unix_ns > 0) {
      REQUIRE(Parse(Printed("%A, %d-%b-%y %H:%M:%S GMT", unix_s), "", now, kCap) ==
              before_s * kSecond);
    }
  }
}

TEST_CASE("whatever is sent, the result is within the cap") {
  const std::vector<std::string_view> pieces = {
      "0",   "1",  "9",    "99999999999", ".",   "-",  "+",   ",",    " ",    "Sun", "Sunday", "06",
      "Nov", "94", "1994", "GMT",         "08",  ":",  "49",  "e5",   "0x",   "\t",  "ms",     "m",
      "s",   "h",  "\xff", "\0"sv,        "Feb", "29", "Dec", "9999", "0000", ", "};
  Random random(10);
  int usable = 0;
  for (int round = 0; round < 300'000; ++round) {
    std::string seconds;
    std::string ms;
    for (uint64_t i = random.Below(9); i > 0; --i) seconds += pieces[random.Below(pieces.size())];
    for (uint64_t i = random.Below(4); i > 0; --i) ms += pieces[random.Below(pieces.size())];
    const Now now{0, static_cast<int64_t>(random.Next())};
    const int64_t cap = static_cast<int64_t>(random.Next() >> random.Below(64));
    RetryHeaders headers;
    headers.retry_after = seconds;
    headers.retry_after_ms = ms;
    headers.remaining_tokens = "0";
    headers.reset_tokens = seconds;
    const auto ns = ParseRetryAfter(headers, now, cap);
    if (!ns.has_value()) continue;
    ++usable;
    REQUIRE(*ns >= 0);
    REQUIRE(*ns <= std::max<int64_t>(cap, 0));
  }
  CHECK(usable > 1'000);
}

}  // namespace
}  // namespace weir::breaker

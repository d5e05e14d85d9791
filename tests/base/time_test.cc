#include "base/time.h"

#include "base/random.h"
#include "base/saturating.h"
#include "tests/support/catch.h"

namespace weir {
namespace {

TEST_CASE("durations as people write them") {
  CHECK(ParseDurationNs("250ms") == 250 * kMillisecond);
  CHECK(ParseDurationNs("60s") == kMinute);
  CHECK(ParseDurationNs("5m") == 5 * kMinute);
  CHECK(ParseDurationNs("1h30m") == 90 * kMinute);
  CHECK(ParseDurationNs("30d") == 30 * kDay);
  CHECK(ParseDurationNs("PT1M") == kMinute);
  CHECK(ParseDurationNs("PT1H30M5S") == kHour + 30 * kMinute + 5 * kSecond);
  CHECK(ParseDurationNs("P1DT12H") == 36 * kHour);
  CHECK(ParseDurationNs("P2W") == 14 * kDay);
  CHECK(ParseDurationNs("0s") == 0);
  for (const char* bad : {"", "5", "s", "-5s", "5 s", "1m1h", "1s1s", "1.5s", "1x", "P", "PT",
                          "P1H", "99999999999999d", "9223372036854775808ns", "5S"}) {
    INFO(bad);
    CHECK_FALSE(ParseDurationNs(bad).has_value());
  }
}

TEST_CASE("reset durations have OpenAI's shape and are never too short") {
  CHECK(FormatResetDuration(0) == "0s");
  CHECK(FormatResetDuration(-5) == "0s");
  CHECK(FormatResetDuration(1) == "1ms");
  CHECK(FormatResetDuration(20 * kMillisecond) == "20ms");
  CHECK(FormatResetDuration(1500 * kMillisecond) == "1.5s");
  CHECK(FormatResetDuration(6 * kMinute) == "6m0s");
  CHECK(FormatResetDuration(kHour) == "1h0m0s");
  CHECK(FormatResetDuration(kHour + kSecond + kMillisecond) == "1h0m1.001s");
}

TEST_CASE("sums and products stop at the ends") {
  CHECK(SaturatingAdd<uint64_t>(UINT64_MAX, 1) == UINT64_MAX);
  CHECK(SaturatingAdd<int64_t>(INT64_MIN, -1) == INT64_MIN);
  CHECK(SaturatingSub<uint64_t>(1, 2) == 0);
  CHECK(SaturatingSub<int64_t>(INT64_MAX, -1) == INT64_MAX);
  CHECK(SaturatingMul<int64_t>(INT64_MIN, 2) == INT64_MIN);
  CHECK(SaturatingMul<uint64_t>(UINT64_MAX, 2) == UINT64_MAX);
  CHECK(MulDiv(UINT64_MAX, UINT64_MAX, UINT64_MAX) == UINT64_MAX);
  CHECK(MulDiv(UINT64_MAX, UINT64_MAX, 1) == UINT64_MAX);
  CHECK(MulDiv(7, 10, 4) == 17);
  CHECK(ElapsedNs(10, 5) == 0);
  CHECK(ElapsedNs(5, 10) == 5);
}

}  // namespace
}  // namespace weir

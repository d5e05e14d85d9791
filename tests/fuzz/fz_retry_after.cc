// Any bytes as the headers that say when to come back. Input: lines, one for each header.
//
// Oracle: the result is within the cap, grows with the cap to what it would be without one, and is
// the same with blanks around the values; a header that is not there does not count.

#include <array>
#include <cstdint>
#include <limits>
#include <string>

#include "tests/fuzz/answer_fuzz.h"
#include "weir/breaker.h"

namespace {

using weir::breaker::ParseRetryAfter;
using weir::breaker::RetryHeaders;
using weir::fuzz::Require;

constexpr size_t kHeaders = 7;

RetryHeaders HeadersOf(const std::array<std::string, kHeaders>& values) {
  RetryHeaders headers;
  headers.retry_after = values[0];
  headers.retry_after_ms = values[1];
  headers.x_ms_retry_after_ms = values[2];
  headers.remaining_requests = values[3];
  headers.reset_requests = values[4];
  headers.remaining_tokens = values[5];
  headers.reset_tokens = values[6];
  return headers;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::array<std::string, kHeaders> values;
  std::array<std::string, kHeaders> blanks;
  size_t line = 0;
  for (size_t i = 0; i < size && line < kHeaders; ++i) {
    if (data[i] == '\n') {
      ++line;
    } else {
      values[line] += static_cast<char>(data[i]);
    }
  }
  for (size_t i = 0; i < kHeaders; ++i) {
    blanks[i].append(" \t").append(values[i]).append("  ");
  }
  const weir::Now now{0, 784'111'747 * weir::kSecond};
  constexpr int64_t kForever = std::numeric_limits<int64_t>::max();
  const auto whole = ParseRetryAfter(HeadersOf(values), now, kForever);
  Require(ParseRetryAfter(HeadersOf(blanks), now, kForever) == whole);
  for (const int64_t cap : {int64_t{-1}, int64_t{0}, int64_t{1}, weir::kSecond, weir::kHour}) {
    const auto capped = ParseRetryAfter(HeadersOf(values), now, cap);
    Require(capped.has_value() == whole.has_value());
    if (!whole.has_value()) continue;
    Require(*whole >= 0);
    Require(*capped == std::min(*whole, std::max<int64_t>(cap, 0)));
  }
  Require(!ParseRetryAfter({}, now, kForever).has_value());
  return 0;
}

// Durations as people write them.

#ifndef WEIR_LIB_BASE_TIME_H_
#define WEIR_LIB_BASE_TIME_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "weir/base.h"

namespace weir {

// "250ms" "60s" "5m" "1h" "30d", combinations largest first ("1h30m"), or ISO 8601 "PT1M30S" "P1D".
// Non-negative, exact, at most about 292 years; nullopt for anything else.
std::optional<int64_t> ParseDurationNs(std::string_view text);

// The shape of OpenAI's reset headers: "6m0s", "1h0m0s", "20ms", "1.5s", "0s". Rounded up to whole
// milliseconds, so that waiting that long is enough.
std::string FormatResetDuration(int64_t ns);

// Time from `since` to `now`, where a step backward counts as none.
constexpr int64_t ElapsedNs(int64_t since_ns, int64_t now_ns) {
  return now_ns > since_ns ? now_ns - since_ns : 0;
}

}  // namespace weir

#endif  // WEIR_LIB_BASE_TIME_H_

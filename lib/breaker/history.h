// The failures of one circuit that one rule still counts, in fixed space.
//
// Up to kExactCount failures: the times themselves, so "n within an interval" holds for every
// interval, wherever it begins. Above: counts in fifteen sub-intervals; then a failure is forgotten
// up to a fifteenth of the interval early, never late.

#ifndef WEIR_LIB_BREAKER_HISTORY_H_
#define WEIR_LIB_BREAKER_HISTORY_H_

#include <cstdint>

namespace weir::breaker {

inline constexpr uint32_t kExactCount = 16;

// All zero is an empty history. Plain data: it lives in the segment.
struct History {
  // Exact: the number of times. Counted: the number of the newest sub-interval, plus one.
  int64_t head;
  // Exact: the times, oldest first; one less than `count` at most, for the one that makes it full
  // trips the circuit. Counted: failures by sub-interval, modulo their number.
  int64_t marks[kExactCount - 1];
};

// Adds a failure at `now_ns` (not negative) and says whether it makes `count` within `interval_ns`.
// A failure exactly one interval old no longer counts. Times ahead of `now_ns`, left by a clock
// that stepped back, are taken as `now_ns`.
bool AddFailure(History* history, uint32_t count, int64_t interval_ns, int64_t now_ns);

}  // namespace weir::breaker

#endif  // WEIR_LIB_BREAKER_HISTORY_H_

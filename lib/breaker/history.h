// The outcomes of one circuit that one rule still counts, in fixed space.
//
// Failures alone, up to kExactCount: the times themselves, so "n within an interval" holds for
// every interval, wherever it begins. Above: counts in fifteen sub-intervals; then a failure is
// forgotten up to a fifteenth of the interval early, never late. Both under the circuit's lock.
//
// Failures among all outcomes: pairs of counts in sixteen sub-intervals, a word each, which any
// thread adds to without a lock. A word names its sub-interval, so that nobody has to clear it in
// time. Its top bit is always set, which is how a thread that comes late, to memory that serves
// another purpose by now, changes nothing: its compare-and-swap finds no such word there.

#ifndef WEIR_LIB_BREAKER_HISTORY_H_
#define WEIR_LIB_BREAKER_HISTORY_H_

#include <cstdint>

#include "base/saturating.h"

namespace weir::breaker {

inline constexpr uint32_t kExactCount = 16;
inline constexpr uint64_t kShareWindows = 16;

// All zero is an empty one.
struct Failures {
  // Exact: the number of times. Counted: the number of the newest sub-interval, plus one.
  int64_t head;
  // Exact: the times, oldest first; one less than `count` at most, for the one that makes it full
  // trips the circuit. Counted: failures by sub-interval, modulo their number.
  int64_t marks[kExactCount - 1];
};

// From the top bit: 1, the sub-interval's number (27 bits of it), matching outcomes (18), all (18).
struct Shares {
  uint64_t words[kShareWindows];
};

// Plain data: it lives in the segment. The rule says which.
union History {
  Failures failures;
  Shares shares;
};

// Adds a failure at `now_ns` (not negative) and says whether it makes `count` within `interval_ns`.
// A failure exactly one interval old no longer counts. Times ahead of `now_ns`, left by a clock
// that stepped back, are taken as `now_ns`.
bool AddFailure(Failures* failures, uint32_t count, int64_t interval_ns, int64_t now_ns);

// Which sub-interval a time is in; a division made a multiplication.
class ShareClock {
 public:
  ShareClock() = default;
  explicit ShareClock(int64_t interval_ns)
      : width_(static_cast<uint64_t>(interval_ns) / kShareWindows),
        inverse_(~uint64_t{0} / width_) {}

  // now / width: the inverse is short by less than one, so the quotient is it or one less.
  uint64_t NumberAt(int64_t now_ns) const {
    const auto now = static_cast<uint64_t>(now_ns);
    const auto low = static_cast<uint64_t>(static_cast<uint128>(now) * inverse_ >> 64);
    return low + (now - low * width_ >= width_ ? 1 : 0);
  }

 private:
  uint64_t width_ = 1;
  uint64_t inverse_ = ~uint64_t{0};
};

// Makes it empty, in a way that no earlier content was. Under the circuit's lock.
void ClearShares(Shares* shares, uint64_t circuit_word);

// Adds an outcome to the sub-interval `number`, unless `*circuit_word` is not `expected` any more
// or the memory is no Shares. Any thread.
void AddOutcome(Shares* shares, uint64_t number, bool matches, const uint64_t* circuit_word,
                uint64_t expected);

struct ShareCounts {
  uint64_t matching = 0, all = 0;
};
// What the sixteen sub-intervals up to `number` hold, and what threads whose clocks are a little
// ahead have put into the next.
ShareCounts CountShares(const Shares& shares, uint64_t number);

}  // namespace weir::breaker

#endif  // WEIR_LIB_BREAKER_HISTORY_H_

#include "limits/window.h"

#include <algorithm>

#include "limits/floor.h"

namespace weir::limits {
namespace {

// No sum grows beyond this, so the total of all can not overflow. Far above kMaxAmount.
constexpr uint64_t kMaxSum = uint64_t{1} << 59;

int IndexOf(int64_t number) { return static_cast<int>(FloorMod(number, kRememberedSums)); }

// A moment on the counter's own time line, which lags the clock's by `lag` sub-windows after the
// clock stepped far back.
struct Moment {
  int64_t number;  // the sub-window that bookings go to
  int64_t lag;
};

Moment Locate(const Spec& spec, const WindowState& window, int64_t now_ns) {
  const int64_t number = FloorDiv(now_ns, spec.width_ns);
  // Memory that was never booked to has seen no clock at all.
  const bool fresh = window.head == 0 && window.total == 0;
  if (number >= window.head || fresh) return {number, 0};
  const int64_t back = window.head - number;
  return {window.head, back > kWindowBuckets ? back : 0};
}

// Calls `visit(number, sum)` for the sub-windows that are remembered at `at`, oldest first, until
// it returns false.
template <class Visit>
void ForEachRemembered(const WindowState& window, const Moment& at, Visit&& visit) {
  for (int64_t k = at.number - kWindowBuckets; k <= window.head; ++k) {
    if (!visit(k, window.sums[IndexOf(k)])) return;
  }
}

// Forgets what has left the window when sub-window `number` begins.
void Advance(WindowState& window, int64_t number) {
  if (number <= window.head && window.total != 0) return;
  if (window.total == 0 || number - window.head >= kRememberedSums) {
    std::fill(std::begin(window.sums), std::end(window.sums), uint64_t{0});
    window.total = 0;
  } else {
    for (int64_t k = window.head + 1; k <= number; ++k) {
      uint64_t& sum = window.sums[IndexOf(k)];  // still that of k - kRememberedSums
      window.total -= sum;
      sum = 0;
    }
  }
  window.head = number;
}

// Renumbers the remembered sub-windows so that the newest is `lag` earlier.
void StepBack(WindowState& window, int64_t lag) {
  uint64_t moved[kRememberedSums];
  for (int64_t k = window.head - kWindowBuckets; k <= window.head; ++k) {
    moved[IndexOf(k - lag)] = window.sums[IndexOf(k)];
  }
  std::copy(std::begin(moved), std::end(moved), std::begin(window.sums));
  window.head -= lag;
}

}  // namespace

uint64_t WindowUsed(const Spec& spec, const WindowState& window, int64_t now_ns) {
  const Moment at = Locate(spec, window, now_ns);
  if (at.number == window.head || window.total == 0) return window.total;
  if (at.number - window.head >= kRememberedSums) return 0;
  uint64_t used = window.total;
  for (int64_t k = window.head - kWindowBuckets; k < at.number - kWindowBuckets; ++k) {
    used -= window.sums[IndexOf(k)];
  }
  return used;
}

int64_t WindowWaitNs(const Spec& spec, const WindowState& window, int64_t now_ns, uint64_t keep) {
  uint64_t used = WindowUsed(spec, window, now_ns);
  if (used <= keep) return 0;
  const Moment at = Locate(spec, window, now_ns);
  int64_t last = window.head;
  if (keep == 0 && window.sums[IndexOf(window.head)] != 0) {
    used = 0;  // the usual case of a reset: the newest sum is the last to go
  }
  if (used != 0) {
    ForEachRemembered(window, at, [&](int64_t number, uint64_t sum) {
      used -= sum;
      last = number;
      return used > keep;
    });
  }
  return (last + kRememberedSums - at.lag) * spec.width_ns - now_ns;
}

int64_t WindowBook(const Spec& spec, WindowState& window, int64_t now_ns, uint64_t cost) {
  const Moment at = Locate(spec, window, now_ns);
  if (at.lag != 0) StepBack(window, at.lag);
  const int64_t number = at.number - at.lag;
  Advance(window, number);
  uint64_t& sum = window.sums[IndexOf(number)];
  const uint64_t booked = std::min(cost, kMaxSum - sum);
  sum += booked;
  window.total += booked;
  return number;
}

void WindowRefund(WindowState& window, int64_t booked_at, uint64_t unused) {
  if (booked_at > window.head || booked_at < window.head - kWindowBuckets) return;
  uint64_t& sum = window.sums[IndexOf(booked_at)];
  const uint64_t refund = std::min(unused, sum);
  sum -= refund;
  window.total -= refund;
}

}  // namespace weir::limits

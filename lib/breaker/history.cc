#include "breaker/history.h"

#include <algorithm>
#include <iterator>

namespace weir::breaker {
namespace {

constexpr int64_t kSubIntervals = kExactCount - 1;

bool AddExact(History* history, uint32_t count, int64_t interval_ns, int64_t now_ns) {
  int64_t kept = 0;
  for (int64_t i = 0; i < history->head; ++i) {
    const int64_t time = std::min(history->marks[i], now_ns);
    if (now_ns - time < interval_ns) history->marks[kept++] = time;
  }
  history->head = kept;
  if (kept + 1 >= static_cast<int64_t>(count)) return true;
  history->marks[history->head++] = now_ns;
  return false;
}

int64_t Sum(const History& history) {
  int64_t sum = 0;
  for (const int64_t mark : history.marks) sum += mark;
  return sum;
}

bool AddCounted(History* history, uint32_t count, int64_t interval_ns, int64_t now_ns) {
  const int64_t width = std::max<int64_t>(interval_ns / kSubIntervals, 1);
  const int64_t newest = history->head - 1;
  int64_t number = now_ns / width;
  if (number == newest - 1) {
    number = newest;  // threads that read the clock a little apart
  } else if (number < newest) {
    // The clock stepped back: no time has passed for what was counted.
    const int64_t sum = Sum(*history);
    std::fill(std::begin(history->marks), std::end(history->marks), 0);
    history->marks[number % kSubIntervals] = sum;
  } else {
    const int64_t passed = std::min(number - newest, kSubIntervals);
    for (int64_t i = 0; i < passed; ++i) history->marks[(number - i) % kSubIntervals] = 0;
  }
  history->head = number + 1;
  ++history->marks[number % kSubIntervals];
  return Sum(*history) >= static_cast<int64_t>(count);
}

}  // namespace

bool AddFailure(History* history, uint32_t count, int64_t interval_ns, int64_t now_ns) {
  return count <= kExactCount ? AddExact(history, count, interval_ns, now_ns)
                              : AddCounted(history, count, interval_ns, now_ns);
}

}  // namespace weir::breaker

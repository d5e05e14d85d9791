#include "breaker/history.h"

#include <algorithm>
#include <atomic>
#include <iterator>

namespace weir::breaker {
namespace {

constexpr int64_t kSubIntervals = kExactCount - 1;

bool AddExact(Failures* failures, uint32_t count, int64_t interval_ns, int64_t now_ns) {
  int64_t kept = 0;
  for (int64_t i = 0; i < failures->head; ++i) {
    const int64_t time = std::min(failures->marks[i], now_ns);
    if (now_ns - time < interval_ns) failures->marks[kept++] = time;
  }
  failures->head = kept;
  if (kept + 1 >= static_cast<int64_t>(count)) return true;
  failures->marks[failures->head++] = now_ns;
  return false;
}

int64_t Sum(const Failures& failures) {
  int64_t sum = 0;
  for (const int64_t mark : failures.marks) sum += mark;
  return sum;
}

bool AddCounted(Failures* failures, uint32_t count, int64_t interval_ns, int64_t now_ns) {
  const int64_t width = std::max<int64_t>(interval_ns / kSubIntervals, 1);
  const int64_t newest = failures->head - 1;
  int64_t number = now_ns / width;
  if (number == newest - 1) {
    number = newest;  // threads that read the clock a little apart
  } else if (number < newest) {
    // The clock stepped back: no time has passed for what was counted.
    const int64_t sum = Sum(*failures);
    std::fill(std::begin(failures->marks), std::end(failures->marks), 0);
    failures->marks[number % kSubIntervals] = sum;
  } else {
    const int64_t passed = std::min(number - newest, kSubIntervals);
    for (int64_t i = 0; i < passed; ++i) failures->marks[(number - i) % kSubIntervals] = 0;
  }
  failures->head = number + 1;
  ++failures->marks[number % kSubIntervals];
  return Sum(*failures) >= static_cast<int64_t>(count);
}

constexpr int kFieldBits = 18;
constexpr uint64_t kField = (uint64_t{1} << kFieldBits) - 1;
constexpr uint64_t kIsShare = uint64_t{1} << 63;

constexpr uint64_t TagOf(uint64_t number) { return kIsShare | number << 2 * kFieldBits; }
constexpr uint64_t kTagMask = TagOf(~uint64_t{0});
constexpr uint64_t AllOf(uint64_t word) { return word & kField; }
constexpr uint64_t MatchingOf(uint64_t word) { return word >> kFieldBits & kField; }

std::atomic_ref<uint64_t> Atomic(const uint64_t& word) {
  // There is no atomic_ref of a const object before C++26.
  return std::atomic_ref<uint64_t>(const_cast<uint64_t&>(word));
}

}  // namespace

bool AddFailure(Failures* failures, uint32_t count, int64_t interval_ns, int64_t now_ns) {
  return count <= kExactCount ? AddExact(failures, count, interval_ns, now_ns)
                              : AddCounted(failures, count, interval_ns, now_ns);
}

void ClearShares(Shares* shares, uint64_t circuit_word) {
  // Nothing counted, under a tag that tells the circuit's changes of state apart.
  const uint64_t empty = TagOf(circuit_word >> 2);
  for (const uint64_t& word : shares->words) Atomic(word).store(empty, std::memory_order_relaxed);
}

void AddOutcome(Shares* shares, uint64_t number, bool matches, const uint64_t* circuit_word,
                uint64_t expected) {
  const auto word = Atomic(shares->words[number % kShareWindows]);
  const uint64_t tag = TagOf(number);
  uint64_t old = word.load(std::memory_order_acquire);
  while ((old & kIsShare) != 0) {
    // After the load above: what is swapped below was there before the circuit changed.
    if (Atomic(*circuit_word).load(std::memory_order_acquire) != expected) return;
    uint64_t all = 0;
    uint64_t matching = 0;
    if ((old & kTagMask) == tag) {
      all = AllOf(old);
      matching = MatchingOf(old);
      if (all == kField) {
        all /= 2;
        matching /= 2;
      }
    }
    const uint64_t added = tag | (matching + (matches ? 1 : 0)) << kFieldBits | (all + 1);
    if (word.compare_exchange_weak(old, added, std::memory_order_acq_rel,
                                   std::memory_order_acquire)) {
      return;
    }
  }
}

ShareCounts CountShares(const Shares& shares, uint64_t number) {
  ShareCounts counts;
  for (uint64_t back = 0; back < kShareWindows; ++back) {
    const uint64_t word =
        Atomic(shares.words[(number - back) % kShareWindows]).load(std::memory_order_acquire);
    const bool is_next = back + 1 == kShareWindows && (word & kTagMask) == TagOf(number + 1);
    if ((word & kTagMask) != TagOf(number - back) && !is_next) continue;
    counts.matching += MatchingOf(word);
    counts.all += AllOf(word);
  }
  return counts;
}

}  // namespace weir::breaker

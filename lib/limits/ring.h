// The sums of the last few sub-windows of time.
//
// Time is cut into sub-windows of equal width, numbered from the clock's zero. What was added in
// sub-window k is one sum, kept until sub-window k + kSums begins. All-zero memory is empty.
//
// A clock that steps back by less than the ring's length finds it standing still; further back,
// all that is remembered counts as added now, so nothing is given away and nothing is owed longer
// than the ring's length.
//
// Nothing is kept that follows from the rest (no total), and what is forgotten is zeroed before the
// head moves: wherever a process dies between two stores, the ring is sound, and at most forgets
// what was due to be forgotten at that very moment.

#ifndef WEIR_LIB_LIMITS_RING_H_
#define WEIR_LIB_LIMITS_RING_H_

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "absl/base/attributes.h"
#include "absl/base/optimization.h"

namespace weir::limits {

// No sum grows beyond this, so that a total can not overflow. Far above kMaxAmount.
inline constexpr uint64_t kMaxSum = uint64_t{1} << 59;

// Stores in the order they are written, as the next reader must find them if this process dies
// here. On the processors in use a plain store.
template <typename T>
void StoreInOrder(T& word, T value) {
  std::atomic_ref<T>(word).store(value, std::memory_order_release);
}

template <int kSums>
struct Ring {
  int64_t head;  // number of the newest sub-window
  uint64_t sums[kSums];

  // Numbers are far from 2^61 on both sides.
  static int IndexOf(int64_t number) {
    constexpr uint64_t kShift = kSums * (uint64_t{1} << 60);
    return static_cast<int>((static_cast<uint64_t>(number) + kShift) % kSums);
  }
  static int Before(int index) { return index == 0 ? kSums - 1 : index - 1; }
  static int After(int index) { return index == kSums - 1 ? 0 : index + 1; }

  // In three chains, because a decision waits for nothing else; the empty asm keeps the compiler
  // from making one of them.
  ABSL_ATTRIBUTE_ALWAYS_INLINE uint64_t Sum() const {
    return SumFrom<0>() + SumFrom<1>() + SumFrom<2>();
  }

  // What is remembered in sub-window `number`.
  ABSL_ATTRIBUTE_ALWAYS_INLINE uint64_t Total(int64_t number) const {
    return ABSL_PREDICT_TRUE(number <= head) ? Sum() : LaterTotal(number);
  }

  // The number of the sub-window in which at most `keep` will be remembered, while in `number` it
  // is `total`, which is more.
  ABSL_ATTRIBUTE_ALWAYS_INLINE int64_t NumberWithAtMost(uint64_t keep, int64_t number,
                                                        uint64_t total) const {
    return keep == 0 ? EmptyFrom(number) : NumberWithSome(keep, number, total);
  }

  // The number of the sub-window from which on nothing is remembered: `number` when that is so now.
  ABSL_ATTRIBUTE_ALWAYS_INLINE int64_t EmptyFrom(int64_t number) const {
    const int64_t newest = head;
    if (ABSL_PREDICT_FALSE(newest - number >= kSums)) return number + (Sum() == 0 ? 0 : kSums);
    if (ABSL_PREDICT_FALSE(newest + kSums <= number)) return number;
    // The newest is the last to go, and seldom empty.
    if (ABSL_PREDICT_TRUE(sums[IndexOf(newest)] != 0)) return newest + kSums;
    return OlderEmptyFrom(number);
  }

  // Adds, and says to which sub-window, and from which one on nothing will be remembered.
  struct Added {
    int64_t number;
    int64_t empty_from;
  };
  ABSL_ATTRIBUTE_ALWAYS_INLINE Added Add(int64_t number, uint64_t amount) {
    if (ABSL_PREDICT_FALSE(number != head)) MoveTo(number);
    const int64_t newest = head;
    uint64_t& sum = sums[IndexOf(newest)];
    const uint64_t after = sum + std::min(amount, kMaxSum - sum);
    StoreInOrder(sum, after);
    return {newest, ABSL_PREDICT_TRUE(after != 0) ? newest + kSums : OlderEmptyFrom(number)};
  }

  // Takes back up to `amount` of what was added in sub-window `number`, if that is remembered.
  // False: nothing is left there.
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool Remove(int64_t number, uint64_t amount) {
    if (ABSL_PREDICT_FALSE(number > head || number <= head - kSums)) return false;
    uint64_t& sum = sums[IndexOf(number)];
    const uint64_t left = sum - std::min(amount, sum);
    StoreInOrder(sum, left);
    return left != 0;
  }

 private:
  template <int kFirst>
  ABSL_ATTRIBUTE_ALWAYS_INLINE uint64_t SumFrom() const {
    uint64_t sum = sums[kFirst];
    for (int i = kFirst + 3; i < kSums; i += 3) {
      sum += sums[i];
      asm("" : "+r"(sum));
    }
    return sum;
  }

  ABSL_ATTRIBUTE_NOINLINE uint64_t LaterTotal(int64_t number) const {
    if (number - head >= kSums) return 0;
    uint64_t total = 0;
    int i = IndexOf(number - kSums + 1);
    for (int64_t k = number - kSums + 1; k <= head; ++k, i = After(i)) total += sums[i];
    return total;
  }

  // From the end that is likely to be near: little is to go when a busy window lacks room for a
  // small cost, and little to stay when a large one is asked for.
  ABSL_ATTRIBUTE_NOINLINE int64_t NumberWithSome(uint64_t keep, int64_t number,
                                                 uint64_t total) const {
    if (ABSL_PREDICT_FALSE(head - number >= kSums)) return number + kSums;
    const int64_t oldest = std::max(number, head) - kSums + 1;
    if (keep >= total / 2) {
      int64_t k = oldest;
      for (int i = IndexOf(k); k <= head && (total -= sums[i]) > keep; i = After(i)) ++k;
      return std::min(k, head) + kSums;
    }
    int64_t k = head;
    int i = IndexOf(k);
    for (uint64_t kept = sums[i]; k > oldest && kept <= keep; kept += sums[i]) {
      --k;
      i = Before(i);
    }
    return k + kSums;
  }

  ABSL_ATTRIBUTE_NOINLINE int64_t OlderEmptyFrom(int64_t number) const {
    const int64_t oldest = std::max(number, head) - kSums + 1;
    int i = IndexOf(head);
    for (int64_t k = head; k >= oldest; --k, i = Before(i)) {
      if (sums[i] != 0) return k + kSums;
    }
    return number;
  }

  ABSL_ATTRIBUTE_NOINLINE void MoveTo(int64_t number) {
    if (number < head) {
      const uint64_t total = Sum();
      if (total != 0 && head - number < kSums) return;
      // First in its new place, so that dying in between gives nothing away.
      const int place = IndexOf(number);
      StoreInOrder(sums[place], std::min(total, kMaxSum));
      for (int i = 0; i < kSums; ++i) {
        if (i != place) StoreInOrder(sums[i], uint64_t{0});
      }
    } else {
      for (int64_t k = std::max(head, number - kSums) + 1; k <= number; ++k) {
        StoreInOrder(sums[IndexOf(k)], uint64_t{0});
      }
    }
    StoreInOrder(head, number);
  }
};

}  // namespace weir::limits

#endif  // WEIR_LIB_LIMITS_RING_H_

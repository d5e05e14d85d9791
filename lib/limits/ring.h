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

  static int IndexOf(int64_t number) {
    const auto index = static_cast<int>(number % kSums);
    return index < 0 ? index + kSums : index;
  }

  // One word at a time (volatile keeps the compiler from reading two): a wide load of a word just
  // stored waits until it has left the store buffer, longer than all these loads. In three chains,
  // because a decision waits for nothing else.
  uint64_t Sum() const {
    const volatile uint64_t* words = sums;
    uint64_t chains[3] = {0, 0, 0};
    for (int i = 0; i < kSums; ++i) chains[i % 3] += words[i];
    return chains[0] + chains[1] + chains[2];
  }

  // What is remembered in sub-window `number`.
  uint64_t Total(int64_t number) const {
    if (number <= head) return Sum();
    if (number - head >= kSums) return 0;
    uint64_t total = 0;
    for (int64_t k = number - kSums + 1; k <= head; ++k) total += sums[IndexOf(k)];
    return total;
  }

  // The number of the sub-window in which at most `keep` will be remembered, while more is now.
  int64_t NumberWithAtMost(uint64_t keep, int64_t number) const {
    if (head - number >= kSums) return number + kSums;
    if (keep == 0 && sums[IndexOf(head)] != 0) return head + kSums;  // the newest is the last to go
    uint64_t total = Total(number);
    int64_t k = std::max(number, head) - kSums + 1;
    while (total > keep && k <= head) total -= sums[IndexOf(k++)];
    return k - 1 + kSums;
  }

  // Adds and says to which sub-window.
  int64_t Add(int64_t number, uint64_t amount) {
    if (number != head) MoveTo(number);
    uint64_t& sum = sums[IndexOf(head)];
    StoreInOrder(sum, sum + std::min(amount, kMaxSum - sum));
    return head;
  }

  // Takes back up to `amount` of what was added in sub-window `number`, if that is remembered.
  void Remove(int64_t number, uint64_t amount) {
    if (number > head || number <= head - kSums) return;
    uint64_t& sum = sums[IndexOf(number)];
    StoreInOrder(sum, sum - std::min(amount, sum));
  }

 private:
  void MoveTo(int64_t number) {
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

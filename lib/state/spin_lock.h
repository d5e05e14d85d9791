// A one-word lock that lives in a segment: zero is free, anything else is its owner.
//
// It is a word and nothing more, so it works in memory that several processes map. The owner's
// number stands in the word so that whoever waits can tell whose death to look for.

#ifndef WEIR_LIB_STATE_SPIN_LOCK_H_
#define WEIR_LIB_STATE_SPIN_LOCK_H_

#include <atomic>
#include <cstdint>

namespace weir::state {

using LockWord = std::atomic<uint32_t>;
static_assert(LockWord::is_always_lock_free && sizeof(LockWord) == 4);

// The owner written by every holder in a segment of this process alone.
inline constexpr uint32_t kPrivateOwner = 1;

// Waits for `word`: spins with growing pauses, and when the holder seems to have lost its
// processor, offers it this one.
void LockContended(LockWord& word, uint32_t owner);

inline bool TryLock(LockWord& word, uint32_t owner) {
  uint32_t free = 0;
  return word.compare_exchange_strong(free, owner, std::memory_order_acquire,
                                      std::memory_order_relaxed);
}

inline void Lock(LockWord& word, uint32_t owner) {
  if (!TryLock(word, owner)) LockContended(word, owner);
}

inline void Unlock(LockWord& word) { word.store(0, std::memory_order_release); }

// Holds a lock for a scope.
class LockHolder {
 public:
  LockHolder(LockWord& word, uint32_t owner) : word_(word) { Lock(word_, owner); }
  ~LockHolder() { Unlock(word_); }
  LockHolder(const LockHolder&) = delete;
  LockHolder& operator=(const LockHolder&) = delete;

 private:
  LockWord& word_;
};

}  // namespace weir::state

#endif  // WEIR_LIB_STATE_SPIN_LOCK_H_

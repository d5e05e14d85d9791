// A one-word lock that lives in a segment: zero is free, anything else is its owner.
//
// It is a word and nothing more, so it works in memory that several processes map. The owner's
// number stands in the word so that whoever waits can tell whose death to look for: the lock of a
// dead owner is taken over, and what it guards is as the dead one's last store left it.

#ifndef WEIR_LIB_STATE_SPIN_LOCK_H_
#define WEIR_LIB_STATE_SPIN_LOCK_H_

#include <atomic>
#include <cstdint>

#include "absl/base/optimization.h"
#include "state/identity.h"

namespace weir::state {

using LockWord = std::atomic<uint32_t>;
static_assert(LockWord::is_always_lock_free && sizeof(LockWord) == 4);

// Waits for `word`: spins with growing pauses, and when the holder seems to have lost its
// processor, offers it this one; now and then asks whether the holder lives.
void LockContended(LockWord& word, const Identity& identity);

inline bool TryLock(LockWord& word, const Identity& identity) {
  uint32_t free = 0;
  return word.compare_exchange_strong(free, identity.word(), std::memory_order_acquire,
                                      std::memory_order_relaxed);
}

// Takes the lock if its holder is dead.
bool TryTakeOver(LockWord& word, const Identity& identity);

inline void Lock(LockWord& word, const Identity& identity) {
  if (ABSL_PREDICT_FALSE(!TryLock(word, identity))) LockContended(word, identity);
}

inline void Unlock(LockWord& word) { word.store(0, std::memory_order_release); }

// Holds a lock for a scope.
class LockHolder {
 public:
  LockHolder(LockWord& word, const Identity& identity) : word_(word) { Lock(word_, identity); }
  ~LockHolder() { Unlock(word_); }
  LockHolder(const LockHolder&) = delete;
  LockHolder& operator=(const LockHolder&) = delete;

 private:
  LockWord& word_;
};

}  // namespace weir::state

#endif  // WEIR_LIB_STATE_SPIN_LOCK_H_

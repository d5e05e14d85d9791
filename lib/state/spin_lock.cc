#include "state/spin_lock.h"

#include <sched.h>

namespace weir::state {
namespace {

// A critical section is some tens of nanoseconds: a holder that has not left after this many rounds
// (a few microseconds) is not running.
constexpr int kSpinRounds = 64;
constexpr int kLongestPause = 32;

void Pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

void LockContended(LockWord& word, uint32_t owner) {
  int pauses = 1;
  for (int round = 0;; ++round) {
    // Reading first keeps the line shared between the waiters until it is worth taking.
    if (word.load(std::memory_order_relaxed) == 0 && TryLock(word, owner)) return;
    if (round >= kSpinRounds) {
      sched_yield();
      continue;
    }
    for (int i = 0; i < pauses; ++i) Pause();
    if (pauses < kLongestPause) pauses *= 2;
  }
}

}  // namespace weir::state

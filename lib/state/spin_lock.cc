#include "state/spin_lock.h"

#include <sched.h>

namespace weir::state {
namespace {

// A critical section is some tens of nanoseconds: a holder that has not left after this many rounds
// (a few microseconds) is not running.
constexpr int kSpinRounds = 64;
constexpr int kLongestPause = 32;
// How many times it is offered the processor between two questions whether it lives.
constexpr int kRoundsPerQuestion = 16;

void Pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

bool TryTakeOver(LockWord& word, const Identity& identity) {
  uint32_t holder = word.load(std::memory_order_relaxed);
  return holder != 0 && identity.IsGone(holder) &&
         word.compare_exchange_strong(holder, identity.word(), std::memory_order_acquire,
                                      std::memory_order_relaxed);
}

void LockContended(LockWord& word, const Identity& identity) {
  int pauses = 1;
  for (int round = 0;; ++round) {
    // Reading first keeps the line shared between the waiters until it is worth taking.
    if (word.load(std::memory_order_relaxed) == 0 && TryLock(word, identity)) return;
    if (round >= kSpinRounds) {
      if (round % kRoundsPerQuestion == 0 && TryTakeOver(word, identity)) return;
      sched_yield();
      if (round == 2 * kSpinRounds) round = kSpinRounds;  // for as long as it takes
      continue;
    }
    for (int i = 0; i < pauses; ++i) Pause();
    if (pauses < kLongestPause) pauses *= 2;
  }
}

}  // namespace weir::state

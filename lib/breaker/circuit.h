// One circuit: the state machine, over plain data that lives in the segment.
//
// Every function here needs the circuit's lock, but for those that say otherwise.
//
// The word orders everything: which life of the slot this is, how often the state changed in it,
// and the state. No word ever comes twice, so an outcome can be told to be of this state, or stale;
// probes have numbers of their own. A process may die between any two stores here: each change is
// prepared in memory that the old state does not use, or uses without harm, and the word comes
// last, or it comes first and frees what is cleared after it.
//
// A clock that steps back counts as no time passed: stored times ahead of `now` move to `now`, and
// a deadline moves along with the moment it was set.

#ifndef WEIR_LIB_BREAKER_CIRCUIT_H_
#define WEIR_LIB_BREAKER_CIRCUIT_H_

#include <atomic>
#include <cstdint>
#include <string_view>

#include "breaker/history.h"
#include "breaker/rules.h"
#include "weir/breaker.h"

namespace weir::breaker {

struct Probe {
  uint64_t number;  // 0: a free slot
  int64_t start_ns;
};

// All zero is one that nobody has begun yet: closed, and nothing is counted in it.
struct CircuitData {
  uint64_t word;         // written under the lock, read without, like the next
  uint64_t fingerprint;  // whose rules `histories` count
  int64_t since_ns;
  int64_t open_until_ns;
  int64_t forget_at_ns;  // from then on another key may have the slot
  uint64_t last_probe;
  uint32_t trips;
  uint32_t successes;
  // Of the last trip.
  uint16_t status;
  uint8_t failure;
  uint8_t asked;
  uint8_t rule_bytes;
  uint8_t key_bytes;
  uint8_t unused[2];
  uint8_t streaks[kMaxRules];  // successive trips by each rule
  char key[kMaxKeyBytes];
  char rule[kMaxRuleBytes];
  // Outcomes are counted only while closed, probes are out only while half-open. A thread may still
  // look for a history that is gone: see history.h.
  union {
    History histories[kMaxRules];
    Probe probes[kMaxProbes];
  };
};
static_assert(sizeof(CircuitData) == 160 + kMaxRules * sizeof(History));
static_assert(sizeof(CircuitData::probes) <= sizeof(CircuitData::histories));

inline constexpr int kLifeShift = 26;
inline constexpr uint64_t kOneChange = 4;

// One atomic load; needs no lock.
inline uint64_t ReadWord(const uint64_t& word) {
  // There is no atomic_ref of a const object before C++26.
  return std::atomic_ref<uint64_t>(const_cast<uint64_t&>(word)).load(std::memory_order_acquire);
}
inline State StateOf(uint64_t word) { return static_cast<State>(word & 3); }
// Nothing has happened in this life of the slot: not begun, or never tripped.
inline bool IsFirstState(uint64_t word) { return (word & ((uint64_t{1} << kLifeShift) - 1)) == 0; }

// Gives a slot that was just claimed its life.
void Begin(CircuitData* circuit, uint64_t life, const PreparedSet& set);

// Keeps what fits of the key, for humans.
void SetKey(CircuitData* circuit, std::string_view key);

// Forgets what was counted by other rules. The circuit is closed.
void AdoptRules(CircuitData* circuit, const PreparedSet& set);

// What an ask for passage finds: open circuits whose time is over are half-open.
Passage LookAt(const CircuitData& circuit, const RuleSet& set, int64_t now_ns);

struct ProbeTaken {
  uint64_t number = 0;  // 0: the circuit does not let a probe through
  bool half_opened = false;
};
// Takes a probe slot. Turns an open circuit whose time is over into a half-open one. Overdue probes
// lose their slots.
ProbeTaken TakeProbe(CircuitData* circuit, const PreparedSet& set, int64_t now_ns);

// The probe `number` of the state `word` ended: `matching` rules failed it, or it showed health, or
// neither.
Report EndProbe(CircuitData* circuit, const PreparedSet& set, uint64_t word, uint64_t number,
                uint32_t matching, const Outcome& outcome, int64_t now_ns);

// The probe slot goes back.
void ReturnProbe(CircuitData* circuit, uint64_t word, uint64_t number);

// A failure while closed.
Report CountFailure(CircuitData* circuit, const PreparedSet& set, uint32_t matching,
                    const Outcome& outcome, int64_t now_ns);

// An outcome that matches no rule, while closed in the state `word`: for the rules that have a
// percentage. Needs no lock.
void CountHealthy(CircuitData* circuit, const PreparedSet& set, uint64_t word, int64_t now_ns);

}  // namespace weir::breaker

#endif  // WEIR_LIB_BREAKER_CIRCUIT_H_
